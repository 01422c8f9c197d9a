"""Where the time of a cycle goes: seconds that tasks spent in each stage, in sum, and what took longest.

Tasks wait side by side, so the sums are longer than the cycle; they say what is slow, not how long it took.
"""

from __future__ import annotations

import heapq
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar

from watchfloor.model import Feed, Page
from watchfloor.ports import NOTHING_KNOWN, Answer, Door, Parsers

KEPT = 10  # of the slowest of each stage
P = ParamSpec("P")
R = TypeVar("R")


class Slow(NamedTuple):
    """One piece of work, and how long it took."""

    seconds: float
    what: str


class Times:
    """Adds up what is spent, in tasks of one loop and in threads; that these may lose a hundredth does not matter."""

    def __init__(self) -> None:
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._slowest: defaultdict[str, list[Slow]] = defaultdict(list)

    @contextmanager
    def spent(self, stage: str, what: str = "") -> Iterator[None]:
        """What is done inside is work of `stage` on `what`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._add(stage, Slow(time.perf_counter() - began, what))

    def timed(self, stage: str, work: Callable[P, R]) -> Callable[P, R]:
        """The same function, its calls counted as work of `stage`."""

        @wraps(work)
        def counted(*args: P.args, **kwargs: P.kwargs) -> R:
            with self.spent(stage):
                return work(*args, **kwargs)

        return counted

    def take(self) -> Mapping[str, float]:
        """The sums since they were last taken."""
        sums, self._sums = self._sums, defaultdict(float)
        return sums

    def slowest(self) -> Mapping[str, list[Slow]]:
        """The slowest pieces of each stage whose pieces have names, slowest first."""
        found = {
            stage: sorted((one for one in slow if one.what), reverse=True) for stage, slow in self._slowest.items()
        }
        return {stage: slow for stage, slow in found.items() if slow}

    def _add(self, stage: str, one: Slow) -> None:
        self._sums[stage] += one.seconds
        slowest = self._slowest[stage]
        if len(slowest) < KEPT:
            heapq.heappush(slowest, one)
        else:
            heapq.heappushpop(slowest, one)


class TimedDoor:
    """A door whose answers are timed: waiting for one's turn at a host included."""

    def __init__(self, door: Door, times: Times) -> None:
        self._door, self._times = door, times

    async def get(self, url: str, *, want: Literal["feed", "page", "any"] = "any", **how: Any) -> Answer:
        """See `ports.Door`."""
        with self._times.spent(f"ask {want}", url):
            return await self._door.get(url, want=want, **how)


class TimedParsers:
    """Parsers that are timed: waiting for a free process included."""

    def __init__(self, parsers: Parsers, times: Times) -> None:
        self._parsers, self._times = parsers, times

    async def feed(
        self,
        body: bytes,
        *,
        content_type: str,
        url: str,
        now: datetime,
        known: Mapping[str, datetime | None] = NOTHING_KNOWN,
    ) -> Feed:
        """See `ports.Parsers`."""
        with self._times.spent("read feed", url):
            return await self._parsers.feed(body, content_type=content_type, url=url, now=now, known=known)

    async def page(self, body: bytes, *, content_type: str, url: str, now: datetime) -> Page:
        """See `ports.Parsers`."""
        with self._times.spent("read page", url):
            return await self._parsers.page(body, content_type=content_type, url=url, now=now)

    async def rough(self, body: bytes, *, content_type: str, url: str, now: datetime) -> Page:
        """See `ports.Parsers`."""
        with self._times.spent("read roughly", url):
            return await self._parsers.rough(body, content_type=content_type, url=url, now=now)

    async def feed_links(self, body: bytes, *, url: str) -> tuple[str, ...]:
        """See `ports.Parsers`."""
        return await self._parsers.feed_links(body, url=url)
