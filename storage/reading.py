"""The tables read back as types of the model: records, stories, sources, what is left to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select

from storage.dialects import chunks
from storage.leases import is_due
from storage.mapping import (
    ARTICLE_COLUMNS,
    DELIVERY_COLUMNS,
    article_of,
    delivery_of,
    entity_of,
    entry_of,
    source_of,
    state_of,
    verdict_of,
)
from storage.names import names_of
from storage.pages import entry_keys
from storage.schema import (
    AlertRow,
    AlertStoryRow,
    ArticleRow,
    ArticleTopicRow,
    CycleRow,
    DeliveryRow,
    EntryRow,
    LabelRow,
    MentionRow,
    RawPageRow,
    SourceRow,
    StoryRow,
    VerdictRow,
    WorkRow,
)
from watchfloor.briefs import Judgement, brief_of
from watchfloor.model import Brief, Coverage, Delivery, EntityHit, FeedState, Grade, Record, Seen, Source, Verdict

VERDICT_COLUMNS = (
    VerdictRow.judged,
    VerdictRow.language.label("verdict_language"),
    VerdictRow.relevant,
    VerdictRow.score,
    VerdictRow.threshold,
    VerdictRow.watchlist,
    VerdictRow.judged_at,
    VerdictRow.evidence,
)


# -- stories ----------------------------------------------------------------------------------------------------------


def judgements(connection: Connection, story_ids: Iterable[int]) -> dict[int, list[Judgement]]:
    """The relevant articles of each story with their verdicts, oldest first; stories without one are left out."""
    members: dict[int, list[Judgement]] = {}
    for chunk in chunks(story_ids):
        rows = connection.execute(
            select(*ARTICLE_COLUMNS, *VERDICT_COLUMNS, ArticleRow.story_id)
            .join(SourceRow, SourceRow.id == ArticleRow.source_id)
            .join(VerdictRow, VerdictRow.article_id == ArticleRow.id)
            .where(ArticleRow.story_id.in_(chunk), VerdictRow.relevant, ArticleRow.duplicate_of.is_(None))
            .order_by(ArticleRow.first_seen, ArticleRow.id)
        ).all()
        ids = [row.id for row in rows]
        topics, entities = names_of(connection, ArticleTopicRow.topic, ids), _entities(connection, ids)
        for row in rows:
            verdict = verdict_of(row, topics.get(row.id, ()), entities.get(row.id, ()))
            members.setdefault(row.story_id, []).append(Judgement(article_of(row), verdict))
    return members


def _entities(connection: Connection, ids: Sequence[int]) -> dict[int, list[EntityHit]]:
    entities: dict[int, list[EntityHit]] = {}
    for chunk in chunks(ids):
        found = connection.execute(
            select(*MentionRow.__table__.columns).where(MentionRow.article_id.in_(chunk)).order_by(MentionRow.position)
        )
        for row in found:
            entities.setdefault(row.article_id, []).append(entity_of(row))
    return entities


def briefs(connection: Connection, story_ids: Sequence[int]) -> list[Brief]:
    """The stories that have a relevant article, in the order asked for."""
    members = judgements(connection, story_ids)
    return [brief_of(id, members[id]) for id in story_ids if id in members]


def stories_between(connection: Connection, since: datetime, until: datetime) -> list[Brief]:
    """Stories that were new or got a relevant article in this time (until excluded), most recent change first."""
    return briefs(connection, story_ids_between(connection, since, until))


def story_ids_between(connection: Connection, since: datetime, until: datetime) -> list[int]:
    """The ids of those stories, in the same order."""
    ids = connection.execute(
        select(StoryRow.id)
        .where(StoryRow.updated >= since, StoryRow.updated < until, StoryRow.merged_into.is_(None))
        .order_by(StoryRow.updated.desc(), StoryRow.id.desc())
    )
    return list(ids.scalars())


def coverage(connection: Connection, since: datetime, until: datetime) -> Coverage:
    """What the picture of a time rests on: sources as they are now, articles as they came in then."""
    sources = connection.execute(
        select(SourceRow.name, SourceRow.health, SourceRow.last_answer).where(SourceRow.active).order_by(SourceRow.name)
    ).all()
    then = and_(ArticleRow.first_seen >= since, ArticleRow.first_seen < until, ArticleRow.fetched_at.is_not(None))
    relevant = and_(then, ArticleRow.story_id.is_not(None))
    told, stories = connection.execute(
        select(func.count(), func.count(ArticleRow.story_id.distinct())).where(relevant)
    ).one()
    return Coverage(
        sources=len(sources),
        answered=sum(row.last_answer is not None and row.last_answer >= since for row in sources),
        silent=tuple(row.name for row in sources if row.health == "silent"),
        failing=tuple(row.name for row in sources if row.health in FAILING),
        articles=_count(connection, then),
        teasers=_count(connection, and_(then, ArticleRow.grade.not_in((Grade.FULL, Grade.ROUGH)))),
        copies=told - stories + _count(connection, and_(then, ArticleRow.duplicate_of.is_not(None))),
        unjudged=_unjudged(connection, then),
    )


FAILING = ("failing", "gone", "not-a-feed")  # words of `FeedState.health`


def _count(connection: Connection, wanted: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(ArticleRow).where(wanted)).scalar_one()


def _unjudged(connection: Connection, wanted: ColumnElement[bool]) -> tuple[tuple[str | None, int], ...]:
    rows = connection.execute(
        select(VerdictRow.language, func.count().label("articles"))
        .join(ArticleRow, ArticleRow.id == VerdictRow.article_id)
        .where(wanted, VerdictRow.judged.is_(False))
        .group_by(VerdictRow.language)
        .order_by(func.count().desc(), VerdictRow.language)
    )
    return tuple((row.language, row.articles) for row in rows)


# -- records ----------------------------------------------------------------------------------------------------------


def find_article(connection: Connection, id_or_url: int | str) -> Record | None:
    """All that is known of one article, by number or by any address it has been seen under."""
    wanted = _article_id(connection, str(id_or_url).strip())
    if wanted is None:
        return None
    row = connection.execute(
        select(*ARTICLE_COLUMNS, *_RECORD_COLUMNS, *VERDICT_COLUMNS)
        .join(SourceRow, SourceRow.id == ArticleRow.source_id)
        .outerjoin(VerdictRow, VerdictRow.article_id == ArticleRow.id)
        .outerjoin(RawPageRow, RawPageRow.article_id == ArticleRow.id)
        .outerjoin(LabelRow, LabelRow.article_id == ArticleRow.id)
        .where(ArticleRow.id == wanted)
    ).one_or_none()
    return None if row is None else _record(connection, row)


_RECORD_COLUMNS = (
    ArticleRow.fetched_at,
    ArticleRow.status,
    ArticleRow.error,
    ArticleRow.duplicate_of,
    ArticleRow.old_news,
    ArticleRow.pruned,
    ArticleRow.story_id,
    RawPageRow.size,
    ArticleRow.page_sha256,
    LabelRow.relevant.label("label"),
)


def _article_id(connection: Connection, wanted: str) -> int | None:
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 19:  # PostgreSQL refuses more than 64 bits
        return int(wanted)
    same = or_(ArticleRow.url == wanted, ArticleRow.canonical_url == wanted, ArticleRow.key == wanted)
    return connection.execute(
        select(func.min(func.coalesce(ArticleRow.duplicate_of, ArticleRow.id))).where(same)
    ).scalar()


def _record(connection: Connection, row: Row[Any]) -> Record:
    work = connection.execute(select(WorkRow.stage, WorkRow.attempts).where(WorkRow.article_id == row.id)).all()
    source = connection.execute(select(*SourceRow.__table__.columns).where(SourceRow.id == row.source_id)).one()
    stories = briefs(connection, [row.story_id]) if row.story_id else []
    return Record(
        article=article_of(row),
        source=source_of(source),
        seen=_seen(connection, row.id),
        waits_for=tuple(sorted(one.stage for one in work)),
        attempts=max((one.attempts for one in work), default=0),
        fetched_at=row.fetched_at,
        status=row.status,
        error=row.error,
        raw_bytes=row.size,
        raw_sha256=row.page_sha256,
        duplicate_of=row.duplicate_of,
        old_news=row.old_news,
        pruned=row.pruned,
        verdict=_verdict(connection, row),
        judged_at=row.judged_at,
        story=stories[0] if stories else None,
        deliveries=_deliveries(connection, row.story_id),
        label=row.label,
    )


def _verdict(connection: Connection, row: Row[Any]) -> Verdict | None:
    if row.judged_at is None:
        return None
    topics, entities = names_of(connection, ArticleTopicRow.topic, [row.id]), _entities(connection, [row.id])
    return verdict_of(row, topics.get(row.id, ()), entities.get(row.id, ()))


def _seen(connection: Connection, article_id: int) -> tuple[Seen, ...]:
    rows = connection.execute(
        select(*EntryRow.__table__.columns).where(EntryRow.article_id == article_id).order_by(EntryRow.id)
    ).all()
    keys = entry_keys(connection, [row.id for row in rows])
    return tuple(Seen(row.source_id, row.first_seen, entry_of(row, keys[row.id])) for row in rows)


def _deliveries(connection: Connection, story_id: int | None) -> tuple[Delivery, ...]:
    rows = connection.execute(
        select(*DELIVERY_COLUMNS, AlertRow.payload)
        .join(AlertRow, AlertRow.id == DeliveryRow.alert_id)
        .join(AlertStoryRow, AlertStoryRow.alert_id == AlertRow.id)
        .where(AlertStoryRow.story_id == story_id)
        .order_by(DeliveryRow.id)
    )
    return tuple(delivery_of(row) for row in rows)


# -- the house --------------------------------------------------------------------------------------------------------


def states(connection: Connection) -> dict[str, FeedState]:
    """What is remembered of each active source."""
    rows = connection.execute(select(*SourceRow.__table__.columns).where(SourceRow.active))
    return {row.id: state_of(row) for row in rows}


@dataclass(frozen=True, slots=True)
class SourceOverview:
    """A source as it does: what is remembered of it, and its articles by grade."""

    source: Source
    state: FeedState
    grades: Mapping[str, int]


def sources_overview(connection: Connection) -> list[SourceOverview]:
    """All active sources, by name."""
    grades: dict[str, dict[str, int]] = {}
    collected = ArticleRow.fetched_at.is_not(None)
    counted = select(ArticleRow.source_id, ArticleRow.grade, func.count().label("articles"))
    for row in connection.execute(counted.where(collected).group_by(ArticleRow.source_id, ArticleRow.grade)):
        grades.setdefault(row.source_id, {})[row.grade] = row.articles
    rows = connection.execute(
        select(*SourceRow.__table__.columns).where(SourceRow.active).order_by(SourceRow.name, SourceRow.id)
    )
    return [SourceOverview(source_of(row), state_of(row), grades.get(row.id, {})) for row in rows]


def work_left(connection: Connection, now: datetime) -> dict[str, int]:
    """How many articles wait at each stage and are due, those that somebody has in hand included."""
    rows = connection.execute(
        select(WorkRow.stage, func.count().label("articles")).where(is_due(WorkRow.due_at, now)).group_by(WorkRow.stage)
    )
    return {"collect": 0, "judge": 0, "sum up": 0} | {row.stage: row.articles for row in rows}


def last_cycle(connection: Connection) -> datetime | None:
    """When the last cycle ended well."""
    return connection.execute(select(func.max(CycleRow.ended))).scalar()
