"""The archive in numbers, for those who watch the watcher: how much of what there is, and what waits for how long."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from storage.schema import (
    AlertRow,
    ArticleRow,
    CycleRow,
    DeliveryRow,
    EntryRow,
    SourceRow,
    StoryRow,
    VerdictRow,
    WorkRow,
)
from watchfloor.model import Census, LastCycle, Queue


def take(connection: Connection, now: datetime) -> Census:
    """Count. A second's work on an archive of a million articles."""
    return Census(
        sources=_by(connection, SourceRow.health, SourceRow.active),
        entries=connection.execute(select(func.count()).select_from(EntryRow)).scalar_one(),
        articles=_by(connection, ArticleRow.grade),
        verdicts=_verdicts(connection),
        stories=connection.execute(select(func.count()).where(StoryRow.merged_into.is_(None))).scalar_one(),
        alerts=_by(connection, AlertRow.kind),
        deliveries=_by(connection, DeliveryRow.state),
        queues={**_work(connection, now), "poll": _polls(connection, now), "deliver": _deliveries(connection, now)},
        last_cycle=_last_cycle(connection),
    )


def _by(connection: Connection, column: Any, *where: Any) -> dict[str, int]:
    rows = connection.execute(select(column, func.count()).where(*where).group_by(column))
    return {str(value): number for value, number in rows}


def _verdicts(connection: Connection) -> dict[str, int]:
    kinds = (VerdictRow.judged, VerdictRow.relevant)
    names = {(True, True): "relevant", (True, False): "irrelevant"}
    counts: dict[str, int] = {}
    for judged, relevant, number in connection.execute(select(*kinds, func.count()).group_by(*kinds)):
        name = names.get((judged, relevant), "no words for its language")
        counts[name] = counts.get(name, 0) + number
    return counts


def _work(connection: Connection, now: datetime) -> Mapping[str, Queue]:
    waits = select(WorkRow.stage, func.count(), func.min(WorkRow.due_at)).where(WorkRow.due_at <= now)
    found = {
        stage: _queue(number, since, now) for stage, number, since in connection.execute(waits.group_by(WorkRow.stage))
    }
    return {stage: found.get(stage, Queue()) for stage in ("collect", "judge", "sum up")}


def _polls(connection: Connection, now: datetime) -> Queue:
    due = select(func.count(), func.min(SourceRow.next_at)).where(
        SourceRow.active, SourceRow.gone.is_(False), SourceRow.next_at <= now
    )
    number, since = connection.execute(due).one()
    return _queue(number, since, now)


def _deliveries(connection: Connection, now: datetime) -> Queue:
    due = select(func.count(), func.min(DeliveryRow.next_at)).where(
        DeliveryRow.state == "pending", DeliveryRow.next_at <= now
    )
    number, since = connection.execute(due).one()
    return _queue(number, since, now)


def _queue(number: int, since: datetime | None, now: datetime) -> Queue:
    return Queue(number, max(0.0, (now - since).total_seconds()) if since else 0.0)


def _last_cycle(connection: Connection) -> LastCycle | None:
    row = connection.execute(select(CycleRow.ended, CycleRow.report).order_by(CycleRow.ended.desc()).limit(1)).first()
    return LastCycle(row.ended, row.report) if row else None
