"""The names that verdicts give: topics and entities of articles, in the verdict's order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from storage.dialects import chunks, plain

# Plain SQL that never changes: an IN list of SQLAlchemy's is put together anew for each batch, which takes longer than
# to answer it.
GIVEN = {
    "sqlite": "(SELECT value FROM json_each(:ids))",
    "postgresql": "(SELECT id FROM unnest(CAST(:ids AS bigint[])) AS given(id))",
}
NAMES = "SELECT article_id, {name} FROM {table} WHERE article_id IN {ids} ORDER BY article_id, position"


def given(connection: Connection, ids: Iterable[int]) -> dict[str, object]:
    """The value of `:ids` in a statement with GIVEN."""
    return {"ids": list(ids) if connection.dialect.name == "postgresql" else str(list(ids))}


def names_of(connection: Connection, name: Any, article_ids: Iterable[int]) -> dict[int, list[str]]:
    """`ArticleTopicRow.topic` or `MentionRow.entity` of each of these articles that has any."""
    statement = plain(NAMES.format(name=name.name, table=name.table.name, ids=GIVEN[connection.dialect.name]))
    found: dict[int, list[str]] = {}
    for chunk in chunks(article_ids):
        for article_id, value in connection.execute(statement, given(connection, chunk)).all():
            found.setdefault(article_id, []).append(value)
    return found
