"""Finding feeds and checking them, over real HTTP on loopback."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from lxml import etree

from tests.servers import LOOPBACK, Script, Server, drips, on_loop, redirect, reply
from watchfloor import discovery
from watchfloor.discovery import Candidate, Finding, SourceReport
from watchfloor.errors import HttpStatus, NotAFeed
from watchfloor.fetch import HttpDoor
from watchfloor.model import Entry, Feed, Page, Source
from watchfloor.ports import Answer

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class PlainReader:
    """Reads the RSS of this file, and calls everything else no feed."""

    async def feed(self, body: bytes, *, content_type: str, url: str, now: datetime) -> Feed:
        try:
            root = etree.fromstring(body)
        except etree.XMLSyntaxError:
            raise NotAFeed("a web page where a feed was expected") from None
        items = root.findall("channel/item")
        return Feed(tuple(self._entry(item) for item in items), root.findtext("channel/title", ""), "rss20")

    def _entry(self, item: Any) -> Entry:
        date = item.findtext("pubDate")
        published = datetime.strptime(date, "%a, %d %b %Y %H:%M:%S %z") if date else None
        return Entry((item.findtext("link"),), item.findtext("title"), item.findtext("link"), published=published)

    async def page(self, body: bytes, *, content_type: str, url: str, now: datetime) -> Page:
        raise NotImplementedError

    async def feed_links(self, body: bytes, *, url: str) -> tuple[str, ...]:
        return discovery.feed_links(body, url)


def rss(*ages: timedelta, title: str = "The Post") -> bytes:
    items = "".join(
        f"<item><title>Item {number}</title><link>https://post.example/{number}</link>"
        f"<pubDate>{format_datetime(NOW - age)}</pubDate></item>"
        for number, age in enumerate(ages)
    )
    return f'<rss version="2.0"><channel><title>{title}</title>{items}</channel></rss>'.encode()


FRESH = rss(HOUR, 2 * HOUR, 4 * HOUR)
TAGGED = reply(200, FRESH, ETag='"1"', Content_Type="application/rss+xml")


def page(head: str = "", body: str = "") -> bytes:
    return reply(200, f"<!doctype html><html><head>{head}</head><body>{body}</body></html>".encode())


def a_door() -> HttpDoor:
    return HttpDoor(allow_addresses=LOOPBACK, host_delay=0, deadline=1, clock=lambda: NOW)


# -- links of a page, pure --------------------------------------------------------------------------------------------

PAGE_LINKS = {
    "declared": ('<link rel="alternate" type="application/rss+xml" href="/feed">', ["https://site.example/feed"]),
    "capitals and charset": (
        '<LINK REL="Alternate" TYPE="application/atom+xml; charset=utf-8" HREF="/atom">',
        ["https://site.example/atom"],
    ),
    "json feed": ("<link rel=alternate type=application/feed+json href=f.json>", ["https://site.example/news/f.json"]),
    "comments come last": (
        '<link rel=alternate type="application/rss+xml" title="Comments Feed" href="/comments/feed/">'
        '<link rel=alternate type="application/rss+xml" title="Site" href="/feed/">',
        ["https://site.example/feed/", "https://site.example/comments/feed/"],
    ),
    "a base address": (
        '<base href="https://other.example/a/"><link rel=alternate type="text/xml" href="b.xml">',
        ["https://other.example/a/b.xml"],
    ),
    "a translation is no feed": ('<link rel="alternate" hreflang="de" href="/de/">', []),
    "a style sheet is no feed": ('<link rel="stylesheet" type="text/xml" href="/style.xml">', []),
    "anchors that look like feeds": (
        '<a href="/rss.xml">a</a><a href="/news/feed/">b</a><a href="https://feeds.example/x.rdf">c</a>'
        '<a href="?outputType=xml">d</a>',
        [
            "https://site.example/rss.xml",
            "https://site.example/news/feed/",
            "https://feeds.example/x.rdf",
            "https://site.example/news/?outputType=xml",
        ],
    ),
    "anchors that do not": ('<a href="/feedback">a</a><a href="/press/">b</a><a href="/atomic-bomb">c</a>', []),
    "declared before anchors, each once": (
        '<a href="/rss">x</a><a href="/feed#top">y</a><link rel=alternate type="application/rss+xml" href="/feed">',
        ["https://site.example/feed", "https://site.example/rss"],
    ),
    "hostile ones": (
        '<a href="javascript:rss()">a</a><a href="file:///feed">b</a><a href="http://u:p@x.example/feed">c</a>'
        '<a href="http://[::1/feed">d</a><a href="">e</a><a>f</a>' + f'<a href="/feed/{"x" * 9000}">g</a>',
        [],
    ),
}


@pytest.mark.parametrize("name", PAGE_LINKS)
def test_the_feeds_that_a_page_names(name: str) -> None:
    html, expected = PAGE_LINKS[name]
    assert list(discovery.feed_links(html.encode(), "https://site.example/news/")) == expected


@pytest.mark.parametrize("body", [b"", b" ", b"\x00" * 1000, b"<" * 100_000, b"\xff\xfe", b"<a>" * 200_000])
def test_a_page_that_is_none_names_nothing(body: bytes) -> None:
    assert discovery.feed_links(body, "https://site.example/") == ()


# -- discovery --------------------------------------------------------------------------------------------------------


async def found(answers: dict[str, bytes | Script], path: str = "/") -> tuple[list[Candidate], list[str]]:
    """What discovery finds, with addresses shortened to paths, and what it asked for."""
    async with Server(answers) as server, a_door() as door:
        candidates = await discovery.discover(server.url(path), door, PlainReader(), NOW)
        return [replace(one, url=one.url.removeprefix(server.url(""))) for one in candidates], server.targets


DECLARED = '<link rel="alternate" type="application/rss+xml" href="/feed">'


@on_loop
async def test_a_feeds_own_address_is_a_feed() -> None:
    assert await found({"/feed": TAGGED}, "/feed") == ([Candidate("/feed", "The Post", 3, NOW - HOUR)], ["/feed"])


@on_loop
async def test_a_site_names_its_feed() -> None:
    candidates, asked = await found({"/": page(DECLARED), "/feed": TAGGED})
    assert candidates == [Candidate("/feed", "The Post", 3, NOW - HOUR)]
    assert asked == ["/", "/feed"]


@on_loop
async def test_dead_links_and_pages_are_no_candidates() -> None:
    links = DECLARED + '<a href="/rss">RSS</a><a href="/feeds/all">all</a>'
    candidates, _ = await found({"/": page(links), "/rss": page(), "/feeds/all": TAGGED})
    assert [one.url for one in candidates] == ["/feeds/all"]


@on_loop
async def test_two_names_of_one_feed_are_one_candidate() -> None:
    links = DECLARED + '<a href="/rss">RSS</a>'
    candidates, _ = await found({"/": page(links), "/feed": TAGGED, "/rss": redirect("/feed", 301)})
    assert [one.url for one in candidates] == ["/feed"]


@on_loop
async def test_a_page_of_a_thousand_feeds_is_not_asked_dry() -> None:
    links = "".join(f'<a href="/feed/{number}">x</a>' for number in range(1000))
    _, asked = await found({"/": page("", links)})
    assert len(asked) == 1 + discovery.MOST_ASKED


@on_loop
async def test_a_site_that_names_none_has_none_and_nothing_is_guessed() -> None:
    assert await found({"/": page("", "hello"), "/feed": TAGGED}) == ([], ["/"])


@on_loop
async def test_a_site_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(HttpStatus):
        await found({})


# -- checking ---------------------------------------------------------------------------------------------------------


async def checked(answers: dict[str, bytes | Script]) -> SourceReport:
    """The report on a source at /feed, with the server's address taken out of its words."""
    async with Server(answers) as server, a_door() as door:
        source = Source("post", "The Post", server.url("/feed"), "The Post")
        report = await discovery.check(source, door, PlainReader(), NOW)
        origin = server.url("")
        assert report.source == source
        return replace(
            report,
            findings=tuple(replace(one, words=one.words.replace(origin, "")) for one in report.findings),
            suggestion=report.suggestion.removeprefix(origin) if report.suggestion else None,
        )


