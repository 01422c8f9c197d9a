"""Rows that many want written are written together, and each gets what is its own."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.servers import on_loop
from watchfloor.errors import ArchiveError
from watchfloor.gathering import MOST, PAUSE, Gathering


class Book:
    """Writes down what it is given and answers with ten times that; `held` until told to go on; refuses -1."""

    def __init__(self) -> None:
        self.written: list[list[int]] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def write(self, rows: list[int]) -> list[int]:
        assert self.go_on.wait(10)
        if -1 in rows:
            raise ArchiveError("the book is full")
        self.written.append(rows)
        return [10 * row for row in rows]


@on_loop
async def test_what_gathers_while_one_is_written_is_written_together() -> None:
    book = Book()
    book.go_on.clear()
    kept = Gathering(book.write)
    first = asyncio.create_task(kept.keep(1))
    await asyncio.sleep(0.05)
    others = [asyncio.create_task(kept.keep(number)) for number in range(2, MOST + 4)]
    await asyncio.sleep(0.05)
    book.go_on.set()
    assert [await first, *await asyncio.gather(*others)] == [10 * number for number in range(1, MOST + 4)]
    assert [len(rows) for rows in book.written] == [1, MOST, 2]


@on_loop
async def test_whoever_waits_hears_of_a_failure_and_the_next_goes_on() -> None:
    kept = Gathering(Book().write)
    results = await asyncio.gather(kept.keep(12), kept.keep(-1), return_exceptions=True)
    assert [type(result) for result in results] == [ArchiveError, ArchiveError]
    assert await kept.keep(14) == 140


@on_loop
async def test_who_gives_up_does_not_keep_the_others_from_theirs() -> None:
    book = Book()
    book.go_on.clear()
    kept = Gathering(book.write)
    gone, stays = asyncio.create_task(kept.keep(1)), asyncio.create_task(kept.keep(2))
    await asyncio.sleep(0.05)
    gone.cancel()
    book.go_on.set()
    assert await stays == 20
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert book.written == [[1, 2]]


@on_loop
async def test_what_comes_soon_after_one_another_is_written_together() -> None:
    book = Book()
    kept = Gathering(book.write)
    assert await kept.keep(1) == 10
    soon = [asyncio.create_task(kept.keep(2))]
    await asyncio.sleep(PAUSE / 10)
    soon.append(asyncio.create_task(kept.keep(3)))
    assert await asyncio.gather(*soon) == [20, 30]
    assert book.written == [[1], [2, 3]]
