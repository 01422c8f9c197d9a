"""Two days of a desk on an injected clock, over each change of the clocks: what each route gets, and when.

What is expected is read off the wall clock, minute by minute, and owes nothing to the code that decides.
"""

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

HALF = 30 * MINUTE
NIGHT = Quiet(time(22), time(7))
CHANGES = [  # midnight before the day on which the clocks are changed, by the wall clock of the zone
    ("Europe/Berlin", "2026-10-24T00:00"),
    ("Europe/Berlin", "2026-03-28T00:00"),
    ("America/New_York", "2026-10-31T00:00"),
    ("America/New_York", "2026-03-07T00:00"),
    ("Australia/Lord_Howe", "2026-04-04T00:00"),  # by half an hour
    ("Australia/Lord_Howe", "2026-10-03T00:00"),
]
Change = tuple[ZoneInfo, datetime]


@pytest.fixture(params=CHANGES, ids=[f"{zone} {day[:7]}" for zone, day in CHANGES])
def change(request: pytest.FixtureRequest) -> Change:
    zone = ZoneInfo(request.param[0])
    return zone, datetime.fromisoformat(request.param[1]).replace(tzinfo=zone).astimezone(UTC)


def wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def minutes(start: datetime, days: int) -> Iterator[datetime]:
    return (start + number * MINUTE for number in range(days * 24 * 60))


def on_the_wall(route: Route, start: datetime, days: int) -> list[datetime]:
    """Each moment at which the wall clock shows the route's hour; of one shown twice within an hour the first."""
    shown: list[datetime] = []
    for moment in minutes(start, days):
        local = wall(moment, route.timezone)
        now = {
            "hourly": local.minute == route.at.minute,
            "daily": local.time() == route.at,
            "weekly": local.time() == route.at and local.weekday() == 0,
        }[route.digest or ""]
        again = shown and wall(shown[-1], route.timezone) == local and (moment - shown[-1] < HOUR or not _hourly(route))
        if now and not again:
            shown.append(moment)
    return shown


def _hourly(route: Route) -> bool:
    return route.digest == "hourly"


# -- the calendar alone -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("digest", "at"),
    [
        ("hourly", time(0)),
        ("hourly", time(0, 30)),
        ("daily", time(7, 30)),
        ("daily", time(1, 45)),
        ("weekly", time(7, 30)),
    ],
)
def test_each_digest_is_due_once_at_its_wall_clock_time(change: Change, digest: str, at: time) -> None:
    zone, start = change
    route = Route("one", digest=digest, at=at, timezone=zone)  # type: ignore[arg-type]
    before, days = (5, 11) if digest == "weekly" else (1, 4)  # two Mondays, and the change between them
    start -= timedelta(days=before)
    expected = on_the_wall(route, start, days)
    periods, last = [], None
    for moment in minutes(start, days):
        if due := alerting.digest_due(route, last, start - MINUTE, moment):
            assert due[1] == moment  # not late
            periods.append(due)
            last = moment
    assert [end for _, end in periods] == expected
    assert all(one[1] == next[0] for one, next in pairwise(periods))  # no time is left out, none is told twice
    jumps, moment = [], start - MINUTE
    while (coming := alerting.next_digest([route], moment)) and coming <= expected[-1]:
        jumps.append(coming)
        moment = coming
    assert jumps == expected  # what a cycle that rests until then is told


