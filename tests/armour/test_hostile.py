"""Hostile servers of every kind through the real pipeline: each costs its own item, and no other.

In `make test` some of them, in `make armour` all; together, and each alone with a watch on its time and memory.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from asyncio import StreamWriter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from html import escape
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from storage.archive import SqlArchive
from storage.schema import ArticleRow, EntryRow, SourceRow, VerdictRow
from tests.armour import corpus
from tests.armour.corpus import Answer
from tests.armour.floors import faults, integrity, open_floor, wall_clock
from tests.servers import Seen, Server, on_loop, reply
from watchfloor import pipeline, robots
from watchfloor.model import FeedState, Grade, PollJob, Source
from watchfloor.pipeline import Floor

ALL = os.environ.get("WATCHFLOOR_ARMOUR") == "all"
MOST_SECONDS = 15.0
ASKED_FOR = {
    "robots: delay": robots.MAX_DELAY
}  # seconds that a site wants to be left alone, which cost nobody anything
MOST_MEMORY = 1 << 30  # bytes of a process that reads
GOOD_ITEMS = 20


def chosen(cases: dict[str, Answer], one_in: int = 7) -> dict[str, Answer]:
    """All cases, or one in so many of those that are quick."""
    if ALL:
        return cases
    return {
        name: answer
        for number, (name, answer) in enumerate(cases.items())
        if number % one_in == 0 and not corpus.is_heavy(name)
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
        answers["/newest"] = self._newest
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

    @property
    def good(self) -> Source:
        """A feed whose one item is another in each edition, and has its text with it."""
        return self._source("good", self.server.url("/newest", "127.9.0.3"))

    def each(self) -> Iterator[tuple[str, Source]]:
        """A source for each case: the feed itself, or one that names the page."""
        for number, name in enumerate(self.feeds):
            yield name, self._source(f"feed-{number}", self.server.url(f"/feed/{number}", self.host(1, number)))
        pages = [(name, f"/page/{number}", self.host(2, number)) for number, name in enumerate(self.pages)]
        pages += [(name, "/good/1", self.host(3, number)) for number, name in enumerate(self.robots)]
        for number, (name, path, host) in enumerate(pages):
            self.server.answers[f"/one/{number}"] = corpus.xml(listing([(name, self.server.url(path, host))]))
            yield name, self._source(f"page-{number}", self.server.url(f"/one/{number}", self.host(5, number)))

    async def _newest(self, seen: Seen, writer: StreamWriter) -> None:
        text = f"<description>{escape(good_article(self.edition))}</description>"
        writer.write(corpus.xml(corpus.rss(text, title=f"Good item {self.edition}", link="")))
        await writer.drain()

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
    """The most that this process, or a child of it, held since somebody asked; looked at often."""

    def __init__(self) -> None:
        self.children = 0
        self._most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def take(self) -> int:
        """Bytes; from now on it is measured anew."""
        most, self._most = self._most, 0
        return most

    def _look(self) -> None:
        me = psutil.Process()
        while not self._over.wait(0.05):
            for process in (me, *me.children()):
                try:
                    held = process.memory_info().rss
                except psutil.Error:
                    continue
                self._most = max(self._most, held)
                if process is not me:
                    self.children = max(self.children, held)


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


@pytest.mark.parametrize("archive_url", ["sqlite", "postgresql"], indirect=True)
@on_loop
async def test_an_address_too_long_to_be_kept_is_followed_and_not_kept(archive_url: str) -> None:
    """PostgreSQL's index would refuse it, and with it all that is kept together: every cycle, for ever."""
    far = "/" + "".join(sha256(bytes([number])).hexdigest() for number in range(100))  # which cannot be compressed
    async with Server(host="0.0.0.0") as server:
        feed, moved, link = (server.url(path, f"127.6.0.{n}") for n, path in enumerate(("/feed", "/moved", "/page"), 1))
        story = reply(200, corpus.page(good_article(1)), Content_Type="text/html")
        server.answers |= {
            "/page": reply(302, Location=far),
            far: story,
            far + "/feed": corpus.xml(corpus.rss(link="")),
        }
        server.answers |= {"/feed": corpus.xml(corpus.rss(link=link)), "/moved": reply(301, Location=far + "/feed")}
        sources = [Source("feed", "feed", feed, "feed"), Source("moved", "moved", moved, "moved")]
        async with open_floor(archive_url, sources) as floor:
            archive = floor.archive
            assert isinstance(archive, SqlArchive)
            report = await pipeline.cycle(floor)
            assert (report.grades["full"], report.failed) == (1, 0)
            assert faults(archive, wall_clock()) == []
            with archive._database.read() as connection:
                assert connection.execute(select(ArticleRow.url).where(ArticleRow.source_id == "feed")).scalar() == link
                assert connection.execute(select(SourceRow.message).where(SourceRow.id == "moved")).scalar() is None


@dataclass(frozen=True)
class Cost:
    """What one case took of a cycle that had nothing else to do but one good feed."""

    name: str
    seconds: float
    memory: int  # bytes, of this process or of one that reads, whichever held more

    def __str__(self) -> str:
        return f"{self.seconds:5.1f} s {self.memory >> 20:5} MB  {self.name}"


@on_loop
async def test_each_alone_takes_no_more_than_it_may(tmp_path: Path) -> None:
    world = World(chosen(corpus.every_feed(), 40), chosen(corpus.every_page(), 40), chosen(corpus.ROBOTS, 40))
    async with world.server:
        world.prepare()
        now = wall_clock()  # stands still, so that no page of an earlier case is asked for again
        async with open_floor(f"sqlite:///{tmp_path}/archive.db", (), clock=lambda: now) as floor:
            await asyncio.gather(*(pipeline.ask_feed(floor, PollJob(world.good, FeedState())) for _ in range(4)))
            floor.matcher()  # readers and rules are there: what they cost to start is no case's
            with Memory() as memory:
                costs = [await alone(floor, world, name, listed, memory) for name, listed in world.each()]
            assert isinstance(floor.archive, SqlArchive)
            assert faults(floor.archive, wall_clock()) == []
    costs.sort(key=lambda cost: -cost.seconds)
    print(f"\n{len(costs)} cases, each alone; the slowest, and the largest:")
    print("\n".join(map(str, [*costs[:10], *sorted(costs, key=lambda cost: -cost.memory)[:3]])))
    too_much = [
        cost
        for cost in costs
        if cost.seconds - ASKED_FOR.get(cost.name, 0.0) > MOST_SECONDS or cost.memory > MOST_MEMORY
    ]
    assert too_much == []


async def alone(floor: Floor, world: World, name: str, source: Source, memory: Memory) -> Cost:
    """A cycle with this source and one good one, of which each cycle brings something new."""
    archive = floor.archive
    assert isinstance(archive, SqlArchive)
    world.edition += 1
    archive.register([source, world.good], floor.clock())
    memory.take()
    began = time.monotonic()
    report = await pipeline.cycle(floor, everything=True)
    cost = Cost(name, time.monotonic() - began, memory.take())
    assert report.asked == 2, name
    assert not any(archive.work_left(floor.clock()).values()), name
    assert newest_good(archive) == f"Good item {world.edition}", name
    return cost


def newest_good(archive: SqlArchive) -> str | None:
    with archive._database.read() as connection:
        judged = select(ArticleRow.title).join(VerdictRow, VerdictRow.article_id == ArticleRow.id)
        return connection.execute(
            judged.where(ArticleRow.source_id == "good").order_by(ArticleRow.id.desc()).limit(1)
        ).scalar()
