"""Feeds of every dialect give the same entries; what is odd in them is survived. The documents are written here."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from watchfloor.errors import NotAFeed, ParseError
from watchfloor.feeds import read_feed
from watchfloor.model import Entry, Feed

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 8, tzinfo=UTC)
URL = "https://gazette.example/feeds/all"
LINK = "https://gazette.example/world/brigade.html"

RSS = f"""<?xml version="1.0"?><rss version="2.0"><channel><title>Gazette</title><link>https://gazette.example/</link>
<description>News</description><language>en-GB</language><ttl>90</ttl>
<item><guid isPermaLink="false">g1</guid><title>A brigade &amp; more</title><link>{LINK}</link>
<pubDate>Mon, 23 Nov 2026 09:00:00 +0100</pubDate><author>desk@gazette.example (A. Writer)</author>
<description>&lt;p&gt;It moves &lt;b&gt;east&lt;/b&gt;.&lt;/p&gt;&lt;p&gt;In spring.&lt;/p&gt;</description></item>
</channel></rss>"""
ATOM = f"""<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>Gazette</title><id>f</id>
<updated>2026-11-23T08:00:00Z</updated><entry><id>g1</id><title>A brigade &amp; more</title><link href="{LINK}"/>
<published>2026-11-23T08:00:00Z</published><author><name>A. Writer</name></author>
<summary type="html">&lt;p&gt;It moves &lt;b&gt;east&lt;/b&gt;.&lt;/p&gt;&lt;p&gt;In spring.&lt;/p&gt;</summary>
</entry></feed>"""
RDF = f"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="f"><title>Gazette</title>
<link>https://gazette.example/</link><description>News</description></channel>
<item rdf:about="g1"><title>A brigade &amp; more</title><link>{LINK}</link><dc:date>2026-11-23T08:00:00Z</dc:date>
<dc:creator>A. Writer</dc:creator><description>It moves east.

In spring.</description></item></rdf:RDF>"""
JSON_FEED = json.dumps(
    {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Gazette",
        "language": "en",
        "items": [
            {
                "id": "g1",
                "title": "A brigade & more",
                "url": LINK,
                "date_published": "2026-11-23T09:00:00+01:00",
                "authors": [{"name": "A. Writer"}],
                "summary": "<p>It moves <b>east</b>.</p><p>In spring.</p>",
            }
        ],
    }
)


def read(document: str | bytes, *, content_type: str = "", url: str = URL) -> Feed:
    body = document if isinstance(document, bytes) else document.encode()
    return read_feed(body, content_type=content_type, url=url, now=NOW)


def rss(*items: str, head: str = "") -> str:
    listed = "".join(f"<item>{item}</item>" for item in items)
    return f'<rss version="2.0"><channel><title>Gazette</title>{head}{listed}</channel></rss>'


# -- dialects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [RSS, ATOM, RDF, JSON_FEED], ids=["rss", "atom", "rdf", "json"])
def test_every_dialect_gives_the_same_entry(document: str) -> None:
    feed = read(document)
    (entry,) = feed.entries
    assert replace(entry, keys=(), language=None) == Entry(
        keys=(),
        title="A brigade & more",
        url=LINK,
        summary="It moves east.\n\nIn spring.",
        authors=("A. Writer",),
        published=MONDAY,
    )
    assert (feed.title, feed.undated) == ("Gazette", 0)
    assert len(entry.keys) == 2  # guid and link


def test_the_keys_of_an_entry_are_those_of_its_guid_and_link_whatever_the_dialect() -> None:
    assert len({read(document).entries[0].keys for document in (RSS, ATOM, JSON_FEED)}) == 1


def test_content_and_summary_are_kept_apart() -> None:
    encoded = (
        f"<guid>g</guid><title>t</title><link>{LINK}</link><description>Short.</description>"
        '<content:encoded xmlns:content="http://purl.org/rss/1.0/modules/content/">'
        "<![CDATA[<p>Long.</p><p>Longer.</p><script>alert(1)</script>]]></content:encoded>"
    )
    (entry,) = read(rss(encoded)).entries
    assert (entry.summary, entry.content) == ("Short.", "Long.\n\nLonger.")


@pytest.mark.parametrize(
    ("head", "wait"),
    [
        ("<ttl>90</ttl>", timedelta(minutes=90)),
        ("<ttl>99999999999</ttl>", None),
        ("<ttl>nonsense</ttl>", None),
        ("<ttl>²</ttl>", None),
        ("", None),
        (
            '<sy:updatePeriod xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">daily</sy:updatePeriod>'
            '<sy:updateFrequency xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">4</sy:updateFrequency>',
            timedelta(hours=6),
        ),
        *(
            (
                '<sy:updatePeriod xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">daily</sy:updatePeriod>'
                f'<sy:updateFrequency xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">{times}</sy:updateFrequency>',
                timedelta(hours=24),
            )
            for times in ("0", "²", "9" * 5000)
        ),
    ],
)
def test_what_a_feed_asks_us_to_wait(head: str, wait: timedelta | None) -> None:
    assert read(rss("<title>t</title>", head=head)).minimum_wait == wait


