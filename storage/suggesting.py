"""What a model found that the watchlist lacks, counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, select

from storage.dialects import chunks
from storage.schema import ArticleRow, MentionRow, SourceRow
from watchfloor.model import Mention
from watchfloor.suggesting import Frequent


def frequent_names(connection: Connection, since: datetime, until: datetime, *, at_least: int) -> list[Frequent]:
    """Names of the model's in so many articles first seen in this time, those of most articles first."""
    articles = func.count().label("articles")
    counted = connection.execute(
        select(
            MentionRow.entity,
            articles,
            func.sum(MentionRow.mentions).label("mentions"),
            func.count(SourceRow.publisher.distinct()).label("publishers"),
        )
        .join(ArticleRow, ArticleRow.id == MentionRow.article_id)
        .join(SourceRow, SourceRow.id == ArticleRow.source_id)
        .where(_by_model(since, until))
        .group_by(MentionRow.entity)
        .having(articles >= at_least)
        .order_by(articles.desc(), MentionRow.entity)
    ).all()
    names = [row.entity for row in counted]
    kinds, examples = dict(_kinds(connection, names, since, until)), dict(_examples(connection, names, since, until))
    return [
        Frequent(row.entity, kinds[row.entity], row.articles, int(row.mentions), row.publishers, *examples[row.entity])
        for row in counted
    ]


def _by_model(since: datetime, until: datetime) -> ColumnElement[bool]:
    return and_(
        MentionRow.by == "model",
        ArticleRow.first_seen >= since,
        ArticleRow.first_seen < until,
        ArticleRow.duplicate_of.is_(None),
    )


def _kinds(connection: Connection, names: Sequence[str], since: datetime, until: datetime) -> Iterator[tuple[str, str]]:
    """What each was called most often, last."""
    times = func.count().label("times")
    for chunk in chunks(names):
        yield from (
            (row.entity, row.kind)
            for row in connection.execute(
                select(MentionRow.entity, MentionRow.kind, times)
                .join(ArticleRow, ArticleRow.id == MentionRow.article_id)
                .where(_by_model(since, until), MentionRow.entity.in_(chunk))
                .group_by(MentionRow.entity, MentionRow.kind)
                .order_by(times, MentionRow.kind)
            )
        )


def _examples(
    connection: Connection, names: Sequence[str], since: datetime, until: datetime
) -> Iterator[tuple[str, tuple[int, str, str, Mention]]]:
    """The latest article that names each."""
    for chunk in chunks(names):
        latest = (
            select(MentionRow.entity, func.max(MentionRow.article_id).label("article_id"))
            .join(ArticleRow, ArticleRow.id == MentionRow.article_id)
            .where(_by_model(since, until), MentionRow.entity.in_(chunk))
            .group_by(MentionRow.entity)
            .subquery()
        )
        rows = connection.execute(
            select(MentionRow.entity, MentionRow.places, ArticleRow.id, ArticleRow.title, ArticleRow.text)
            .join(
                latest,
                and_(latest.c.entity == MentionRow.entity, latest.c.article_id == MentionRow.article_id),
            )
            .join(ArticleRow, ArticleRow.id == MentionRow.article_id)
        )
        yield from ((row.entity, (row.id, row.title, row.text, Mention(*row.places[0]))) for row in rows)
