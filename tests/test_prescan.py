"""The quick way into a feed gives what the whole feed gives, or stands aside."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import pytest

from tests.archives import NOON, Desk, entry, source
from watchfloor import prescan
from watchfloor.errors import WatchfloorError
from watchfloor.feeds import read_feed
from watchfloor.model import Entry, Feed

NOW = datetime(2026, 11, 26, tzinfo=UTC)
URL = "https://gazette.example/feed"

RSS = """<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom"><channel>
<title>The Gazette</title><link>https://gazette.example/</link><ttl>30</ttl><language>en</language>
<atom:link rel="self" href="https://gazette.example/feed"/>
<item><title>One</title><link>https://gazette.example/1</link><guid isPermaLink="false">one</guid>
<description><![CDATA[<p>A <b>first</b> text</p>]]></description><pubDate>Tue, 24 Nov 2026 10:00:00 GMT</pubDate></item>
<item>
 <title>Two</title><guid>https://gazette.example/2</guid><dc:creator>Ann</dc:creator></item>
<item><title>Three</title><link>https://gazette.example/3?utm_source=rss</link>
<atom:link rel="replies" href="https://gazette.example/3#comments"/>
<pubDate>Mon, 23 Nov 2026 10:00:00 GMT</pubDate></item>
<item><title>Four has neither id nor link</title><description>Some words</description></item>
</channel></rss>"""
ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de"><title>Das Blatt</title><id>urn:blatt</id>
<link href="https://blatt.example/"/>
<entry><id>urn:1</id><title>Eins</title><link href="https://blatt.example/1"/><updated>2026-11-24T10:00:00Z</updated>
<content type="html">&lt;p&gt;Grüße&lt;/p&gt;</content></entry>
<entry><id>urn:2</id><title>Zwei</title><link rel="enclosure" href="https://blatt.example/2.mp3"/>
<link href="https://blatt.example/2"/><updated>2026-11-23T10:00:00Z</updated><source><id>urn:x</id></source></entry>
<entry xml:lang="en"><id>https://blatt.example/3</id><title>Three</title></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="https://r.example/"><title>R</title>
<items><rdf:Seq><rdf:li resource="https://r.example/1"/></rdf:Seq></items></channel>
<item rdf:about="https://r.example/1"><title>One &gt; none</title><link>https://r.example/1</link>
<dc:date>2026-11-24T10:00:00Z</dc:date></item>
<item rdf:about="https://r.example/2"><title>Two</title><link>https://r.example/2</link></item></rdf:RDF>"""
# Each of these makes the scan doubt, for a reason of its own.
DOUBTFUL = {
    "not well-formed": RSS.replace("<title>Two", "<br><title>Two"),
    "a DOCTYPE": '<!DOCTYPE rss [<!ENTITY x "y">]>' + RSS,
    "an item in CDATA": RSS.replace("A <b>first", "<item>A</item> <b>first"),
    "an end in CDATA": RSS.replace("A <b>first", "</item> <b>first"),
    "an item in a comment": RSS.replace("<ttl>", "<!-- <item><guid>one</guid></item> --><ttl>"),
    "an item in an item": RSS.replace("<dc:creator>", "<item><guid>one</guid></item><dc:creator>"),
    "one id, two items": RSS.replace("https://gazette.example/2<", "one<"),
    "one link, two items": RSS.replace("gazette.example/3?utm_source=rss", "gazette.example/1?utm_source=rss"),
    "two ids, one item": RSS.replace("<dc:creator>", "<guid>three</guid><dc:creator>"),
    "two links, one item": RSS.replace('<atom:link rel="replies"', "<atom:link"),
}


def read(body: bytes, known: Mapping[str, datetime | None]) -> Feed:
    return read_feed(body, content_type="", url=URL, now=NOW, known=known)


def known_of(entries: tuple[Entry, ...]) -> dict[str, datetime | None]:
    return {key: entry.published for entry in entries for key in entry.keys}


def unknown(feed: Feed, known: Mapping[str, datetime | None]) -> list[Entry]:
    return [entry for entry in feed.entries if known.keys().isdisjoint(entry.keys)]


def dates(feed: Feed) -> set[datetime | None]:
    return {entry.published for entry in feed.entries} | set(feed.left_out)


def agree(body: bytes, entries: tuple[Entry, ...], whole: Feed | None = None) -> Feed:
    """Read with these known; all that counts must be as if the whole had been read."""
    known = known_of(entries)
    whole, quick = whole or read(body, {}), read(body, known)
    assert unknown(quick, known) == unknown(whole, known)
    assert dates(quick) == dates(whole)
    assert replace(quick, entries=(), left_out=()) == replace(whole, entries=(), left_out=())
    return quick


@pytest.mark.parametrize("document", [RSS, ATOM, RDF], ids=["rss", "atom", "rdf"])
def test_whatever_is_known_the_rest_is_read_as_from_the_whole(document: str) -> None:
    entries = read(document.encode(), {}).entries
    for number in range(len(entries) + 1):
        for some in combinations(entries, number):
            agree(document.encode(), some)


@pytest.mark.parametrize(("document", "left_out"), [(RSS, 3), (ATOM, 3), (RDF, 2)], ids=["rss", "atom", "rdf"])
def test_what_is_known_is_not_read_again(document: str, left_out: int) -> None:
    quick = agree(document.encode(), read(document.encode(), {}).entries)
    assert (len(quick.left_out), quick.size) == (left_out, len(read(document.encode(), {}).entries))


@pytest.mark.parametrize("why", DOUBTFUL)
def test_on_doubt_the_whole_feed_is_read(why: str) -> None:
    body = DOUBTFUL[why].encode()
    entries = read(body, {}).entries
    for some in (entries[:1], entries[1:2], entries[1:]):
        assert agree(body, some).left_out == ()


def test_an_old_item_under_a_new_id_is_read_so_that_it_is_noticed() -> None:
    known = known_of(read(RSS.encode(), {}).entries)
    again = read(RSS.replace(">one<", ">one-again<").encode(), known)
    assert [entry.title for entry in again.entries] == ["One", "Four has neither id nor link"]


def test_no_document_has_more_items_than_counted() -> None:
    assert [prescan.at_most(document.encode()) for document in (RSS, ATOM)] == [4, 3]


def test_the_archive_knows_the_newest_entries_of_a_source(archive: object) -> None:
    desk = Desk(archive).knows(source(), source("herald"))  # type: ignore[arg-type]
    old, new = entry("one"), entry("two", published=None)
    desk.polls("gazette", old)
    desk.polls("herald", entry("three", "herald"))
    desk.polls("gazette", new)
    assert desk.archive.known_entries("gazette", 2) == known_of((old, new))
    assert desk.archive.known_entries("gazette", 1) == dict.fromkeys(new.keys)
    assert old.published == NOON.replace(hour=11)


def real_feeds(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted((folder / "feeds").glob("*.xml.gz")):
        yield path.name, gzip.decompress(path.read_bytes())


def test_real_feeds_give_the_same_entries(real_data: Path) -> None:
    """All captured feeds, with all but 0, 1 and 4 entries known; most of them go the quick way."""
    quick = tried = 0
    for _, body in real_feeds(real_data):
        try:
            whole = read(body, {})
        except WatchfloorError:
            continue
        for new in (0, 1, 4):
            if len(whole.entries) > new:
                feed = agree(body, whole.entries[new:], whole)
                tried, quick = tried + 1, quick + bool(feed.left_out)
    assert tried > 500
    assert quick > 0.85 * tried
