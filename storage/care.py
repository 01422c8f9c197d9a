"""Care of the archive: dead leases, retention, back-up, size."""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    and_,
    delete,
    func,
    inspect,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy import column as sql_column
from sqlalchemy import table as sql_table

from storage import words
from storage.dialects import chunks
from storage.engine import Database
from storage.leases import CLOCK_JUMP, CLOCKS_DIFFER, LONGEST_LEASE
from storage.schema import (
    ArticleRow,
    CycleRow,
    DeliveryRow,
    EntryRow,
    FacetRow,
    LabelRow,
    RawPageRow,
    SourceRow,
    VerdictRow,
    WorkRow,
)
from watchfloor.errors import ArchiveError

LEASED = (SourceRow, WorkRow, DeliveryRow)
PRUNED_AT_ONCE = 500  # articles in one transaction: others may write between two


def owners_on(connection: Connection, host: str) -> set[str]:
    """Who of this host holds anything."""
    return {
        owner
        for table in LEASED
        for owner in connection.execute(select(table.owner).distinct()).scalars()
        if owner is not None and owner.partition(":")[0] == host
    }


def forget_the_future(connection: Connection, now: datetime) -> None:
    """What a clock that was ahead, and is set right, has left: cycles yet to come, and feeds that wait by its time."""
    newest = connection.execute(select(func.max(CycleRow.ended))).scalar()
    if newest is None or newest <= now + CLOCKS_DIFFER:
        return
    connection.execute(delete(CycleRow).where(CycleRow.ended > now))
    asked_by_it = SourceRow.last_answer > now - (newest - now)  # or shortly before: they are asked once too often
    connection.execute(update(SourceRow).where(asked_by_it).values(next_at=None))


def free_leases(connection: Connection, owners: Sequence[str], now: datetime) -> int:
    """Free what these owners hold and what is leased for longer than anything may be; how many rows that was."""
    freed = 0
    for table in LEASED:
        free = {"owner": None, "until": None} | ({"state": "pending"} if table is DeliveryRow else {})
        overlong = and_(table.owner.is_not(None), table.until > now + LONGEST_LEASE + CLOCK_JUMP)
        for held in (*(table.owner.in_(chunk) for chunk in chunks(owners)), overlong):
            freed += connection.execute(update(table).where(held).values(free)).rowcount
    return freed


# -- retention --------------------------------------------------------------------------------------------------------


def prune_raw(connection: Connection, before: datetime) -> int:
    """Let go some raw pages fetched before, and the feeds' own copies of those texts; how many."""
    ids = (
        connection.execute(select(RawPageRow.article_id).where(RawPageRow.fetched_at < before).limit(PRUNED_AT_ONCE))
        .scalars()
        .all()
    )
    connection.execute(delete(RawPageRow).where(RawPageRow.article_id.in_(ids)))
    connection.execute(update(EntryRow).where(EntryRow.article_id.in_(ids), EntryRow.content != "").values(content=""))
    return len(ids)


def prune_texts(connection: Connection, before: datetime, now: datetime) -> int:
    """Let go some texts that neither matched nor were labelled, first seen before; how many.

    Title, link, date, verdict and the keys of the entries stay, so that nothing comes back as new.
    """
    ids = (
        connection.execute(
            select(ArticleRow.id)
            .join(VerdictRow, VerdictRow.article_id == ArticleRow.id)
            .outerjoin(LabelRow, LabelRow.article_id == ArticleRow.id)
            .where(
                ArticleRow.first_seen < before,
                ArticleRow.pruned.is_(None),
                ArticleRow.story_id.is_(None),
                VerdictRow.relevant.is_(False),
                LabelRow.article_id.is_(None),
            )
            .limit(PRUNED_AT_ONCE)
        )
        .scalars()
        .all()
    )
    indexed = select(ArticleRow.id).where(ArticleRow.id.in_(ids), ArticleRow.word_key.is_not(None))
    indexed_ids = connection.execute(indexed).scalars().all()
    words.remove(connection, indexed_ids)
    connection.execute(update(ArticleRow).where(ArticleRow.id.in_(ids)).values(text="", pruned=now))
    connection.execute(update(EntryRow).where(EntryRow.article_id.in_(ids)).values(summary="", content=""))
    connection.execute(delete(RawPageRow).where(RawPageRow.article_id.in_(ids)))
    words.add(connection, list(words.stored(connection, indexed_ids, indexed=False)))
    return len(ids)


def until_none(step: Callable[[], int]) -> int:
    """Repeat a step until it has nothing to do; the sum."""
    total = 0
    while done := step():
        total += done
    return total


# -- size and back-up -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table, its rows, and its bytes with its indexes; None where the database does not say."""

    table: str
    rows: int
    bytes: int | None


def stats(connection: Connection) -> list[TableSize]:
    """All tables, largest first."""
    names = [
        name for name in inspect(connection).get_table_names() if not name.startswith(("article_words_", "sqlite_"))
    ]
    in_bytes = _bytes_on_postgresql if connection.dialect.name == "postgresql" else _bytes_on_sqlite
    size = in_bytes(connection, names)
    sizes = [TableSize(name, _rows(connection, name), size.get(name)) for name in names]
    return sorted(sizes, key=lambda one: (-(one.bytes or 0), one.table))