@on_loop
async def test_a_good_feed() -> None:
    report = await checked({"/feed": TAGGED})
    assert report == SourceReport(
        source=report.source,
        findings=(Finding("3 items, newest 1 hour old"),),
        entries=3,
        newest=NOW - HOUR,
        dialect="rss20",
    )
    assert report.ok


CHECKS: dict[str, tuple[dict[str, bytes | Script], bool, str]] = {
    "no validators": (
        {"/feed": reply(200, FRESH)},
        True,
        "3 items, newest 1 hour old; offers no validators, so that each poll takes the whole document (1 kB)",
    ),
    "403": ({"/feed": reply(403)}, False, "refuses us (403): it may block programs, or want to know who asks (set "),
    "404": (
        {},
        False,
        "not found (404): moved or ended; `watchfloor sources check` with its site's address looks for it",
    ),
    "410": ({"/feed": reply(410)}, False, "gone for good (410): it is not asked again until its url is changed"),
    "500": ({"/feed": reply(500)}, False, "answers with an error (HTTP 500)"),
    "429": ({"/feed": reply(429, Retry_After="60")}, False, "asks us to come less often (429)"),
    "silence": ({"/feed": drips(b"HTTP/1.1 200 Said\r\n", b"A: b\r\n")}, False, "cannot be reached: "),
    "an address next door": ({"/feed": redirect("http://10.0.0.1/")}, False, "is not asked: "),
    "redirects without end": ({"/feed": redirect("/feed")}, False, "answers with something unusable: "),
    "moved for good": (
        {"/feed": redirect("/new", 301), "/new": TAGGED},
        True,
        "3 items, newest 1 hour old; moved permanently to /new",
    ),
    "moved for now": (
        {"/feed": redirect("/new", 302), "/new": TAGGED},
        True,
        "3 items, newest 1 hour old; redirects to /new",
    ),
    "a page that names the feed": (
        {"/feed": page('<link rel="alternate" type="application/rss+xml" href="/real">'), "/real": TAGGED},
        False,
        "answers with a page instead of a feed; the page names /real (3 items)",
    ),
    "a page that names none": ({"/feed": page()}, False, "answers, but not with a feed, and names none"),
    "empty": ({"/feed": reply(200, rss(), ETag='"1"')}, False, "a feed without items"),
    "stale": (
        {"/feed": reply(200, rss(*(timedelta(days=days) for days in (90, 91, 92, 93))), ETag='"1"')},
        False,
        "nothing new for 90 days; its items used to come 1 day apart",
    ),
}


