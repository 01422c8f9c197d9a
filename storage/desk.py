"""What the desk's pages ask beyond search: stories as they stand, one story whole, a name's days and companions.

Days and companions come from the full-text index alone, whose keys begin with the article's date (`storage.words`), so
that a name which half of the press mentions costs no more than its own entries in the index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, exists, func, select, text

from storage import compiling, search, words
from storage.dialects import chunks
from storage.mapping import ARTICLE_COLUMNS, article_of, source_of, state_of
from storage.reading import SourceOverview, judgements
from storage.schema import (
    AlertStoryRow,
    ArticleRow,
    ArticleTopicRow,
    LabelRow,
    MentionRow,
    SourceRow,
    StoryRow,
    VerdictRow,
)
from storage.search import Question
from storage.times import UtcDateTime
from watchfloor.briefs import Judgement, brief_of
from watchfloor.model import Article, Brief

COMPANY = 1_000  # of the newest articles that name a name: who else they name; 10 ms at a million articles


# -- stories as they stand --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """What ranks a story among others. `voices`: how many publishers carry it."""

    story_id: int
    updated: datetime
    score: float
    voices: int
    articles: int


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which stories are wanted: those that have an article with one of each; an empty condition holds for all."""

    topics: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    muted: bool = False  # also those that are muted


@dataclass(frozen=True, slots=True)
class Card:
    """A story in a list: its brief, the judgements that made it, oldest first, and what was told of it where."""

    brief: Brief
    judgements: tuple[Judgement, ...]
    updated: datetime
    muted: bool
    followed: bool
    told: Mapping[str, datetime]  # route -> when last


def standings(connection: Connection, since: datetime, until: datetime, narrowing: Narrowing) -> list[Standing]:
    """The stories that were new or got a relevant article in this time (`until` excluded), latest change first."""
    wanted = [StoryRow.updated >= since, StoryRow.updated < until, StoryRow.merged_into.is_(None)]
    if not narrowing.muted:
        wanted.append(StoryRow.muted.is_(False))
    rows = connection.execute(
        select(
            StoryRow.id,
            StoryRow.updated,
            func.max(VerdictRow.score).label("score"),
            func.count(SourceRow.publisher.distinct()).label("voices"),
            func.count().label("articles"),
        )
        .join(ArticleRow, ArticleRow.story_id == StoryRow.id)
        .join(VerdictRow, VerdictRow.article_id == ArticleRow.id)
        .join(SourceRow, SourceRow.id == ArticleRow.source_id)
        .where(*wanted, *_narrowed(narrowing), VerdictRow.relevant, ArticleRow.duplicate_of.is_(None))
        .group_by(StoryRow.id, StoryRow.updated)
        .order_by(StoryRow.updated.desc(), StoryRow.id.desc())
    )
    return [Standing(row.id, row.updated, row.score, row.voices, row.articles) for row in rows]


def _narrowed(narrowing: Narrowing) -> list[Any]:
    """For each condition: the story has an article that meets it."""
    wanted = []
    member = select(ArticleRow.id).where(ArticleRow.story_id == StoryRow.id).correlate(StoryRow)
    if narrowing.sources:
        wanted.append(exists(member.where(ArticleRow.source_id.in_(narrowing.sources))))
    for table, name, names in (
        (ArticleTopicRow, ArticleTopicRow.topic, narrowing.topics),
        (MentionRow, MentionRow.entity, narrowing.entities),
    ):
        if names:
            tagged = exists().where(table.article_id == ArticleRow.id, name.in_(names)).correlate(ArticleRow)
            wanted.append(exists(member.where(tagged)))
    return wanted


