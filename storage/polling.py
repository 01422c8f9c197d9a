"""Sources and their entries: registered, claimed, polled, kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, bindparam, exists, insert, select, true, update

from storage.dialects import chunks, insert_unknown, one_of, put
from storage.leases import due_ranges, is_due, is_free, is_in, lease_end
from storage.mapping import STATE_FIELDS, entry_values, host_values, source_of, source_values, state_of, state_values
from storage.schema import ArticleRow, EntryKeyRow, EntryRow, HostRow, SourceRow, WorkRow
from watchfloor import rhythm
from watchfloor.model import Entry, FeedState, Grade, PollJob, PollOutcome, Source
from watchfloor.ports import Shard

SOURCES: Table = SourceRow.__table__
OLD_NEWS = timedelta(hours=48)  # published so long before its source was first seen: archived quietly


# -- sources ----------------------------------------------------------------------------------------------------------


def register(connection: Connection, sources: Iterable[Source], now: datetime) -> None:
    """Add and update these sources; the others stop being polled and keep all that came from them.

    Those that are as they were are not touched: a process that claims sources passes over rows that another one locks.
    """
    known = {row.id: row for row in connection.execute(select(*SOURCES.columns))}
    named = {source.id: source for source in sources}
    gone = [id for id, row in known.items() if row.active and id not in named]
    for chunk in chunks(gone):
        connection.execute(update(SourceRow).where(SourceRow.id.in_(chunk)).values(active=False))
    fresh = [source for id, source in named.items() if id not in known]
    blank = state_values(FeedState())
    insert_unknown(
        connection, SourceRow, [{**source_values(one), **blank, "active": True, "added": now} for one in fresh]
    )
    for id in sorted(named.keys() & known.keys()):  # in one order, or two who start together wait crosswise
        wanted, was = source_values(named[id]) | {"active": True}, known[id]._mapping
        changes = {name: value for name, value in wanted.items() if was[name] != value}
        if "url" in changes:
            changes |= {"next_at": None, "gone": False, "moved_to": None, "moved_seen": 0, "moved_since": None}
        if changes:
            connection.execute(update(SourceRow).where(SourceRow.id == id).values(changes))


def claim_sources(
    connection: Connection,
    owner: str,
    now: datetime,
    lease: timedelta,
    *,
    shard: Shard,
    limit: int,
    everything: bool,
    but_not: Collection[str] = (),
) -> list[PollJob]:
    """Lease what is due, or all that nobody holds; oldest due first, those never asked before all."""
    until = lease_end(now, lease)
    wanted = and_(
        SourceRow.active,
        SourceRow.gone.is_(False),
        is_free(connection, SourceRow, now),
        is_in(SourceRow, shard),
        ~waits(SourceRow.host, now),
    )
    for chunk in chunks(but_not):
        wanted = and_(wanted, SourceRow.id.not_in(chunk))
    rows: list[Row[Any]] = []
    for due in [true()] if everything else due_ranges(SourceRow, now):
        rows += connection.execute(
            select(*SourceRow.__table__.columns)
            .where(wanted, due)
            .order_by(SourceRow.next_at.nulls_first(), SourceRow.id)
            .limit(limit - len(rows))
            .with_for_update(skip_locked=True)
        ).all()
    for chunk in chunks(row.id for row in rows):
        connection.execute(update(SourceRow).where(SourceRow.id.in_(chunk)).values(owner=owner, until=until))
    return [PollJob(source_of(row), state_of(row)) for row in rows]


def waits(host: Any, now: datetime) -> Any:
    """The host asked us to wait, and the time is not over."""
    return exists().where(HostRow.host == host, ~is_due(HostRow.not_before, now))


def keep_wait(connection: Connection, host: str, not_before: datetime) -> None:
    """Remember that a host asked us to wait; the later word stands."""
    put(connection, HostRow, [{"host": host, "not_before": not_before}], key=["host"])


def release_sources(connection: Connection, owner: str, ids: Iterable[str]) -> None:
    """Free those of these sources that `owner` holds."""
    for chunk in chunks(ids):
        held = and_(SourceRow.id.in_(chunk), SourceRow.owner == owner)
        connection.execute(update(SourceRow).where(held).values(owner=None, until=None))


# -- entries ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arrival:
    """A poll's circumstances, as its entries' articles need them."""

    source_id: str
    at: datetime
    baseline: bool
    known_since: datetime  # when the source first answered


_FIRST_ANSWER = (
    select(SourceRow.first_answer)
    .where(SourceRow.id == bindparam("source"), SourceRow.owner == bindparam("holder"))
    .with_for_update()
)


def keep_poll(connection: Connection, owner: str, outcome: PollOutcome) -> int:
    """Entries first, then state and validators, if the source is still leased by `owner`; the number of new entries."""
    held = connection.execute(_FIRST_ANSWER, {"source": outcome.source_id, "holder": owner}).one_or_none()
    if held is None:
        return 0  # another took it over and reads the same feed
    arrival = Arrival(outcome.source_id, outcome.at, held.first_answer is None, held.first_answer or outcome.at)
    known = _known_keys(connection, outcome.source_id, outcome.entries)
    fresh = _unknown(outcome.entries, known)
    _insert_entries(connection, arrival, fresh)
    state = state_values(_after_churn(outcome, known))
    if fresh and not arrival.baseline:
        state["last_new"] = outcome.at
    connection.execute(_STATE, {**state, "source": outcome.source_id})
    if outcome.host and outcome.host_not_before:
        keep_wait(connection, outcome.host, outcome.host_not_before)
    return len(fresh)


def is_quiet(outcome: PollOutcome) -> bool:
    """It brought nothing but a new state of its own source."""
    return not outcome.entries and not outcome.host_not_before


def keep_quiet(connection: Connection, owner: str, outcomes: Sequence[PollOutcome]) -> None:
    """The states of those sources that are still leased by `owner`, all at once."""
    rows = [
        {**state_values(one.state), "source": one.source_id, "holder": owner}
        for one in sorted(outcomes, key=lambda one: one.source_id)
    ]
    connection.execute(_STATE.where(SOURCES.c.owner == bindparam("holder")), rows)


_STATE = (
    update(SOURCES)
    .where(SOURCES.c.id == bindparam("source"))
    .values({name: bindparam(name) for name in STATE_FIELDS} | {"owner": None, "until": None})
)
_NEWEST = (
    select(EntryRow.id, EntryRow.published)
    .where(EntryRow.source_id == bindparam("source"))
    .order_by(EntryRow.id.desc())
    .limit(bindparam("most"))
    .subquery()
)
_NEWEST_KEYS = select(EntryKeyRow.key, _NEWEST.c.published).join(_NEWEST, EntryKeyRow.entry_id == _NEWEST.c.id)


def known_entries(connection: Connection, source_id: str, limit: int) -> dict[str, datetime | None]:
    """Keys of a source's newest entries, with the date of each."""
    return {row.key: row.published for row in connection.execute(_NEWEST_KEYS, {"source": source_id, "most": limit})}


