"""Search through the archive against the bare SQL it stands for, in one run: `python -m bench.search [--articles N]`.

The articles are made up: words, entities and languages drawn by Zipf's law, one article in twenty relevant. Ours:
`SqlArchive.search` and `facets`, snippets and marks included. Bare: the very statements that this led to, by the driver
alone on an open connection. Each question is asked in turn, bare and ours, several rounds; the ratio of the p95s is
what counts: by the clock on a machine of its own, on a busy one by this process's CPU, which on SQLite is all there is.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, insert, text

from storage import search, words
from storage.archive import SqlArchive
from storage.dialects import chunks
from storage.engine import open_archive
from storage.schema import ArticleRow, ArticleTopicRow, MentionRow, VerdictRow
from watchfloor.model import Filters, Source
from watchfloor.query import parse

START = datetime(2026, 11, 24, tzinfo=UTC)
VOCABULARY = 40_000
ENTITIES = 2_000
COUNTRIES = ("US", "GB", "DE", "FR", "PL", "UA", "JP", "IN", "AU", "CA", "SE", "FI")
LENGTH = 250  # words of a text
WARMING = 2  # rounds that do not count
BATCH = 1_000
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
    "a country": (None, Filters(countries=("US",), everything=True)),
    "a word, a language": ("w200", Filters(languages=("fr",), everything=True)),
    "an entity and a week": ("w200", Filters(entities=("entity 7",), since=START - timedelta(days=7), everything=True)),
}


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


@dataclass(frozen=True)
class Times:
    """What each asking of a question took, in milliseconds: by the clock, and of this process's CPU."""

    clock: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def take(self, ask: Callable[[], object], *, counts: bool) -> None:
        began, worked = time.perf_counter(), time.process_time()
        ask()
        if counts:
            self.clock.append((time.perf_counter() - began) * 1000)
            self.cpu.append((time.process_time() - worked) * 1000)


@dataclass(frozen=True)
class Measured:
    """One question, bare and ours, asked in turn."""

    kind: str
    query: str
    bare: Times = field(default_factory=Times)
    ours: Times = field(default_factory=Times)

    def as_json(self) -> dict[str, Any]:
        of = {"bare": summary(self.bare.clock), "ours": summary(self.ours.clock)}
        return {"kind": self.kind, "query": self.query, **of}


def questions(archive: SqlArchive) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """Every query by relevance and by date, and its facets."""
    for name, (query, filters) in QUERIES.items():
        node = parse(query) if query else None
        yield "date", name, partial(archive.search, node, filters, limit=20, after=None, by="date")
        if node:
            yield "relevance", name, partial(archive.search, node, filters, limit=20, after=None, by="relevance")
        yield "facets", name, partial(archive.facets, node, filters)


def bare(archive: SqlArchive, ask: Callable[[], object]) -> Callable[[], object]:
    """The very statements that a question leads to, by the driver alone, on a connection that is open."""
    said: list[tuple[str, Any]] = []

    def note(connection: object, cursor: object, statement: str, parameters: Any, *rest: object) -> None:
        said.append((statement, parameters))

    engine = archive._database._reads
    event.listen(engine, "before_cursor_execute", note)
    ask()
    event.remove(engine, "before_cursor_execute", note)
    return partial(replay, driver(archive), [one for one in said if not one[0].startswith(("BEGIN", "PRAGMA"))])


def replay(connection: Any, said: list[tuple[str, Any]]) -> None:
    cursor = connection.cursor()
    for statement, parameters in said:
        cursor.execute(statement, parameters)
        if cursor.description:
            cursor.fetchall()
    connection.rollback()


@cache
def driver(archive: SqlArchive) -> Any:
    """A connection of the driver's own, with the settings that every connection of ours has."""
    return archive._database._reads.raw_connection().driver_connection


def measure(archive: SqlArchive, rounds: int) -> Iterator[Measured]:
    for kind, name, ask in questions(archive):
        replayed, measured = bare(archive, ask), Measured(kind, name)
        for number in range(rounds + WARMING):
            measured.bare.take(replayed, counts=number >= WARMING)
            measured.ours.take(ask, counts=number >= WARMING)
        yield measured


def summary(times: list[float]) -> dict[str, float]:
    """Median, quartiles, and what 95 of 100 do not exceed."""
    quartiles = statistics.quantiles(times, n=4)
    return {"p25": quartiles[0], "p50": quartiles[1], "p75": quartiles[2], "p95": p95(times), "most": max(times)}


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[-1]


# -- the report -------------------------------------------------------------------------------------------------------


def report(archive: SqlArchive, rounds: int) -> list[Measured]:
    print(f"{'kind':<10}{'query':<27}{'bare p50':>9}{'(p25-p75)':>15}{'ours p50':>9}{'(p25-p75)':>15}{'p95':>8}   ms")
    every = []
    for one in measure(archive, rounds):
        every.append(one)
        print(
            f"{one.kind:<10}{one.query:<27}{_shown(one.bare)}{_shown(one.ours)}{p95(one.ours.clock):8.1f}", flush=True
        )
    for kind in ("relevance", "date", "facets"):
        print(_sum(kind, [one for one in every if one.kind == kind]))
    return every


def _shown(times: Times) -> str:
    of = summary(times.clock)
    return f"{of['p50']:9.1f}{'({:.1f}-{:.1f})'.format(of['p25'], of['p75']):>15}"


def _sum(kind: str, measured: list[Measured]) -> str:
    """All queries of a kind in one: what 95 of 100 of their askings do not exceed, and the slowest query."""
    one, other = (_all(times.clock for times in side) for side in _sides(measured))
    one_cpu, other_cpu = (_all(times.cpu for times in side) for side in _sides(measured))
    slowest = max(measured, key=lambda each: statistics.median(each.ours.clock))
    said = f"the slowest is {slowest.query!r} with a median of {statistics.median(slowest.ours.clock):.1f} ms"
    cpu = f"CPU of this process {one_cpu:.1f}, {other_cpu:.1f}, {other_cpu / one_cpu:.2f}"
    return f"{kind}: p95 {one:.1f} ms bare, {other:.1f} ms ours, ratio {other / one:.2f} ({cpu}); {said}"


def _sides(measured: Iterable[Measured]) -> tuple[list[Times], list[Times]]:
    return [each.bare for each in measured], [each.ours for each in measured]


def _all(times: Iterable[list[float]]) -> float:
    return p95([time for each in times for time in each])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--articles", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--json", type=Path, help="write all figures here as well")
    options.add_argument(
        "--database", help="URL of an archive to use, filled if it is empty; default: a new SQLite file"
    )
    given = options.parse_args()
    search.SECONDS = 60  # what takes long is measured, not stopped
    with tempfile.TemporaryDirectory() as folder:
        archive = open_archive(given.database or f"sqlite:///{Path(folder)}/archive.db")
        if not _articles(archive):
            print(f"{given.articles} articles made in {fill(archive, given.articles):.0f} s")
        about = {"articles": _articles(archive), "database": archive._database.url.get_backend_name()}
        print(f"{about['articles']} articles on {about['database']}, {given.rounds} rounds, bare and ours in turn")
        measured = report(archive, given.rounds)
        if given.json:
            figures = {**about, "rounds": given.rounds, "measured": [one.as_json() for one in measured]}
            given.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
        archive.close()


def _articles(archive: SqlArchive) -> int:
    with archive._database.read() as connection:
        return int(connection.execute(text("SELECT count(*) FROM articles")).scalar_one())


if __name__ == "__main__":
    main()
