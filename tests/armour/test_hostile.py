"""Hostile servers of every kind through the real pipeline: each costs its own item, and no other.

In `make test` a part of them, in `make armour` all, each alone as well with a watch on time and memory.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from asyncio import StreamWriter
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from storage.archive import SqlArchive
from storage.schema import ArticleRow, EntryRow, SourceRow
from tests.armour import corpus
from tests.armour.corpus import Answer
from tests.armour.floors import faults, integrity, open_floor, wall_clock
from tests.servers import Seen, Server, on_loop, reply
from watchfloor import pipeline
from watchfloor.model import Entry, FeedState, Grade, PageJob, PollJob, Source
from watchfloor.pipeline import Floor

ALL = os.environ.get("WATCHFLOOR_ARMOUR") == "all"
MOST_SECONDS = 15.0
MOST_MEMORY = 1 << 30  # bytes of a process that reads
GOOD_ITEMS = 20


def chosen(cases: dict[str, Answer]) -> dict[str, Answer]:
    """All cases, or of those that are quick every seventh."""
    if ALL:
        return cases
    return {
        name: answer
        for number, (name, answer) in enumerate(cases.items())
        if number % 7 == 0 and not corpus.is_heavy(name)
    }


@dataclass
class World:
    """Servers of which each has an address of its own: hostile feeds, hostile pages, and a good newspaper."""

    feeds: dict[str, Answer]
    pages: dict[str, Answer]
    robots: dict[str, Answer]
    server: Server = field(default_factory=lambda: Server(host="0.0.0.0"))
    edition: int = 1

    def host(self, kind: int, number: int) -> str:
        return f"127.{kind}.{number // 250}.{1 + number % 250}"

    def prepare(self) -> list[Source]:
        """Lay everything out; the sources that watch it."""
        answers = self.server.answers
        answers.update({f"/feed/{number}": answer for number, answer in enumerate(self.feeds.values())})
        answers.update({f"/page/{number}": answer for number, answer in enumerate(self.pages.values())})
        answers["/robots.txt"] = self._robots
        answers["/good"] = self._good
        answers["/index"] = self._index
        for number in range(4 * GOOD_ITEMS):
            answers[f"/good/{number}"] = reply(200, corpus.page(good_article(number)), Content_Type="text/html")
        sources = [
            self._source(f"case-{n}", self.server.url(f"/feed/{n}", self.host(1, n))) for n in range(len(self.feeds))
        ]
        sources += [
            self._source("good", self.server.url("/good", "127.9.0.1")),
            self._source("index", self.server.url("/index", "127.9.0.2")),
        ]
        return sources

    def _source(self, name: str, url: str) -> Source:
        return Source(name, name, url, name)

    async def _robots(self, seen: Seen, writer: StreamWriter) -> None:
        host = (seen.header("Host") or b"").decode().partition(":")[0]
        kind, high, low = (int(part) for part in host.split(".")[1:])
        answer = list(self.robots.values())[high * 250 + low - 1] if kind == 3 else reply(404)
        if isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
        else:
            await answer(seen, writer)

    async def _good(self, seen: Seen, writer: StreamWriter) -> None:
        items = [
            (f"Good item {n}", self.server.url(f"/good/{n}", self.host(4, n))) for n in range(GOOD_ITEMS * self.edition)
        ]
        writer.write(corpus.xml(listing(items)))
        await writer.drain()

    async def _index(self, seen: Seen, writer: StreamWriter) -> None:
        items = [(f"Hostile page {n}", self.server.url(f"/page/{n}", self.host(2, n))) for n in range(len(self.pages))]
        items += [(f"Page behind {n}", self.server.url("/good/1", self.host(3, n))) for n in range(len(self.robots))]
        writer.write(corpus.xml(listing(items)))
        await writer.drain()


def listing(items: list[tuple[str, str]]) -> bytes:
    inside = "".join(
        f"<item><title>{title}</title><link>{escape(link)}</link><pubDate>{corpus.DAY}</pubDate></item>"
        for title, link in items
    )
    return f'<rss version="2.0"><channel><title>x</title>{inside}</channel></rss>'.encode()


def good_article(number: int) -> str:
    said = f"In town number {number} the council spoke about its harbour, and the mayor said that work would begin. "
    return f"<article><h1>Good item {number}</h1>" + f"<p>{said * 3}</p>" * 4 + "</article>"


class Memory:
    """The most that any child of this process held, and this process itself, looked at often."""

    def __init__(self) -> None:
        self.children = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        me = psutil.Process()
        while not self._over.wait(0.05):
            for child in me.children():
                try:
                    self.children = max(self.children, child.memory_info().rss)
                except psutil.Error:
                    continue


def good_ones(archive: SqlArchive) -> int:
    with archive._database.read() as connection:
        rows = connection.execute(
            select(ArticleRow.text).where(ArticleRow.source_id == "good", ArticleRow.grade == Grade.FULL.value)
        )
        return sum("harbour" in row.text for row in rows)


def unrecorded(archive: SqlArchive, world: World) -> list[str]:
    """Cases of which no row tells what became of them."""
    names = list(world.feeds)
    with archive._database.read() as connection:
        untold = connection.execute(
            select(SourceRow.id).where(
                SourceRow.id.like("case-%"), SourceRow.first_answer.is_(None), SourceRow.message.is_(None)
            )
        )
        missing = [names[int(row.id.removeprefix("case-"))] for row in untold]
        held = connection.execute(select(SourceRow.id).where(SourceRow.owner.is_not(None))).scalars().all()
        unread = (
            connection.execute(
                select(EntryRow.title)
                .join(ArticleRow, ArticleRow.id == EntryRow.article_id)
                .where(ArticleRow.fetched_at.is_(None))
            )
            .scalars()
            .all()
        )
    return [*missing, *held, *unread]


@pytest.mark.parametrize("archive_url", ["sqlite", "postgresql"] if ALL else ["sqlite"], indirect=True)
@on_loop
async def test_each_costs_its_own_item_and_no_other(archive_url: str) -> None:
    world = World(chosen(corpus.every_feed()), chosen(corpus.every_page()), chosen(corpus.ROBOTS))
    async with world.server:
        sources = world.prepare()
        async with open_floor(archive_url, sources) as floor:
            archive = floor.archive
            assert isinstance(archive, SqlArchive)
            with Memory() as memory:
                first = await pipeline.cycle(floor, everything=True)
                assert good_ones(archive) == GOOD_ITEMS
                world.edition = 2
                await pipeline.cycle(floor, everything=True)
            assert good_ones(archive) == 2 * GOOD_ITEMS
            assert first.asked == len(sources)
            assert unrecorded(archive, world) == []
            assert faults(archive, wall_clock()) == []
            assert integrity(archive) == []
            assert memory.children < MOST_MEMORY
            told = f"{first.entries} entries, {first.failed} failed, {first.seconds:.0f} s"
            print(f"\n{len(world.feeds)} feeds, {len(world.pages)} pages, {len(world.robots)} robots: {told}")
            print(f"a reader held {memory.children >> 20} MB at most")


@pytest.mark.skipif(not ALL, reason="make armour: every case alone, with a watch")
@on_loop
async def test_none_takes_longer_than_it_may(tmp_path: Path) -> None:
    world = World(corpus.every_feed(), corpus.every_page(), {})
    slow: dict[str, float] = {}
    async with world.server:
        sources = world.prepare()
        async with open_floor(f"sqlite:///{tmp_path}/archive.db", ()) as floor:
            await _warm(floor, world)
            with Memory() as memory:
                for source, name in zip(sources, world.feeds, strict=False):
                    slow[name] = await _seconds(pipeline.ask_feed(floor, PollJob(source, FeedState())))
                for number, name in enumerate(world.pages):
                    entry = Entry(("x",), "x", world.server.url(f"/page/{number}", world.host(2, number)))
                    slow[name] = await _seconds(pipeline.ask_page(floor, PageJob(number, entry, sources[0])))
    worst = sorted(slow.items(), key=lambda one: -one[1])[:12]
    print(f"\n{len(slow)} cases, each alone; a reader held {memory.children >> 20} MB at most; the slowest:")
    print("\n".join(f"  {seconds:5.1f} s  {name}" for name, seconds in worst))
    assert {name: seconds for name, seconds in slow.items() if seconds > MOST_SECONDS} == {}
    assert memory.children < MOST_MEMORY


async def _warm(floor: Floor, world: World) -> None:
    """Start the readers: what they cost to start is no case's."""
    source = Source("good", "good", world.server.url("/good", "127.9.0.1"), "good")
    await asyncio.gather(*(pipeline.ask_feed(floor, PollJob(source, FeedState())) for _ in range(4)))


async def _seconds(work: object) -> float:
    began = time.monotonic()
    await work  # type: ignore[misc]
    return time.monotonic() - began
