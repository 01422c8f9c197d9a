"""Verdicts, stories and the alerts that follow from them: a batch is one transaction that excludes other settlers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, and_, bindparam, delete, exists, insert, or_, select, update

from storage import words
from storage.dialects import chunks, insert_unknown, one_of, put
from storage.mapping import ARTICLE_COLUMNS, article_of, brief_of_payload, mention_values, verdict_values
from storage.outbox import sent_lately, store_alerts
from storage.pages import take_work
from storage.reading import judgements, story_ids_between
from storage.schema import (
    AlertRow,
    AlertStoryRow,
    ArticleRow,
    ArticleTopicRow,
    MentionRow,
    PartedRow,
    RelatedRow,
    SourceRow,
    StoryRow,
    VerdictRow,
    WorkRow,
)
from watchfloor.briefs import Judgement, brief_of
from watchfloor.model import Alert, Article, Brief
from watchfloor.ports import Group, Grouping, Judged, Settled, Sketched, StoryState, Tell

SETTLERS = 0x73657474  # "sett": the key under which settlers exclude each other
LATE = timedelta(hours=48)  # what was read so long ago and matches only now (another watchlist) is no news
WINDOW = timedelta(hours=96)  # how far apart two reports of one event may be first seen


_ARTICLES = select(*ARTICLE_COLUMNS).join(SourceRow, SourceRow.id == ArticleRow.source_id).where(one_of(ArticleRow.id))


def claim_unjudged(connection: Connection, owner: str, now: datetime, lease: timedelta, *, limit: int) -> list[Article]:
    """Lease articles that wait for a verdict."""
    taken = [row.article_id for row in take_work(connection, "judge", owner, now, lease, limit=limit)]
    rows = [row for chunk in chunks(taken) for row in connection.execute(_ARTICLES, {"ids": chunk})]
    order = {id: number for number, id in enumerate(taken)}
    return [article_of(row) for row in sorted(rows, key=lambda row: order[row.id])]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an article stood before the batch: its story, whether it was relevant, and whether it is told quietly."""

    story_id: int | None
    was_judged: bool
    was_relevant: bool
    baseline: bool
    old_news: bool
    first_seen: datetime
    dated: datetime

    @property
    def quiet(self) -> bool:
        """Not news: it came with a source's first answer, or was published long before."""
        return self.baseline or self.old_news


def settle(
    connection: Connection,
    owner: str,
    judged: Sequence[Judged],
    documents: Mapping[int, words.Document],
    group: Group,
    tell: Tell,
    now: datetime,
) -> Settled:
    """Settle what `owner` still holds of the batch. `documents`: what the index is to hold of each article."""
    places = _places(connection, _held(connection, owner, [one.article.id for one in judged]))
    mine = [one for one in judged if one.article.id in places]
    words.remove(connection, places)
    _store_verdicts(connection, mine, now)
    words.add(connection, [documents[id] for id in places])
    relevant = [one for one in mine if one.verdict.relevant]
    fresh = {one.article.id for one in relevant if not places[one.article.id].was_relevant}
    grouped = _group(connection, [one for one in relevant if places[one.article.id].story_id is None], places, group)
    made = _store_grouping(connection, grouped, now)
    found_late = {id for id in fresh if places[id].was_judged and places[id].first_seen < now - LATE}
    summed_up = {id for id in fresh if places[id].baseline} | found_late
    _queue_summing_up(connection, [id for id in summed_up if not places[id].old_news], now)
    touched = _stories_of(connection, fresh)
    states = states_of(connection, set(touched.values()), new=made, fresh=fresh)
    refresh_stories(connection, states, now)
    loud = {story for id, story in touched.items() if not places[id].quiet and id not in found_late}
    told = tell([state for state in states if state.brief.story_id in loud], sent_lately(connection, now))
    alerts = store_alerts(connection, told)
    _finish(connection, "judge", places)
    return Settled(len(relevant), len(made), len(states) - len(made), alerts)


def settle_baseline(connection: Connection, tell: Tell, now: datetime) -> tuple[Alert, ...]:
    """Let `tell` sum up the stories of baseline articles that wait for it, once nobody has more of them in hand."""
    if _first_answers_in_hand(connection, now):
        return ()  # whoever ends last tells of all in one message
    waiting = set(
        connection.execute(select(WorkRow.article_id).where(WorkRow.stage == "sum up").with_for_update()).scalars()
    )
    if not waiting:
        return ()
    states = states_of(connection, set(_stories_of(connection, waiting).values()), fresh=waiting)
    alerts = store_alerts(connection, tell(states, sent_lately(connection, now)))
    _finish(connection, "sum up", waiting)
    return alerts


