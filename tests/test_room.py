"""What is fetched waits for those who read it, not with its bytes in hand."""

from __future__ import annotations

import asyncio

import pytest

from tests.servers import LOOPBACK, Server, on_loop, reply
from watchfloor import parsers
from watchfloor.fetch import HttpDoor
from watchfloor.parsers import ParserPool


@pytest.mark.parametrize("limit", ["READ_AHEAD", "AHEAD_BYTES"])
@on_loop
async def test_there_is_room_again_when_a_document_was_read(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsers, limit, 1)
    async with asyncio.timeout(60), ParserPool(workers=1) as pool:
        await pool.room()
        reading = asyncio.create_task(pool.feed_links(b"<html></html>", url="https://a.example/"))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(pool.room())
        await asyncio.sleep(0)
        assert not waiting.done()
        assert await reading == ()
        await waiting


@on_loop
async def test_the_door_asks_when_there_is_room() -> None:
    room = asyncio.Event()
    server, door = Server({"/": reply(200, b"hi")}), HttpDoor(allow_addresses=LOOPBACK, host_delay=0, room=room.wait)
    async with server, door:
        asking = asyncio.create_task(door.get(server.url("/")))
        await asyncio.sleep(0.1)
        assert not server.targets
        room.set()
        assert (await asking).body == b"hi"
