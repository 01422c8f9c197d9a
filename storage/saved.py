"""Searches that were given a name: for feeds that others subscribe to, and for routes of alerts."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from storage.dialects import put
from storage.schema import SavedSearchRow
from watchfloor.model import SavedSearch

NARROWS = ("sources", "topics", "entities", "publishers", "countries", "languages")


def save(connection: Connection, search: SavedSearch, now: datetime) -> None:
    """Keep a search under its name; one that had the name is replaced."""
    question = {name: value for name, value in asdict(search).items() if name != "name" and value}
    put(connection, SavedSearchRow, [{"name": search.name, "question": question, "saved": now}], key=["name"])


def forget(connection: Connection, name: str) -> bool:
    """Whether there was one of that name."""
    return connection.execute(delete(SavedSearchRow).where(SavedSearchRow.name == name)).rowcount > 0


def saved_searches(connection: Connection) -> list[SavedSearch]:
    """All of them, by name."""
    rows = connection.execute(select(SavedSearchRow.name, SavedSearchRow.question).order_by(SavedSearchRow.name))
    return [_search(row) for row in rows]


def _search(row: Row[Any]) -> SavedSearch:
    question = row.question
    narrowed = {name: tuple(question.get(name, ())) for name in NARROWS}
    return SavedSearch(
        row.name, words=question.get("words", ""), everything=bool(question.get("everything")), **narrowed
    )
