"""The demo's newspaper for tests: served from a thread, where other processes can read it, and settings for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from watchfloor.demo import newspaper
from watchfloor.demo.newspaper import Newspaper

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def paper_in_a_thread() -> Iterator[Newspaper]:
    """The newspaper, served until the block ends."""
    ready, over = threading.Event(), threading.Event()
    papers: list[Newspaper] = []

    async def work() -> None:
        async with newspaper.serve() as paper:
            papers.append(paper)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(work(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield papers[0]
    finally:
        over.set()
        thread.join(10)


def environment_for(paper: Newspaper, folder: Path) -> dict[str, str]:
    """The settings of somebody who watches this newspaper from `folder`, as environment variables."""
    sources = folder / "sources.yaml"
    sources.write_text(paper.sources_yaml(), encoding="utf-8")
    return {
        "WATCHFLOOR_DATABASE_URL": f"sqlite:///{folder}/archive.db",
        "WATCHFLOOR_SOURCES": str(sources),
        "WATCHFLOOR_WATCHLIST": str(ROOT / "watchlist.yaml"),
        "WATCHFLOOR_ALLOW_ADDRESSES": "127.0.0.0/8",
        "WATCHFLOOR_HOST_DELAY": "0",
        "WATCHFLOOR_HOST_CONNECTIONS": "8",
        "WATCHFLOOR_WORKERS": "1",
        "WATCHFLOOR_CONTACT": "desk@example.org",
    }
