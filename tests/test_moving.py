"""An archive moved to another database is the same archive; its health; the views for other tools."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from storage import moving
from storage.archive import SqlArchive
from storage.engine import open_archive
from tests import earlier
from tests.archives import HOUR, Desk, entry
from tests.postgres import fresh_database
from watchfloor import cli
from watchfloor.errors import ArchiveError
from watchfloor.model import Filters
from watchfloor.query import parse

EVERYTHING = Filters(everything=True)


@pytest.fixture
def target_url(archive_url: str, tmp_path: Path) -> str:
    """The other kind of database."""
    return fresh_database() if archive_url.startswith("sqlite") else f"sqlite:///{tmp_path}/target/archive.db"


@pytest.fixture
def target(target_url: str) -> Iterator[SqlArchive]:
    opened = open_archive(target_url)
    yield opened
    opened.close()


def contents(archive: SqlArchive) -> earlier.Rows:
    with archive._database.read() as connection:
        rows = earlier.dump(connection)
    return {name: [{key: _plain(value) for key, value in row.items()} for row in some] for name, some in rows.items()}


def _plain(value: object) -> object:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def by_key(rows: list[dict[str, object]]) -> list[str]:
    """Databases sort texts by different rules."""
    return sorted(json.dumps(row, default=str, sort_keys=True) for row in rows)


def test_an_archive_arrives_whole_and_goes_on(archive: SqlArchive, target: SqlArchive) -> None:
    desk = earlier.live(archive)
    steps: list[tuple[str, int, int]] = []
    moved = archive.move_to(target, lambda *step: steps.append(step))
    before, after = contents(archive), contents(target)
    assert before.keys() == after.keys()
    assert all(by_key(before[name]) == by_key(after[name]) for name in before)
    assert moved == {name: len(rows) for name, rows in before.items()}
    assert steps[-1] == ("full-text index", 8, 8)
    for query in ("summit", "troops NOT absent", "title:carrier OR dull"):
        asked = [one.search(parse(query), EVERYTHING, limit=9, after=None, by="date") for one in (archive, target)]
        assert asked[0] == asked[1]
        assert asked[0].total
    assert target.facets(None, EVERYTHING) == archive.facets(None, EVERYTHING)
    assert target.check() == []
    after_move = Desk(target, now=desk.now).later(HOUR)
    after_move.works("gazette", entry("summit-goes-on"))  # numbers go on behind those that came
    assert after_move.finds("goes").total == 1


def test_only_an_empty_archive_takes_another_in(archive: SqlArchive, target: SqlArchive) -> None:
    earlier.live(archive)
    Desk(target).knows()
    with target._database.write() as connection:
        connection.execute(text("INSERT INTO hosts (host, not_before) VALUES ('h', '2026-01-01')"))
    with pytest.raises(ArchiveError, match="not empty: there are rows in hosts"):
        archive.move_to(target)


def test_a_move_that_breaks_off_moves_nothing(archive: SqlArchive, target: SqlArchive) -> None:
    earlier.live(archive)

    def pull_the_plug(name: str, done: int, total: int) -> None:
        if name == "full-text index":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive.move_to(target, pull_the_plug)
    assert {name: len(rows) for name, rows in contents(target).items() if rows} == {"notes": 1}
    assert archive.move_to(target)["articles"] == 11


def test_what_arrives_otherwise_is_noticed(
    archive: SqlArchive, target: SqlArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier.live(archive)
    rows = moving._rows
    monkeypatch.setattr(moving, "_rows", lambda connection, table: list(rows(connection, table))[1:])
    with pytest.raises(ArchiveError, match=r"\d+ rows were sent and \d+ arrived; nothing was moved"):
        archive.move_to(target)


def test_the_command_moves_and_says_what(archive_url: str, target_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    archive = open_archive(archive_url)
    earlier.live(archive)
    archive.close()
    assert cli.run(["db", "move", target_url, "--database-url", archive_url, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["articles"] == 11
    assert cli.run(["db", "move", target_url, "--database-url", archive_url]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert cli.run(["db", "check", "--database-url", target_url]) == 0
    assert capsys.readouterr().out == "Nothing is wrong.\n"


# -- health -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM facets WHERE word_key = (SELECT max(word_key) FROM facets)", "facets: 1 articles are missing"),
        ("UPDATE articles SET word_key = NULL WHERE id = 1", "the full-text index: 1 rows belong to no article"),
        ("UPDATE raw_pages SET digest = 'x' WHERE article_id = 1", "raw page of article 1: damaged"),
    ],
)
def test_the_check_names_what_is_wrong(archive: SqlArchive, damage: str, said: str) -> None:
    earlier.live(archive)
    assert archive.check() == []
    with archive._database.write() as connection:
        connection.execute(text(damage))
    assert said in archive.check()


def test_the_check_sees_a_file_that_was_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path}/archive.db"
    archive = open_archive(url)
    earlier.live(archive)
    with closing(sqlite3.connect(tmp_path / "archive.db")) as other:  # without foreign keys, as sqlite3 comes
        other.execute("DELETE FROM sources WHERE id = 'courier'")
        other.commit()
    assert any("refers to a row of sources that is not there" in said for said in archive.check())
    archive.close()
    assert cli.run(["db", "check", "--database-url", url, "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["faults"]
