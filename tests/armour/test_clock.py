"""Clocks that jump: neither does anything stop, nor is it done twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from storage.archive import SqlArchive
from tests.archives import HOUR, LEASE, MINUTE, WHOLE, desk_with_news, entry
from tests.armour import test_day
from tests.armour.floors import open_floor
from tests.armour.test_day import MORNING, Feed
from tests.servers import Server, on_loop
from watchfloor import leases, pipeline
from watchfloor.model import Filters, Source
from watchfloor.parsers import ParserPool

ME = leases.owner_of_this_process()
JUMPS = [HOUR, -HOUR, 90 * MINUTE, -90 * MINUTE]


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_what_a_living_process_of_this_host_holds_is_not_taken_from_it(archive: SqlArchive, jump: timedelta) -> None:
    desk = desk_with_news(archive)
    desk.works("gazette", entry("summit"))
    desk.polls("gazette", entry("page"))
    now, later = desk.now + HOUR, desk.now + HOUR + jump
    assert archive.claim_pages(ME, now, LEASE, shard=WHOLE, limit=9)
    assert archive.claim_sources(ME, now, LEASE, shard=WHOLE, limit=9, everything=True)
    assert archive.claim_deliveries(ME, now, LEASE, targets=["ann"], limit=9)
    other = "away:1:1"
    assert not archive.claim_pages(other, later, LEASE, shard=WHOLE, limit=9)
    assert not archive.claim_sources(other, later, LEASE, shard=WHOLE, limit=9, everything=True)
    assert not archive.claim_deliveries(other, later, LEASE, targets=["ann"], limit=9)
    assert archive.free_dead_leases(leases.host_name(), leases.is_alive, later) == 0


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_what_the_dead_held_is_done_by_others_whatever_the_clock_says(archive: SqlArchive, jump: timedelta) -> None:
    desk = desk_with_news(archive)
    desk.polls("gazette", entry("page"))
    dead = f"{leases.host_name()}:{2**22 + 1}:never"
    assert archive.claim_pages(dead, desk.now, LEASE, shard=WHOLE, limit=9)
    later = desk.now + jump
    assert archive.free_dead_leases(leases.host_name(), leases.is_alive, later) == 1
    assert archive.claim_pages(ME, max(later, desk.now), LEASE, shard=WHOLE, limit=9)


def test_a_process_that_hangs_is_robbed_in_the_end(archive: SqlArchive) -> None:
    desk = desk_with_news(archive)
    desk.polls("gazette", entry("page"))
    assert archive.claim_pages(ME, desk.now, LEASE, shard=WHOLE, limit=9)
    assert archive.claim_pages("away:1:1", desk.now + 3 * HOUR, LEASE, shard=WHOLE, limit=9)


def test_the_owner_of_a_process_does_not_change_with_the_clock_on_the_wall() -> None:
    assert leases.owner_of_this_process() == ME
    assert ME.rpartition(":")[2].split("-")[-1].isdigit()  # ticks since the boot; btime, which NTP moves, is not in it


@dataclass
class JumpingClock:
    """Ours, which somebody sets; the servers go by the true one."""

    true: test_day.Clock
    off: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return self.true.now + self.off


@pytest.mark.parametrize("jump", [HOUR, -HOUR, timedelta(days=400), timedelta(days=-400)], ids=str)
@on_loop
async def test_when_a_clock_jumps_and_is_set_right_nothing_stops_and_nothing_comes_twice(
    tmp_path: Path, jump: timedelta
) -> None:
    true = test_day.Clock()
    ours, feed = JumpingClock(true), Feed("changes all day", true, 10 * MINUTE)
    async with Server({"/feed": feed}) as server, ParserPool(workers=1) as parsers:
        sources = [Source("a", "a", server.url("/feed"), "a")]
        while true.now < MORNING + 6 * HOUR:
            ours.off = jump if MORNING + 2 * HOUR <= true.now < MORNING + 4 * HOUR else timedelta(0)
            async with open_floor(f"sqlite:///{tmp_path}/a.db", sources, clock=ours, parsers=parsers) as floor:
                await pipeline.cycle(floor)
            true.now += 10 * MINUTE
        async with open_floor(f"sqlite:///{tmp_path}/a.db", sources, clock=ours, parsers=parsers) as floor:
            hits = floor.archive.search(None, Filters(everything=True), limit=99, after=None, by="date").hits
    titles = [hit.title for hit in hits]
    assert len(titles) == len(set(titles))
    gaps = [later - earlier for earlier, later in pairwise([*feed.asked, true.now])]
    afterwards = [gap for at, gap in zip(feed.asked, gaps, strict=True) if at >= MORNING + 4 * HOUR]
    assert max(afterwards) <= 40 * MINUTE
    assert len(feed.asked) <= 12 + 2  # each of the two jumps may bring one early
    if abs(jump) < 2 * HOUR:
        newest = (feed.asked[-1] - MORNING) // (10 * MINUTE)
        assert set(titles) == {f"Item {number} of changes all day" for number in range(newest + 1)}
        assert max(gaps[1:]) <= 70 * MINUTE  # where an hour too many seems to have passed, its items look old
