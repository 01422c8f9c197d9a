"""Articles and their texts: claimed, collected, kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Table, Update, and_, bindparam, delete, func, select, update

try:
    from isal.isal_zlib import compress  # .56 ms a page where zlib takes 2.21, in the same format
except ImportError:  # no wheel for this machine
    from zlib import compress

from storage import words
from storage.dialects import chunks, one_of, put
from storage.leases import is_due, is_free, is_in, lease_end
from storage.mapping import entry_of, source_of
from storage.polling import is_old_news, keep_wait, waits
from storage.schema import ArticleRow, EntryKeyRow, EntryRow, RawPageRow, SourceRow, WorkRow
from watchfloor.model import Collected, Entry, PageJob, Source
from watchfloor.ports import Shard

RawPage = Mapping[str, Any]  # a row of its table
ARTICLES: Table = ArticleRow.__table__
COLLECT = WorkRow.stage == "collect"
SQUEEZE = 1  # .22 of its size; zlib's usual 6 takes 4.6 ms a page for .19


def take_work(
    connection: Connection, stage: str, owner: str, now: datetime, lease: timedelta, *, limit: int, where: Any = True
) -> list[Row[Any]]:
    """Lease what waits at a stage, longest waiting first; rows of article_id and attempts, this one not counted."""
    until = lease_end(now, lease)
    rows = connection.execute(
        select(WorkRow.article_id, WorkRow.attempts)
        .where(WorkRow.stage == stage, is_due(WorkRow.due_at, now), is_free(connection, WorkRow, now), where)
        .order_by(WorkRow.due_at, WorkRow.article_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for chunk in chunks(row.article_id for row in rows):
        connection.execute(
            update(WorkRow)
            .where(WorkRow.stage == stage, WorkRow.article_id.in_(chunk))
            .values(owner=owner, until=until, attempts=WorkRow.attempts + 1)
        )
    return list(rows)


def claim_pages(
    connection: Connection, owner: str, now: datetime, lease: timedelta, *, shard: Shard, limit: int
) -> list[PageJob]:
    """Lease articles whose page is to be asked for."""
    where = and_(is_in(WorkRow, shard), ~waits(WorkRow.host, now))
    taken = take_work(connection, "collect", owner, now, lease, limit=limit, where=where)
    found = _first_entries(connection, [row.article_id for row in taken])
    return [PageJob(row.article_id, *found[row.article_id], row.attempts) for row in taken if row.article_id in found]


def release_pages(connection: Connection, owner: str, article_ids: Iterable[int]) -> None:
    """Free those of these pages that `owner` holds; what was not asked was no attempt."""
    for chunk in chunks(article_ids):
        held = and_(WorkRow.article_id.in_(chunk), WorkRow.stage == "collect", WorkRow.owner == owner)
        back = {"owner": None, "until": None, "attempts": WorkRow.attempts - 1}
        connection.execute(update(WorkRow).where(held).values(back))


_FIRST_ENTRIES = select(*EntryRow.__table__.columns).where(
    EntryRow.id.in_(select(func.min(EntryRow.id)).where(one_of(EntryRow.article_id)).group_by(EntryRow.article_id))
)


def _first_entries(connection: Connection, article_ids: Sequence[int]) -> dict[int, tuple[Entry, Source]]:
    """The entry that brought each article, and its source."""
    found: dict[int, tuple[Entry, Source]] = {}
    for chunk in chunks(article_ids):
        entries = connection.execute(_FIRST_ENTRIES, {"ids": chunk}).all()
        keys = entry_keys(connection, [row.id for row in entries])
        sources = {row.id: source_of(row) for row in _sources(connection, {row.source_id for row in entries})}
        found.update((row.article_id, (entry_of(row, keys[row.id]), sources[row.source_id])) for row in entries)
    return found


def _sources(connection: Connection, ids: set[str]) -> list[Row[Any]]:
    return [
        row
        for chunk in chunks(ids)
        for row in connection.execute(select(*SourceRow.__table__.columns).where(SourceRow.id.in_(chunk)))
    ]


def entry_keys(connection: Connection, entry_ids: Sequence[int]) -> dict[int, list[str]]:
    """The keys of each entry, strongest first."""
    keys: dict[int, list[str]] = {id: [] for id in entry_ids}
    for chunk in chunks(entry_ids):
        rows = connection.execute(
            select(EntryKeyRow.entry_id, EntryKeyRow.key)
            .where(EntryKeyRow.entry_id.in_(chunk))
            .order_by(EntryKeyRow.position)
        )
        for row in rows:
            keys[row.entry_id].append(row.key)
    return keys


def keep_pages(connection: Connection, owner: str, collected: Sequence[Collected], raw: Sequence[RawPage]) -> None:
    """Store the texts of those that are still leased by `owner`, all at once; what changed goes to be judged.

    `raw`: their pages as they came, by `squeeze`.
    """
    held = _held(connection, owner, [one.article_id for one in collected])
    mine = {one.article_id: one for one in collected if one.article_id in held}
    before = _before(connection, mine)
    words.remove(connection, mine)
    kept = {one["article_id"]: one for one in raw if one["article_id"] in mine}
    values = {id: _article_values(one, before[id]) for id, one in mine.items()}
    _write(connection, [one for id, one in values.items() if id not in kept])
    _write(connection, [one | {"page_sha256": kept[id]["digest"]} for id, one in values.items() if id in kept])
    put(connection, RawPageRow, list(kept.values()), key=["article_id"])
    for one in mine.values():
        if one.busy_host and one.host_not_before:
            keep_wait(connection, one.busy_host, one.host_not_before)
    _end_work(connection, mine)
    folded = _fold(connection, mine)
    _queue_judging(connection, [(one, before[id]) for id, one in mine.items() if id not in folded])


# In their order, so that two who keep the same pages do not wait for each other crosswise.
_HELD = (
    select(WorkRow.article_id)
    .where(COLLECT, WorkRow.owner == bindparam("holder"), one_of(WorkRow.article_id))
    .order_by(WorkRow.article_id)
    .with_for_update()
)


def _held(connection: Connection, owner: str, ids: Iterable[int]) -> set[int]:
    return {
        id
        for chunk in chunks(sorted(ids))
        for id in connection.execute(_HELD, {"holder": owner, "ids": chunk}).scalars()
    }


_BEFORE = (
    select(
        ArticleRow.id,
        ArticleRow.title,
        ArticleRow.text,
        ArticleRow.fetched_at,
        ArticleRow.first_seen,
        SourceRow.first_answer,
    )
    .join(SourceRow, SourceRow.id == ArticleRow.source_id)
    .where(one_of(ArticleRow.id))
)


def _before(connection: Connection, ids: Iterable[int]) -> dict[int, Row[Any]]:
    """What stood in the articles, and since when their sources answer."""
    return {row.id: row for chunk in chunks(ids) for row in connection.execute(_BEFORE, {"ids": chunk})}


def _write(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Change articles; all rows name the same columns."""
    if rows:
        connection.execute(_change(tuple(rows[0])), rows)


