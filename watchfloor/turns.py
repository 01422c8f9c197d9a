"""Who may ask which host when: politeness within this process. What must outlast it is kept in the archive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from watchfloor.errors import HttpStatus


@dataclass(slots=True)
class _Host:
    slots: asyncio.Semaphore
    gate: asyncio.Lock = field(default_factory=asyncio.Lock)
    delay: float = 0.0  # what its robots.txt asks for
    next_start: float = 0.0  # loop time
    closed_until: float = 0.0  # loop time: it answered 429 or 503 and named a time
    closed_by: int = 0  # that status


class Turns:
    """Hands out turns, first come, first served: few at once to a host, some seconds apart; not too many in all."""

    def __init__(self, *, delay: float, per_host: int, in_all: int) -> None:
        self._delay, self._per_host = delay, per_host
        self._in_all = asyncio.Semaphore(in_all)
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, host: str, url: str) -> AsyncIterator[None]:
        """Wait until `host` may be asked for `url`, and hold one of its connections.

        Raises:
            HttpStatus: the host has said, in this process, that it wants to be left alone for longer.
        """
        place = self._host(host)
        async with place.slots:
            async with place.gate:  # starts of one host follow each other, however many may run at once
                await self._rest(host, place, url)
                await self._in_all.acquire()  # after the wait: who waits for his host must not hold up the others
                place.next_start = _now() + max(self._delay, place.delay)
            try:
                yield
            finally:
                self._in_all.release()

    def slow_down(self, host: str, delay: float) -> None:
        """From now on leave at least `delay` seconds between two requests to `host`."""
        place = self._host(host)
        place.next_start += max(0.0, delay - max(self._delay, place.delay))
        place.delay = max(place.delay, delay)

    def close(self, host: str, seconds: float, status: int) -> None:
        """Ask `host` nothing for so many seconds: it answered with `status` and Retry-After."""
        place = self._host(host)
        place.closed_until, place.closed_by = _now() + seconds, status

    def _host(self, host: str) -> _Host:
        return self._hosts.setdefault(host, _Host(asyncio.Semaphore(self._per_host)))

    async def _rest(self, host: str, place: _Host, url: str) -> None:
        while (left := place.next_start - _now()) > 0 and place.closed_until <= _now():  # noqa: ASYNC110 (waits for a time that may move)
            await asyncio.sleep(left)
        closed_for = place.closed_until - _now()
        if closed_for > 0:
            raise HttpStatus(url, place.closed_by, retry_after=timedelta(seconds=closed_for), busy_host=host)


def _now() -> float:
    return asyncio.get_running_loop().time()
