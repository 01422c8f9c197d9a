"""The names that verdicts give: topics and entities of articles, in the verdict's order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from storage.dialects import chunks


def names_of(connection: Connection, name: Any, article_ids: Iterable[int]) -> dict[int, list[str]]:
    """`ArticleTopicRow.topic` or `MentionRow.entity` of each of these articles that has any."""
    table = name.table
    found: dict[int, list[str]] = {}
    for chunk in chunks(article_ids):
        rows = connection.execute(
            select(table.c.article_id, name).where(table.c.article_id.in_(chunk)).order_by(table.c.position)
        )
        for article_id, value in rows:
            found.setdefault(article_id, []).append(value)
    return found
