"""What a process asks of the system and gives back to it. glibc alone needs telling; elsewhere nothing is done."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

PAGE_SIZED = 272 << 10  # bytes; asyncio takes 256 kB for each read, and mapping these doubles the time in the kernel
ARENAS = 2  # in place of eight a core; threads of a cycle seldom allocate at once, as they share Python's lock
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # of malloc.h


def keep_little() -> None:
    """Have every block of the size of a page taken from the system by itself, and returned as soon as it is freed.

    Kept in the heaps of a dozen threads, pages that came and went leave holes: 60 to 90 MB in a cycle of 400.
    """
    if tune := _glibc("mallopt"):
        tune(_M_MMAP_THRESHOLD, PAGE_SIZED)
        tune(_M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Return freed memory, holes within what is in use too. glibc keeps it: 50 MB of a cycle, 30 of each reader's.

    It takes milliseconds, and to take the memory anew some more: not after each small piece of work.
    """
    if trim := _glibc("malloc_trim"):
        trim(0)


@cache
def _glibc(name: str) -> Callable[..., int] | None:
    """A function of glibc; None on other systems."""
    try:
        function: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
    return function
