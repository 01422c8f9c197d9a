"""What a process that reads many pages gives back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from watchfloor import parsers

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


LARGE = """
import sys
import psutil
from watchfloor import parsers

def work(body):  # leaves holes under what it gives back, as copies of a tree do
    pieces = [bytes(1000) for _ in range(60_000)]
    return pieces[-1]

before = psutil.Process().memory_info().rss
given_back = parsers._within(60, work, (bytes(int(sys.argv[1])),))
print((psutil.Process().memory_info().rss - before) >> 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what is freed")
def test_a_reader_gives_back_what_a_large_document_took() -> None:
    asked = [subprocess.run([sys.executable, "-c", LARGE, str(size)], capture_output=True, text=True, check=True)
             for size in (1000, parsers.LARGE + 1)]  # fmt: skip
    small, large = (int(one.stdout) for one in asked)
    assert small > 40
    assert large < 20


READER = """
import sys
from datetime import UTC, datetime
import watchfloor.cli  # the main module of most owners, which a reader imports
from watchfloor import language, parsers

page = b"<html><body><article><p>" + b"The ministry has bought more tanks. " * 20 + b"</p></article></body></html>"
text = parsers.read_page(page, "text/html", "https://a.example/1", datetime.now(UTC)).text
print(len(text) > 500, *({"numpy", "py3langid", "cyclopts", "sqlalchemy", "aiohttp"} & sys.modules.keys()))
print(language._model().classify("Das Ministerium hat mehr Panzer gekauft.")[0])
"""


def test_a_reader_imports_only_what_it_needs_and_spoils_no_import() -> None:
    asked = subprocess.run([sys.executable, "-c", READER], capture_output=True, text=True, check=True)
    assert asked.stdout.split() == ["True", "de"]
