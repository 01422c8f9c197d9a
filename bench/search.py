"""Search through the archive against the bare SQL it stands for, in one run: `python -m bench.search [--articles N]`.

The articles are made up: words drawn by Zipf's law, one in twenty relevant. Bare: the same look-up in the full-text
index and the same rows of the page, by the driver alone. Ours: `SqlArchive.search`, snippets and marks included. Each
query is asked in turn, bare and ours, several rounds; the ratio of the p95s is what counts.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, text

from storage import search, words
from storage.archive import SqlArchive
from storage.dialects import chunks
from storage.engine import open_archive
from storage.schema import ArticleRow, ArticleTopicRow, MentionRow, VerdictRow
from watchfloor.model import Filters, Source
from watchfloor.query import Node, parse

START = datetime(2026, 11, 24, tzinfo=UTC)
VOCABULARY = 40_000
ENTITIES = 2_000
COUNTRIES = ("US", "GB", "DE", "FR", "PL", "UA", "JP", "IN", "AU", "CA", "SE", "FI")
LENGTH = 250  # words of a text
BATCH = 1_000
ROUNDS = 9
EVERYTHING = Filters(everything=True)
RELEVANT = Filters()
# One word in so many of the texts, by rank in the vocabulary: w20 in most, w2000 in one of a hundred.
QUERIES: dict[str, tuple[str | None, Filters]] = {
    "newest": (None, RELEVANT),
    "a common word": ("w20", EVERYTHING),
    "a common word, relevant": ("w20", RELEVANT),
    "a rare word": ("w9000", EVERYTHING),
    "an absent word": ("absent", EVERYTHING),
    "two words": ("w200 w500", EVERYTHING),
    "either": ("w2000 OR w3000", EVERYTHING),
    "a phrase": ('"w20 w30"', EVERYTHING),
    "a beginning": ("w123*", EVERYTHING),
    "near": ("w50 NEAR/5 w60", EVERYTHING),
    "in titles": ("title:w200", EVERYTHING),
    "not": ("w200 NOT w20", EVERYTHING),
    "a topic": (None, Filters(topics=("topic 3",), everything=True)),
    "an entity and a week": ("w200", Filters(entities=("entity 7",), since=START - timedelta(days=7), everything=True)),
}
BARE_ROWS = """SELECT a.id, a.title, a.url, s.id, s.publisher, a.published, a.first_seen, a.story_id, a.text, v.score
    FROM articles a JOIN sources s ON s.id = a.source_id JOIN verdicts v ON v.article_id = a.id WHERE a.id IN """
BARE_NAMES = (
    "SELECT article_id, topic FROM article_topics WHERE article_id IN ",
    "SELECT article_id, entity FROM mentions WHERE article_id IN ",
)


# -- the archive ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Press:
    """A made-up press: words, entities and languages by how often they are said."""

    articles: int
    chance: random.Random
    words: tuple[str, ...] = tuple(f"w{rank}" for rank in range(1, VOCABULARY + 1))
    entities: tuple[str, ...] = tuple(f"entity {rank}" for rank in range(1, ENTITIES + 1))
    languages: tuple[str, ...] = ("en", "de", "fr", "es", "uk", "pl")

    def draw(self, names: tuple[str, ...], count: int) -> list[str]:
        """Some of them by Zipf's law."""
        return self.chance.choices(names, cum_weights=_zipf(len(names)), k=count)


@cache
def _zipf(count: int) -> list[float]:
    return list(accumulate(1 / rank for rank in range(1, count + 1)))


def fill(archive: SqlArchive, articles: int) -> float:
    """Make articles up, spread over a year; seconds."""
    began = time.perf_counter()
    press = Press(articles, random.Random(7))
    archive.register(
        [Source(f"s{n}", f"S{n}", f"https://s{n}.example/", f"P{n % 30}", COUNTRIES[n % 12]) for n in range(100)], START
    )
    for batch in chunks(range(1, articles + 1), BATCH):
        with archive._database.write() as connection:
            _fill_some(connection, press, batch)
        if batch[-1] % 50_000 == 0:
            print(f"{batch[-1]} articles, {time.perf_counter() - began:.0f} s", file=sys.stderr)
    with archive._database.write() as connection:
        connection.execute(text("ANALYZE"))
    return time.perf_counter() - began


def _fill_some(connection: Connection, press: Press, ids: list[int]) -> None:
    rows = [_article(press, id) for id in ids]
    verdicts = [_verdict(press, id) for id in ids]
    topics = {one["article_id"]: _topics(press, one["relevant"]) for one in verdicts}
    entities = {id: sorted(set(press.draw(press.entities, press.chance.randint(0, 5)))) for id in ids}
    connection.execute(insert(ArticleRow), rows)
    connection.execute(insert(VerdictRow), verdicts)
    names = [{"article_id": id, "topic": topic, "position": 0} for id in ids for topic in topics[id]]
    connection.execute(insert(ArticleTopicRow), names)
    connection.execute(insert(MentionRow), [_mention(id, entity) for id in ids for entity in entities[id]])
    words.add(connection, list(words.stored(connection, ids, indexed=False)))


