"""Clocks that jump: neither does anything stop, nor is it done twice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from storage.archive import SqlArchive
from tests.archives import HOUR, LEASE, MINUTE, WHOLE, desk_with_news, entry
from watchfloor import leases

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