@pytest.mark.parametrize("name", CHECKS)
@on_loop
async def test_what_is_wrong_is_said_in_words(name: str) -> None:
    answers, ok, words = CHECKS[name]
    report = await checked(answers)
    assert report.words.startswith(words)
    assert report.ok is ok


@on_loop
async def test_what_to_write_instead_is_suggested() -> None:
    moved = await checked({"/feed": redirect("/new", 301), "/new": TAGGED})
    named = await checked({"/feed": page('<a href="/real/rss">RSS</a>'), "/real/rss": TAGGED})
    for_now = await checked({"/feed": redirect("/new", 302), "/new": TAGGED})
    assert (moved.suggestion, named.suggestion, for_now.suggestion) == ("/new", "/real/rss", None)


SOURCE = Source("post", "The Post", "https://post.example/feed", "The Post")
GOOD = Answer(SOURCE.url, SOURCE.url, 200, {"etag": '"1"'}, b"")


@pytest.mark.parametrize(
    ("feed", "words"),
    [
        (Feed((Entry(("1",), "A", "https://post.example/1"),), undated=1), "1 item; none of its items has a date that"),
        (
            Feed(
                (
                    Entry(("1",), "A", "https://post.example/1", published=NOW - HOUR),
                    Entry(("2",), "B", "https://post.example/2"),
                ),
                undated=1,
            ),
            "2 items, newest 1 hour old; 1 item without a date that can be true",
        ),
        (Feed((Entry(("1",), "A", published=NOW),)), "1 item, newest less than a minute old; none of its items has a"),
        (
            Feed((Entry(("1",), "A", "https://a.example/", published=NOW - 50 * HOUR),), complaint="two declarations"),
            "1 item, newest 2 days old; two declarations",
        ),
    ],
)
def test_oddities_are_remarks(feed: Feed, words: str) -> None:
    report = discovery.report(SOURCE, GOOD, feed, NOW)
    assert report.words.startswith(words)
    assert report.ok
