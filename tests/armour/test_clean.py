"""Cleaning at the door: whatever comes in, what goes on is what a database, a mail header and a terminal can take."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.armour.harmless import is_harmless
from watchfloor import clean
from watchfloor.clean import LINK_LENGTH, OLDEST, clean_date, clean_line, clean_link, clean_text, html_to_text

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BASE = "https://paper.example/news/index.xml"
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=200)  # surrogates and all

NASTY = {
    "nul": "\x00",
    "escape": "\x1b[2J",
    "C1": "\x9b31m",
    "carriage return": "a\rSubject: b",
    "lone surrogate": "\ud800",
    "private use": "\ue000",
    "right-to-left override": "\u202e",
    "arabic letter mark": "\u061c",
    "isolate": "\u2066",
    "zero width": "\u200b",
    "mongolian separator": "\u180e",
    "byte order mark": "\ufeff",
    "tag": "\U000e0041",
    "noncharacter": "\ufffe",
    "noncharacter of another plane": "\U0004ffff",
    "unassigned at the end": "\U0010ffff",
}


@pytest.mark.parametrize("name", NASTY)
def test_what_cannot_be_kept_goes(name: str) -> None:
    line = clean_line(f"before{NASTY[name]}after")
    assert is_harmless(line)
    assert not {"\n", "\r", "\x1b"} & set(line)
    assert (line[:6], line[-5:]) == ("before", "after"[-5:]) or name == "carriage return"


@given(ANY_TEXT)
@settings(derandomize=True)
def test_any_text_becomes_harmless_and_stays_what_it_then_is(text: str) -> None:
    for made in (clean_text(text), clean_line(text), html_to_text(text)):
        assert is_harmless(made)
        assert made == unicodedata.normalize("NFC", made).strip()
    assert clean_text(clean_text(text)) == clean_text(text)
    assert len(clean_line(text, 20)) <= 20


@given(st.one_of(ANY_TEXT, st.builds("http://{}/{}".format, ANY_TEXT, ANY_TEXT)))
@settings(derandomize=True)
def test_any_link_is_one_that_may_be_followed_or_none(link: str) -> None:
    clean = clean_link(link, BASE)
    if clean is None:
        return
    parts = urlsplit(clean)
    assert parts.scheme in ("http", "https")
    assert parts.hostname
    assert "@" not in parts.netloc
    assert clean.isascii()
    assert clean.isprintable()
    assert not set(' "<>\\^`{|}') & set(clean)
    assert len(clean) <= LINK_LENGTH
    assert clean_link(clean, "") == clean


REFUSED = [
    "",
    "javascript:alert(1)",
    "java\nscript:alert(1)",
    "\x01javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "ftp://paper.example/",
    "mailto:desk@paper.example",
    "http://",
    "http:///path",
    "http://[::1",
    "http://user@paper.example/",
    "http://user:secret@paper.example/",
    "http://@paper.example/",
    "http://paper.example:99999/",
    "http://paper.example:http/",
    "http://paper example/",
    "http://paper.example\\.evil.example/",
    'http://paper.example"onclick=x/',
    "http://<script>/",
    "http://paper\u2026example/",  # three dots, once it is made plain
    "http://pa%70er.example/",
    "http://[fe80::1%25eth0]/",
    "http://" + "a" * 64 + ".example/",
    "http://paper.example/" + "a" * 2100,
    "http://paper.example/\u202egpj.exe",
]


@pytest.mark.parametrize("link", REFUSED)
def test_a_link_that_leads_nowhere_good_is_none(link: str) -> None:
    assert clean_link(link, BASE) is None


@pytest.mark.parametrize(
    ("link", "clean"),
    [
        ("item.html", "https://paper.example/news/item.html"),
        ("//paper.example/a", "https://paper.example/a"),
        ("HTTPS://Paper.Example:443/A?utm_source=x&id=1#top", "https://paper.example/A?id=1"),
        ("http://bücher.example/ä", "http://xn--bcher-kva.example/%C3%A4"),
        ('http://paper.example/a"><b>|{}', "http://paper.example/a%22%3E%3Cb%3E%7C%7B%7D"),
        ("http://[2a00::1]:8080/a", "http://[2a00::1]:8080/a"),
    ],
)
def test_a_good_link_becomes_canonical(link: str, clean: str) -> None:
    assert clean_link(link, BASE) == clean


@given(st.one_of(ANY_TEXT, st.datetimes().map(str), st.datetimes().map(lambda at: at.strftime("%a, %d %b %Y %X CEST"))))
@settings(derandomize=True)
def test_any_date_lies_between_1990_and_tomorrow_or_is_none(text: str) -> None:
    date = clean_date(text, NOW)
    assert date is None or (date.tzinfo is UTC and OLDEST <= date <= NOW + timedelta(hours=24))


@pytest.mark.parametrize(
    "text",
    ["1700000000", "99999999999999999999", "2026-13-45T99:99:99Z", "2026-W47-6", "31 Feb 2026 10:00:00 GMT",
     "0001-01-01", "9999-12-31T23:59:59Z", "2199-01-01", "21/11/2026", "yesterday", "Mon, 00 Xyz 2026 10:00:00 GMT",
     "2026-11-24T12:00:00+9999", "1969-12-31T23:59:59Z", "2026-11-26T13:00:00Z"],
)  # fmt: skip
def test_a_date_that_cannot_be_true_is_none(text: str) -> None:
    assert clean_date(text, NOW) is None


@pytest.mark.parametrize(
    ("text", "hour"),
    [("Tue, 24 Nov 2026 10:00:00 CEST", 8), ("Tue, 24 Nov 2026 10:00:00 EST", 15), ("2026-11-24T10:00:00+05:30", 4)],
)
def test_zones_are_not_taken_for_utc(text: str, hour: int) -> None:
    date = clean_date(text, NOW + timedelta(hours=12))
    assert date is not None
    assert date.hour == hour


@given(st.from_regex(clean._CANONICAL, fullmatch=True))
def test_a_link_in_canonical_form_is_what_the_long_way_makes_of_it(link: str) -> None:
    assert clean._canonical(link, BASE) == link
