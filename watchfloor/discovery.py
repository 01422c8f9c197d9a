"""Finding the feeds of a site, and saying in words how a feed is doing: what `sources add` and `sources check` show.

address ── door.get ── a feed? ── yes ──────────────────────────┐
                          └─ no ── feed_links ── ask each ──────┴─> Candidate
source  ── door.get ── parsers.feed ── findings ──────────────────> SourceReport
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from lxml import etree

from watchfloor import rhythm
from watchfloor.errors import FetchError, NotAFeed, ParseError, WatchfloorError
from watchfloor.model import Feed, FeedState, Source
from watchfloor.ports import Answer, Door, Parsers
from watchfloor.sources import LONGEST_NAME

FEED_TYPES = {
    "application/rss+xml",
    "application/atom+xml",
    "application/rdf+xml",
    "application/feed+json",
    "application/json",
    "application/xml",
    "text/xml",
}
LOOKS_LIKE_A_FEED = re.compile(
    r"""
      (?:^|[/._-]) (?:rss|atom|feed|feeds|rdf) (?:$|[/._?-])    # /feed/, /rss.xml, news_rss, /feeds/all
    | \.(?:rss|atom|rdf)(?:$|\?)
    | [?&](?:feed|format|outputtype)=(?:rss|atom|xml|feed)
    """,
    re.VERBOSE | re.IGNORECASE,
)
MOST_ASKED = 8  # links of one page; with more, it is a directory of feeds and a person should choose
LONGEST_LINK = 2048


@dataclass(frozen=True, slots=True)
class Candidate:
    """A feed that answered: where it is, what it calls itself, and how alive it is."""

    url: str
    title: str
    entries: int
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know of a feed, in words. A fault keeps news from the desk, a remark does not."""

    words: str
    fault: bool = False


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What asking a source once has shown. `suggestion`: an address to put into sources.yaml instead."""

    source: Source
    findings: tuple[Finding, ...]
    entries: int = 0
    newest: datetime | None = None
    dialect: str = ""
    suggestion: str | None = None

    @property
    def ok(self) -> bool:
        """Whether news comes from it."""
        return not any(finding.fault for finding in self.findings)

    @property
    def words(self) -> str:
        """All findings as one line."""
        return "; ".join(finding.words for finding in self.findings)


# -- finding feeds ----------------------------------------------------------------------------------------------------


async def discover(address: str, door: Door, parsers: Parsers, now: datetime) -> tuple[Candidate, ...]:
    """The feeds of a site, or the one at the address itself. Only what the page names is asked; nothing is guessed.

    Raises:
        FetchError: the address itself gave no usable answer.
    """
    answer = await door.get(address, named_by_user=True)
    try:
        return (_candidate(answer, await _read(answer, parsers, now)),)
    except ParseError:
        return await _named_feeds(answer, door, parsers, now)


async def _named_feeds(page: Answer, door: Door, parsers: Parsers, now: datetime) -> tuple[Candidate, ...]:
    found: dict[str, Candidate] = {}
    try:
        links = await parsers.feed_links(page.body, url=page.final_url)
    except ParseError:
        return ()  # the page cannot be read, so it names nothing
    for url in links[:MOST_ASKED]:
        try:
            answer = await door.get(url, want="feed")
            found.setdefault(answer.final_url, _candidate(answer, await _read(answer, parsers, now)))
        except (FetchError, ParseError):
            continue  # a page's dead link to a feed is no feed of its site
    return tuple(found.values())


async def _read(answer: Answer, parsers: Parsers, now: datetime) -> Feed:
    return await parsers.feed(answer.body, content_type=answer.content_type, url=answer.final_url, now=now)


def _candidate(answer: Answer, feed: Feed) -> Candidate:
    return Candidate(answer.permanent_url or answer.url, feed.title[:LONGEST_NAME], len(feed.entries), _newest(feed))


def _newest(feed: Feed) -> datetime | None:
    return max((entry.published for entry in feed.entries if entry.published), default=None)


def feed_links(page: bytes, url: str) -> tuple[str, ...]:
    """The addresses of feeds that a page names, likeliest first: declared ones, then links that look like one. Pure."""
    root = _html(page)
    if root is None:
        return ()
    base = _absolute(url, next(iter(root.xpath("//base/@href")), "")) or url
    links = [*_declared(root), *_looking_like_one(root)]
    absolute = (_absolute(base, link) for link in links)
    return tuple(dict.fromkeys(link for link in absolute if link and link != url))


def _html(page: bytes) -> Any:
    parser = etree.HTMLParser(huge_tree=False, no_network=True)
    try:
        return etree.fromstring(page, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None  # an empty document, or none at all


def _declared(root: Any) -> list[str]:
    """`<link rel="alternate">` of a feed's type; a feed of comments comes last."""
    alternates = [
        link
        for link in root.iter("link")
        if "alternate" in link.get("rel", "").lower().split() and _media_type(link.get("type", "")) in FEED_TYPES
    ]
    alternates.sort(key=lambda link: "comment" in f"{link.get('title', '')} {link.get('href', '')}".lower())
    return [link.get("href", "") for link in alternates]


