"""Export against a bare cursor that writes the same articles as JSON lines: speed, and whether memory stays flat.

`python -m bench export` makes an archive; `python -m bench.export FILE` takes a SQLite archive that is there.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from bench.runs import Run, Table, in_turn, middle, run
from bench.search import START, fill
from storage.engine import open_archive

ARTICLES = 100_000  # at a scale of 1
BARE = """SELECT a.id, a.title, a.url, a.source_id, s.publisher, s.country, v.language, a.authors, a.published,
        a.first_seen, a.grade, v.relevant, v.score, a.story_id, a.page_sha256, a.text,
        (SELECT group_concat(topic) FROM article_topics t WHERE t.article_id = a.id) AS topics,
        (SELECT group_concat(entity) FROM mentions m WHERE m.article_id = a.id) AS entities
    FROM articles a JOIN sources s ON s.id = a.source_id JOIN verdicts v ON v.article_id = a.id ORDER BY a.id"""
TENTH = timedelta(days=36)  # of the year over which the articles are spread


def measure(table: Table, *, scale: float, rounds: int) -> None:
    """A made-up archive, out as JSON lines."""
    with _archive(round(ARTICLES * scale)) as path:
        compare(table, path, rounds)


def compare(table: Table, path: Path, rounds: int) -> None:
    """The whole archive by a bare cursor and by ours; and a tenth of it by ours."""
    with tempfile.TemporaryDirectory() as folder:
        contenders = (_bare(path, folder), _ours(path, folder), _ours(path, folder, "--since", _ago(TENTH)))
        found = in_turn(rounds, *contenders)
    per = middle([ours.wall for _, ours, _ in found])
    table.add(
        "export to JSON lines: as fast as a bare cursor",
        [a.wall / b.wall for a, b, _ in found],
        ">= 0.50",
        f"{per:.0f} s",
    )
    memory = f"{middle([ours.memory for _, ours, _ in found]) / 1e6:.0f} MB"
    table.add(
        "export: memory of all against that of a tenth", [b.memory / c.memory for _, b, c in found], "<= 1.10", memory
    )


def _ago(age: timedelta) -> str:
    return f"{START - age:%Y-%m-%d}"


def _bare(path: Path, folder: str) -> partial[Run]:
    return partial(run, ("-m", "bench.export", str(path), f"{folder}/bare.jsonl"), {}, Path.cwd())


def _ours(path: Path, folder: str, *more: str) -> partial[Run]:
    arguments = ("-m", "watchfloor", "export", "--all", "--output", f"{folder}/ours.jsonl", *more)
    return partial(run, arguments, {"WATCHFLOOR_DATABASE_URL": f"sqlite:///{path}"}, Path.cwd())


@contextmanager
def _archive(articles: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "archive.db"
        with closing(open_archive(f"sqlite:///{path}")) as archive:
            fill(archive, articles)
        yield path


def write_bare(path: str, out: str) -> None:
    """What one would write without us."""
    with closing(sqlite3.connect(path)) as connection, Path(out).open("w", encoding="utf-8") as file:
        cursor = connection.execute(BARE)
        names = [column[0] for column in cursor.description]
        for row in cursor:
            file.write(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        write_bare(*sys.argv[1:])
    else:
        compare(Table(), Path(sys.argv[1]).resolve(), 3)
