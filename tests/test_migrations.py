"""How an archive is opened: made, upgraded, refused in one line; and the migrations against the models."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.schema import SchemaItem

from storage import engine
from storage.archive import SqlArchive
from storage.engine import HEAD, open_archive, pending_migration, upgrade
from storage.migrations.run import configuration, run
from storage.schema import METADATA
from tests import earlier
from tests.archives import DAY, NOON, Desk, desk_with_news, entry
from tests.postgres import fresh_database
from watchfloor.errors import ArchiveError, ConfigurationError
from watchfloor.model import Filters


def _is_ours(item: SchemaItem, name: str | None, kind: str, reflected: bool, other: SchemaItem | None) -> bool:
    """The full-text index is no table of the models."""
    return not (kind == "table" and str(name).startswith("article_words"))


def test_the_migrations_make_what_the_models_say(archive: SqlArchive) -> None:
    with archive._database.read() as connection:
        options = {"compare_type": True, "include_object": _is_ours}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), METADATA) == []


def test_the_program_expects_the_last_migration() -> None:
    assert ScriptDirectory.from_config(configuration()).get_current_head() == HEAD


def test_an_archive_is_made_with_its_folder_and_opened_again(archive_url: str) -> None:
    if archive_url.startswith("sqlite"):
        assert pending_migration(archive_url)
        assert not Path(archive_url.removeprefix("sqlite:///")).parent.exists()
    archive = open_archive(archive_url)
    desk_with_news(archive).works("gazette", entry("summit"))
    archive.close()
    assert not pending_migration(archive_url)
    assert not upgrade(archive_url)
    again = open_archive(archive_url)
    assert again.find_article(1) is not None
    again.close()


@pytest.fixture(params=[version for version in earlier.known_versions() if version < HEAD])
def aged(request: pytest.FixtureRequest, archive_url: str) -> Iterator[tuple[SqlArchive, earlier.Rows]]:
    """An archive that an earlier version filled, opened by this one, and what was in it."""
    database = engine.connect(archive_url)
    with database.write() as connection:
        run(connection, None, target=request.param)
        rows = earlier.load(connection, request.param)
    assert pending_migration(archive_url)
    archive = open_archive(archive_url)
    yield archive, rows
    archive.close()
    database.close()


def test_every_earlier_version_is_known() -> None:
    *older, _ = sorted(script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions())
    assert set(older) <= set(earlier.known_versions()), "before a migration is added: python -m tests.earlier"


def test_an_earlier_archive_keeps_every_row(aged: tuple[SqlArchive, earlier.Rows]) -> None:
    archive, rows = aged
    with archive._database.read() as connection:
        now = earlier.dump(connection)
    for table, before in rows.items():
        assert before, table
        kept = [{name: _utc(row[name]) for name in before[0]} for row in now[table]]
        assert [_unindexed(row) for row in kept] == [_unindexed(row) for row in before], table


def _utc(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _unindexed(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "word_key"}


def test_an_earlier_archive_answers_and_goes_on(aged: tuple[SqlArchive, earlier.Rows]) -> None:
    archive, rows = aged
    desk = Desk(archive, now=NOON + 3 * DAY)
    judged = [row for row in rows["articles"] if row["duplicate_of"] is None and row["word_key"]]
    assert desk.finds(everything=True).total == len(judged) == archive.facets(None, Filters(everything=True)).total
    opened = desk.finds("troops київ").hits
    assert [hit.publisher for hit in opened] == ["Courier House", "Courier House"]
    record = archive.find_article("https://courier.example/summit-opens")
    assert record is not None
    assert (record.raw_bytes, record.raw_sha256) == (6, hashlib.sha256(b"<html>").hexdigest())
    assert desk.polls("gazette", entry("summit-opens"), entry("dull-beginning"), entry("parade-again")) == 1
    desk.reads()
    assert desk.judges().relevant == 3
    assert archive.pending_deliveries()["sent"] == 1


def test_an_earlier_archive_gets_the_views(aged: tuple[SqlArchive, earlier.Rows]) -> None:
    archive, rows = aged
    with archive._database.read() as connection:
        articles = connection.exec_driver_sql("SELECT * FROM v_articles ORDER BY id").all()
        assert [row.id for row in articles] == [row["id"] for row in rows["articles"] if row["duplicate_of"] is None]
        hashed = {row["article_id"] for row in rows["raw_pages"]}
        hashed |= {row["id"] for row in rows["articles"] if row.get("page_sha256")}  # since 0004 without the page
        assert {row.id for row in articles if row.page_sha256} <= hashed


def test_two_that_start_at_once_make_one_archive(archive_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(open_archive, [archive_url] * 4))
    assert [archive.last_cycle() for archive in opened] == [None] * 4
    for archive in opened:
        archive.close()


def test_two_processes_that_start_at_once_make_one_archive(archive_url: str) -> None:
    code = "import sys; from storage.engine import upgrade; print(upgrade(sys.argv[1]))"
    root = Path(__file__).resolve().parent.parent
    started = [
        subprocess.Popen([sys.executable, "-c", code, archive_url], stdout=subprocess.PIPE, text=True, cwd=root)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=60)[0].strip() for process in started]
    assert sorted(said) == ["False", "False", "True"]


def test_an_archive_of_a_newer_program_is_left_alone(archive: SqlArchive, archive_url: str) -> None:
    with archive._database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ArchiveError, match="of version 9999, newer than this program knows"):
        open_archive(archive_url)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://u:secret@host/db", "sqlite://", "sqlite:///:memory:", "oracle+x://u:secret@h/d"]
)
def test_what_is_no_archive_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_archive(url)
    assert "WATCHFLOOR_DATABASE_URL" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///{folder}/text.db",
        "sqlite:///{folder}/text.db/archive.db",
        "sqlite:///{folder}",
        "postgresql://watch:secret@127.0.0.1:1/floor",
        "postgresql://watch:secret@/floor?host={folder}",
    ],
)
def test_what_cannot_be_opened_says_so_in_one_line(url: str, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, " * 100)
    with pytest.raises(ArchiveError) as caught:
        open_archive(url.format(folder=tmp_path))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_password_of_a_user_who_is_refused_is_not_repeated() -> None:
    with pytest.raises(ArchiveError) as caught:
        open_archive(fresh_database().replace("postgres:@", "nobody:secret@"))
    assert 'role "nobody" does not exist' in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_current_archive_is_opened_without_alembic(archive_url: str) -> None:
    open_archive(archive_url).close()
    code = (
        "import sys; from storage.engine import open_archive; open_archive(sys.argv[1]); "
        "print([name for name in ('alembic', 'prefect', 'trafilatura') if name in sys.modules])"
    )
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code, archive_url], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout == "[]\n"


def test_other_tools_may_read_while_we_write(tmp_path: Path) -> None:
    archive = open_archive(f"sqlite:///{tmp_path}/archive.db")
    desk = desk_with_news(archive)
    with archive._database.write() as connection, sqlite3.connect(tmp_path / "archive.db") as other:
        connection.exec_driver_sql("UPDATE sources SET name = 'Other'")
        assert other.execute("SELECT name FROM sources").fetchall() == [("Gazette",)]
    other.close()
    assert desk.archive.sources_overview()[0].source.name == "Other"
    archive.close()