@cache
def _change(names: tuple[str, ...]) -> Update:
    values: dict[str, Any] = {name: bindparam(name) for name in names if name != "article"}
    return update(ARTICLES).where(ARTICLES.c.id == bindparam("article")).values(**values)


def _end_work(connection: Connection, mine: Mapping[int, Collected]) -> None:
    """What is asked again later waits, the others are done."""
    for id, one in mine.items():
        if one.retry_at:
            again = {"due_at": one.retry_at, "owner": None, "until": None}
            connection.execute(update(WorkRow).where(WorkRow.article_id == id, COLLECT).values(again))
    for chunk in chunks(id for id, one in mine.items() if not one.retry_at):
        connection.execute(_COLLECTED, {"ids": chunk})


_COLLECTED = delete(WorkRow).where(one_of(WorkRow.article_id), COLLECT)


def _article_values(collected: Collected, before: Row[Any]) -> dict[str, Any]:
    return {
        "article": collected.article_id,
        "title": collected.title,
        "text": collected.text,
        "text_from": collected.text_from,
        "grade": collected.grade.value,
        "canonical_url": collected.url,
        "authors": list(collected.authors),
        "language": collected.language,
        "published": collected.published,
        "dated": collected.published or before.first_seen,
        "old_news": is_old_news(collected.published, before.first_answer or before.first_seen),
        "fetched_at": collected.at,
        "status": collected.status,
        "error": collected.error,
    }


def squeeze(collected: Iterable[Collected]) -> list[RawPage]:
    """The pages as they came, as they are kept. Most of the work of keeping them; needs no transaction."""
    return [
        {
            "article_id": one.article_id,
            "fetched_at": one.at,
            "size": len(one.raw),
            "digest": hashlib.sha256(one.raw).hexdigest(),
            "html": compress(one.raw, SQUEEZE),
        }
        for one in collected
        if one.raw is not None
    ]


_NEW, _OLD = ARTICLES.alias("new"), ARTICLES.alias("old")
_SAME = and_(
    _OLD.c.canonical_url == _NEW.c.canonical_url,
    _OLD.c.source_id == _NEW.c.source_id,
    _OLD.c.title == _NEW.c.title,
    _OLD.c.id < _NEW.c.id,
    _OLD.c.duplicate_of.is_(None),
)
_TWINS = (
    select(_NEW.c.id, func.min(_OLD.c.id).label("twin")).join(_OLD, _SAME).where(one_of(_NEW.c.id)).group_by(_NEW.c.id)
)


def _fold(connection: Connection, ids: Iterable[int]) -> set[int]:
    """Those for which an older article of the source has the same link and title, which stands for them from now on."""
    found = [row for chunk in chunks(ids) for row in connection.execute(_TWINS, {"ids": chunk}).all()]
    _write(connection, [{"article": row.id, "duplicate_of": row.twin} for row in found])
    for chunk in chunks(row.id for row in found):
        connection.execute(delete(WorkRow).where(WorkRow.article_id.in_(chunk)))
    return {row.id for row in found}


def _queue_judging(connection: Connection, kept: Sequence[tuple[Collected, Row[Any]]]) -> None:
    """Judge what is new; a page asked again that says the same only goes back into the index."""
    same = [
        one.article_id
        for one, before in kept
        if before.fetched_at is not None and (before.title, before.text) == (one.title, one.text)
    ]
    words.add(connection, list(words.stored(connection, same, indexed=False)))
    waiting = {"stage": "judge", "attempts": 0, "owner": None, "until": None}
    rows = [waiting | {"article_id": one.article_id, "due_at": one.at} for one, _ in kept if one.article_id not in same]
    put(connection, WorkRow, rows, key=["article_id", "stage"])
