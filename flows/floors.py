"""One floor for all tasks of one event loop: they share the door's politeness and the parsers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakKeyDictionary

from watchfloor import settings, wiring
from watchfloor.pipeline import Floor


class _Shared:
    """A loop's floor, with the number of its users; the last one out closes it."""

    def __init__(self) -> None:
        self.users = 0
        self.opening = asyncio.Lock()
        self.floor: Floor | None = None
        self.stack = AsyncExitStack()


# A process has one loop, but for a worker of Dask, which runs each task in a thread with a loop of its own.
_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared] = WeakKeyDictionary()


@asynccontextmanager
async def floor_of_this_loop() -> AsyncIterator[Floor]:
    """The floor, opened from the environment by the first user."""
    mine = _shared.setdefault(asyncio.get_running_loop(), _Shared())
    mine.users += 1
    try:
        async with mine.opening:
            if mine.floor is None:
                mine.floor = await mine.stack.enter_async_context(wiring.open_floor(settings.load()))
        yield mine.floor
    finally:
        mine.users -= 1
        if not mine.users:
            mine.floor = None
            await mine.stack.aclose()