def _media_type(value: str) -> str:
    return value.split(";", maxsplit=1)[0].strip().lower()


def _looking_like_one(root: Any) -> Iterator[str]:
    for anchor in root.iter("a"):
        link = anchor.get("href", "")
        if LOOKS_LIKE_A_FEED.search(link[:LONGEST_LINK]):
            yield link


def _absolute(base: str, link: str) -> str | None:
    try:
        absolute = urljoin(base, link.strip()).split("#")[0]
        parts = urlsplit(absolute)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.username is None
    except ValueError:
        return None
    return absolute if usable and link.strip() and len(absolute) <= LONGEST_LINK else None


# -- checking a source ------------------------------------------------------------------------------------------------


async def check(source: Source, door: Door, parsers: Parsers, now: datetime) -> SourceReport:
    """Ask a source's feed once and say how it is doing. Never raises for what the feed does."""
    try:
        answer = await door.get(source.url, want="feed", named_by_user=True)
    except WatchfloorError as error:
        return SourceReport(source, (Finding(rhythm.diagnosis(error), fault=True),))
    try:
        feed = await _read(answer, parsers, now)
    except NotAFeed:
        return not_a_feed(source, await _named_feeds(answer, door, parsers, now))
    except ParseError as error:
        return SourceReport(source, (Finding(rhythm.diagnosis(error), fault=True),))
    return report(source, answer, feed, now)


def not_a_feed(source: Source, candidates: tuple[Candidate, ...]) -> SourceReport:
    """The report on an address that answers with something else, which may name the feed. Pure."""
    if not candidates:
        return SourceReport(source, (Finding("answers, but not with a feed, and names none", fault=True),))
    best = candidates[0]
    words = f"answers with a page instead of a feed; the page names {best.url} ({_amount(best.entries)})"
    return SourceReport(source, (Finding(words, fault=True),), suggestion=best.url)


def report(source: Source, answer: Answer, feed: Feed, now: datetime) -> SourceReport:
    """The report on an answer that is a feed. Pure."""
    moved = answer.permanent_url if answer.permanent_url != source.url else None
    return SourceReport(
        source=source,
        findings=findings(source, answer, feed, now),
        entries=len(feed.entries),
        newest=_newest(feed),
        dialect=feed.dialect,
        suggestion=moved,
    )


def findings(source: Source, answer: Answer, feed: Feed, now: datetime) -> tuple[Finding, ...]:
    """What a feed's one answer tells of it, the gravest first; at least one. Pure."""
    told = [*_liveliness(source, answer, feed, now), *_oddities(feed), *_whereabouts(answer), *_costs(answer)]
    return tuple(sorted(told, key=lambda finding: not finding.fault))


def _liveliness(source: Source, answer: Answer, feed: Feed, now: datetime) -> Iterator[Finding]:
    if not feed.entries:
        yield Finding("a feed without items", fault=True)
        return
    state = rhythm.after_answer(
        source, FeedState(), answer, feed=feed, body_hash=None, lifetime=None, now=now, jitter=0.0
    )
    newest = _newest(feed)
    if state.health == "silent" and state.message:
        yield Finding(state.message, fault=True)
    elif newest is None:
        yield Finding(_amount(len(feed.entries)))
    else:
        yield Finding(f"{_amount(len(feed.entries))}, newest {rhythm.in_words(now - newest)} old")


def _amount(entries: int) -> str:
    return "1 item" if entries == 1 else f"{entries} items"


def _oddities(feed: Feed) -> Iterator[Finding]:
    if feed.entries and feed.undated:
        some = "none of its items has" if feed.undated == len(feed.entries) else f"{_amount(feed.undated)} without"
        yield Finding(f"{some} a date that can be true")
    if feed.entries and not any(entry.url for entry in feed.entries):
        yield Finding("none of its items has a link")
    if feed.complaint:
        yield Finding(feed.complaint)


def _whereabouts(answer: Answer) -> Iterator[Finding]:
    if answer.permanent_url and answer.permanent_url != answer.url:
        yield Finding(f"moved permanently to {answer.permanent_url}")
    elif answer.final_url != answer.url:
        yield Finding(f"redirects to {answer.final_url}")


def _costs(answer: Answer) -> Iterator[Finding]:
    if not (answer.headers.get("etag") or answer.headers.get("last-modified")):
        size = max(1, round(len(answer.body) / 1000))
        yield Finding(f"offers no validators, so that each poll takes the whole document ({size} kB)")
