"""A host that asks us to wait is left alone, by every process, whoever heard it: for its feeds and its pages."""

from __future__ import annotations

import pickle
from datetime import timedelta

import pytest

from storage.archive import SqlArchive
from tests.archives import HOUR, LEASE, WHOLE, desk_with_news, entry
from tests.servers import LOOPBACK, Server, on_loop, redirect, reply
from watchfloor import articles
from watchfloor.articles import Asked
from watchfloor.errors import FetchError, HttpStatus, Unreachable
from watchfloor.fetch import HttpDoor


def a_door() -> HttpDoor:
    return HttpDoor(allow_addresses=LOOPBACK, host_delay=0)


async def failure(door: HttpDoor, url: str, *, robots: bool = False) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await door.get(url, robots=robots)
    return caught.value


@on_loop
async def test_the_host_that_is_busy_is_named_not_the_one_that_sent_us_there() -> None:
    busy = Server({"/": reply(503, Retry_After="60")}, host="127.0.0.2")
    async with busy, Server({"/": redirect("/")}) as server, a_door() as door:
        server.answers["/"] = redirect(busy.url())
        assert (await failure(door, server.url())).busy_host == "127.0.0.2"
        assert (await failure(door, busy.url("/other"))).busy_host == "127.0.0.2"
        assert (busy.targets, (await failure(door, server.url("/x"))).reason) == (["/"], "HTTP 404")


@on_loop
async def test_a_busy_robots_speaks_for_its_host_a_silent_one_does_not() -> None:
    async with Server({"/robots.txt": reply(429, Retry_After="60")}) as server, a_door() as door:
        assert (await failure(door, server.url("/a"), robots=True)).busy_host == "127.0.0.1"
    async with Server({"/robots.txt": reply(500)}) as server, a_door() as door:
        assert (await failure(door, server.url("/a"), robots=True)).busy_host is None


@pytest.mark.parametrize("kind", [HttpStatus, Unreachable])
def test_the_error_survives_the_way_out_of_a_process(kind: type[FetchError]) -> None:
    error = kind("https://a.example/", 503, retry_after=HOUR, busy_host="b.example")  # type: ignore[arg-type]
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)


def test_what_a_page_heard_holds_for_its_host_in_later_cycles(archive: SqlArchive) -> None:
    desk = desk_with_news(archive)
    desk.polls("gazette", entry("first"), entry("second"), entry("third", "tribune"))
    (job,) = archive.claim_pages(desk.owner, desk.now, LEASE, shard=WHOLE, limit=1)
    busy = HttpStatus("https://gazette.example/first", 429, retry_after=HOUR, busy_host="gazette.example")
    archive.keep_page(desk.owner, articles.compose(job, Asked(error=busy, status=429), desk.now))
    assert [one.entry.url for one in archive.claim_pages("b:1:1", desk.now, LEASE, shard=WHOLE, limit=9)] == [
        "https://tribune.example/third"
    ]
    assert not archive.claim_sources("b:1:1", desk.now, LEASE, shard=WHOLE, limit=9, everything=True)
    later = desk.now + HOUR + timedelta(minutes=1)
    assert len(archive.claim_pages("b:1:1", later, LEASE, shard=WHOLE, limit=9)) == 3
    assert archive.claim_sources("b:1:1", later, LEASE, shard=WHOLE, limit=9, everything=True)
