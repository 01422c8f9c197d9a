"""The few statements that SQLite and PostgreSQL share in meaning but SQLAlchemy spells by dialect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, TextClause, TextualSelect, bindparam, text

T = TypeVar("T")
CHUNK = 500  # values of one IN list; the smallest limit among builds of SQLite is 999


def _insert(dialect: str, table: Any) -> Any:
    if dialect == "postgresql":  # imported for who needs it: with it come four drivers' dialects
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def insert_unknown(connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose key is not there yet."""
    if rows:
        connection.execute(_unless_known(connection.dialect.name, table), rows)


@cache
def _unless_known(dialect: str, table: Any) -> Any:
    return _insert(dialect, table).on_conflict_do_nothing()


def put(connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]], *, key: Sequence[str]) -> None:
    """Insert the rows, or give the row with the same key these values. All rows name the same columns."""
    if rows:
        others = tuple(name for name in rows[0] if name not in key)
        connection.execute(_or_change(connection.dialect.name, table, tuple(key), others), rows)


@cache
def _or_change(dialect: str, table: Any, key: tuple[str, ...], others: tuple[str, ...]) -> Any:
    statement = _insert(dialect, table)
    values = {name: statement.excluded[name] for name in others}
    return statement.on_conflict_do_update(index_elements=list(key), set_=values)


def one_of(column: ColumnElement[T], name: str = "ids") -> ColumnElement[bool]:
    """The column has one of the values that a statement is given under this name.

    A statement that is made once and given its values costs a quarter of one that is made anew with them in it: what
    SQLAlchemy keeps of it hangs on the statement.
    """
    return column.in_(bindparam(name, expanding=True))


@cache
def plain(sql: str) -> TextClause:
    """The statement, made once: to look for its parameters takes SQLAlchemy longer than many an answer takes."""
    return text(sql)


@cache
def typed(sql: str, *columns: Any) -> TextualSelect:
    """The same, with values that are read as those of these columns."""
    return text(sql).columns(*columns)


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """The values in lists that fit into one statement."""
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk
