"""Old news through the real pipeline: kept and searchable, and not a flood of alerts; and models that fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.armour.floors import open_floor
from tests.servers import Server, on_loop, reply
from watchfloor import pipeline
from watchfloor.model import Source
from watchfloor.pipeline import Floor
from watchfloor.routes import Route

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
ITEMS = 500
EVERYTHING = Route("everything", targets=("ann",))
TREATIES = Route("treaties", targets=("ann",), topics=("arms-control",))


def item(number: int, at: datetime) -> str:
    text = f"NATO will send more troops to Latvia, its secretary general said of battlegroup {number} on Monday."
    return (
        f"<item><guid>{number}</guid><title>NATO sends troops, part {number}</title><link>/{number}</link>"
        f"<pubDate>{format_datetime(at)}</pubDate><description>{text}</description></item>"
    )


def feed(items: Sequence[str]) -> bytes:
    return reply(200, f'<rss version="2.0"><channel><title>x</title>{"".join(items)}</channel></rss>'.encode())


def told(floor: Floor) -> Counter[str]:
    """Alerts on stories by kind. That the source is silent is said too, and rightly so."""
    kinds = Counter(posting.alert.kind for posting in floor.archive.list_alerts(limit=1_000))
    del kinds["ops"]
    return kinds


@on_loop
async def test_five_hundred_old_items_of_a_new_source_and_a_new_route_alert_nobody(tmp_path: Path) -> None:
    old = [item(number, NOW - timedelta(days=4, minutes=number)) for number in range(ITEMS)]
    url, clock = f"sqlite:///{tmp_path}/a.db", Made()
    async with Server({"/feed": feed(old)}) as server:
        sources = [Source("a", "a", server.url("/feed"), "a")]
        async with open_floor(url, sources, clock=clock) as floor:
            report = await pipeline.cycle(replace(floor, routes=(EVERYTHING,)), everything=True)
            assert (report.entries, report.relevant) == (ITEMS, ITEMS)
            assert told(floor).total() <= 1
        before = told(floor)
        server.answers["/feed"] = feed([item(ITEMS, NOW), *old])
        clock.now += timedelta(hours=1)
        async with open_floor(url, sources, clock=clock) as floor:
            report = await pipeline.cycle(replace(floor, routes=(EVERYTHING, TREATIES)), everything=True)
            assert (report.entries, report.relevant) == (1, 1)
            assert told(floor) - before == Counter({"story": 1})


class Made:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def breaks(told: Sequence[object]) -> list[bytes]:
    raise RuntimeError("the model's file is damaged")


@on_loop
async def test_models_that_fail_cost_their_opinion_and_no_story(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fresh = [item(number, NOW - timedelta(minutes=number)) for number in range(3)]
    async with Server({"/feed": feed(fresh)}) as server:
        sources = [Source("a", "a", server.url("/feed"), "a")]
        async with open_floor(f"sqlite:///{tmp_path}/a.db", sources, clock=Made()) as floor:
            broken = replace(floor, gists=lambda: breaks, namer=lambda: breaks)  # type: ignore[arg-type, return-value]
            report = await pipeline.cycle(broken, everything=True)
            assert (report.relevant, report.stories_new) == (3, 1)
    said = [record.getMessage() for record in caplog.records]
    assert [sum(step in line for line in said) > 0 for step in ("naming", "reading for grouping")] == [True, True]
