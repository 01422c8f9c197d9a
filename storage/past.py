"""What was read and judged, streamed oldest first for measuring a watchlist: whatever its size, a batch in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select

from storage.mapping import ARTICLE_COLUMNS, article_of
from storage.schema import ArticleRow, LabelRow, SourceRow, VerdictRow
from watchfloor.ports import Sketched

if TYPE_CHECKING:
    from watchfloor.backtesting import Past

Reading = Callable[[], AbstractContextManager[Connection]]


def _wanted(since: datetime, until: datetime) -> ColumnElement[bool]:
    """Articles with a verdict and their text, copies of one page once."""
    return and_(
        ArticleRow.first_seen >= since,
        ArticleRow.first_seen < until,
        ArticleRow.duplicate_of.is_(None),
        ArticleRow.pruned.is_(None),
    )


def count(connection: Connection, since: datetime, until: datetime) -> int:
    """How many articles `stream` gives."""
    articles = select(func.count()).select_from(ArticleRow).join(VerdictRow, VerdictRow.article_id == ArticleRow.id)
    return connection.execute(articles.where(_wanted(since, until))).scalar_one()


def count_pruned(connection: Connection, since: datetime, until: datetime) -> int:
    """How many articles can be judged no more, because their text was let go."""
    gone = and_(ArticleRow.first_seen >= since, ArticleRow.first_seen < until, ArticleRow.pruned.is_not(None))
    return connection.execute(select(func.count()).select_from(ArticleRow).where(gone)).scalar_one()


def stream(reading: Reading, since: datetime, until: datetime, at_once: int) -> Iterator[list[Past]]:
    """Batches, oldest first; each a transaction of its own, so that nobody waits for a long reader."""
    last: tuple[datetime, int] | None = None
    while True:
        with reading() as connection:
            rows = connection.execute(_batch(since, until, last).limit(at_once)).all()
        if not rows:
            return
        yield [_past(row) for row in rows]
        last = rows[-1].first_seen, rows[-1].id


def _batch(since: datetime, until: datetime, last: tuple[datetime, int] | None) -> Select[Any]:
    query = (
        select(
            *ARTICLE_COLUMNS,
            ArticleRow.old_news,
            ArticleRow.story_id,
            VerdictRow.judged,
            VerdictRow.relevant,
            VerdictRow.score,
            VerdictRow.watchlist,
            VerdictRow.sketch,
            LabelRow.relevant.label("label"),
        )
        .join(SourceRow, SourceRow.id == ArticleRow.source_id)
        .join(VerdictRow, VerdictRow.article_id == ArticleRow.id)
        .outerjoin(LabelRow, LabelRow.article_id == ArticleRow.id)
        .where(_wanted(since, until))
        .order_by(ArticleRow.first_seen, ArticleRow.id)
    )
    if last is None:
        return query
    at, id = last
    return query.where(ArticleRow.first_seen >= at, or_(ArticleRow.first_seen > at, ArticleRow.id > id))


def _past(row: Row[Any]) -> Past:
    from watchfloor.backtesting import Past, Standing  # here, because who only searches need not wait for the matcher

    return Past(
        article=article_of(row),
        standing=Standing(row.judged, row.relevant, row.score),
        watchlist=row.watchlist,
        story=row.story_id,
        sketch=row.sketch,
        quiet=row.baseline or row.old_news,
        label=row.label,
    )


def sketches(connection: Connection, since: datetime, until: datetime) -> list[tuple[datetime, Sketched]]:
    """What grouping remembers of the relevant articles of a time, with when they were first seen."""
    rows = connection.execute(
        select(ArticleRow.first_seen, ArticleRow.id, ArticleRow.story_id, VerdictRow.sketch)
        .join(VerdictRow, VerdictRow.article_id == ArticleRow.id)
        .where(_wanted(since, until), ArticleRow.story_id.is_not(None), VerdictRow.sketch.is_not(None))
        .order_by(ArticleRow.first_seen, ArticleRow.id)
    )
    return [(row.first_seen, Sketched(row.id, row.story_id, row.sketch)) for row in rows]
