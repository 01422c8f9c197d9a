"""Hours of watching in one process: does it grow? `python -m bench.soak [MINUTES] [FEEDS]`.

A newspaper in a process of its own has 200 feeds, a fifth of which bring an item each minute; each minute a whole cycle
asks them all, reads the new pages, judges and groups them. Printed each minute: the memory of the process that watches
and of its readers, its open files, its processes. Exits with 1 if the last third of the time holds more than a tenth
more memory than the third before it, or more files or processes. (The first third fills caches.)
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from random import Random
from statistics import median

import psutil
from aiohttp import web

from tests.armour.floors import open_floor
from watchfloor import pipeline
from watchfloor.model import Source
from watchfloor.pipeline import Floor

CYCLE = 60.0  # seconds
GROWTH = 1.10
SHARE = 5  # of the feeds, every how manieth has something new in a minute
WHERE = ("Norway", "Poland", "Japan", "Chile", "Kenya", "Greece", "Canada", "India", "Finland", "Peru", "Italy", "Oman")
WHAT = ("frigates", "missiles", "drones", "tanks", "radars", "submarines", "howitzers", "bridges", "schools", "ferries",
        "harvesters", "libraries", "trams", "orchards", "museums", "hospitals")  # fmt: skip
DONE = ("orders", "sells", "repairs", "inspects", "loses", "praises", "counts", "paints", "moves")


def event(number: int, item: int) -> tuple[str, str]:
    """Who did what, as title and text: mostly an event of its own, as on most days.

    One story of a thousand copies would be no day's news, and what holds a story in hand grows with it.
    """
    dice = Random(number * 100_003 + item)
    one, other = dice.sample(WHERE, 2)
    what, done, many = dice.choice(WHAT), dice.choice(DONE), dice.randrange(2, 900)
    title = f"{one} {done} {many} {what} near {other}"
    told = f"{one} {done} {many} {what}, its ministry said, and {other} answered within {dice.randrange(2, 60)} hours."
    return title, told


@dataclass(frozen=True)
class Sample:
    """What the watching process held at the end of a cycle."""

    own_mb: float
    readers_mb: float
    files: int
    processes: int


# -- the newspaper ----------------------------------------------------------------------------------------------------


def serve() -> None:
    """Serve feeds and pages on all of 127/8 until killed; prints the port."""
    began = time.monotonic()

    async def feed(request: web.Request) -> web.Response:
        number, minute = int(request.match_info["feed"]), int((time.monotonic() - began) / CYCLE)
        newest = (minute + number % SHARE) // SHARE
        tag = f'"{newest}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag})
        base = f"http://{request.host}"
        items = "".join(
            f"<item><title>{event(number, n)[0]}</title><link>{base}/page/{number}/{n}</link></item>"
            for n in range(max(0, newest - 20), newest + 1)
        )
        body = f'<rss version="2.0"><channel><title>Feed {number}</title>{items}</channel></rss>'
        return web.Response(text=body, content_type="application/rss+xml", headers={"ETag": tag})

    async def page(request: web.Request) -> web.Response:
        number, item = int(request.match_info["feed"]), int(request.match_info["item"])
        title, said = event(number, item)
        told = "".join(f"<p>{said} {word}, {said.lower()}</p>" for word in ("First", "Then", "At last") * 8)
        return web.Response(
            text=f"<html><body><article><h1>{title}</h1>{told}</article></body></html>", content_type="text/html"
        )

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/feed/{feed}", feed)
        app.router.add_get("/page/{feed}/{item}", page)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", 0).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())


# -- the watching -----------------------------------------------------------------------------------------------------


async def watch(port: int, feeds: int, minutes: int) -> list[Sample]:
    """A cycle a minute."""
    hosts = [f"127.6.{number // 250}.{1 + number % 250}" for number in range(feeds)]
    sources = [
        Source(f"s{n}", f"Feed {n}", f"http://{host}:{port}/feed/{n}", f"House {n % 60}")
        for n, host in enumerate(hosts)
    ]
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory() as folder:
        async with open_floor(f"sqlite:///{folder}/archive.db", sources) as floor:
            for minute in range(minutes):
                began = time.monotonic()
                said = await _cycle(floor)
                samples.append(_sample())
                print(f"{minute:4}  {said}  {_in_words(samples[-1])}", flush=True)
                await asyncio.sleep(max(0.0, CYCLE - (time.monotonic() - began)))
    return samples


async def _cycle(floor: Floor) -> str:
    report = await pipeline.cycle(floor, everything=True)
    return f"{report.asked} asked, {report.entries:4} new, {report.failed} failed, {report.seconds:5.1f} s"


def _sample() -> Sample:
    me = psutil.Process()
    children = me.children(recursive=True)
    readers = sum(child.memory_info().rss for child in children) / 1e6
    return Sample(me.memory_info().rss / 1e6, readers, me.num_fds(), len(children))


def _in_words(sample: Sample) -> str:
    memory = f"{sample.own_mb:6.1f} MB, readers {sample.readers_mb:6.1f} MB"
    return f"{memory}, {sample.files} files, {sample.processes} processes"


def verdict(samples: Sequence[Sample]) -> list[str]:
    """What grew; nothing where all is flat."""
    third = len(samples) // 3
    before, after = samples[third : 2 * third], samples[2 * third :]
    grew = []
    for name, old, new in zip(Sample.__annotations__, _medians(before), _medians(after), strict=True):
        limit = old * GROWTH if name.endswith("mb") else old
        print(f"{name:10} {old:8.1f} -> {new:8.1f}  ({(new / old - 1) * 100 if old else 0:+.1f} %)")
        grew += [name] if new > limit else []
    return grew


def _medians(samples: Sequence[Sample]) -> list[float]:
    return [median(column) for column in zip(*map(astuple, samples), strict=True)]


def main(arguments: Sequence[str]) -> int:
    """Run the newspaper and the watching."""
    minutes, feeds = (int(arguments[0]) if arguments else 60), (int(arguments[1]) if len(arguments) > 1 else 200)
    newspaper = subprocess.Popen([sys.executable, "-m", "bench.soak", "serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert newspaper.stdout
        samples = asyncio.run(watch(int(newspaper.stdout.readline()), feeds, minutes))
    finally:
        newspaper.kill()
        newspaper.wait()
    grew = verdict(samples)
    print(f"grew: {', '.join(grew)}" if grew else "flat")
    return bool(grew)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        sys.exit(main(sys.argv[1:]))
