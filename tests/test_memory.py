"""What a process that reads many pages gives back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PAGES = """
import sys
import psutil
from watchfloor import memory

if "tuned" in sys.argv:
    memory.keep_little()
size, held = 300_000, psutil.Process().memory_info
bytearray(size)  # the first block that is freed makes glibc keep the next ones of its size
pages = [bytearray(b"x") * size for _ in range(200)]
before = held().rss
del pages[::2]
print((before - held().rss) // size)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what is freed")
def test_pages_that_are_let_go_are_given_back_though_others_stay() -> None:
    asked = [subprocess.run([sys.executable, "-c", PAGES, *words], capture_output=True, text=True, check=True)
             for words in ([], ["tuned"])]  # fmt: skip
    untuned, tuned = (int(one.stdout) for one in asked)
    assert untuned < 50
    assert tuned >= 98
