"""One floor for a process, however many tasks of it are at work: they share the door's politeness and the parsers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from watchfloor import settings, wiring
from watchfloor.pipeline import Floor


class _Shared:
    """The process's floor, with the number of its users; the last one out closes it."""

    def __init__(self) -> None:
        self.users = 0
        self.floor: Floor | None = None
        self.stack = AsyncExitStack()


_shared = _Shared()


@asynccontextmanager
async def floor_of_this_process() -> AsyncIterator[Floor]:
    """The floor, opened from the environment by the first user. All users are tasks of one event loop."""
    _shared.users += 1
    try:
        if _shared.floor is None:
            _shared.floor = await _shared.stack.enter_async_context(wiring.open_floor(settings.load()))
        yield _shared.floor
    finally:
        _shared.users -= 1
        if not _shared.users:
            _shared.floor = None
            await _shared.stack.aclose()
