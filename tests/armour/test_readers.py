"""Readers are killed, by us and by others: each end costs at most the one document, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest

from tests.archives import NOON
from tests.armour.corpus import page, rss
from tests.servers import on_loop
from tests.watching import ROOT
from watchfloor import parsers
from watchfloor.errors import ParserKilled
from watchfloor.model import Feed, Page
from watchfloor.parsers import ParserPool

ALL = os.environ.get("WATCHFLOOR_ARMOUR") == "all"
LIMIT = 3  # seconds
STOPS = 100 if ALL else 2
URL = "https://a.example/feed"
ENDLESS = rss(f"<author>{'a.' * 20_000}@</author>")  # feedparser's regular expression takes minutes
LONG = page("<article>" + "<p>The ministers met and talked of missiles at length.</p>" * 4000 + "</article>")
SIGTERM_BIT = 1 << (signal.SIGTERM - 1)


async def feed(pool: ParserPool, body: bytes = rss()) -> Feed:
    return await pool.feed(body, content_type="", url=URL, now=NOON)


def readers(process: psutil.Process | None = None) -> list[psutil.Process]:
    """The children that read; Python's own helper for shared memory is none."""
    children = (process or psutil.Process()).children()
    return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]


async def busy_reader() -> psutil.Process:
    """The child that works, as soon as one does."""
    while True:
        for child in readers():
            if child.cpu_percent(0.1) > 30:
                return child
        await asyncio.sleep(0)


async def killed_while_it_reads(number: signal.Signals) -> Page:
    async with ParserPool(workers=1) as pool:
        await feed(pool)
        reading = asyncio.create_task(pool.page(LONG, content_type="text/html", url=URL, now=NOON))
        (await busy_reader()).send_signal(number)
        return await reading


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@on_loop
async def test_what_was_read_when_somebody_ended_the_reader_is_read_again(number: signal.Signals) -> None:
    assert "missiles" in (await killed_while_it_reads(number)).text


@on_loop
async def test_a_document_that_breaks_its_reader_is_not() -> None:
    with pytest.raises(ParserKilled, match="exit code -11"):
        await killed_while_it_reads(signal.SIGSEGV)


@on_loop
async def test_one_that_takes_too_long_is_given_up_and_the_next_is_read() -> None:
    async with ParserPool(workers=1, feed_seconds=1) as pool:
        with pytest.raises(ParserKilled, match="more than 1 s"):
            await feed(pool, ENDLESS)
        assert len((await feed(pool)).entries) == 1


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells which signals a process catches")
@on_loop
async def test_no_reader_runs_python_when_it_is_ended() -> None:
    async with ParserPool(workers=1) as pool:
        await feed(pool)
        (reader,) = readers()
        assert not signals_caught_by(reader.pid) & SIGTERM_BIT


def signals_caught_by(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("SigCgt")), 16)


@pytest.mark.skipif(not ALL, reason="make armour: ten seconds")
def test_a_reader_whose_owner_is_killed_ends_by_itself_even_in_a_regular_expression() -> None:
    command = [sys.executable, "-m", "tests.armour.test_readers", "endless"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as owner:
        assert owner.stdout
        assert owner.stdout.readline()
        orphans = [child for child in readers(psutil.Process(owner.pid)) if child.cpu_percent(0.5) > 10]
        owner.kill()
    assert orphans
    _, alive = psutil.wait_procs(orphans, timeout=LIMIT + parsers.OVERTIME + 5)
    assert alive == []


def test_stopping_leaves_no_word_and_no_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.armour.test_readers", "stops", str(STOPS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    print(f"\n{done.stdout.strip()}")


def test_a_reader_that_still_starts_when_its_pool_ends_says_nothing() -> None:
    command = [sys.executable, "-m", "tests.armour.test_readers", "starts"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr == ""


# -- a process of its own ---------------------------------------------------------------------------------------------


async def endless() -> None:
    async with ParserPool(workers=1, feed_seconds=LIMIT) as pool:
        await feed(pool)
        print("reads", flush=True)
        await feed(pool, ENDLESS)


async def stops(times: int) -> None:
    began = time.monotonic()
    for number in range(times):
        async with ParserPool(workers=2, feed_seconds=0.3) as pool:
            await asyncio.gather(feed(pool), feed(pool), return_exceptions=True)  # on a busy machine 0.3 s is little
            if number % 2:
                await asyncio.gather(feed(pool, ENDLESS), feed(pool), return_exceptions=True)
    print(f"{times} pools stopped, half of them after a kill: {time.monotonic() - began:.0f} s, nothing said")


async def starts() -> None:
    """The pool's end takes long, as on a busy machine, so that its reader is up before it is ended."""
    from pebble.pool import process

    def late(child: BaseProcess, stop: Callable[[BaseProcess], None] = process.stop_process) -> None:
        time.sleep(LIMIT)
        stop(child)

    process.stop_process = late
    async with ParserPool(workers=1) as pool:
        reading = asyncio.create_task(feed(pool))
        await asyncio.sleep(0)
        reading.cancel()


if __name__ == "__main__":
    asyncio.run(
        {"endless": endless, "starts": starts}[sys.argv[1]]() if len(sys.argv) == 2 else stops(int(sys.argv[2]))
    )
