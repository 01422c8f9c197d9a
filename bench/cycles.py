"""Whole cycles: 500 feeds that changed, with 2,000 pages; feeds that did not change; the first look at all of them."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import runs
from bench.material import FRESH
from bench.runs import Run, Table, middle
from bench.site import host

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Desk:
    """A folder with archives that know the first edition of every feed, and the newspapers' port."""

    folder: Path
    port: int
    feeds: int
    database: str = ""  # a PostgreSQL URL; none: a SQLite file in the folder

    @property
    def addresses(self) -> list[str]:
        return [f"http://{host(number)}:{self.port}/feed" for number in range(self.feeds)]

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PYTHONPATH": str(ROOT),
            "WATCHFLOOR_DATABASE_URL": self.database or f"sqlite:///{self.folder}/ours.db",
            "WATCHFLOOR_SOURCES": str(self.folder / "sources.yaml"),
            "WATCHFLOOR_WATCHLIST": str(ROOT / "watchlist.yaml"),
            "WATCHFLOOR_ALLOW_ADDRESSES": "127.0.0.0/8",
            "WATCHFLOOR_HOST_DELAY": "0",
            "WATCHFLOOR_HOST_CONNECTIONS": "4",
            "WATCHFLOOR_CONTACT": "bench@example.org",
            "WATCHFLOOR_SIMILAR": "off",  # as `pip install watchfloor` has it
            **more,
        }

    def write_lists(self) -> None:
        (self.folder / "addresses").write_text("\n".join(self.addresses))
        lines = [
            f"  - {{name: Paper {number}, id: paper-{number}, url: '{address}', publisher: House {number}}}"
            for number, address in enumerate(self.addresses)
        ]
        (self.folder / "sources.yaml").write_text("\n".join(["sources:", *lines, ""]))

    def publish(self, edition: int, every: int = 1) -> None:
        """An edition comes out, of every so many-th newspaper."""
        with urllib.request.urlopen(f"{self.addresses[0].removesuffix('/feed')}/edition/{edition}/{every}"):
            pass

    def runs(self, contender: str, **settings: str) -> Run:
        return runs.run(self.arguments(contender), self.environment(**settings), self.folder)

    def arguments(self, contender: str) -> list[str]:
        return ["-m", "bench.contenders", contender, "--addresses", "addresses", "--folder", "."]

    def cycles(self, *, seen: Callable[[int], object] = lambda memory: None, **settings: str) -> Run:
        arguments = ["-m", "watchfloor", "run", "--now", "--format", "json"]
        return runs.run(arguments, self.environment(**settings), self.folder, seen)

    def pages(self) -> int:
        """How many pages our archive has."""
        try:
            with closing(sqlite3.connect(f"file:{self.folder}/ours.db?mode=ro", uri=True)) as connection:
                return int(connection.execute("SELECT count(*) FROM raw_pages").fetchone()[0])
        except sqlite3.OperationalError:  # there is none yet
            return 0

    def forget_pages(self) -> None:
        """As if the pages of the first edition had all been read, and judged: they are not what is measured."""
        self._change("DELETE FROM work")
        (self.folder / "story").write_text('{"title": "Army fires missiles", "text": ""}')
        runs.run(["-m", "watchfloor", "judge", "story"], self.environment(), self.folder)  # the list is compiled once

    def make_due(self) -> None:
        """As if every feed's next hour had come."""
        self._change("UPDATE sources SET next_at = NULL")

    def _change(self, sql: str) -> None:
        from storage.engine import open_archive

        archive = open_archive(self.environment()["WATCHFLOOR_DATABASE_URL"])
        with archive._database.write() as connection:
            connection.exec_driver_sql(sql)
        archive.close()

    @contextmanager
    def put_aside(self) -> Iterator[None]:
        """Afterwards the archives are as they were."""
        with tempfile.TemporaryDirectory() as aside:
            shutil.copytree(self.folder, aside, dirs_exist_ok=True)
            yield
            shutil.rmtree(self.folder)
            shutil.copytree(aside, self.folder)


