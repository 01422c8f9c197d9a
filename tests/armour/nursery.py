"""Processes that die when told: a nursery, with all that is slow to import, forks one for each command.

    request (JSON line) {"arguments", "environment", "at", "when", "after"} -> {"killed", "code", "commits", "said"}

`at`: die at that commit of the process, `when`: "before" it or "after" it (the connection comes back to the pool, and
nothing else has happened yet); `after`: be killed so many seconds after the start. The hook is SQLAlchemy's own events:
no line of the program knows of it. In these processes documents are read without a pool and messages are written into
a file, for the program's own pools would cost two seconds a death; whether those end with their owner is tested apart.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool

from tests.armour.floors import matcher
from watchfloor import cli, discovery, parsers, wiring
from watchfloor.model import Delivery, Feed, Page, SendOutcome


class PlainReader:
    """Reads in this process; fills `watchfloor.ports.Parsers`."""

    async def room(self) -> None:
        """There always is."""

    async def feed(self, body: bytes, *, content_type: str, url: str, now: datetime, **more: Any) -> Feed:
        return parsers.read_feed(body, content_type, url, now, **more)

    async def page(self, body: bytes, *, content_type: str, url: str, now: datetime) -> Page:
        return parsers.read_page(body, content_type, url, now)

    async def rough(self, body: bytes, *, content_type: str, url: str, now: datetime) -> Page:
        return parsers.read_roughly(body, content_type, url, now)

    async def feed_links(self, body: bytes, *, url: str) -> tuple[str, ...]:
        return discovery.feed_links(body, url)


class Letterbox:
    """A sender whose targets take everything: a line in a file, on the disk before it says so."""

    hard_limit = timedelta(seconds=30)

    def __init__(self, policy: Any, path: Path) -> None:
        self.targets, self._path = tuple(one.target for one in policy.targets), path

    def send(self, delivery: Delivery) -> SendOutcome:
        with self._path.open("a") as box:
            box.write(f"{delivery.message_id}\n")
        return SendOutcome("sent")


@asynccontextmanager
async def _plain_parsers(_: Any) -> AsyncIterator[PlainReader]:
    yield PlainReader()


@contextmanager
def _letterbox(settings: Any, policy: Any, **_: Any) -> Iterator[Letterbox]:
    yield Letterbox(policy, Path(os.environ["LETTERBOX"]))


class Commits:
    """Counts the commits of this process, and ends it at one of them."""

    def __init__(self, at: int | None, when: str) -> None:
        self.count, self._at, self._when = 0, at, when
        event.listen(Engine, "commit", self._committing)
        event.listen(Pool, "checkin", self._back)

    def _committing(self, *_: object) -> None:
        self.count += 1
        if self.count == self._at and self._when == "before":
            os.kill(os.getpid(), signal.SIGKILL)

    def _back(self, *_: object) -> None:
        if self.count == self._at and self._when == "after":
            os.kill(os.getpid(), signal.SIGKILL)


def _live(request: dict[str, Any], report: int, said: int) -> None:
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.environ.clear()
    os.environ.update(request["environment"])
    wiring.open_parsers, wiring.open_sender = _plain_parsers, _letterbox  # type: ignore[assignment]
    wiring.load_matcher = lambda _: matcher()  # type: ignore[assignment]
    commits = Commits(request.get("at"), request.get("when", "before"))
    code = cli.run(request["arguments"])
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(report, json.dumps({"code": code, "commits": commits.count}).encode())


def _bring_up(request: dict[str, Any]) -> dict[str, Any]:
    out, report = os.pipe()
    words = os.memfd_create("said")
    child = os.fork()
    if child == 0:
        try:
            _live(request, report, words)
        except BaseException:
            os.write(words, traceback.format_exc().encode())
        finally:
            os._exit(0)
    os.close(report)
    if request.get("after") is not None:
        time.sleep(request["after"])
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with os.fdopen(out, "rb") as answer, os.fdopen(words, "rb") as text:
        result = json.loads(answer.read() or b'{"code": null, "commits": null}')
        text.seek(0)
        return {**result, "killed": os.WIFSIGNALED(status), "said": text.read().decode("utf-8", "replace")[-2000:]}


SLOW = ("alerts.config", "alerts.render", "storage.archive", "storage.migrations.run", "watchfloor.cli.database",
        "watchfloor.cli.watch", "watchfloor.extract", "watchfloor.fetch", "feedparser", "trafilatura")  # fmt: skip


def main() -> None:
    for name in SLOW:
        importlib.import_module(name)
    matcher()  # the shipped watchlist, compiled once for all
    for line in sys.stdin:
        print(json.dumps(_bring_up(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
