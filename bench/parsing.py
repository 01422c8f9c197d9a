"""The parts of a cycle that cost: feeds against feedparser, extraction against twice one core of the bare library."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime

import psutil

from bench import material
from bench.runs import Table, middle

NOW = datetime(2026, 11, 26, tzinfo=UTC)
URL = "https://paper.example/feed"
PROCESSES = 2
AT_ONCE = 64  # as many as the door lets through


def measure(table: Table, *, scale: float, rounds: int) -> None:
    """Feeds, then pages."""
    _feeds(table, rounds, material.feed_bodies() or [one.written("", 0, 0) for one in material.documents()], scale)
    asyncio.run(_pages(table, rounds, material.pages()[: max(40, round(284 * scale))]))


# -- feeds ------------------------------------------------------------------------------------------------------------


def _feeds(table: Table, rounds: int, bodies: Sequence[bytes], scale: float) -> None:
    jobs = [job for body in bodies[: max(40, round(len(bodies) * scale))] if (job := _known(body))]
    for new in (0, 1, 4):
        ratios, ours_ms = [], []
        for _ in range(rounds):
            ours, whole = 0.0, 0.0
            for body, known in jobs:
                some = dict(list(known.items())[new:])
                ours += _seconds(lambda body=body, some=some: _read(body, some))
                whole += _seconds(lambda body=body: _parse(body))
            ratios.append(ours / whole)
            ours_ms.append(1000 * ours / len(jobs))
        detail = f"{middle(ours_ms):.1f} ms a feed, {len(jobs)} feeds"
        table.add(f"feeds with {new} new entries, against feedparser.parse", ratios, "<= 0.20", detail)


def _known(body: bytes) -> tuple[bytes, dict[tuple[str, ...], datetime | None]] | None:
    from watchfloor.errors import WatchfloorError
    from watchfloor.feeds import read_feed

    try:
        feed = read_feed(body, content_type="", url=URL, now=NOW)
    except WatchfloorError:
        return None
    entries = {entry.keys: entry.published for entry in feed.entries}
    return (body, entries) if len(entries) > 4 and feed.dialect != "json" else None


def _read(body: bytes, known: dict[tuple[str, ...], datetime | None]) -> None:
    from watchfloor.feeds import read_feed

    by_key = {key: date for keys, date in known.items() for key in keys}
    read_feed(body, content_type="", url=URL, now=NOW, known=by_key)


def _parse(body: bytes) -> None:
    import feedparser

    feedparser.parse(io.BytesIO(body))


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# -- pages ------------------------------------------------------------------------------------------------------------


async def _pages(table: Table, rounds: int, pages: Sequence[bytes]) -> None:
    """Ours in two guarded processes against twice what one process does with `extract(fast=True)` and nothing else."""
    from watchfloor.parsers import ParserPool

    loop = asyncio.get_running_loop()
    shares, thrift, rates = [], [], []
    with ProcessPoolExecutor(1) as bare:
        async with ParserPool(workers=PROCESSES) as pool:

            async def guarded(page: bytes) -> object:
                return await pool.page(page, content_type="text/html", url=URL, now=NOW)

            await asyncio.gather(*(guarded(page) for page in pages[:20]))
            await loop.run_in_executor(bare, extract_all, pages[:20])
            for _ in range(rounds):
                before = _cpu()
                ours = await _wall(pages, guarded)
                spent = _cpu() - before
                wall, cpu = await loop.run_in_executor(bare, extract_all, pages)
                shares.append(wall / PROCESSES / ours)
                thrift.append(cpu / spent)
                rates.append(len(pages) / ours)
    detail = f"{middle(rates):.0f} pages/s"
    table.add("extraction, against 2 x one core of bare extract(fast=True)", shares, ">= 0.90", detail)
    table.add("the same by CPU, which others on the machine do not disturb", thrift, ">= 0.90")


def _cpu() -> float:
    """Seconds of CPU, of this process and the readers. The bare one is idle while ours are at it."""
    tree = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(sum(one.cpu_times()[:2]) for one in tree)


async def _wall(pages: Sequence[bytes], read: Callable[[bytes], Awaitable[object]]) -> float:
    began, room = time.perf_counter(), asyncio.Semaphore(AT_ONCE)

    async def one(page: bytes) -> None:
        async with room:
            await read(page)

    await asyncio.gather(*(one(page) for page in pages))
    return time.perf_counter() - began


def extract_all(pages: Sequence[bytes]) -> tuple[float, float]:
    """In a process of its own: the seconds that the bare library takes, and those of CPU."""
    import trafilatura

    began, cpu = time.perf_counter(), time.process_time()
    for page in pages:
        trafilatura.extract(page, fast=True)
    return time.perf_counter() - began, time.process_time() - cpu