def test_a_digest_whose_hour_does_not_exist_that_day_comes_when_the_clocks_are_changed() -> None:
    route = Route("one", digest="daily", at=time(2, 30), timezone=ZoneInfo("Europe/Berlin"))
    last, known = datetime(2026, 3, 28, 1, 30, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    gone = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 03:30; there is no 02:30
    assert alerting.digest_due(route, last, known, gone - MINUTE) is None
    assert alerting.digest_due(route, last, known, gone) == (last, gone)
    assert alerting.next_digest([route], last) == gone


def test_a_digest_of_the_quiet_hours_comes_as_one_when_they_end() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    route = Route("one", digest="hourly", at=time(0, 30), timezone=berlin, quiet=NIGHT)
    known = datetime(2026, 11, 1, tzinfo=UTC)
    last, end = datetime(2026, 11, 24, 20, 30, tzinfo=UTC), datetime(2026, 11, 25, 6, tzinfo=UTC)
    for moment in minutes(last, 1):
        due = alerting.digest_due(route, last, known, moment)
        assert (due is not None) is (moment >= end)
    assert alerting.digest_due(route, last, known, end) == (last, end - HALF)
    assert alerting.next_digest([route], last + HOUR) == end
    assert alerting.next_digest([route], end - MINUTE) == end


# -- a desk at work ---------------------------------------------------------------------------------------------------


@dataclass
class Post:
    """Takes every message and notes when it came; the phone is out of reach for a while each evening."""

    desk: Desk
    zone: ZoneInfo
    sent: list[tuple[datetime, Alert]] = field(default_factory=list)
    targets: tuple[Target, ...] = tuple(Target(name, name, ()) for name in ("phone", "mail", "room", "board"))
    hard_limit: timedelta = MINUTE

    def send(self, delivery: Delivery) -> SendOutcome:
        local = wall(self.desk.now, self.zone)
        if delivery.target == "phone" and time(21) <= local.time() < time(22):
            return SendOutcome("retry", "no connection")
        self.sent.append((self.desk.now, delivery.alert))
        return SendOutcome("sent")

    def on(self, route: Route) -> list[tuple[datetime, Alert]]:
        return [(at, alert) for at, alert in self.sent if alert.route == route.name]


def routes_in(zone: ZoneInfo) -> tuple[Route, ...]:
    return (
        Route("nightly", targets=("phone",), quiet=NIGHT, timezone=zone),
        Route("daily", targets=("mail",), digest="daily", at=time(7, 30), timezone=zone),
        Route("hourly", targets=("room",), digest="hourly", at=time(0, 30), timezone=zone),
        Route("awake", targets=("board",), digest="hourly", at=time(0), quiet=NIGHT, timezone=zone),
    )


@pytest.fixture
def post(change: Change, tmp_path: Path) -> Iterator[Post]:
    """A story an hour, a cycle every half an hour, for 50 hours; the routes are new to the archive."""
    zone, start = change
    routes = routes_in(zone)
    archive = open_archive(f"sqlite:///{tmp_path}/archive.db")
    desk = Desk(archive, now=start - HOUR).knows(source())
    desk.polls("gazette")
    desk.now = start
    made = Post(desk, zone)
    floor = replace(floor_for(archive, made, lambda: desk.now), routes=routes)

    def tell(states: list[StoryState], recent: Recent) -> list[Alert]:
        return alerting.tell(states, routes, desk.now, recent=recent)

    desk.tell = tell  # type: ignore[assignment]
    for half in range(100):
        if half % 2:
            desk.works("gazette", entry(f"story{half // 2}-x", published=desk.now))
        asyncio.run(pipeline.finish(floor, Report(), desk.now))
        desk.later(HALF)
    yield made
    archive.close()


def stories_of(sent: list[tuple[datetime, Alert]]) -> list[int]:
    return sorted(brief.story_id for _, alert in sent for brief in alert.briefs)


def each_once(sent: list[tuple[datetime, Alert]]) -> int:
    """How many stories were told, if none was left out between the first and the last, and none told twice."""
    told = stories_of(sent)
    assert told == list(range(1, len(told) + 1))
    return len(told)


def awake(moment: datetime, zone: ZoneInfo) -> bool:
    return time(7) <= wall(moment, zone).time() < time(22)


def test_two_days_over_a_change_of_the_clocks(post: Post, change: Change) -> None:
    zone, start = change
    nightly, daily, hourly, by_day = routes_in(zone)
    marks = {
        route: [at for at in on_the_wall(route, start, 3) if start < at < post.desk.now] for route in (daily, hourly)
    }
    assert [at for at, _ in post.on(daily)] == marks[daily]
    assert [at for at, _ in post.on(hourly)] == marks[hourly]
    assert each_once(post.on(hourly)) >= 48

    hours = [at for at in on_the_wall(by_day, start, 3) if start < at < post.desk.now and awake(at, zone)]
    assert [at for at, _ in post.on(by_day)] == hours
    assert each_once(post.on(by_day)) >= 44

    told = post.on(nightly)
    assert all(awake(at, zone) for at, _ in told)  # also what had failed before and is tried again
    mornings = [wall(at, zone) for at, alert in told if alert.kind == "digest"]
    assert mornings == [wall(start, zone) + timedelta(days=day, hours=7) for day in range(2)]
    assert each_once(told) >= 44
