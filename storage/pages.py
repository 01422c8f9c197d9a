"""Articles and their texts: claimed, collected, kept."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, select, update

from storage import words
from storage.dialects import chunks, put
from storage.leases import is_due, is_free, is_in, lease_end
from storage.mapping import entry_of, source_of
from storage.polling import is_old_news, keep_wait, waits
from storage.schema import ArticleRow, EntryKeyRow, EntryRow, RawPageRow, SourceRow, WorkRow
from watchfloor.model import Collected, Entry, PageJob, Source
from watchfloor.ports import Shard

SQUEEZE = 1  # zlib's level: 1.8 ms a page for .23 of its size; the usual 6 takes 4.6 ms for .19


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


def _first_entries(connection: Connection, article_ids: Sequence[int]) -> dict[int, tuple[Entry, Source]]:
    """The entry that brought each article, and its source."""
    found: dict[int, tuple[Entry, Source]] = {}
    for chunk in chunks(article_ids):
        first = select(func.min(EntryRow.id)).where(EntryRow.article_id.in_(chunk)).group_by(EntryRow.article_id)
        entries = connection.execute(select(*EntryRow.__table__.columns).where(EntryRow.id.in_(first))).all()
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


def keep_page(connection: Connection, owner: str, collected: Collected) -> None:
    """Store the text if the article is still leased by `owner`; what changed goes to be judged."""
    mine = and_(WorkRow.article_id == collected.article_id, WorkRow.stage == "collect", WorkRow.owner == owner)
    if connection.execute(select(WorkRow.article_id).where(mine).with_for_update()).one_or_none() is None:
        return
    before = connection.execute(
        select(
            ArticleRow.title,
            ArticleRow.text,
            ArticleRow.fetched_at,
            ArticleRow.first_seen,
            ArticleRow.source_id,
            SourceRow.first_answer,
        )
        .join(SourceRow, SourceRow.id == ArticleRow.source_id)
        .where(ArticleRow.id == collected.article_id)
    ).one()
    words.remove(connection, [collected.article_id])
    values = _article_values(collected, before) | _keep_raw(connection, collected)
    connection.execute(update(ArticleRow).where(ArticleRow.id == collected.article_id).values(values))
    if collected.busy_host and collected.host_not_before:
        keep_wait(connection, collected.busy_host, collected.host_not_before)
    if collected.retry_at:
        connection.execute(update(WorkRow).where(mine).values(due_at=collected.retry_at, owner=None, until=None))
    else:
        connection.execute(delete(WorkRow).where(mine))
    if not _fold(connection, collected, before.source_id):
        _queue_judging(connection, collected, before)


def _article_values(collected: Collected, before: Row[Any]) -> dict[str, Any]:
    return {
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


def _keep_raw(connection: Connection, collected: Collected) -> dict[str, str]:
    """Keep the page as it came; what its article remembers of it."""
    if collected.raw is None:
        return {}
    digest = hashlib.sha256(collected.raw).hexdigest()
    row = {
        "article_id": collected.article_id,
        "fetched_at": collected.at,
        "size": len(collected.raw),
        "digest": digest,
        "html": zlib.compress(collected.raw, SQUEEZE),
    }
    put(connection, RawPageRow, [row], key=["article_id"])
    return {"page_sha256": digest}


def _fold(connection: Connection, collected: Collected, source_id: str) -> bool:
    """Whether an older article of the source has the same link and title: then this one stands for it no more."""
    if collected.url is None:
        return False
    twin = connection.execute(
        select(func.min(ArticleRow.id)).where(
            ArticleRow.canonical_url == collected.url,
            ArticleRow.source_id == source_id,
            ArticleRow.title == collected.title,
            ArticleRow.id < collected.article_id,
            ArticleRow.duplicate_of.is_(None),
        )
    ).scalar()
    if twin is None:
        return False
    connection.execute(update(ArticleRow).where(ArticleRow.id == collected.article_id).values(duplicate_of=twin))
    connection.execute(delete(WorkRow).where(WorkRow.article_id == collected.article_id))
    return True


def _queue_judging(connection: Connection, collected: Collected, before: Row[Any]) -> None:
    """Judge what is new; a page asked again that says the same only goes back into the index."""
    if before.fetched_at is not None and (before.title, before.text) == (collected.title, collected.text):
        words.add(connection, list(words.stored(connection, [collected.article_id], indexed=False)))
        return
    row = {"article_id": collected.article_id, "stage": "judge", "due_at": collected.at, "attempts": 0}
    put(connection, WorkRow, [{**row, "owner": None, "until": None}], key=["article_id", "stage"])
