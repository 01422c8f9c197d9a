"""A cycle asks every source once, however many there are."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from storage.archive import SqlArchive
from tests.archives import NOON
from tests.armour.corpus import rss, xml
from tests.armour.floors import open_floor
from tests.servers import Script, Server, on_loop, reply
from watchfloor import leases, pipeline
from watchfloor.feeds import read_feed
from watchfloor.model import Source
from watchfloor.ports import Shard


@on_loop
async def test_run_now_asks_all_of_many_sources_in_every_cycle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "SOURCES_AT_ONCE", 4)
    async with Server({f"/{number}": xml(rss()) for number in range(1, 11)}, host="0.0.0.0") as server:
        sources = [Source(f"s{n}", f"s{n}", server.url(f"/{n}", f"127.0.1.{n}"), f"s{n}") for n in range(1, 11)]
        async with open_floor(f"sqlite:///{tmp_path}/a.db", sources) as floor:
            for cycle in (1, 2, 3):
                assert (await pipeline.cycle(floor, everything=True)).asked == 10
                assert Counter(server.targets) == {f"/{n}": cycle for n in range(1, 11)}


@pytest.mark.parametrize("guid", ["4711", "item-4711", "4711.html", "a/b"])
def test_a_guid_that_is_no_address_names_no_page(guid: str) -> None:
    feed = read_feed(rss(f"<guid>{guid}</guid>", link=""), content_type="", url="https://a.example/feed", now=NOON)
    assert [entry.url for entry in feed.entries] == [None]


def test_a_guid_that_is_an_address_does() -> None:
    body = rss("<guid>https://a.example/4711</guid>").replace(b"<link>https://paper.example/a</link>", b"")
    feed = read_feed(body, content_type="", url="https://a.example/feed", now=NOON)
    assert [entry.url for entry in feed.entries] == ["https://a.example/4711"]


@on_loop
async def test_who_takes_long_does_not_keep_others_from_their_turn() -> None:
    window, slow = pipeline.Window[str](3), asyncio.Event()

    async def ends(when: asyncio.Event | None = None, *, in_time: bool = True) -> bool:
        if when:
            await when.wait()
        return in_time

    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        window.hold("slow", tasks.create_task(ends(slow)))
        window.hold("late", tasks.create_task(ends(in_time=False)))
        window.hold("quick", tasks.create_task(ends()))
        rooms = [await window.room(), await window.room()]
        slow.set()
    assert (rooms[-1], window.late) == (2, ["late"])


@on_loop
async def test_what_one_slow_host_cannot_give_in_time_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease must outlast what is done under it, and a cycle must end, however slowly a host wants to be asked."""
    monkeypatch.setattr(leases, "PAGE_LEASE", timedelta(seconds=2))
    answers: dict[str, bytes | Script] = {"/robots.txt": reply(200, b"User-agent: *\nCrawl-delay: 0.5")}
    async with Server(answers) as server:
        links = [server.url(f"/page/{number}") for number in range(12)]
        items = "".join(f"</item><item><title>{link}</title><link>{link}</link>" for link in links)
        answers["/feed"] = xml(rss(items, link=server.url("/page")))
        sources = [Source("slow", "Slow", server.url("/feed"), "Slow")]
        async with open_floor(f"sqlite:///{tmp_path}/a.db", sources) as floor:
            archive = floor.archive
            assert isinstance(archive, SqlArchive)
            first = await pipeline.cycle(floor)
            assert 1 <= first.grades.total() <= 5
            assert archive.work_left(floor.clock())["collect"] == 13 - first.grades.total()
            jobs = archive.claim_pages("other:1:1", floor.clock(), timedelta(minutes=1), shard=Shard(), limit=99)
            assert {job.attempts for job in jobs} == {0}
            assert len(jobs) == 13 - first.grades.total()
