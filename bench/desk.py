"""The desk's page over a large archive, in this process: `python -m bench.desk [--articles N] [--database URL]`.

The archive is that of bench.search; its relevant articles get evidence, and stories of one to five of them, each told
to two targets. Server time is from the request to the last byte of the page, all included but the network.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy import Connection, bindparam, case, insert, select, text, update

from bench.search import START, fill, p95
from storage import outbox
from storage.archive import SqlArchive
from storage.dialects import chunks
from storage.engine import open_archive
from storage.reading import briefs
from storage.schema import ArticleRow, DeliveryRow, StoryRow, VerdictRow
from watchfloor import watchlist
from watchfloor.model import Alert
from watchfloor.settings import shipped
from watchfloor.web.app import make_app
from watchfloor.web.desk import Desk
from watchfloor.web.guard import Access, Guard

ROUNDS = 20
SIZES = (1, 1, 1, 2, 2, 3, 5)  # articles of a story
TARGETS = ("Today", "Search")  # 100 ms and 150 KB are promised for these
PAGES = {
    "Today": "/",
    "Today, a week": "/?within=7d",
    "Today, a month, newest": "/?within=31d&by=newest",
    "Today, a week of a topic": "/?within=7d&topic=topic+3",
    "Today, a month of a name": "/?within=31d&entity=entity+7",
    "Search, newest": "/search",
    "Search, a common word": "/search?q=w20",
    "Search, a rare word, all": "/search?q=w9000&all=1",
    "Search, a common word, all": "/search?q=w20&all=1",
    "Search, words, topic, all": "/search?q=w200+w50&all=1&topic=topic+3",
    "Search, a name by date": "/search?entity=entity+7&by=date",
    "Entity": "/entity?name=entity+7",
    "Topic": "/topic?name=topic+3",
    "Sources": "/sources",
    "Story": "/story/1",
    "Article": "/article/1",
    "Deliveries": "/deliveries",
    "Deliveries, dead": "/deliveries?state=dead",
    "Watchlist": "/watchlist",
}


# -- stories ----------------------------------------------------------------------------------------------------------


def tell_stories(archive: SqlArchive) -> int:
    """Put the relevant articles into stories, in the order in which they came; how many stories."""
    chance = random.Random(11)
    relevant = select(ArticleRow.id, ArticleRow.title, ArticleRow.text, ArticleRow.first_seen)
    with archive._database.write() as connection:
        rows = iter(
            connection.execute(
                relevant.join(VerdictRow, VerdictRow.article_id == ArticleRow.id)
                .where(VerdictRow.relevant)
                .order_by(ArticleRow.id)
            ).all()
        )
        stories = list(enumerate(iter(lambda: list(islice(rows, chance.choice(SIZES))), []), 1))
        for chunk in chunks(stories):
            _tell(connection, chunk)
            _alert(connection, [id for id, _ in chunk])
        connection.execute(text("ANALYZE"))
    return len(stories)


def _tell(connection: Connection, stories: list[tuple[int, list[Any]]]) -> None:
    connection.execute(insert(StoryRow), [_story(id, members) for id, members in stories])
    placed = [{"article": one.id, "story": id} for id, members in stories for one in members]
    moved = update(ArticleRow).where(ArticleRow.id == bindparam("article")).values(story_id=bindparam("story"))
    connection.execute(moved.execution_options(synchronize_session=False), placed)
    said = [{"article": one.id, "said": list(_evidence(one))} for _, members in stories for one in members]
    judged = update(VerdictRow).where(VerdictRow.article_id == bindparam("article")).values(evidence=bindparam("said"))
    connection.execute(judged, said)


def _alert(connection: Connection, story_ids: list[int]) -> None:
    """Of each story an alert to two targets; one in a hundred did not arrive."""
    told = [
        Alert(f"story:{one.story_id}:r", "story", "r", one.first_seen, "News", (one,), ("slack", "mail"))
        for one in briefs(connection, story_ids)
    ]
    outbox.store_alerts(connection, told)
    ended = case((DeliveryRow.id % 100 == 0, "dead"), else_="sent")
    connection.execute(update(DeliveryRow).where(DeliveryRow.state == "pending").values(state=ended, sent_at=START))


def _story(id: int, members: list[Any]) -> dict[str, Any]:
    first, last = members[0], members[-1]
    seen: dict[str, datetime] = {"first_seen": first.first_seen, "updated": last.first_seen}
    return {"id": id, "title": first.title, "muted": False, "followed": False, **seen}


def _evidence(article: Any) -> Iterator[dict[str, Any]]:
    """Ten terms: what a relevant article of the press has."""
    at = 0
    for number, word in enumerate(article.text.split()[:200:20]):
        start = article.text.index(word, at)
        at = start + len(word)
        sentence = article.text[start : start + 160]
        place = {"field": "text", "start": start, "end": at, "sentence": sentence}
        yield {"term": word, "weight": 1.0 / (number + 1), "topic": "t", "kind": "keyword", **place}


# -- the measure ------------------------------------------------------------------------------------------------------


def make_page(archive: SqlArchive) -> Guard:
    """The application, at the moment when the last article came."""
    listed = watchlist.load(shipped("watchlist.yaml"))
    desk = Desk(
        archive=archive,
        clock=lambda: START + timedelta(minutes=1),
        zone=ZoneInfo("UTC"),
        watchlist=lambda: listed,
        access=Access(),
    )
    return make_app(desk, every=timedelta(minutes=5))


@dataclass
class Taken:
    """What a page took: milliseconds of every round by the clock and of all cores, bytes of its HTML."""

    clock: list[float] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)
    size: int = 0


async def measure(app: Guard) -> dict[str, Taken]:
    """Every page in turn, several rounds; the first one warms and does not count."""
    found = {name: Taken() for name in PAGES}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for turn in range(ROUNDS + 1):
            for name, path in PAGES.items():
                began, worked = time.perf_counter(), time.process_time()
                answer = await client.get(path)
                clock, cores = time.perf_counter() - began, time.process_time() - worked
                answer.raise_for_status()
                found[name].size = len(answer.content)
                if turn:
                    found[name].clock.append(clock * 1000)
                    found[name].cores.append(cores * 1000)
    return found


def report(found: dict[str, Taken]) -> None:
    print(f"load {os.getloadavg()[0]:.1f}; ms by the clock, and of all cores together")
    print(f"{'page':<30}{'p50':>8}{'p95':>8}{'cores p50':>11}{'p95':>8}{'HTML':>8} KB")
    for name, taken in found.items():
        clock, cores = taken.clock, taken.cores
        print(
            f"{name:<30}{statistics.median(clock):8.1f}{p95(clock):8.1f}"
            f"{statistics.median(cores):11.1f}{p95(cores):8.1f}{taken.size / 1000:8.0f}"
        )
    for target in TARGETS:
        clock = [one for name, taken in found.items() if name.startswith(target) for one in taken.clock]
        cores = [one for name, taken in found.items() if name.startswith(target) for one in taken.cores]
        print(f"{target}: p95 {p95(clock):.1f} ms by the clock, {p95(cores):.1f} ms of all cores")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--articles", type=int, default=100_000)
    options.add_argument("--database", help="URL of an archive of bench.search to use, filled if it is empty")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = open_archive(given.database or f"sqlite:///{Path(folder)}/archive.db")
        with archive._database.read() as connection:
            articles, stories = (
                connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
                for table in ("articles", "stories")
            )
        if not articles:
            print(f"{given.articles} articles made in {fill(archive, given.articles):.0f} s")
        if not stories:
            print(f"{tell_stories(archive)} stories made of the relevant ones")
        report(asyncio.run(measure(make_page(archive))))
        archive.close()


if __name__ == "__main__":
    main()