def _first_answers_in_hand(connection: Connection, now: datetime) -> bool:
    """Whether a process, perhaps a dead one, holds a new source or what a source's first answer brought."""
    asked = exists().where(SourceRow.first_answer.is_(None), SourceRow.until > now)
    read = exists().where(
        WorkRow.stage.in_(("collect", "judge")),
        WorkRow.until > now,
        ArticleRow.id == WorkRow.article_id,
        ArticleRow.baseline,
    )
    return bool(connection.execute(select(or_(asked, read))).scalar_one())


def settle_rested(connection: Connection, tell: Tell, rest: timedelta, now: datetime) -> tuple[Alert, ...]:
    """Let `tell` look again at stories that got an article since their last message, which is `rest` ago."""
    states = states_of(connection, _rested(connection, rest, now))
    return store_alerts(connection, tell(states, sent_lately(connection, now))) if states else ()


def _rested(connection: Connection, rest: timedelta, now: datetime) -> set[int]:
    """Those that grew since a message, what was held for the morning included, which is older than that and not older
    by more than a day: then they were looked at long ago."""
    grew = and_(
        ArticleRow.story_id == AlertStoryRow.story_id,
        ArticleRow.first_seen > AlertStoryRow.told_at,
        ArticleRow.baseline.is_(False),
        ArticleRow.old_news.is_(False),
    )
    told = select(AlertStoryRow.story_id.distinct()).join(AlertRow, AlertRow.id == AlertStoryRow.alert_id)
    ripe = (AlertRow.created <= now - rest, AlertRow.created > now - rest - timedelta(days=1))
    return set(connection.execute(told.where(*ripe, exists().where(grew))).scalars())


# -- verdicts ---------------------------------------------------------------------------------------------------------


_HELD = (
    select(WorkRow.article_id)
    .where(WorkRow.stage == "judge", WorkRow.owner == bindparam("holder"), one_of(WorkRow.article_id))
    .with_for_update()
)


def _held(connection: Connection, owner: str, ids: Sequence[int]) -> list[int]:
    held: list[int] = []
    for chunk in chunks(ids):
        held.extend(connection.execute(_HELD, {"holder": owner, "ids": chunk}).scalars())
    return held


_PLACES = (
    select(
        ArticleRow.id,
        VerdictRow.relevant,
        ArticleRow.story_id,
        ArticleRow.baseline,
        ArticleRow.old_news,
        ArticleRow.first_seen,
        ArticleRow.dated,
    )
    .outerjoin(VerdictRow, VerdictRow.article_id == ArticleRow.id)
    .where(one_of(ArticleRow.id), ArticleRow.duplicate_of.is_(None))
)


def _places(connection: Connection, ids: Sequence[int]) -> dict[int, Place]:
    places = {}
    for chunk in chunks(ids):
        for row in connection.execute(_PLACES, {"ids": chunk}):
            places[row.id] = Place(
                story_id=row.story_id,
                was_judged=row.relevant is not None,
                was_relevant=bool(row.relevant),
                baseline=row.baseline,
                old_news=row.old_news,
                first_seen=row.first_seen,
                dated=row.dated,
            )
    return places


def _store_verdicts(connection: Connection, judged: Sequence[Judged], now: datetime) -> None:
    for chunk in chunks(one.article.id for one in judged):
        for table in (MentionRow, ArticleTopicRow):
            connection.execute(delete(table).where(table.article_id.in_(chunk)))
    verdicts = [
        {"article_id": one.article.id, **verdict_values(one.verdict), "judged_at": now, "sketch": one.sketch}
        for one in judged
    ]
    put(connection, VerdictRow, verdicts, key=["article_id"])
    topics = [
        {"article_id": one.article.id, "topic": topic, "position": position}
        for one in judged
        for position, topic in enumerate(one.verdict.topics)
    ]
    insert_unknown(connection, ArticleTopicRow, topics)
    mentions = [
        {"article_id": one.article.id, **mention_values(position, entity)}
        for one in judged
        for position, entity in enumerate(one.verdict.entities)
    ]
    insert_unknown(connection, MentionRow, mentions)


# -- stories ----------------------------------------------------------------------------------------------------------


