"""Entry + page -> article: which text stands, what grade it bears, when the page is asked for again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from watchfloor.articles import RETRY_AFTER, Asked, compose
from watchfloor.errors import FetchError, HttpStatus, ParserKilled, ParserTimedOut, Refused, Unreachable
from watchfloor.model import Collected, Entry, Grade, Page, PageJob, Source

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOURCE = Source(id="herald", name="Herald", url="https://herald.example/rss", publisher="Herald", language="en")
ENTRY = Entry(
    keys=("url:1",),
    title="Frigates bound for the Red Sea",
    url="https://herald.example/1",
    summary="Two ships leave on Monday.",
    published=NOW - timedelta(hours=1),
)
JOB = PageJob(7, ENTRY, SOURCE)
TEXT = "Two frigates leave for the Red Sea on Monday, the ministry said. They will guard merchant ships."
PAGE = Page(
    Grade.FULL, TEXT, title="Frigates bound for the Red Sea - Herald", canonical_url="https://herald.example/one"
)


def test_a_full_page_is_the_article() -> None:
    asked = Asked(page=PAGE, final_url="https://herald.example/1?x", status=200, raw=b"<html>")
    assert compose(JOB, asked, NOW) == Collected(
        article_id=7,
        at=NOW,
        title=ENTRY.title,
        text=TEXT,
        text_from="page",
        grade=Grade.FULL,
        url="https://herald.example/one",
        language="en",
        published=ENTRY.published,
        raw=b"<html>",
        status=200,
    )


@pytest.mark.parametrize("grade", [Grade.CONSENT, Grade.CHALLENGE, Grade.EMPTY, Grade.FAILED])
def test_a_wall_is_never_the_article(grade: Grade) -> None:
    made = compose(JOB, Asked(page=Page(grade, "We value your privacy. " * 20), status=200), NOW)
    assert (made.text, made.text_from, made.grade) == (ENTRY.summary, "summary", grade)


def test_a_teaser_stands_only_if_it_says_more_than_the_feed() -> None:
    longer = compose(JOB, Asked(page=Page(Grade.TEASER, TEXT), status=200), NOW)
    shorter = compose(JOB, Asked(page=Page(Grade.TEASER, "Two ships."), status=200), NOW)
    assert (longer.text_from, longer.grade) == ("page", Grade.TEASER)
    assert (shorter.text, shorter.text_from, shorter.grade) == (ENTRY.summary, "summary", Grade.TEASER)


def test_a_feed_that_carries_much_more_than_its_page_is_believed() -> None:
    job = replace(JOB, entry=replace(ENTRY, content=TEXT * 3))
    made = compose(job, Asked(page=PAGE, status=200), NOW)
    assert (made.text, made.text_from, made.grade) == (TEXT * 3, "content", Grade.FULL)


def test_a_full_text_source_needs_no_page() -> None:
    job = replace(JOB, entry=replace(ENTRY, content=TEXT), source=replace(SOURCE, full_text=True))
    made = compose(job, Asked(), NOW)
    assert (made.text, made.text_from, made.grade, made.retry_at) == (TEXT, "content", Grade.FULL, None)


def test_a_headline_alone_is_kept() -> None:
    made = compose(replace(JOB, entry=replace(ENTRY, summary="")), Asked(error=HttpStatus("u", 404)), NOW)
    assert (made.title, made.text, made.text_from, made.grade) == (ENTRY.title, "", "title", Grade.FAILED)


def test_a_title_that_the_feed_cut_is_completed_by_the_page() -> None:
    job = replace(JOB, entry=replace(ENTRY, title="Frigates bound for ..."))
    page = replace(PAGE, title="Frigates bound for the Red Sea")
    assert compose(job, Asked(page=page), NOW).title == "Frigates bound for the Red Sea"


@pytest.mark.parametrize(
    ("error", "attempts", "wait"),
    [
        (Unreachable("u", "nobody answered"), 0, RETRY_AFTER[0]),
        (Unreachable("u", "nobody answered"), 2, RETRY_AFTER[2]),
        (Unreachable("u", "nobody answered"), 3, None),
        (HttpStatus("u", 503, retry_after=timedelta(hours=2)), 0, timedelta(hours=2)),
        (HttpStatus("u", 429, retry_after=timedelta(seconds=1)), 0, RETRY_AFTER[0]),
        (HttpStatus("u", 404), 0, None),
        (Refused("u", "robots.txt says no"), 0, None),
    ],
)
def test_when_a_page_is_asked_for_again(error: FetchError, attempts: int, wait: timedelta | None) -> None:
    made = compose(replace(JOB, attempts=attempts), Asked(error=error), NOW)
    assert made.grade is Grade.FAILED
    assert made.error == error.reason
    assert made.retry_at == (NOW + wait if wait else None)


def test_a_page_that_kills_its_reader_is_not_asked_for_again() -> None:
    made = compose(JOB, Asked(error=ParserKilled("took more than 1024 MB to read"), status=200), NOW)
    assert (made.text_from, made.error, made.retry_at) == ("summary", "took more than 1024 MB to read", None)


@pytest.mark.parametrize(("attempts", "retry_at"), [(0, NOW + RETRY_AFTER[0]), (1, None)])
def test_a_page_that_took_too_long_has_one_more_try(attempts: int, retry_at: datetime | None) -> None:
    """The machine may have had too much to do."""
    error = ParserTimedOut("took more than 14 s to read")
    assert compose(replace(JOB, attempts=attempts), Asked(error=error), NOW).retry_at == retry_at