def _known_keys(connection: Connection, source_id: str, entries: Sequence[Entry]) -> set[str]:
    """Those of the entries' keys that the source brought before."""
    known: set[str] = set()
    for chunk in chunks({key for entry in entries for key in entry.keys}):
        known.update(connection.execute(_KNOWN_KEYS, {"source": source_id, "keys": chunk}).scalars())
    return known


_KNOWN_KEYS = select(EntryKeyRow.key).where(
    EntryKeyRow.source_id == bindparam("source"), one_of(EntryKeyRow.key, "keys")
)


def _unknown(entries: Sequence[Entry], known: Set[str]) -> list[Entry]:
    """The entries none of whose keys is known, each once even if the document has it twice."""
    seen, fresh = set(known), []
    for entry in entries:
        if seen.isdisjoint(entry.keys):
            fresh.append(entry)
            seen.update(entry.keys)
    return fresh


def _after_churn(outcome: PollOutcome, known: Set[str]) -> FeedState:
    """The state, with what is seen here alone: whether entries come under new ids whose links are known."""
    renamed = [entry for entry in outcome.entries if len(entry.keys) > 1 and entry.keys[0] not in known]
    known_links = sum(not known.isdisjoint(entry.keys[1:]) for entry in renamed)
    return rhythm.after_churn(outcome.state, unknown_ids=len(renamed), known_links=known_links)


_NEW_ENTRIES = insert(EntryRow).returning(EntryRow.id, sort_by_parameter_order=True)


def _insert_entries(connection: Connection, arrival: Arrival, entries: Sequence[Entry]) -> None:
    if not entries:
        return
    articles = _join_articles(connection, arrival, entries)
    rows = [
        {
            **entry_values(entry),
            "source_id": arrival.source_id,
            "article_id": articles[_article_key(arrival.source_id, entry)],
            "first_seen": arrival.at,
        }
        for entry in entries
    ]
    ids = connection.execute(_NEW_ENTRIES, rows).scalars()
    keys = [
        {"source_id": arrival.source_id, "key": key, "entry_id": id, "position": position}
        for id, entry in zip(ids, entries, strict=True)
        for position, key in enumerate(entry.keys)
    ]
    insert_unknown(connection, EntryKeyRow, keys)


def _article_key(source_id: str, entry: Entry) -> str:
    """One article for one address; without an address the entry's own identity."""
    return entry.url or f"{source_id} {entry.keys[0]}"


def _join_articles(connection: Connection, arrival: Arrival, entries: Sequence[Entry]) -> dict[str, int]:
    """The id of each entry's article by key; articles nobody knew are made, with their page still to be collected."""
    by_key = {_article_key(arrival.source_id, entry): entry for entry in entries}
    ids = _article_ids(connection, by_key)
    # Sorted, so that two polls with the same links cannot wait for each other crosswise.
    fresh = sorted(by_key.keys() - ids.keys())
    insert_unknown(connection, ArticleRow, [_article_values(arrival, key, by_key[key]) for key in fresh])
    made = _article_ids(connection, fresh)
    insert_unknown(
        connection,
        WorkRow,
        [
            {"article_id": made[key], "stage": "collect", "due_at": arrival.at, "attempts": 0}
            | host_values(by_key[key].url)
            for key in fresh
        ],
    )
    return ids | made


def _article_ids(connection: Connection, keys: Iterable[str]) -> dict[str, int]:
    ids: dict[str, int] = {}
    for chunk in chunks(keys):
        ids.update((row.key, row.id) for row in connection.execute(_IDS_OF_KEYS, {"keys": chunk}))
    return ids


_IDS_OF_KEYS = select(ArticleRow.key, ArticleRow.id).where(one_of(ArticleRow.key, "keys"))


def _article_values(arrival: Arrival, key: str, entry: Entry) -> dict[str, Any]:
    return {
        "key": key,
        "source_id": arrival.source_id,
        "title": entry.title,
        "url": entry.url,
        "authors": list(entry.authors),
        "language": entry.language,
        "published": entry.published,
        "first_seen": arrival.at,
        "dated": entry.published or arrival.at,
        "grade": Grade.EMPTY.value,
        "text_from": "title",
        "baseline": arrival.baseline,
        "old_news": is_old_news(entry.published, arrival.known_since),
        "text": "",
    }


def is_old_news(published: datetime | None, known_since: datetime) -> bool:
    """Published long before its source was first seen."""
    return published is not None and published < known_since - OLD_NEWS