def _group(connection: Connection, homeless: Sequence[Judged], places: Mapping[int, Place], group: Group) -> Grouping:
    sketches = [(one.article.id, one.sketch) for one in homeless if one.sketch is not None]
    if not sketches:
        return Grouping({}, {})
    seen = [places[id].first_seen for id, _ in sketches]
    return group(sketches, _known_sketches(connection, min(seen) - WINDOW, max(seen) + WINDOW))


def _known_sketches(connection: Connection, since: datetime, until: datetime) -> list[Sketched]:
    parted = parted_from(connection)
    rows = connection.execute(
        select(ArticleRow.id, ArticleRow.story_id, VerdictRow.sketch)
        .join(VerdictRow, VerdictRow.article_id == ArticleRow.id)
        .where(
            ArticleRow.first_seen.between(since, until),
            ArticleRow.story_id.is_not(None),
            ArticleRow.duplicate_of.is_(None),
            VerdictRow.sketch.is_not(None),
        )
        .order_by(ArticleRow.id)
    )
    return [Sketched(row.id, row.story_id, row.sketch, parted.get(row.story_id, frozenset())) for row in rows]


def parted_from(connection: Connection) -> dict[int, frozenset[int]]:
    """The stories that an analyst has parted, each with those that it must not become. They are few: done by hand."""
    others: dict[int, set[int]] = {}
    for row in connection.execute(select(PartedRow.story_id, PartedRow.other_id)):
        others.setdefault(row.story_id, set()).add(row.other_id)
        others.setdefault(row.other_id, set()).add(row.story_id)
    return {id: frozenset(ids) for id, ids in others.items()}


def _store_grouping(connection: Connection, grouping: Grouping, now: datetime) -> set[int]:
    """Make the new stories, join the articles, merge and relate; the ids of the new stories."""
    labels = list(dict.fromkeys(label for label in grouping.story_of.values() if isinstance(label, str)))
    made = dict(zip(labels, _make_stories(connection, len(labels), now), strict=True))
    for article_id, label in grouping.story_of.items():
        story_id = made[label] if isinstance(label, str) else _survivor(label, grouping.merged)
        connection.execute(update(ArticleRow).where(ArticleRow.id == article_id).values(story_id=story_id))
    for younger in grouping.merged:
        merge_stories(connection, younger, _survivor(younger, grouping.merged))
    pairs = {(min(pair), max(pair)) for pair in grouping.related}
    insert_unknown(connection, RelatedRow, [{"article_id": one, "other_id": other} for one, other in sorted(pairs)])
    return set(made.values())


def _make_stories(connection: Connection, count: int, now: datetime) -> list[int]:
    if not count:
        return []
    blank = {"title": "", "first_seen": now, "updated": now}  # said once its articles have joined
    made = connection.execute(insert(StoryRow).returning(StoryRow.id, sort_by_parameter_order=True), [blank] * count)
    return list(made.scalars())


def _survivor(story_id: int, merged: Mapping[int, int]) -> int:
    """The story that this one ended up in, over any number of steps."""
    while story_id in merged:
        story_id = merged[story_id]
    return story_id


def merge_stories(connection: Connection, younger: int, older: int) -> None:
    """Move all that belongs to `younger` to `older`; what was told, or decided, of either holds for both."""
    connection.execute(update(ArticleRow).where(ArticleRow.story_id == younger).values(story_id=older))
    both = select(AlertStoryRow.alert_id).where(AlertStoryRow.story_id == older)
    connection.execute(delete(AlertStoryRow).where(AlertStoryRow.story_id == younger, AlertStoryRow.alert_id.in_(both)))
    connection.execute(update(AlertStoryRow).where(AlertStoryRow.story_id == younger).values(story_id=older))
    gone = or_(StoryRow.id == younger, StoryRow.merged_into == younger)
    for decided in (StoryRow.muted, StoryRow.followed):
        either = select(StoryRow.id).where(StoryRow.id == younger, decided).exists()
        connection.execute(update(StoryRow).where(StoryRow.id == older, either).values({decided: True}))
    _inherit_parting(connection, younger, older)
    connection.execute(update(StoryRow).where(gone).values(merged_into=older))


def _inherit_parting(connection: Connection, younger: int, older: int) -> None:
    """What `younger` was parted from, `older` is parted from now."""
    others = parted_from(connection).get(younger, frozenset()) - {older}
    connection.execute(delete(PartedRow).where(or_(PartedRow.story_id == younger, PartedRow.other_id == younger)))
    part_stories(connection, [(older, other) for other in others])


