"""Entry + what its page gave -> the article that is judged. Pure.

The page is the article when it gave one; else the longest that the feed itself carries: its content, its summary, at
last the title alone. The grade always speaks of the page, so nobody takes a summary for the whole story.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from watchfloor.clean import clean_link
from watchfloor.errors import FetchError, HttpStatus, ParserTimedOut, WatchfloorError
from watchfloor.model import Collected, Grade, Page, PageJob, TextFrom

RETRY_AFTER = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4))  # then what the feed gave stands
MUCH_LONGER = 1.5  # a feed's content that exceeds the page's text by this is the better article


@dataclass(frozen=True, slots=True)
class Asked:
    """What asking for a page led to: `page` or `error` (both None: there was nothing to ask for)."""

    page: Page | None = None
    error: WatchfloorError | None = None
    final_url: str | None = None
    status: int | None = None
    raw: bytes | None = None


def compose(job: PageJob, asked: Asked, now: datetime) -> Collected:
    """The article of one entry, with the best text there is and an honest grade."""
    page, entry = asked.page, job.entry
    text, text_from = _best_text(job, page)
    return Collected(
        article_id=job.article_id,
        at=now,
        title=_best_title(entry.title, page),
        text=text,
        text_from=text_from,
        grade=_grade(job, asked),
        url=(page and page.canonical_url) or clean_link(asked.final_url, "") or entry.url,
        authors=entry.authors or (page.authors if page else ()),
        language=(page and page.language) or entry.language or job.source.language,
        published=entry.published or (page.published if page else None),
        raw=asked.raw,
        status=asked.status,
        error=in_words(asked.error) if asked.error else None,
        retry_at=_retry_at(job, asked.error, now),
        busy_host=asked.error.busy_host if isinstance(asked.error, FetchError) else None,
        host_not_before=_host_not_before(asked.error, now),
    )


def _best_text(job: PageJob, page: Page | None) -> tuple[str, TextFrom]:
    entry = job.entry
    if page and page.grade in (Grade.FULL, Grade.ROUGH) and len(entry.content) < MUCH_LONGER * len(page.text):
        return page.text, "page"
    candidates: list[tuple[str, TextFrom]] = [(entry.content, "content"), (entry.summary, "summary")]
    if page and page.grade in (Grade.FULL, Grade.ROUGH, Grade.TEASER):
        candidates.insert(0, (page.text, "page"))
    text, text_from = max(candidates, key=lambda candidate: len(candidate[0]))
    return (text, text_from) if text else ("", "title")


def _best_title(title: str, page: Page | None) -> str:
    """The feed's title; the page's where the feed has none or cuts it short."""
    if not page or not page.title:
        return title
    stem = title.rstrip(". …")
    cut = title != stem and page.title.startswith(stem)
    return page.title if cut or not title else title


def _grade(job: PageJob, asked: Asked) -> Grade:
    if asked.page:
        return asked.page.grade
    if asked.error:
        return Grade.FAILED
    return Grade.FULL if job.source.full_text and job.entry.content else Grade.TEASER


def _retry_at(job: PageJob, error: WatchfloorError | None, now: datetime) -> datetime | None:
    tries = 1 if isinstance(error, ParserTimedOut) else len(RETRY_AFTER)
    if error is None or not error.retryable or job.attempts >= tries:
        return None
    wait = RETRY_AFTER[job.attempts]
    asked_for = error.retry_after if isinstance(error, FetchError) else None
    return now + max(wait, asked_for or wait)


def _host_not_before(error: WatchfloorError | None, now: datetime) -> datetime | None:
    if not isinstance(error, FetchError) or error.busy_host is None or error.retry_after is None:
        return None
    return now + error.retry_after


def status_of(error: WatchfloorError | None) -> int | None:
    """The HTTP status behind an error, where there was one."""
    return error.status if isinstance(error, HttpStatus) else None


def in_words(error: WatchfloorError) -> str:
    """What went wrong, without the address (the row knows it)."""
    return error.reason if isinstance(error, FetchError) else str(error)