@contextmanager
def desk(feeds: int, items: int = 10_000) -> Iterator[Desk]:
    """Newspapers with feeds of so many items at most, and an empty folder."""
    with tempfile.TemporaryDirectory() as folder, runs.site(items) as port:
        made = Desk(Path(folder), port, feeds)
        made.write_lists()
        yield made


def measure(table: Table, *, scale: float, rounds: int) -> None:
    """First looks, quiet cycles and cycles with news, ours and the others' in turn."""
    feeds = max(10, round(500 * scale))
    with desk(feeds) as at:
        _first_polls(table, at, rounds)
        _quiet_cycles(table, at, rounds)
        _cycles_with_news(table, at, rounds)


def _first_polls(table: Table, at: Desk, rounds: int) -> None:
    found = []
    for number in range(rounds):
        for archive in at.folder.glob("*.db*"):
            archive.unlink()
        found.append((at.runs("polls"), at.runs("reader")))
        assert said(found[-1][0])["failed"] == 0, number
    detail = f"{middle([o.wall for o, _ in found]):.1f} s, {said(found[0][0])['entries']} entries"
    table.add("first poll: wall, against reader's", [o.wall / r.wall for o, r in found], "<= 0.50", detail)
    at.runs("naive")
    at.runs("aiohttp")
    at.forget_pages()


def _quiet_cycles(table: Table, at: Desk, rounds: int) -> None:
    at.cycles()
    found = runs.in_turn(rounds, at.cycles, lambda: at.runs("reader"), lambda: at.runs("aiohttp"))
    assert said(found[0][0])["sources"]["not_modified"] == at.feeds
    detail = f"{middle([o.cpu for o, _, _ in found]):.2f} s of CPU, {middle([o.wall for o, _, _ in found]):.2f} s"
    table.add("nothing new: CPU, against reader's", [o.cpu / r.cpu for o, r, _ in found], "<= 0.50", detail)
    shares = [(o.wall) / (4 * bare.wall + 2) for o, _, bare in found]
    table.add("nothing new: wall, against 4 x bare aiohttp + 2 s", shares, "<= 1.00")


def _cycles_with_news(table: Table, at: Desk, rounds: int) -> None:
    at.publish(2)
    found = []
    for _ in range(rounds):
        with at.put_aside():
            ours, naive = at.cycles(), at.runs("naive")
        with at.put_aside():
            gated = at.cycles(WATCHFLOOR_GATE="rough")
        found.append((ours, gated, naive))
    report = said(found[0][0])
    pages, of_naive = report["entries"]["new"], said(found[0][2])["new"]
    assert pages == FRESH * at.feeds, f"{pages} new entries of {at.feeds} feeds"
    # It loses some feeds, and takes entries without an id for new again: a few in a hundred.
    assert 3 * at.feeds < of_naive < 1.1 * pages, f"the naive loop has {of_naive} new entries of {pages}"
    wall, cpu = middle([o.wall for o, _, _ in found]), middle([o.cpu for o, _, _ in found])
    table.add(
        f"cycle of {at.feeds} changed feeds, {pages} pages: wall, against naive",
        [o.wall / n.wall for o, _, n in found],
        "<= 0.33",
        f"{wall:.1f} s; naive {middle([n.wall for _, _, n in found]):.1f} s",
    )
    table.add("the same: CPU, against naive", [o.cpu / n.cpu for o, _, n in found], "<= 0.60", f"{cpu:.1f} s")
    table.add("the same: memory of all processes, of 700 MB", [o.memory / 7e8 for o, _, _ in found], "<= 1.00")
    wall = middle([g.wall for _, g, _ in found])
    table.add("with the gate: wall, against naive", [g.wall / n.wall for _, g, n in found], "<= 0.125", f"{wall:.1f} s")
    shares = [said(g)["relevant"] / said(o)["relevant"] for o, g, _ in found]
    table.add("the same: relevant articles, of those without", shares, ">= 1.00", f"{report['relevant']} without")


def said(run: Run) -> dict[str, Any]:
    """The report that it printed."""
    report: dict[str, Any] = json.loads(run.output)
    return report
