"""Rows that many tasks want written, written together: what has gathered since the last transaction is the next.

    task ──┐
    task ──┼── keep(row) ── one thread, one transaction ── each task goes on with its own result
    task ──┘

A transaction of one row costs milliseconds of CPU, as much as ten rows more, and SQLite has one writer; and while a
thread waits for the disk the loop goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from watchfloor.errors import RowRefused

Row = TypeVar("Row")
Kept = TypeVar("Kept")
Said = TypeVar("Said")
MOST = 50  # rows of one transaction: with more, others wait for tenths of a second
PAUSE = 0.2  # seconds between two transactions, in which rows gather; who comes alone does not wait


class Gathering(Generic[Row, Kept]):
    """Calls `write` with lists of rows, never twice at once; it gives one result for each row, in order."""

    def __init__(self, write: Callable[[list[Row]], Sequence[Kept]]) -> None:
        self._write = write
        self._waiting: list[tuple[Row, asyncio.Future[Kept]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def keep(self, row: Row) -> Kept:
        """Return when the row is written, with its result; raises what `write` raised.

        Of rows that the database refuses together each is written alone, and RowRefused is raised for its own only.
        """
        result: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, result))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        return await result

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            await self._write_some(batch)
            if len(self._waiting) < MOST:
                await asyncio.sleep(PAUSE)

    async def _write_some(self, batch: Sequence[tuple[Row, asyncio.Future[Kept]]]) -> None:
        try:
            results = await asyncio.to_thread(self._write, [row for row, _ in batch])
        except Exception as error:  # every one of those who wait must hear of it
            if isinstance(error, RowRefused) and len(batch) > 1:
                for one in batch:
                    await self._write_some([one])
                return
            for _, waiting in batch:
                _tell(waiting, waiting.set_exception, error)
        else:
            for (_, waiting), result in zip(batch, results, strict=True):
                _tell(waiting, waiting.set_result, result)


def _tell(waiting: asyncio.Future[Kept], say: Callable[[Said], None], what: Said) -> None:
    if not waiting.done():  # whoever waited may have been cancelled
        say(what)
