"""Two days of a desk on an injected clock, over a change to and from summer time: what each route gets, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from storage.engine import open_archive
from tests.archives import HOUR, MINUTE, Desk, entry, source
from tests.sending import floor_for
from watchfloor import alerting, pipeline
from watchfloor.model import Alert, Delivery, SendOutcome
from watchfloor.pipeline import Report
from watchfloor.ports import Recent, StoryState, Target
from watchfloor.routes import Quiet, Route

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTLY = Route("nightly", targets=("phone",), quiet=Quiet(time(22), time(6)), timezone=BERLIN)
DAILY = Route("daily", targets=("mail",), digest="daily", at=time(7), timezone=BERLIN)
HOURLY = Route("hourly", targets=("room",), digest="hourly", at=time(0, 30), timezone=BERLIN)
ROUTES = (NIGHTLY, DAILY, HOURLY)


@dataclass
class Post:
    """Takes every message and notes when it came."""

    desk: Desk
    sent: list[tuple[datetime, Alert]] = field(default_factory=list)
    targets: tuple[Target, ...] = tuple(Target(name, name, ()) for name in ("phone", "mail", "room"))
    hard_limit: timedelta = MINUTE

    def send(self, delivery: Delivery) -> SendOutcome:
        self.sent.append((self.desk.now, delivery.alert))
        return SendOutcome("sent")

    def on(self, route: Route) -> list[tuple[datetime, Alert]]:
        """What came on a route, by the wall clock of Berlin."""
        return [(at.astimezone(BERLIN), alert) for at, alert in self.sent if alert.route == route.name]


def two_days(folder: Path, start: datetime) -> Iterator[Post]:
    """A story an hour, a cycle every quarter of an hour, for 50 hours."""
    archive = open_archive(f"sqlite:///{folder}/archive.db")
    desk = Desk(archive, now=start - HOUR).knows(source())
    desk.polls("gazette")
    desk.now = start
    post = Post(desk)
    floor = replace(floor_for(archive, post, lambda: desk.now), routes=ROUTES)

    def tell(states: list[StoryState], recent: Recent) -> list[Alert]:
        return alerting.tell(states, ROUTES, desk.now, recent=recent)

    desk.tell = tell  # type: ignore[assignment]
    for quarter in range(200):
        if quarter % 4 == 1:
            name = f"story{quarter // 4}"
            desk.works("gazette", entry(f"{name}-x", published=desk.now))
        asyncio.run(pipeline.finish(floor, Report(), desk.now))
        desk.later(15 * MINUTE)
    yield post
    archive.close()


@pytest.fixture(params=["2026-10-24T00:00", "2026-03-28T00:00"], ids=["clocks go back", "clocks go forward"])
def post(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Post]:
    yield from two_days(tmp_path, datetime.fromisoformat(request.param).replace(tzinfo=UTC))


def stories_of(sent: list[tuple[datetime, Alert]]) -> list[int]:
    return sorted(brief.story_id for _, alert in sent for brief in alert.briefs)


def test_two_days_over_a_change_of_the_clocks(post: Post) -> None:
    nightly = post.on(NIGHTLY)
    assert all(time(6) <= at.time() < time(22) for at, _ in nightly)
    mornings = [at for at, alert in nightly if alert.kind == "digest"]
    assert [at.time() for at in mornings] == [time(6)] * 2
    assert [at for at, _ in nightly if at.time() == time(6)] == mornings
    told = stories_of(nightly)
    assert told == list(range(1, len(told) + 1))  # each once, none lost

    daily = post.on(DAILY)[1:]  # the first came with the first cycle, for the day before
    assert [at.time() for at, _ in daily] == [time(7)] * len(daily)
    assert {later.date() - at.date() for (at, _), (later, _) in pairwise(daily)} == {timedelta(days=1)}
    assert len(stories_of(daily)) == len(set(stories_of(daily)))

    hourly = [at.astimezone(UTC) for at, _ in post.on(HOURLY)[1:]]
    assert {at.minute for at in hourly} == {30}
    assert {later - at for at, later in pairwise(hourly)} == {HOUR}
    assert len(hourly) >= 49
    assert len(stories_of(post.on(HOURLY))) == len(set(stories_of(post.on(HOURLY)))) >= 48
