"""Foreign bytes are read in processes that can be killed: feedparser and trafilatura have no time limit of their own.

20 to 160 kB of hostile feed or page hold them for over ten seconds, and no thread or task can stop that. A child that
outruns its time or memory costs the one document, and a new child takes its place.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import datetime
from multiprocessing.context import SpawnContext
from multiprocessing.synchronize import RLock
from types import TracebackType
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from watchfloor import logs, memory
from watchfloor.errors import ParseError, ParserKilled, ParserTimedOut
from watchfloor.model import Feed, Page
from watchfloor.ports import NOTHING_KNOWN

FEED_SECONDS = 14.0  # 10 MB of honest feed take 8 s on a slow core
PAGE_SECONDS = 14.0  # 4 MB of honest page take 9 s
LINKS_SECONDS = 5.0  # 5 MB of page take tenths of a second
MEMORY = 1 << 30  # bytes of address space for a child
TASKS = 2_000  # then a fresh child: lxml's memory is returned by ending the process
GROWTH = 3  # characters of text for a byte of document: an honest one has at most one, and may say it twice
READ_AHEAD = 48  # documents that lie ready for the readers; more would only take memory, 300 kB each
AHEAD_BYTES = 32 << 20  # of them all: 200 pages of 5 MB from as many hosts, and 1.1 GB here, are 0.9 GB with it
LARGE = 1_000_000  # bytes of a document whose reader returns its memory: of 20 pages one, with up to 35 MB of trees
SPARE = 100_000  # characters that any document may have on top of that
OVERTIME = 5  # seconds after which a child that its parent did not kill at its limit is ended by the kernel
FROM_OUTSIDE = (-signal.SIGTERM, -signal.SIGKILL)  # systemd stops all processes of a service at once; memory runs out
ORPHAN_CHECK = 2.0  # seconds between looks at whether the parent still lives

Result = TypeVar("Result")


class _Spawn(SpawnContext):
    """Starts the children. Not by fork: the parent may hold threads and locks (Prefect, resolvers), and a forked child
    inherits the locks.

    It holds the pool's own locks as long as the pool lives. pebble lets go of them before it ends the children, and one
    that just starts, on a busy machine, would find its locks gone and say so on stderr.
    """

    def __init__(self) -> None:
        super().__init__()
        self._locks: list[RLock] = []

    def RLock(self) -> RLock:
        self._locks.append(lock := super().RLock())
        return lock


class ParserPool:
    """Feed and page readers in `workers` processes. An async context manager; may also just be closed."""

    def __init__(
        self, *, workers: int = 2, feed_seconds: float = FEED_SECONDS, page_seconds: float = PAGE_SECONDS
    ) -> None:
        self._limits = {"feed": feed_seconds, "page": page_seconds, "links": LINKS_SECONDS}
        self._spawn = _Spawn()
        self._pool = ProcessPool(
            max_workers=workers,
            max_tasks=TASKS,
            initializer=_prepare,
            initargs=(os.getpid(),),
            context=self._spawn,
        )
        self._waiting, self._bytes, self._taken = 0, 0, asyncio.Event()

    async def __aenter__(self) -> ParserPool:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """End the children; what they are at is given up."""
        self._pool.stop()  # type: ignore[no-untyped-call]  # pebble's is
        self._pool.join()

    async def feed(
        self,
        body: bytes,
        *,
        content_type: str,
        url: str,
        now: datetime,
        known: Mapping[str, datetime | None] = NOTHING_KNOWN,
    ) -> Feed:
        """See `ports.Parsers.feed`."""
        return await self._run("feed", read_feed, body, content_type, url, now, dict(known))

    async def page(self, body: bytes, *, content_type: str, url: str, now: datetime) -> Page:
        """See `ports.Parsers.page`."""
        return await self._run("page", read_page, body, content_type, url, now)

    async def rough(self, body: bytes, *, content_type: str, url: str, now: datetime) -> Page:
        """See `ports.Parsers.rough`."""
        return await self._run("page", read_roughly, body, content_type, url, now)

    async def feed_links(self, body: bytes, *, url: str) -> tuple[str, ...]:
        """See `ports.Parsers.feed_links`."""
        return await self._run("links", read_feed_links, body, url)

    async def room(self) -> None:
        """Return when there is room for one more document: who fetches waits here, not with bytes in hand."""
        while self._waiting >= READ_AHEAD or self._bytes >= AHEAD_BYTES:
            self._taken.clear()
            await self._taken.wait()

    async def _run(self, what: str, work: Callable[..., Result], body: bytes, *more: Any) -> Result:
        self._waiting += 1
        self._bytes += len(body)
        try:
            return await self._read_again_if_ended_by_others(what, work, (body, *more))
        finally:
            self._waiting -= 1
            self._bytes -= len(body)
            self._taken.set()

    async def _read_again_if_ended_by_others(
        self, what: str, work: Callable[..., Result], arguments: tuple[Any, ...]
    ) -> Result:
        """Once more where nothing was wrong with the document."""
        try:
            return await self._read(what, work, arguments)
        except ProcessExpired as error:
            if error.exitcode not in FROM_OUTSIDE:
                raise _killed(what, error) from None
        try:
            return await self._read(what, work, arguments)
        except ProcessExpired as error:
            raise _killed(what, error) from None

    async def _read(self, what: str, work: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        limit = self._limits[what]
        task = (limit, work, arguments)
        reading = self._pool.schedule(_within, args=task, timeout=limit)  # a pool that broke is no fault of the text
        try:
            result: Result = await asyncio.wrap_future(reading)
            return result
        except FutureTimeout:
            raise ParserTimedOut(f"the {what} took more than {limit:.0f} s to read and was given up") from None
        except MemoryError:
            raise ParserKilled(f"the {what} took more than {MEMORY >> 20} MB to read and was given up") from None
        except (ParseError, ProcessExpired):
            raise
        except Exception as error:  # nobody foresaw it: loud, and the one document's failure
            logs.warn(f"reading a {what} failed in a way that is not known", trace=error)
            raise ParseError(f"the {what} cannot be read: {type(error).__name__}") from error


def _killed(what: str, error: ProcessExpired) -> ParserKilled:
    return ParserKilled(f"the {what} killed its reader (exit code {error.exitcode})")


# -- in a child -------------------------------------------------------------------------------------------------------


def _within(limit: float, work: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
    """Work with an end even if the parent is dead: a regular expression holds the lock that `_end_with` needs."""
    signal.alarm(round(limit) + OVERTIME)
    try:
        return work(*arguments)
    finally:
        signal.alarm(0)
        if len(arguments[0]) > LARGE:
            memory.give_back()


def read_feed(
    body: bytes, content_type: str, url: str, now: datetime, known: Mapping[str, datetime | None] = NOTHING_KNOWN
) -> Feed:
    """In a child: see `watchfloor.feeds`."""
    from watchfloor import feeds

    feed = feeds.read_feed(body, content_type=content_type, url=url, now=now, known=known)
    if (size := _characters(feed)) > GROWTH * len(body) + SPARE:
        raise ParseError(f"the feed's {len(body)} bytes multiply into {size} characters, as only a bomb does")
    return feed


def _characters(feed: Feed) -> int:
    return sum(len(entry.summary) + len(entry.content) + len(entry.title) for entry in feed.entries)


def read_page(body: bytes, content_type: str, url: str, now: datetime) -> Page:
    """In a child: see `watchfloor.extract`."""
    from watchfloor import extract

    return extract.read_page(body, content_type=content_type, url=url, now=now)


def read_roughly(body: bytes, content_type: str, url: str, now: datetime) -> Page:
    """In a child: see `watchfloor.extract`."""
    from watchfloor import extract

    return extract.read_roughly(body, content_type=content_type, url=url, now=now)


def read_feed_links(body: bytes, url: str) -> tuple[str, ...]:
    """In a child: see `watchfloor.discovery`."""
    from watchfloor import discovery

    return discovery.feed_links(body, url)


def _prepare(parent: int) -> None:
    """A child's first act: a memory limit, and an end when the parent has ended, however it did.

    SIGTERM ends it at once: pebble's handler would run Python in a process whose state nobody knows, and complain on
    stderr of signals that come while it is being taken down. There is nothing to tidy up.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(ORPHAN_CHECK)
    os._exit(1)