HOURS = "<skipHours><hour>0</hour><hour> 5 </hour><hour>23</hour><hour>24</hour></skipHours>"
DAYS = "<skipDays><day>Saturday</day><day>sunday</day></skipDays>"


@pytest.mark.parametrize(
    ("head", "hours", "days"),
    [
        ("", set(), set()),
        (HOURS, {0, 5, 23}, set()),
        (DAYS, set(), {5, 6}),
        (DAYS + HOURS, {0, 5, 23}, {5, 6}),
        ("<skipHours><hour>25</hour><hour>-1</hour><hour>noon</hour><hour>²</hour><hour/></skipHours>", set(), set()),
        ("<skipDays><day>Caturday</day><day></day></skipDays>", set(), set()),
        ("<skipHours><hour>3", set(), set()),
        ("<description><![CDATA[" + HOURS + "]]></description>", set(), set()),
    ],
)
def test_when_a_feed_asks_not_to_be_read(head: str, hours: set[int], days: set[int]) -> None:
    feed = read(rss("<title>t</title>", head=head))
    assert (feed.closed_hours, feed.closed_days) == (sum(1 << hour for hour in hours), sum(1 << day for day in days))


def test_what_an_item_skips_is_not_the_feeds_wish() -> None:
    assert read(rss("<title>t</title>" + HOURS)).closed_hours == 0


@pytest.mark.parametrize(
    ("written", "authors"),
    [
        ("desk@gazette.example (A. Writer)", ("A. Writer",)),
        ("A. Writer &lt;desk@gazette.museum&gt;", ("A. Writer",)),
        ("A. Writer", ("A. Writer",)),
        ("desk@gazette.online", ()),
    ],
)
def test_an_author_is_a_name(written: str, authors: tuple[str, ...]) -> None:
    assert read(rss(f"<title>t</title><author>{written}</author>")).entries[0].authors == authors


def test_an_element_named_as_the_parser_names_its_list_of_authors_is_one() -> None:
    assert read(rss("<title>t</title><authors>A. Writer</authors>")).entries[0].authors == ("A. Writer",)


# -- dates and links --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "published"),
    [
        ("Mon, 23 Nov 2026 10:00:00 CEST", MONDAY),
        ("Mon, 23 Nov 2026 03:00:00 EST", MONDAY),
        ("2026-11-23T08:00:00.1234567Z", MONDAY.replace(microsecond=123456)),
        ("1700000000", None),
        ("Mon, 23 Nov 2199 10:00:00 GMT", None),
        ("21/11/2026", None),
        ("yesterday", None),
    ],
)
def test_a_date_is_true_or_absent(written: str, published: datetime | None) -> None:
    feed = read(rss(f"<guid>g</guid><title>t</title><pubDate>{written}</pubDate>"))
    assert feed.entries[0].published == published
    assert feed.undated == (published is None)


@pytest.mark.parametrize(
    ("link", "clean"),
    [
        ("/world/brigade.html", LINK),
        ("https://gazette.example/world/brigade.html?utm_source=rss#top", LINK),
        ("javascript:alert(1)", None),
        ("http://user:secret@gazette.example/", None),
        ("file:///etc/passwd", None),
    ],
)
def test_a_link_may_be_followed_or_is_none(link: str, clean: str | None) -> None:
    (entry,) = read(rss(f"<guid isPermaLink='false'>g</guid><title>t</title><link>{link}</link>")).entries
    assert entry.url == clean


@pytest.mark.parametrize("place", ["channel", "item"])
def test_an_element_named_as_the_parser_names_its_list_of_links_costs_nothing(place: str) -> None:
    """feedparser keeps what it does not know under its name, and then has no list to put links into."""
    links, item = "<links a='1'/>", "<guid>g</guid><title>t</title>"
    one, head = (f"{links}<link></link>{item}", "") if place == "item" else (item, f"{links}<link></link>")
    assert [entry.title for entry in read(rss(one, head=head)).entries] == ["t"]


# -- identity ---------------------------------------------------------------------------------------------------------


def test_what_is_said_twice_is_one_entry() -> None:
    item = f"<guid>g</guid><title>t</title><link>{LINK}</link>"
    assert len(read(rss(item, item)).entries) == 1


def test_a_guid_or_link_that_all_items_share_names_none_of_them() -> None:
    shared_guid = read(rss(*(f"<guid>same</guid><title>t{n}</title><link>{LINK}?n={n}</link>" for n in range(3))))
    shared_link = read(
        rss(*(f"<guid isPermaLink='false'>{n}</guid><title>t{n}</title><link>{LINK}</link>" for n in range(3)))
    )
    for feed in (shared_guid, shared_link):
        assert len(feed.entries) == 3
        assert len({key for entry in feed.entries for key in entry.keys}) == 3