def _rows(connection: Connection, table: str) -> int:
    if table == "article_words":  # without content FTS5 counts by walking the index
        indexed = select(func.count()).select_from(ArticleRow).where(ArticleRow.word_key.is_not(None))
        return connection.execute(indexed).scalar_one()
    return int(connection.execute(select(func.count()).select_from(sql_table(table))).scalar_one())


def _bytes_on_postgresql(connection: Connection, tables: Sequence[str]) -> dict[str, int]:
    size = text("SELECT pg_total_relation_size(CAST(:name AS regclass))")
    return {name: int(connection.execute(size, {"name": name}).scalar_one()) for name in tables}


def _bytes_on_sqlite(connection: Connection, tables: Sequence[str]) -> dict[str, int]:
    """Pages of tables and their indexes; nothing where SQLite was built without `dbstat`."""
    if not connection.execute(text("SELECT 1 FROM pragma_module_list WHERE name = 'dbstat'")).scalar():
        return {}
    pages = connection.execute(
        text(
            "SELECT coalesce(part.tbl_name, size.name) AS name, sum(size.pgsize) AS bytes FROM dbstat AS size "
            "LEFT JOIN sqlite_schema AS part ON part.name = size.name WHERE size.aggregate = 1 GROUP BY 1"
        )
    )
    sizes: dict[str, int] = {}
    for row in pages:  # the full-text index is kept in tables of its own
        name = "article_words" if row.name.startswith("article_words") else row.name
        sizes[name] = sizes.get(name, 0) + row.bytes
    return sizes


# -- health -----------------------------------------------------------------------------------------------------------


def check(connection: Connection) -> list[str]:
    """What is wrong, in words."""
    faults = _faults_of_sqlite(connection) if connection.dialect.name == "sqlite" else []
    return faults + _faults_of_index(connection) + _faults_of_pages(connection)


def _faults_of_sqlite(connection: Connection) -> list[str]:
    """What SQLite itself finds; a server looks after its own pages and references."""
    pages = connection.execute(text("PRAGMA integrity_check(10)")).scalars().all()
    orphans = connection.execute(text("PRAGMA foreign_key_check")).all()
    return [f"SQLite: {said}" for said in pages if said != "ok"] + [
        f"{table}: row {row} refers to a row of {other} that is not there" for table, row, other, _ in orphans[:10]
    ]


def _faults_of_index(connection: Connection) -> list[str]:
    """The index and the facets hold what the articles say that they hold, and nothing else."""
    claimed = select(ArticleRow.word_key).where(ArticleRow.word_key.is_not(None))
    kept = {"the full-text index": _index_keys(connection), "facets": select(FacetRow.word_key)}
    faults = []
    for name, keys in kept.items():
        lacking, needless = _count_except(connection, claimed, keys), _count_except(connection, keys, claimed)
        faults += [f"{name}: {lacking} articles are missing"] if lacking else []
        faults += [f"{name}: {needless} rows belong to no article"] if needless else []
    return faults


def _index_keys(connection: Connection) -> Select[Any]:
    if connection.dialect.name == "postgresql":
        return select(words.WORDS.c.key)
    rows = sql_table("article_words_docsize", sql_column("id")).c.id  # one for each document, kept by FTS5
    return select(literal_column(str(words.LAST), BigInteger) - rows)


def _count_except(connection: Connection, some: Select[Any], others: Select[Any]) -> int:
    return connection.execute(select(func.count()).select_from(some.except_(others).subquery())).scalar_one()


def _faults_of_pages(connection: Connection) -> list[str]:
    """A stored page has the hash that was taken of it when it came."""
    pages = connection.execution_options(yield_per=100).execute(
        select(RawPageRow.article_id, RawPageRow.digest, RawPageRow.html)
    )
    return [f"raw page of article {page.article_id}: damaged" for page in pages if _digest(page.html) != page.digest]


def _digest(packed: bytes) -> str | None:
    try:
        return hashlib.sha256(zlib.decompress(packed)).hexdigest()
    except zlib.error:
        return None


COPIED = 2_000  # pages of 4 KB at a time


def backup(database: Database, path: Path) -> None:
    """Copy a SQLite archive while it is in use.

    Raises:
        ArchiveError: the file is there already or cannot be written, or the archive is PostgreSQL's.
    """
    if not database.is_sqlite:
        raise ArchiveError("a PostgreSQL archive is backed up by its own tool: pg_dump --format=custom")
    if path.exists():
        raise ArchiveError(f"{path}: is there already and is not overwritten")
    try:
        with closing(sqlite3.connect(str(database.url.database))) as source, closing(sqlite3.connect(path)) as copy:
            # One moment of the archive, held while it is copied: without it SQLite begins anew whenever somebody wrote
            # between two parts, and where somebody always does it never ends. Writers go on: they write ahead.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            source.backup(copy, pages=COPIED)
    except sqlite3.Error as error:
        raise ArchiveError(f"{path}: the copy failed: {error}") from error
