"""A desk whose processes die: commands through the nursery, and what must be true of its archive in the end."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from storage.engine import open_archive
from storage.schema import AlertStoryRow, ArticleRow, DeliveryRow, EntryKeyRow, EntryRow, SourceRow, VerdictRow, WorkRow
from tests.armour.floors import faults, integrity, wall_clock
from tests.postgres import fresh_database
from tests.watching import ROOT, environment_for
from watchfloor.demo.newspaper import Newspaper

RUN = ("run", "--now", "--format", "json")


class Nursery:
    """The process of tests/armour/nursery.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.armour.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def asks(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.communicate("", timeout=30)


@contextmanager
def a_nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    try:
        yield nursery
    finally:
        nursery.close()


@dataclass
class MortalDesk:
    """Somebody who watches the newspaper with processes that die, on one archive."""

    nursery: Nursery
    folder: Path
    url: str
    environment: dict[str, str]
    kills: int = 0
    letterbox: Path = field(init=False)

    def __post_init__(self) -> None:
        self.letterbox = self.folder / "letterbox"
        self.letterbox.touch()

    def does(self, *arguments: str, **fault: Any) -> dict[str, Any]:
        environment = {**self.environment, "WATCHFLOOR_DATABASE_URL": self.url, "LETTERBOX": str(self.letterbox)}
        done = self.nursery.asks(arguments=list(arguments), environment=environment, **fault)
        self.kills += done["killed"]
        return done

    def finishes(self, *arguments: str) -> int:
        """Do it to the end; the number of commits that took."""
        done = self.does(*arguments)
        assert done["code"] == 0, done["said"]
        return int(done["commits"])

    def sent(self) -> Counter[str]:
        return Counter(self.letterbox.read_text().split())


def a_desk(nursery: Nursery, paper: Newspaper, folder: Path, database: str) -> MortalDesk:
    folder.mkdir(parents=True, exist_ok=True)
    environment = environment_for(paper, folder) | {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "APPRISE_URLS": "json://127.0.0.1:9/",  # its place is taken by the letterbox
    }
    url = f"sqlite:///{folder}/archive.db" if database == "sqlite" else fresh_database()
    return MortalDesk(nursery, folder, url, environment)


def a_copy(desk: MortalDesk, folder: Path) -> MortalDesk:
    """The same desk with a copy of its archive, so that the same moment can be lived through again."""
    folder.mkdir(parents=True)
    shutil.copy(desk.letterbox, folder / "letterbox")
    if desk.url.startswith("sqlite"):
        for path in desk.folder.glob("archive.db*"):
            shutil.copy(path, folder)
        url = f"sqlite:///{folder}/archive.db"
    else:
        url = copied_database(desk.url)
    return MortalDesk(desk.nursery, folder, url, desk.environment)


def copied_database(url: str) -> str:
    """A PostgreSQL database with all that another one holds."""
    copy, name = fresh_database(), make_url(url).database
    copy_name = make_url(copy).database
    base = copy.replace("postgresql+psycopg://", "postgresql://").replace(f"/{copy_name}?", "/postgres?")
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {copy_name}".encode())
        connection.execute(f"CREATE DATABASE {copy_name} TEMPLATE {name}".encode())
    return copy


# -- what must hold in the end ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """An archive as it stands, without the numbers that chance gives."""

    articles: tuple[tuple[str, str, str, str, str | None], ...]  # title, url, grade, text, story's title
    verdicts: tuple[tuple[str, bool, float], ...]
    entries: int
    keys: int
    told: tuple[str, ...]  # titles of stories; how often is chance, as updates and merged stories are
    deliveries: tuple[tuple[str, int], ...]  # state -> how many
    work: int
    leases: int


def standing(url: str) -> Standing:
    archive = open_archive(url)
    try:
        assert integrity(archive) == []
        assert faults(archive, wall_clock()) == []
        with archive._database.read() as connection:

            def rows(*what: Any) -> list[tuple[Any, ...]]:
                return [tuple(row) for row in connection.execute(select(*what))]

            stories: dict[int, list[str]] = {}
            for title, story in rows(ArticleRow.title, ArticleRow.story_id):
                stories.setdefault(story, []).append(title)
            named = {story: min(titles) for story, titles in stories.items() if story is not None}
            articles = rows(ArticleRow.title, ArticleRow.url, ArticleRow.grade, ArticleRow.text, ArticleRow.story_id)
            verdicts = connection.execute(
                select(ArticleRow.title, VerdictRow.relevant, VerdictRow.score).join(
                    VerdictRow, VerdictRow.article_id == ArticleRow.id
                )
            )
            told = {named[story] for (story,) in rows(AlertStoryRow.story_id)}
            held = (table.owner for table in (SourceRow, WorkRow, DeliveryRow))
            return Standing(
                articles=tuple(sorted((*row[:4], named.get(row[4])) for row in articles)),
                verdicts=tuple(sorted(tuple(row) for row in verdicts)),  # type: ignore[arg-type]
                entries=rows(func.count(EntryRow.id))[0][0],
                keys=len(rows(EntryKeyRow.key)),
                told=tuple(sorted(told)),
                deliveries=tuple(sorted(Counter(state for (state,) in rows(DeliveryRow.state)).items())),
                work=len(rows(WorkRow.article_id)),
                leases=sum(owner is not None for column in held for (owner,) in rows(column)),
            )
    finally:
        archive.close()


def differences(found: Standing, expected: Standing) -> list[str]:
    """In what the two differ; how many messages there were is chance, for what was told before is not told again."""
    told: list[str] = []
    for name in ("articles", "verdicts", "told"):
        one, other = set(getattr(found, name)), set(getattr(expected, name))
        told += [f"{name}: {row!r:.300} too much" for row in one - other]
        told += [f"{name}: {row!r:.300} missing" for row in other - one]
        told += [f"{name}: twice"] if len(one) != len(getattr(found, name)) else []
    for name in ("entries", "keys", "work", "leases"):
        if getattr(found, name) != getattr(expected, name):
            told.append(f"{name}: {getattr(found, name)} instead of {getattr(expected, name)}")
    return told
