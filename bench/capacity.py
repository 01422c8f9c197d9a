"""Many feeds before there are many: `python -m bench.capacity [--feeds 100000] [--hours 6]`.

The look-up of what is due, on a real archive with so many sources; and the schedule itself, simulated: the house's own
`rhythm` decides for every feed when it is asked again, workers of a given speed take what is due every five minutes,
and a host is asked one thing at a time, two seconds apart. What comes out is how late feeds are asked.
"""

from __future__ import annotations

import argparse
import heapq
import random
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from storage.engine import open_archive
from watchfloor import rhythm
from watchfloor.model import Entry, Feed, FeedState, Source
from watchfloor.ports import Answer, Shard

START = datetime(2026, 11, 24, tzinfo=UTC)
EVERY = timedelta(minutes=5)  # between two cycles
HOST_DELAY = timedelta(seconds=2)
CHANGED = 0.05  # of the answers bring something, as the bench of idle cycles has it
FEEDS_A_HOST = 1.3  # on the average: most hosts have one, the big ones dozens
CLAIMED = 256


# -- the look-up ------------------------------------------------------------------------------------------------------


def look_ups(feeds: int, rounds: int = 20) -> list[float]:
    """Milliseconds to claim the next sources of so many, a twentieth of which is due."""
    with tempfile.TemporaryDirectory() as folder:
        archive = open_archive(f"sqlite:///{folder}/archive.db")
        archive.register(_sources(feeds), START)
        _spread(archive, feeds)
        taken = []
        for number in range(rounds):
            began = time.perf_counter()
            jobs = archive.claim_sources(
                f"bench:1:{number}", START, timedelta(minutes=15), shard=Shard(), limit=CLAIMED
            )
            taken.append(1000 * (time.perf_counter() - began))
            assert len(jobs) == min(CLAIMED, max(0, feeds // 20 - CLAIMED * number))
        archive.close()
        return taken


def _sources(feeds: int) -> list[Source]:
    return [
        Source(f"s{number}", f"Paper {number}", f"https://paper{number}.example/feed", f"House {number}")
        for number in range(feeds)
    ]


def _spread(archive: object, feeds: int) -> None:
    """Every twentieth source is due, the others within the hour."""
    from sqlalchemy import text

    with archive._database.write() as connection:  # type: ignore[attr-defined]
        update = text("UPDATE sources SET next_at = :at WHERE id = :id")
        rows = [
            {"id": f"s{n}", "at": _stored(START + timedelta(seconds=-n / feeds * 300 if n % 20 == 0 else 1 + n % 3600))}
            for n in range(feeds)
        ]
        connection.execute(update, rows)


def _stored(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


# -- the schedule -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Simulated:
    """A feed: its source, its host, how far its items are apart, and what the house remembers."""

    source: Source
    host: int
    gap: timedelta
    newest: datetime
    state: FeedState


@dataclass(frozen=True)
class Found:
    """Seconds of lateness, sorted; how many were asked; how close the requests to one host came."""

    lateness: list[float]
    asked: int
    closest: float

    def quantile(self, share: float) -> float:
        return self.lateness[min(len(self.lateness) - 1, int(share * len(self.lateness)))]


def simulate(feeds: int, hours: float, rate: float, seed: int = 7) -> Found:
    """Run the schedule; `rate`: feeds a second that all workers together can take."""
    dice = random.Random(seed)
    all_feeds = [_feed(number, feeds, dice) for number in range(feeds)]
    due = [(feed.state.next_at or START, number) for number, feed in enumerate(all_feeds)]
    heapq.heapify(due)
    free = START  # when the workers have done what they took
    host_free: dict[int, datetime] = {}
    closest, lateness, warm_up = float("inf"), [], START + timedelta(hours=hours / 3)
    for tick in count():
        now = max(START + tick * EVERY, free)
        if now > START + timedelta(hours=hours):
            break
        free = now
        while due and due[0][0] <= now:
            at, number = heapq.heappop(due)
            feed = all_feeds[number]
            free += timedelta(seconds=1 / rate)
            asked = max(free, host_free.get(feed.host, START))
            if feed.host in host_free:
                closest = min(closest, (asked - host_free[feed.host] + HOST_DELAY).total_seconds())
            host_free[feed.host] = asked + HOST_DELAY
            feed.state = _ask(feed, asked, dice)
            heapq.heappush(due, (feed.state.next_at or asked, number))
            if asked > warm_up:
                lateness.append((asked - at).total_seconds())
    return Found(sorted(lateness), len(lateness), closest)


def _feed(number: int, feeds: int, dice: random.Random) -> Simulated:
    gap = timedelta(hours=min(240.0, dice.lognormvariate(1.0, 1.4)))  # half of them faster than an item in 2.7 hours
    host = int(feeds / FEEDS_A_HOST * dice.random() ** 1.15)
    source = Source(f"s{number}", f"Paper {number}", f"https://paper{host}.example/{number}", f"House {number}")
    newest = START - gap * dice.random()
    state = FeedState(
        etag="e",
        validators_url=source.url,
        first_answer=START - timedelta(days=30),
        last_answer=START - timedelta(hours=1),
        last_unconditional=START - timedelta(hours=24 * dice.random()),
        last_new=newest,
        gap_seconds=max(1, int(gap.total_seconds())),
        next_at=START + timedelta(minutes=65 * dice.random()),
    )
    return Simulated(source, host, gap, newest, state)


def _ask(feed: Simulated, now: datetime, dice: random.Random) -> FeedState:
    answer = Answer(feed.source.url, feed.source.url, 304, {"etag": "e"})
    if feed.newest + feed.gap > now:
        return rhythm.after_not_modified(feed.source, feed.state, answer, lifetime=None, now=now, jitter=dice.random())
    feed.newest = now - feed.gap * dice.random() * 0.5
    entries = tuple(Entry((f"k{n}",), "t", published=feed.newest - n * feed.gap) for n in range(4))
    return rhythm.after_answer(
        feed.source,
        feed.state,
        replace(answer, status=200),
        feed=Feed(entries),
        body_hash=None,
        lifetime=None,
        now=now,
        jitter=dice.random(),
    )


def main() -> None:
    """Both, printed."""
    parser = argparse.ArgumentParser(prog="python -m bench.capacity")
    parser.add_argument("--feeds", type=int, default=100_000)
    parser.add_argument("--hours", type=float, default=6.0)
    parser.add_argument("--rate", type=float, default=100.0, help="feeds a second that all workers together take")
    given = parser.parse_args()
    for feeds in sorted({1_000, 10_000, given.feeds}):
        taken = look_ups(feeds)
        print(
            f"{feeds:>7} sources: what is due is found and leased in {statistics.median(taken):.1f} ms, "
            f"at most {max(taken):.1f}"
        )
    found = simulate(given.feeds, given.hours, given.rate)
    shown = ", ".join(
        f"{name} {found.quantile(share):.0f} s" for name, share in (("half", 0.5), ("p95", 0.95), ("p99", 0.99))
    )
    print(
        f"{given.feeds} feeds, {given.rate:.0f} a second, {given.hours:.0f} hours; "
        f"{found.asked} requests after the first third"
    )
    print(
        f"late by: {shown}, most {found.lateness[-1]:.0f} s; "
        f"two requests to one host never closer than {found.closest:.1f} s"
    )


if __name__ == "__main__":
    main()
