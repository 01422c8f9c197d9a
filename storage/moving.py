"""From one database to another, SQLite to PostgreSQL or back: all or nothing.

Both sides are held in one transaction: nobody can write to the old archive meanwhile, and a new one that is not whole
is not there. Rows go as they are, ids included; the full-text index is made anew, because each database has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, func, select, text

from storage import words
from storage.dialects import chunks
from storage.engine import Database
from storage.schema import METADATA, ArticleRow, FacetRow
from watchfloor.errors import ArchiveError

MOVERS = 0x6D6F7665  # "move": the key under which two who would fill one database exclude each other
AT_ONCE = 1_000  # rows of one statement
COMPARED = 50  # rows of each table that are read back and compared

Progress = Callable[[str, int, int], None]  # a table, its rows so far, its rows in all


def move(source: Database, target: Database, progress: Progress) -> dict[str, int]:
    """Copy everything into an empty archive of the same version; the rows of each table.

    Raises:
        ArchiveError: the target is not empty, or what arrived is not what was sent. The target is then empty.
    """
    with source.write() as old, target.write_alone(MOVERS) as new:
        if old.dialect.name == "postgresql":
            old.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        _refuse_unless_empty(new)
        moved = {table.name: _move_table(old, new, table, progress) for table in _tables()}
        restart_numbers(new)
        _fill_words(new, progress)
        return moved


def _tables() -> list[Table]:
    """All but what belongs to the index, those that others refer to first."""
    return [table for table in METADATA.sorted_tables if table.name != FacetRow.__tablename__]


def _refuse_unless_empty(connection: Connection) -> None:
    for table in _tables():
        if table.name != "notes" and _count(connection, table):  # a new archive notes the rule of its index
            raise ArchiveError(f"the target is not empty: there are rows in {table.name}")
    connection.execute(METADATA.tables["notes"].delete())


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _move_table(old: Connection, new: Connection, table: Table, progress: Progress) -> int:
    total, done = _count(old, table), 0
    sample: list[Row[Any]] = []
    for rows in chunks(_rows(old, table), AT_ONCE):
        new.execute(table.insert(), [dict(row._mapping) for row in rows])
        done += len(rows)
        sample += rows[:1] if len(sample) < COMPARED else []
        progress(table.name, done, total)
    _compare(new, table, [*sample, *rows[-1:]] if done else [], total)
    return done


def _rows(connection: Connection, table: Table) -> Iterator[Row[Any]]:
    """In the order of the key: a row comes after those of its own table that it refers to, which are older."""
    query = select(table).order_by(*table.primary_key)
    yield from connection.execution_options(yield_per=AT_ONCE).execute(query)


def _compare(new: Connection, table: Table, sample: Sequence[Row[Any]], total: int) -> None:
    arrived = _count(new, table)
    if arrived != total:
        raise ArchiveError(f"{table.name}: {total} rows were sent and {arrived} arrived; nothing was moved")
    for row in sample:
        same = and_(*(column == row._mapping[column.name] for column in table.primary_key))
        if tuple(new.execute(select(table).where(same)).one()) != tuple(row):
            raise ArchiveError(f"{table.name}: a row did not arrive as it was sent; nothing was moved")


def restart_numbers(connection: Connection) -> None:
    """Let PostgreSQL go on numbering behind the rows that came with their numbers; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in METADATA.sorted_tables:
        if table.primary_key.columns.keys() == ["id"] and table.c.id.identity is not None:
            highest = select(func.coalesce(func.max(table.c.id), 0) + 1).scalar_subquery()
            connection.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "id"), highest, False)))


def _fill_words(connection: Connection, progress: Progress) -> None:
    indexed = select(ArticleRow.id).where(ArticleRow.word_key.is_not(None)).order_by(ArticleRow.word_key)
    ids, done = connection.execute(indexed).scalars().all(), 0
    for chunk in chunks(ids, AT_ONCE):
        words.insert_documents(connection, list(words.stored(connection, chunk, indexed=True)))
        done += len(chunk)
        progress("full-text index", done, len(ids))
    words.say_current(connection)
    arrived = connection.execute(select(func.count()).select_from(FacetRow)).scalar_one()
    if arrived != len(ids):
        raise ArchiveError(f"{len(ids)} articles were indexed before and {arrived} are now; nothing was moved")
