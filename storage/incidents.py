"""Open incidents, and the figures by which they are opened and closed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, and_, delete, func, select

from storage.dialects import insert_unknown
from storage.outbox import store_alerts
from storage.schema import DeliveryRow, IncidentRow, SourceRow, WorkRow
from watchfloor.incidents import late_before
from watchfloor.model import Alert, SourceHealth, TargetHealth, Trouble, Vitals
from watchfloor.ports import Decide, Target

TROUBLED = ("silent", "failing", "gone", "not-a-feed")  # words of `FeedState.health`
REMEMBERED = timedelta(days=7)  # refusals older than that say nothing of a target today


def review(connection: Connection, decide: Decide, now: datetime) -> tuple[Alert, ...]:
    """Let `decide` compare what is open with what is wrong; keep what it opens, forget what it closes."""
    open_now = connection.execute(select(IncidentRow.key, IncidentRow.said).order_by(IncidentRow.opened)).all()
    made = decide([Trouble(row.key, row.said) for row in open_now])
    opened = [{"key": one.key, "said": one.said, "opened": now} for one in made.opened]
    insert_unknown(connection, IncidentRow, opened)
    connection.execute(delete(IncidentRow).where(IncidentRow.key.in_([one.key for one in made.closed])))
    return store_alerts(connection, [made.alert] if made.alert else [])


def vitals(connection: Connection, database: Path | None, targets: Sequence[Target], now: datetime) -> Vitals:
    """How the monitor does. `database`: the file of a SQLite archive."""
    sources = connection.execute(
        select(SourceRow.id, SourceRow.name, SourceRow.health, SourceRow.message, SourceRow.failing_since)
        .where(SourceRow.active, SourceRow.health.in_(TROUBLED))
        .order_by(SourceRow.name)
    )
    long_due = and_(WorkRow.stage.in_(("collect", "judge")), WorkRow.due_at < late_before(now))
    late, since = connection.execute(select(func.count(), func.min(WorkRow.due_at)).where(long_due)).one()
    return Vitals(
        sources=tuple(SourceHealth(*row) for row in sources),
        targets=tuple(_target(connection, target, now) for target in targets),
        late=late,
        late_since=since,
        disk=_disk(database),
    )


def _target(connection: Connection, target: Target, now: datetime) -> TargetHealth:
    """How a target has behaved since it last took a message."""
    ours = DeliveryRow.target == target.id
    taken = connection.execute(select(func.max(DeliveryRow.sent_at)).where(ours)).scalar()
    since = max(taken or now - REMEMBERED, now - REMEMBERED)
    waits = and_(ours, DeliveryRow.state == "pending", DeliveryRow.attempts > 0)
    ended = and_(ours, DeliveryRow.state.in_(("dead", "unknown")), DeliveryRow.next_at > since)
    attempts = connection.execute(select(func.max(DeliveryRow.attempts)).where(waits)).scalar()
    lost = connection.execute(select(func.count()).select_from(DeliveryRow).where(ended)).scalar_one()
    failed = select(DeliveryRow.error).where(waits | ended).order_by(DeliveryRow.id.desc()).limit(1)
    return TargetHealth(target.id, target.name, attempts or 0, lost, connection.execute(failed).scalar())


def _disk(database: Path | None) -> tuple[int, int] | None:
    if database is None:
        return None
    usage = shutil.disk_usage(database.resolve().parent)
    return usage.free, usage.total
