"""Bytes -> Feed: RSS, Atom, RDF and CDF by feedparser, which lives here only; JSON Feed by a small reader. Pure.

bytes | _readable | prescan.cut | feedparser | _xml_item | identify        (the whole document if the scan doubts)
"""

from __future__ import annotations

import codecs
import hashlib
import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from watchfloor import prescan
from watchfloor.clean import AUTHOR_LENGTH, TEXT_LENGTH, clean_date, clean_line, clean_link, clean_text, html_to_text
from watchfloor.errors import NotAFeed, ParseError
from watchfloor.model import Entry, Feed
from watchfloor.ports import NOTHING_KNOWN
from watchfloor.prescan import Scanned

GUID_LENGTH = 4096  # a longer one is an article, not a name
MOST_ITEMS = 20_000  # of a document: 10 MB hold 700,000, and the archive needs most of a millisecond for each
TITLE_WORDS = 15  # of the summary, where there is no title
PERIODS = {"hourly": 1, "daily": 24, "weekly": 168, "monthly": 730, "yearly": 8760}
LONGEST_WAIT = timedelta(days=7)
WEEKDAYS = {"monday": 0, "tuesday": 1, "wednesday": 2, "thursday": 3, "friday": 4, "saturday": 5, "sunday": 6}
ENCODINGS = re.compile(r"(utf-?(8|16|16le|16be|32)|us-ascii|iso-?8859-\d+|windows-\d+|cp\d+|koi8-[ru]|gb(k|2312|18030)|"
                       r"big5|shift[_-]?jis|euc-(jp|kr|tw)|mac-?\w+|latin-?\d)", re.IGNORECASE)  # fmt: skip
_BAD_REFERENCE = re.compile(rb"&#(x[0-9a-fA-F]{1,9}|\d{1,10});")
_ADDRESS = re.compile(r"[^\s@<>()]{1,64}@[^\s@<>()]{1,255}")
_DECLARED = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")


@dataclass(frozen=True, slots=True)
class Item:
    """An item before identity is decided: what the document says, cleaned."""

    guid: str
    link: str | None
    title: str
    summary: str
    content: str
    authors: tuple[str, ...]
    published: datetime | None
    language: str | None


def read_feed(
    body: bytes,
    *,
    content_type: str,
    url: str,
    now: datetime,
    known: Mapping[str, datetime | None] = NOTHING_KNOWN,
) -> Feed:
    """Read one feed document. `url`: where it came from, against which relative links are resolved.

    `known`: keys of entries that this source brought before, each with its entry's date. They are a hint that saves
    time: entries that bear one may be left out, and then are counted in `Feed.known` alone.

    Raises:
        NotAFeed: it is something else, such as a page.
        ParseError: it is a feed that cannot be read.
    """
    if not body.strip():
        raise NotAFeed("the answer is empty")
    if _looks_like_json(body, content_type):
        return _read_json(body, url, now)
    return _read_xml(body, content_type, url, now, known)


# -- XML --------------------------------------------------------------------------------------------------------------


def _read_xml(body: bytes, content_type: str, url: str, now: datetime, known: Mapping[str, datetime | None]) -> Feed:
    encoding = _encoding_of(body, content_type)
    document = _readable(body, encoding)
    rest = _read_rest(document, url, now, known) if known else None
    parsed, items, left_out = rest or (*_read_document(document, url, now), ())
    if not parsed.get("version") and not items:
        raise NotAFeed(_what_it_is(body))
    return Feed(
        entries=identify(_not_too_many(items, len(left_out))),
        title=clean_line(html_to_text(str(parsed.feed.get("title") or ""))),
        dialect=parsed.get("version") or "",
        language=_language(parsed.feed.get("language")),
        minimum_wait=_minimum_wait(parsed.feed),
        closed_hours=_closed(parsed.feed, document, "skipHours", _hour),
        closed_days=_closed(parsed.feed, document, "skipDays", WEEKDAYS.get),
        encoding=encoding,
        complaint=_complaint(parsed),
        undated=sum(date is None for date in [*(item.published for item in items), *left_out]),
        left_out=left_out,
    )


def _read_rest(
    document: bytes, url: str, now: datetime, known: Mapping[str, datetime | None]
) -> tuple[Any, list[Item], tuple[datetime | None, ...]] | None:
    """What feedparser makes of the document without known items, the items, the dates of those; None on doubt.

    An item whose id is new is read even if its link is known: a feed that gives new ids to old items gets noticed.
    """

    @cache
    def link(written: str) -> str | None:
        return clean_link(written, url)

    def key(item: Scanned) -> str:
        return _key("guid", item.guid[:GUID_LENGTH]) if item.guid else _key("url", link(item.link) or "")

    rest = prescan.cut(document, lambda item: key(item) in known, link)
    if rest is None or not rest.known:
        return None
    try:
        parsed, items = _read_document(rest.document, url, now)
    except ParseError:
        return None
    if [(item.guid, item.link) for item in items] != [(item.guid, link(item.link)) for item in rest.kept]:
        return None  # the scan and feedparser differ about what an item is
    return parsed, items, tuple(known[key(item)] for item in rest.known)


