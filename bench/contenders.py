"""What else one would take, each as a process of its own: `python -m bench.contenders NAME ...`.

naive      a loop in one process: feedparser on whole feeds, `trafilatura.extract` with its defaults, 40 terms, SQLite
reader     the library of that name: its update of all feeds
aiohttp    a bare loop of conditional requests
polls      ours, but for the pages: polls what is due and keeps the entries
shards     ours: one of several workers on one archive
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import re
import sqlite3
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

SHARDS = 8
TERMS = (
    "military|army|navy|troops|missile|drone|defence|defense|minister of war|warship|frigate|airspace|nuclear|"
    "ceasefire|brigade|artillery|nato|pentagon|submarine|fighter jet|air force|armed forces|sanctions|air defence|"
    "weapons|arms control|deterrence|mobilisation|conscription|border guard|ballistic|hypersonic|radar|battalion|"
    "general staff|war|peacekeepers|procurement|munitions|shipyard"
)


def naive(addresses: list[str], folder: Path) -> None:
    """The loop that anybody would write first; a second run knows what the first one saw."""
    import feedparser
    import trafilatura

    base = sqlite3.connect(folder / "naive.db")
    base.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY)")
    base.execute("CREATE VIRTUAL TABLE IF NOT EXISTS stories USING fts5 (title, text, url)")
    wanted = re.compile(rf"\b(?:{TERMS})\b", re.IGNORECASE)
    first = not base.execute("SELECT 1 FROM seen").fetchone()
    new = relevant = 0
    for address in addresses:
        for entry in feedparser.parse(_get(address)).entries:
            title, link = entry.get("title", ""), entry.get("link", "")
            known = entry.get("id") or link or title
            if base.execute("INSERT OR IGNORE INTO seen VALUES (?)", (known,)).rowcount == 0 or first:
                continue
            new += 1
            text = (link and trafilatura.extract(_get(link))) or ""
            relevant += bool(wanted.search(f"{title}\n{text}"))
            base.execute("INSERT INTO stories VALUES (?, ?, ?)", (title, text, link))
        base.commit()
    print(json.dumps({"new": new, "relevant": relevant}))


def _get(address: str) -> bytes:
    with urllib.request.urlopen(address) as answer:
        return bytes(answer.read())


def reader(addresses: list[str], folder: Path) -> None:
    """The peer's own update, feeds fetched by as many threads as it takes well."""
    # Its own copy of an older feedparser wants this module under a name that feedparser no longer brings.
    sys.modules["sgmllib"] = importlib.import_module("feedparser_sgmllib")
    from reader import make_reader

    with make_reader(str(folder / "reader.db")) as peer:
        for address in addresses:
            peer.add_feed(address, exist_ok=True)
        peer.update_feeds(scheduled=False, workers=8)
        print(json.dumps({"entries": peer.get_entry_counts().total}))


def bare_aiohttp(addresses: list[str], folder: Path) -> None:
    """Nothing but the requests, conditional where an earlier run left a validator."""
    kept = folder / "validators.json"
    answers = asyncio.run(_ask_all(addresses, json.loads(kept.read_text()) if kept.exists() else {}))
    kept.write_text(json.dumps({address: etag for address, _, etag in answers}))
    print(json.dumps({"not_modified": sum(status == 304 for _, status, _ in answers)}))


async def _ask_all(addresses: list[str], known: dict[str, str]) -> list[tuple[str, int, str]]:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:

        async def ask(address: str) -> tuple[str, int, str]:
            headers = {"If-None-Match": known[address]} if address in known else {}
            async with session.get(address, headers=headers) as answer:
                await answer.read()
                return address, answer.status, answer.headers.get("ETag", "")

        return await asyncio.gather(*(ask(address) for address in addresses))


def polls(addresses: list[str], folder: Path) -> None:
    """Ours: the first stage of a cycle, with everything that a cycle opens."""
    from watchfloor import pipeline, settings, wiring
    from watchfloor.pipeline import Stage
    from watchfloor.report import Report

    async def poll() -> Report:
        report = Report()
        async with wiring.open_floor(settings.load()) as floor:
            await pipeline.poll(floor, report, Stage(), shard=pipeline.WHOLE, everything=True)
        return report

    began = time.perf_counter()
    report = asyncio.run(poll())
    print(json.dumps({"entries": report.entries, "failed": report.failed, "seconds": time.perf_counter() - began}))


def shards(addresses: list[str], folder: Path) -> None:
    """Ours: the shards of a cycle that BENCH_SHARDS names, as one worker of several takes them."""
    from watchfloor import pipeline, settings, wiring
    from watchfloor.ports import Shard
    from watchfloor.report import Report

    async def watch() -> Report:
        report = Report()
        async with wiring.open_floor(settings.load()) as floor:
            wanted = [int(index) for index in os.environ["BENCH_SHARDS"].split(",")]
            shards = [Shard(index, SHARDS) for index in wanted]
            await asyncio.gather(*(pipeline.watch(floor, report, shard=one, everything=True) for one in shards))
        return report

    print(json.dumps(asyncio.run(watch()).as_json()))


def flow(addresses: list[str], folder: Path) -> None:
    """Ours: a cycle as Prefect's flow, against the server that the environment names."""
    from flows.poll_feeds import poll_feeds

    print(json.dumps(asyncio.run(poll_feeds())))


CONTENDERS: dict[str, Callable[[list[str], Path], None]] = {
    "naive": naive,
    "reader": reader,
    "aiohttp": bare_aiohttp,
    "polls": polls,
    "shards": shards,
    "flow": flow,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("--addresses", type=Path, required=True, help="a file with the addresses of the feeds")
    parser.add_argument("--folder", type=Path, required=True, help="where to keep what is kept")
    given = parser.parse_args()
    CONTENDERS[given.name](given.addresses.read_text().split(), given.folder)