def _article(press: Press, id: int) -> dict[str, Any]:
    drawn = press.draw(press.words, LENGTH + 8)
    dated = START - timedelta(days=365) * (1 - id / press.articles)
    return {
        "id": id,
        "key": f"https://s.example/{id}",
        "source_id": f"s{press.chance.randrange(100)}",
        "title": " ".join(drawn[:8]),
        "url": f"https://s.example/{id}",
        "authors": [],
        "published": dated,
        "first_seen": dated,
        "dated": dated,
        "grade": "full",
        "text_from": "page",
        "baseline": False,
        "old_news": False,
        "text": " ".join(drawn[8:]),
    }


def _verdict(press: Press, id: int) -> dict[str, Any]:
    relevant = press.chance.random() < 0.05
    said = {"judged": True, "relevant": relevant, "score": 2.0 if relevant else 0.1, "threshold": 1.0}
    rest = {"language": press.draw(press.languages, 1)[0], "watchlist": "v", "evidence": [], "judged_at": START}
    return {"article_id": id, **said, **rest}


def _topics(press: Press, relevant: bool) -> list[str]:
    count = press.chance.randint(1, 3) if relevant else press.chance.random() < 0.1
    return [f"topic {number}" for number in sorted(press.chance.sample(range(12), count))]


def _mention(id: int, entity: str) -> dict[str, Any]:
    return {"article_id": id, "entity": entity, "kind": "k", "by": "list", "position": 0, "mentions": 0, "places": []}


# -- the measure ------------------------------------------------------------------------------------------------------


def bare(archive: SqlArchive, node: Node | None, filters: Filters, by: str) -> Callable[[], object]:
    """The statements alone, on one open connection: count, page, rows, topics, entities."""
    question = search._ask(node, filters, None, by, is_sqlite=archive._database.is_sqlite)

    def ask() -> object:
        with archive._database.read() as connection:
            total = search._count(connection, question)
            found = search._page(connection, question, 21, dense=total > search.COUNTED)
            ids = ",".join(str(words.article_of_key(one.key)) for one in found[:20]) or "0"
            return [connection.exec_driver_sql(f"{sql}({ids})").all() for sql in (BARE_ROWS, *BARE_NAMES)]

    return ask


def ours(archive: SqlArchive, node: Node | None, filters: Filters, by: str) -> Callable[[], object]:
    return lambda: archive.search(node, filters, limit=20, after=None, by=by)


def milliseconds(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1000


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def measure(archive: SqlArchive) -> Iterator[tuple[str, str, list[float], list[float]]]:
    for by in ("date", "relevance"):
        for name, (query, filters) in QUERIES.items():
            if query is None and by == "relevance":
                continue
            node = parse(query) if query else None
            asked = [bare(archive, node, filters, by), ours(archive, node, filters, by)]
            for ask in asked:  # warm
                ask()
            rounds = [[milliseconds(ask) for ask in asked] for _ in range(ROUNDS)]
            yield by, name, [one for one, _ in rounds], [other for _, other in rounds]


def report(archive: SqlArchive) -> None:
    print(f"{'order':<10}{'query':<26}{'bare p50':>9}{'p95':>8}{'ours p50':>9}{'p95':>8}   ms")
    every: dict[str, tuple[list[float], list[float]]] = {"date": ([], []), "relevance": ([], [])}
    for by, name, one, other in measure(archive):
        every[by][0].extend(one)
        every[by][1].extend(other)
        middle = statistics.median
        print(f"{by:<10}{name:<26}{middle(one):9.2f}{p95(one):8.2f}{middle(other):9.2f}{p95(other):8.2f}")
    for by, (one, other) in every.items():
        print(f"{by}: p95 {p95(one):.1f} -> {p95(other):.1f} ms, ratio {p95(other) / p95(one):.2f}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--articles", type=int, default=100_000)
    options.add_argument(
        "--database", help="URL of an archive to use, filled if it is empty; default: a new SQLite file"
    )
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = open_archive(given.database or f"sqlite:///{Path(folder)}/archive.db")
        with archive._database.read() as connection:
            there = connection.execute(text("SELECT count(*) FROM articles")).scalar_one()
        if not there:
            print(f"{given.articles} articles made in {fill(archive, given.articles):.0f} s")
        report(archive)
        archive.close()


if __name__ == "__main__":
    main()