def cards(connection: Connection, story_ids: Sequence[int]) -> list[Card]:
    """These stories, in this order; one without a relevant article is left out."""
    members = judgements(connection, story_ids)
    rows = {
        row.id: row
        for chunk in chunks(story_ids)
        for row in connection.execute(
            select(StoryRow.id, StoryRow.updated, StoryRow.muted, StoryRow.followed).where(StoryRow.id.in_(chunk))
        )
    }
    told = _told(connection, story_ids)
    return [
        Card(
            brief=brief_of(id, members[id]),
            judgements=tuple(members[id]),
            updated=rows[id].updated,
            muted=rows[id].muted,
            followed=rows[id].followed,
            told=told.get(id, {}),
        )
        for id in story_ids
        if id in members
    ]


def _told(connection: Connection, story_ids: Iterable[int]) -> dict[int, dict[str, datetime]]:
    told: dict[int, dict[str, datetime]] = {}
    for chunk in chunks(story_ids):
        rows = connection.execute(
            select(AlertStoryRow.story_id, AlertStoryRow.route, AlertStoryRow.told_at)
            .where(AlertStoryRow.story_id.in_(chunk))
            .order_by(AlertStoryRow.told_at)
        )
        for row in rows:
            told.setdefault(row.story_id, {})[row.route] = row.told_at
    return told


# -- the articles of a story ------------------------------------------------------------------------------------------


def folded(connection: Connection, ids: Iterable[int]) -> dict[int, tuple[Article, ...]]:
    """Of each of these articles the other appearances of the same page, which were folded into it."""
    found: dict[int, tuple[Article, ...]] = {}
    for chunk in chunks(ids):
        rows = connection.execute(
            select(*ARTICLE_COLUMNS, ArticleRow.duplicate_of)
            .join(SourceRow, SourceRow.id == ArticleRow.source_id)
            .where(ArticleRow.duplicate_of.in_(chunk))
            .order_by(ArticleRow.first_seen, ArticleRow.id)
        )
        for row in rows:
            found[row.duplicate_of] = (*found.get(row.duplicate_of, ()), article_of(row))
    return found


def labels(connection: Connection, article_ids: Iterable[int]) -> dict[int, bool]:
    """The analysts' judgements of those of these articles that have one."""
    return {
        row.article_id: row.relevant
        for chunk in chunks(article_ids)
        for row in connection.execute(
            select(LabelRow.article_id, LabelRow.relevant).where(LabelRow.article_id.in_(chunk))
        )
    }


# -- a name: its days, its company ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Companion:
    """A name that appears with another one. `articles`: in how many of those that were looked at."""

    name: str
    kind: str
    articles: int


@dataclass(frozen=True, slots=True)
class Company:
    """Who and what appears with a name, in the newest `articles` relevant articles that have it."""

    articles: int
    entities: tuple[Companion, ...]
    topics: tuple[Companion, ...]


def days(connection: Connection, tag: str, since: date, until: date) -> dict[date, int]:
    """How many relevant articles have this tag, day by day in UTC (`until` excluded); days without one are 0."""
    question = _about(connection, tag, _key(since), _key(until))
    keys = search.newest(connection, question, question.match, words.LAST)
    found = Counter(words.moment_of_key(key).date() for key in keys)
    every = (since + timedelta(days=number) for number in range((until - since).days))
    return {day: found[day] for day in every}


def company(connection: Connection, tag: str) -> Company:
    """Who and what the newest relevant articles with this tag name, most often first."""
    question = _about(connection, tag, 0, words.LAST)
    ids = [words.article_of_key(key) for key in search.newest(connection, question, question.match, COMPANY)]
    return Company(
        articles=len(ids),
        entities=_count_names(connection, ids, MentionRow.entity, func.max(MentionRow.kind)),
        topics=_count_names(connection, ids, ArticleTopicRow.topic, func.max("topic")),
    )


def _about(connection: Connection, tag: str, low: int, high: int) -> Question:
    compiled = compiling.fts5 if connection.dialect.name == "sqlite" else compiling.tsquery
    match = compiled(None, [[words.RELEVANT], [tag]])
    return Question(match, (match,), low, high, sliced=0, start=None)


def _key(day: date) -> int:
    return words.key_of(datetime(day.year, day.month, day.day, tzinfo=UTC), 0)


