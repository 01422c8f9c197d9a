"""A row that the database itself refuses costs that row: its neighbours are kept, and the cycle goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storage.archive import SqlArchive
from tests.archives import LEASE, WHOLE, desk_with_news, entry
from tests.armour.floors import open_floor
from tests.servers import Server, on_loop, reply
from watchfloor import articles, pipeline
from watchfloor.articles import Asked
from watchfloor.errors import RowRefused
from watchfloor.model import Collected, PollOutcome, Source
from watchfloor.ports import Judged

TOO_LARGE = 2**70  # for a column of whole numbers on either database


def test_a_number_that_no_column_holds_is_refused_in_words(archive: SqlArchive) -> None:
    desk = desk_with_news(archive)
    desk.polls("gazette", entry("first"))
    (job,) = archive.claim_pages(desk.owner, desk.now, LEASE, shard=WHOLE, limit=1)
    page = articles.compose(job, Asked(status=200), desk.now)
    with pytest.raises(RowRefused, match=r"the database refuses it: .*(too large|out of range)"):
        archive.keep_page(desk.owner, replace(page, status=TOO_LARGE))
    archive.keep_page(desk.owner, page)  # the lease still holds, and the archive is none the worse


class Spoiling:
    """An archive to which, on the way, what is said of one source and of one article becomes what it refuses."""

    def __init__(self, archive: SqlArchive) -> None:
        self._archive = archive

    def __getattr__(self, name: str) -> Any:
        return getattr(self._archive, name)

    def keep_polls(self, owner: str, outcomes: Sequence[PollOutcome]) -> Sequence[int]:
        return self._archive.keep_polls(owner, [_spoilt(one) if one.source_id == "bad" else one for one in outcomes])

    def keep_pages(self, owner: str, pages: Sequence[Collected]) -> Sequence[None]:
        return self._archive.keep_pages(owner, [_spoilt_page(one) if one.error is None else one for one in pages])

    def settle(self, owner: str, judged: Sequence[Judged], *how: Any) -> Any:
        if any(one.article.title == "Spoil this verdict" for one in judged):
            raise RowRefused("the database refuses it: no column of a verdict is too small, so this test says it")
        return self._archive.settle(owner, judged, *how)


def _spoilt(outcome: PollOutcome) -> PollOutcome:
    return replace(outcome, state=replace(outcome.state, failures=TOO_LARGE)) if outcome.entries else outcome


def _spoilt_page(page: Collected) -> Collected:
    return replace(page, status=TOO_LARGE) if page.title == "A page is spoilt" else page


def feed(*titles: str) -> bytes:
    items = "".join(
        f"<item><guid>{number}</guid><title>{title}</title><link>/{number}</link>"
        "<description>NATO will send more troops to Latvia.</description></item>"
        for number, title in enumerate(titles)
    )
    return reply(200, f'<rss version="2.0"><channel><title>x</title>{items}</channel></rss>'.encode())


def page(text: str) -> bytes:
    body = f"<html><body><article><p>{text}</p></article></body></html>"
    return reply(200, body.encode(), Content_Type="text/html")


@on_loop
async def test_a_feed_a_page_and_a_verdict_that_are_refused_stop_no_other(tmp_path: Path) -> None:
    told = "NATO will send a thousand more troops to Latvia, its secretary general said. " * 5
    answers = {
        "/good": feed("Spoil this verdict", "A page is spoilt", "All is well"),
        "/bad": feed("Never kept"),
        "/0": page(told),
        "/1": page(told),
        "/2": page(told),
    }
    async with Server(answers) as server:
        sources = [Source(name, name, server.url(f"/{name}"), name) for name in ("good", "bad")]
        async with open_floor(f"sqlite:///{tmp_path}/a.db", sources) as floor:
            spoilt = replace(floor, archive=Spoiling(floor.archive))  # type: ignore[arg-type]
            report = await pipeline.cycle(spoilt, everything=True)
            states = floor.archive.states()
            assert (report.failed, report.entries, report.judged, report.not_judged) == (1, 3, 2, 1)
            assert report.unreachable == 0
            assert (states["good"].failures, states["bad"].failures) == (0, 1)
            assert "the database refuses it" in str(states["bad"])
            again = await pipeline.cycle(floor)
            assert (again.judged, again.not_judged) == (0, 0)  # nothing waits for ever
            assert report.grades["failed"] == 1
