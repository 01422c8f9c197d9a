"""Analysts' judgements of articles."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select

from storage.dialects import put
from storage.mapping import ARTICLE_COLUMNS, article_of
from storage.schema import ArticleRow, LabelRow, SourceRow, VerdictRow
from watchfloor.model import Labelled


def keep_label(connection: Connection, article_id: int, relevant: bool | None, now: datetime) -> None:
    """Keep a judgement; a later one stands for an earlier one, and None withdraws it."""
    if relevant is None:
        connection.execute(delete(LabelRow).where(LabelRow.article_id == article_id))
    else:
        put(connection, LabelRow, [{"article_id": article_id, "relevant": relevant, "at": now}], key=["article_id"])


def labelled(connection: Connection, *, limit: int | None = None) -> list[Labelled]:
    """The judgements with their articles, the latest first; those whose text was let go included."""
    rows = connection.execute(
        select(
            *ARTICLE_COLUMNS,
            LabelRow.relevant.label("label"),
            LabelRow.at,
            VerdictRow.relevant,
            VerdictRow.score,
            ArticleRow.story_id,
        )
        .join(LabelRow, LabelRow.article_id == ArticleRow.id)
        .join(SourceRow, SourceRow.id == ArticleRow.source_id)
        .outerjoin(VerdictRow, VerdictRow.article_id == ArticleRow.id)
        .order_by(LabelRow.at.desc(), LabelRow.article_id.desc())
        .limit(limit)
    )
    return [Labelled(article_of(row), row.label, row.at, row.relevant, row.score, row.story_id) for row in rows]