def _count_names(connection: Connection, ids: Sequence[int], name: Any, kind: Any) -> tuple[Companion, ...]:
    table = name.table
    counts: dict[str, tuple[str, int]] = {}
    for chunk in chunks(ids):
        rows = connection.execute(
            select(name.label("name"), kind.label("kind"), func.count().label("articles"))
            .where(table.c.article_id.in_(chunk))
            .group_by(name)
        )
        for row in rows:
            counts[row.name] = (row.kind, counts.get(row.name, ("", 0))[1] + row.articles)
    found = [Companion(name, kind, articles) for name, (kind, articles) in counts.items()]
    return tuple(sorted(found, key=lambda one: (-one.articles, one.name)))


# -- sources ----------------------------------------------------------------------------------------------------------


def sources_lately(connection: Connection, since: datetime) -> list[SourceOverview]:
    """All active sources by name, with their articles first seen since then by grade: counting all takes seconds."""
    grades: dict[str, dict[str, int]] = {}
    counted = connection.execute(
        select(ArticleRow.source_id, ArticleRow.grade, func.count().label("articles"))
        .where(and_(ArticleRow.first_seen >= since, ArticleRow.fetched_at.is_not(None)))
        .group_by(ArticleRow.source_id, ArticleRow.grade)
    )
    for row in counted:
        grades.setdefault(row.source_id, {})[row.grade] = row.articles
    rows: Sequence[Row[Any]] = connection.execute(
        select(*SourceRow.__table__.columns).where(SourceRow.active).order_by(SourceRow.name, SourceRow.id)
    ).all()
    return [SourceOverview(source_of(row), state_of(row), grades.get(row.id, {})) for row in rows]


# -- the watchlist at work --------------------------------------------------------------------------------------------

COUNTED = 50_000  # of the newest articles, the evidence of each is read: 2 s where one in twenty is relevant
USES = """WITH judged AS ({judged}),
    found AS (SELECT DISTINCT judged.article_id, judged.relevant, {term} AS term, {kind} AS kind
        FROM judged JOIN verdicts ON verdicts.article_id = judged.article_id, {each})
    SELECT term, kind, sum(CASE WHEN relevant THEN 1 ELSE 0 END) AS relevant,
        sum(CASE WHEN relevant THEN 0 ELSE 1 END) AS other
    FROM found GROUP BY term, kind ORDER BY count(*) DESC, term, kind"""
NEWEST = """SELECT a.id AS article_id, v.relevant FROM articles a JOIN verdicts v ON v.article_id = a.id
    WHERE a.first_seen >= :since ORDER BY a.first_seen DESC LIMIT :counted"""
LABELLED = "SELECT article_id, relevant FROM labels"
EVIDENCE = {
    "sqlite": {
        "term": "json_extract(one.value, '$.term')",
        "kind": "json_extract(one.value, '$.kind')",
        "each": "json_each(verdicts.evidence) AS one",
    },
    "postgresql": {
        "term": "one.value ->> 'term'",
        "kind": "one.value ->> 'kind'",
        "each": "jsonb_array_elements(verdicts.evidence) AS one(value)",
    },
}


@dataclass(frozen=True, slots=True)
class TermUse:
    """How many articles have a term of the watchlist as evidence: relevant ones, and others.

    `kind`: keyword, entity, context, rule.
    """

    term: str
    kind: str
    relevant: int
    other: int


def term_uses(connection: Connection, since: datetime) -> list[TermUse]:
    """The terms in the newest articles first seen since then, by the verdicts that stand, most often first."""
    statement = text(USES.format(judged=NEWEST, **EVIDENCE[connection.dialect.name]))
    asked = statement.bindparams(bindparam("since", since, UtcDateTime()), counted=COUNTED)
    return [TermUse(*row) for row in connection.execute(asked)]


def term_labels(connection: Connection) -> list[TermUse]:
    """The same by what analysts said of the articles that they labelled."""
    statement = text(USES.format(judged=LABELLED, **EVIDENCE[connection.dialect.name]))
    return [TermUse(*row) for row in connection.execute(statement)]