def test_an_item_with_neither_guid_nor_link_is_known_by_title_and_day() -> None:
    first = read(rss("<title>Flash</title><pubDate>Mon, 23 Nov 2026 09:00:00 GMT</pubDate>"))
    again = read(rss("<title>Flash</title><pubDate>Mon, 23 Nov 2026 17:00:00 GMT</pubDate>"))
    other = read(rss("<title>Flash</title><pubDate>Sun, 22 Nov 2026 17:00:00 GMT</pubDate>"))
    assert first.entries[0].keys == again.entries[0].keys != other.entries[0].keys


def test_an_item_without_a_title_gets_the_first_words() -> None:
    (entry,) = read(rss(f"<guid>g</guid><description>{'word ' * 30}</description>")).entries
    assert entry.title == " ".join(["word"] * 15) + " …"


# -- what is odd ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["&#xD800;", "&#x110000;", "&#xFFFFFFFF;", "&#0;", "&#8;"])
def test_a_reference_to_no_character_costs_that_character_only(reference: str) -> None:
    (entry,) = read(rss(f"<guid>g</guid><title>A{reference}B</title>")).entries
    assert entry.title[0] + entry.title[-1] == "AB"


@pytest.mark.parametrize("encoding", ["utf-16", "windows-1251", "koi8-r", "iso-8859-5"])
def test_the_declared_encoding_is_heard(encoding: str) -> None:
    document = f'<?xml version="1.0" encoding="{encoding}"?>' + rss("<guid>g</guid><title>Оборона и союз</title>")
    assert read(document.encode(encoding)).entries[0].title == "Оборона и союз"


def test_utf8_that_is_declared_as_something_else_is_utf8() -> None:
    document = '<?xml version="1.0" encoding="iso-8859-1"?>' + rss("<guid>g</guid><title>Łódź — général</title>")
    feed = read(document, content_type="text/xml; charset=windows-1252")
    assert (feed.entries[0].title, feed.encoding) == ("Łódź — général", "utf-8")


def test_a_feed_that_is_cut_off_gives_what_came() -> None:
    whole = rss(*(f"<guid>{n}</guid><title>Story {n}</title>" for n in range(5)))
    feed = read(whole[: whole.index("Story 3")])
    assert [entry.title for entry in feed.entries][:3] == ["Story 0", "Story 1", "Story 2"]
    assert feed.complaint


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("<!doctype html><html><body>Log in</body></html>", "a web page"),
        ("<note>hello</note>", "XML, but no feed"),
        ("hello", "no feed"),
        ("", "empty"),
        ("{", "JSON"),
        ('{"items": 3}', "JSON, but no JSON Feed"),
    ],
)
def test_what_is_no_feed_says_what_it_is(document: str, said: str) -> None:
    with pytest.raises((NotAFeed, ParseError), match=said):
        read(document)


@pytest.mark.parametrize("item", [None, 3, [], {"id": 5}, {"url": 7, "title": ["x"]}, {"authors": "nobody"}])
def test_an_odd_item_of_a_json_feed_spoils_no_other(item: object) -> None:
    good = {"id": "g", "title": "Fine", "url": LINK}
    feed = read(json.dumps({"version": "https://jsonfeed.org/version/1", "items": [item, good]}))
    assert feed.entries[-1].title == "Fine"


@pytest.mark.parametrize("dialect", ["rss", "json"])
def test_a_flood_of_items_is_refused_whole(dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchfloor.feeds.MOST_ITEMS", 3)
    for count in (3, 4):
        items = [{"id": f"g{number}", "title": "t"} for number in range(count)]
        many = {
            "rss": rss(*(f"<guid>{item['id']}</guid><title>t</title>" for item in items)),
            "json": json.dumps({"version": "https://jsonfeed.org/version/1", "items": items}),
        }[dialect]
        if count == 3:
            assert len(read(many).entries) == 3
        else:
            with pytest.raises(ParseError, match="the feed has 4 items, and more than 3 are not read"):
                read(many)


def test_real_feeds_give_all_their_items(real_data: Path) -> None:
    """Fewer entries than items only where the document says one thing twice: seven of 221."""
    fewer = 0
    for line in (real_data / "feeds" / "index.jsonl").read_text(encoding="utf-8").splitlines():
        known = json.loads(line)
        body = gzip.decompress((real_data / "feeds" / known["file"]).read_bytes())
        feed = read_feed(body, content_type="", url=URL, now=datetime.now(UTC))
        fewer += len(feed.entries) < known["items"]
        assert len(feed.entries) <= known["items"]
    assert fewer <= 7