def part_stories(connection: Connection, pairs: Iterable[tuple[int, int]]) -> None:
    """Keep these pairs of stories apart from now on."""
    rows = [{"story_id": min(pair), "other_id": max(pair)} for pair in sorted(pairs)]
    insert_unknown(connection, PartedRow, rows)


def _stories_of(connection: Connection, article_ids: Collection[int]) -> dict[int, int]:
    """The story of each of these articles that has one."""
    found: dict[int, int] = {}
    for chunk in chunks(article_ids):
        rows = connection.execute(
            select(ArticleRow.id, ArticleRow.story_id).where(ArticleRow.id.in_(chunk), ArticleRow.story_id.is_not(None))
        )
        found.update((row.id, row.story_id) for row in rows)
    return found


def states_of(
    connection: Connection, story_ids: Collection[int], *, new: Collection[int] = (), fresh: Collection[int] = ()
) -> list[StoryState]:
    """These stories as they stand, oldest id first; a story without a relevant article is none."""
    members = judgements(connection, story_ids)
    told = _told(connection, story_ids)
    muted, followed = (_marked(connection, mark, story_ids) for mark in (StoryRow.muted, StoryRow.followed))
    return [
        replace(
            _state(story_id, members[story_id], told.get(story_id, {}), new=new, fresh=fresh),
            muted=story_id in muted,
            followed=story_id in followed,
        )
        for story_id in sorted(members)
    ]


def states_between(connection: Connection, since: datetime, until: datetime) -> list[StoryState]:
    """Stories that were new or got a relevant article in this time (until excluded), most recent change first."""
    ids = story_ids_between(connection, since, until)
    found = {state.brief.story_id: state for state in states_of(connection, ids)}
    return [found[id] for id in ids if id in found]


def _state(
    story_id: int,
    members: Sequence[Judgement],
    told: Mapping[str, tuple[datetime, Brief]],
    *,
    new: Collection[int],
    fresh: Collection[int],
) -> StoryState:
    articles = tuple(one.article for one in members)
    return StoryState(
        brief=brief_of(story_id, members),
        articles=articles,
        baseline=all(article.baseline for article in articles),
        new=story_id in new,
        fresh_ids=tuple(article.id for article in articles if article.id in fresh),
        told={route: at for route, (at, _) in told.items()},
        told_brief={route: brief for route, (_, brief) in told.items()},
    )


def _told(connection: Connection, story_ids: Iterable[int]) -> dict[int, dict[str, tuple[datetime, Brief]]]:
    """What was last told of each story on each route, and when."""
    told: dict[int, dict[str, tuple[datetime, Brief]]] = {}
    for chunk in chunks(story_ids):
        rows = connection.execute(
            select(AlertStoryRow.story_id, AlertStoryRow.route, AlertStoryRow.told_at, AlertStoryRow.brief)
            .where(AlertStoryRow.story_id.in_(chunk))
            .order_by(AlertStoryRow.told_at, AlertStoryRow.alert_id)
        )
        for row in rows:
            told.setdefault(row.story_id, {})[row.route] = (row.told_at, brief_of_payload(row.brief))
    return told


def _marked(connection: Connection, mark: Column[bool], story_ids: Iterable[int]) -> set[int]:
    return {
        id
        for chunk in chunks(story_ids)
        for id in connection.execute(select(StoryRow.id).where(StoryRow.id.in_(chunk), mark)).scalars()
    }


def refresh_stories(connection: Connection, states: Sequence[StoryState], updated: datetime | None = None) -> None:
    """Write down how these stories stand; `updated`: when something new came in, if it did."""
    for state in states:
        said: dict[str, Any] = {"title": state.brief.headline, "first_seen": state.brief.first_seen}
        said |= {"updated": updated} if updated else {}
        connection.execute(update(StoryRow).where(StoryRow.id == state.brief.story_id).values(said))


# -- work -------------------------------------------------------------------------------------------------------------


def _queue_summing_up(connection: Connection, article_ids: Sequence[int], now: datetime) -> None:
    rows = [{"article_id": id, "stage": "sum up", "due_at": now, "attempts": 0} for id in article_ids]
    insert_unknown(connection, WorkRow, rows)


def _finish(connection: Connection, stage: str, article_ids: Iterable[int]) -> None:
    for chunk in chunks(article_ids):
        connection.execute(delete(WorkRow).where(WorkRow.stage == stage, WorkRow.article_id.in_(chunk)))