def _read_document(document: bytes, url: str, now: datetime) -> tuple[Any, list[Item]]:
    import feedparser

    try:
        parsed = feedparser.parse(
            io.BytesIO(document),
            sanitize_html=False,
            resolve_relative_uris=False,
            response_headers={"content-type": "application/xml; charset=utf-8"},
        )
    except Exception as error:  # feedparser lets any exception of the parsers below it through
        raise ParseError(f"the feed cannot be read: {type(error).__name__}") from error
    base = clean_link(_text(parsed.feed.get("link")), url) or url
    return parsed, [_xml_item(entry, url, base, now) for entry in parsed.entries]


def _encoding_of(body: bytes, content_type: str) -> str:
    """UTF-8 if it is that, whatever is declared; else what HTTP, the BOM or the XML declaration say, if known."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        body.decode("utf-8-sig")
        return "utf-8"
    except UnicodeDecodeError:
        pass
    in_header = re.search(r"charset=[\"']?([\w.-]+)", content_type)
    in_document = _DECLARED.search(body[:1024])
    candidates = [in_header[1] if in_header else "", in_document[1].decode("ascii") if in_document else ""]
    for name in candidates:
        if ENCODINGS.fullmatch(name) and not name.lower().replace("-", "").startswith("utf8"):
            return name.lower()
    return "windows-1252"


def _readable(body: bytes, encoding: str) -> bytes:
    """The document as UTF-8, without what makes the parsers below raise."""
    try:
        text = body.decode("utf-8-sig" if encoding == "utf-8" else encoding, "replace")
    except LookupError:
        text = body.decode("windows-1252", "replace")
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text.lstrip("\ufeff \t\r\n"), count=1)
    text = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", "", text)
    return b'<?xml version="1.0" encoding="utf-8"?>' + _BAD_REFERENCE.sub(_good_reference, text.encode("utf-8"))


def _good_reference(match: re.Match[bytes]) -> bytes:
    """A character reference to something that is no character would lose the whole feed."""
    digits = match[1]
    number = int(digits[1:], 16) if digits[:1] == b"x" else int(digits)
    fine = number in (9, 10, 13) or 32 <= number < 0xD800 or 0xE000 <= number < 0xFFFE or 0x10000 <= number < 0x110000
    return match[0] if fine else b"\xef\xbf\xbd"


def _what_it_is(body: bytes) -> str:
    head = body[:2000].lstrip().lower()
    if b"<html" in head or head.startswith(b"<!doctype html"):
        return "a web page, not a feed"
    return "XML, but no feed" if head.startswith(b"<") else "no feed"


def _complaint(parsed: Any) -> str | None:
    error = parsed.get("bozo_exception") if parsed.get("bozo") else None
    return clean_line(f"{type(error).__name__}: {error}", 200) if error else None


def _link(entry: Any, url: str, base: str) -> str | None:
    """Its link. A guid stands for one only if it is an address: `<guid>4711</guid>` would name a page nobody wrote."""
    link = _text(entry.get("link"))
    if entry.get("guidislink") and link == entry.get("id") and "://" not in link:
        return None
    return clean_link(link, base if link.startswith("/") else url)


def _xml_item(entry: Any, url: str, base: str, now: datetime) -> Item:
    link = _link(entry, url, base)
    content = max((html_to_text(_text(part.get("value"))) for part in entry.get("content", ())), key=len, default="")
    summary = html_to_text(_text(entry.get("summary")))
    raw_date = entry.get("published") or entry.get("updated") or entry.get("created")
    return Item(
        guid=_text(entry.get("id")).strip()[:GUID_LENGTH],
        link=link,
        title=clean_line(html_to_text(_text(entry.get("title"))[:20_000])),
        summary="" if summary == content else summary,
        content=content,
        authors=_names(_authors(entry)),
        published=clean_date(_text(raw_date), now),
        language=_language(entry.get("language")),
    )


def _authors(entry: Any) -> Iterable[object]:
    """RSS writes `address (Name)`; feedparser cuts addresses after four letters of their top level domain."""
    written, named = _text(entry.get("author")), entry.get("authors", ())
    if isinstance(named, str):  # an element <authors>, which feedparser hands over as it is
        return [written or named]
    if "@" in written and len(named) < 2:
        return [_ADDRESS.sub("", written).strip(" ()<>,;")]
    return [author.get("name") for author in named]


def _text(value: object) -> str:
    return value[: 4 * TEXT_LENGTH] if isinstance(value, str) else ""


def _names(names: Iterable[object]) -> tuple[str, ...]:
    cleaned = (clean_line(str(name), AUTHOR_LENGTH) for name in names if name)
    return tuple(dict.fromkeys(name for name in cleaned if name))[:20]


def _language(value: object) -> str | None:
    match = re.match(r"[a-z]{2,3}", str(value or "").strip().lower())
    return match[0] if match else None


def _minimum_wait(feed: Any) -> timedelta | None:
    """ttl in minutes, sy:updatePeriod over sy:updateFrequency; the longer of them, a week at most."""
    hours = PERIODS.get(str(feed.get("sy_updateperiod") or "").strip().lower(), 0)
    every = timedelta(hours=hours) / (_number(feed.get("sy_updatefrequency")) or 1)
    longest = max(timedelta(minutes=_number(feed.get("ttl"))), every)
    return min(longest, LONGEST_WAIT) if longest else None


def _number(value: object) -> int:
    """A number of at most six digits; 0 for anything else, since `int` chokes on thousands of digits, and on `²`."""
    text = str(value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def _closed(feed: Any, document: bytes, element: str, bit_of: Callable[[str], int | None]) -> int:
    """What a channel's skipHours or skipDays name, as bits. feedparser says whether it has some, and keeps the last."""
    if element.lower() not in feed:
        return 0
    block = re.search(rb"<%b\s*>(.*?)</%b" % ((element.encode(),) * 2), document, re.DOTALL)
    words = re.findall(rb"<(?:hour|day)\s*>\s*(\w{1,9})\s*<", block[1]) if block else []
    bits = {bit_of(word.decode("ascii", "replace").lower()) for word in words}
    return sum(1 << bit for bit in bits if bit is not None)


def _hour(word: str) -> int | None:
    """0 to 23; RSS 0.91 counted from 1 to 24."""
    return int(word) % 24 if word.isdecimal() and int(word) <= 24 else None


# -- JSON Feed --------------------------------------------------------------------------------------------------------


def _looks_like_json(body: bytes, content_type: str) -> bool:
    return body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" or "json" in content_type.lower()


def _read_json(body: bytes, url: str, now: datetime) -> Feed:
    """JSON Feed 1.0 and 1.1 (jsonfeed.org), which feedparser does not read."""
    try:
        document = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        raise NotAFeed("JSON that cannot be read") from error
    if not isinstance(document, dict) or not isinstance(document.get("items"), list):
        raise NotAFeed("JSON, but no JSON Feed")
    items = [_json_item(item, url, now) for item in document["items"] if isinstance(item, dict)]
    return Feed(
        entries=identify(_not_too_many(items)),
        title=clean_line(_text(document.get("title"))),
        dialect="json",
        language=_language(document.get("language")),
        encoding="utf-8",
        undated=sum(item.published is None for item in items),
    )


def _json_item(item: dict[str, Any], url: str, now: datetime) -> Item:
    authors = item.get("authors") if isinstance(item.get("authors"), list) else [item.get("author")]
    content = html_to_text(_text(item.get("content_html"))) or clean_text(_text(item.get("content_text")))
    return Item(
        guid=str(item.get("id") or "").strip()[:GUID_LENGTH],
        link=clean_link(_text(item.get("url")) or _text(item.get("external_url")), url),
        title=clean_line(_text(item.get("title"))),
        summary=html_to_text(_text(item.get("summary"))),
        content=content,
        authors=_names(author.get("name") for author in authors or () if isinstance(author, dict)),
        published=clean_date(_text(item.get("date_published")) or _text(item.get("date_modified")), now),
        language=_language(item.get("language")),
    )


# -- identity ---------------------------------------------------------------------------------------------------------


def _not_too_many(items: Sequence[Item], left_out: int = 0) -> Sequence[Item]:
    if (count := len(items) + left_out) > MOST_ITEMS:
        raise ParseError(f"the feed has {count} items, and more than {MOST_ITEMS} are not read")
    return items


def identify(items: Sequence[Item]) -> tuple[Entry, ...]:
    """Entries with their keys; an item that says again what one before it said is that one.

    A guid that items with different links share, or a link that items with different guids share, names none of them.
    """
    links_of: dict[str, set[str]] = defaultdict(set)
    guids_of: dict[str | None, set[str]] = defaultdict(set)
    for item in items:
        links_of[item.guid].add(item.link or item.title)
        guids_of[item.link].add(item.guid or item.title)
    entries: dict[tuple[str, ...], Entry] = {}
    for item in items:
        guid = item.guid if len(links_of[item.guid]) == 1 else ""
        link = item.link if len(guids_of[item.link]) == 1 else None
        entry = _entry(item, guid, link)
        entries.setdefault(entry.keys, entry)
    return tuple(entries.values())


def _entry(item: Item, guid: str, link: str | None) -> Entry:
    """`guid` and `link` are those of the item, where they identify it."""
    keys = [_key("guid", guid)] if guid else []
    keys += [_key("url", link)] if link else []
    day = item.published.date().isoformat() if item.published else ""
    title = item.title or _first_words(item.summary or item.content) or "(no title)"
    return Entry(
        keys=tuple(keys) or (_key("title", f"{title} {day} {item.link or ''}"),),
        title=title,
        url=item.link,
        summary=item.summary,
        content=item.content,
        authors=item.authors,
        published=item.published,
        language=item.language,
    )


def _first_words(text: str) -> str:
    words = text.split()
    return clean_line(" ".join(words[:TITLE_WORDS]) + (" …" if len(words) > TITLE_WORDS else ""))


def _key(kind: str, value: str) -> str:
    return f"{kind}:{hashlib.sha256(value.encode('utf-8', 'replace')).hexdigest()[:32]}"
