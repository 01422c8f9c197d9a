"""Alerts and their deliveries: an alert is committed with what it tells of; each target's row goes its own way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, false, func, or_, select, update

from storage.dialects import chunks, insert_unknown
from storage.leases import is_due, is_free, lease_end
from storage.mapping import DELIVERY_COLUMNS, alert_of_payload, alert_payload, brief_payload, delivery_of
from storage.schema import AlertRow, AlertStoryRow, DeliveryRow, NoteRow, StoryRow
from watchfloor.model import Alert, Delivery, DeliveryState, Posting, SendOutcome
from watchfloor.ports import SumUp
from watchfloor.routes import LONGEST_FLOOD

LATELY = LONGEST_FLOOD
TRIALS = ("test", "ops")  # kinds that tell of no story of the archive
ENDS: Mapping[str, DeliveryState] = {"refused": "dead", "retry": "dead", "unknown": "unknown"}  # without another try


def store_alerts(connection: Connection, alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    """Store the alerts whose key is not known, with a delivery for each target; those that were new."""
    return tuple(alert for alert in alerts if _store(connection, alert))


def _store(connection: Connection, alert: Alert) -> bool:
    if _id_of(connection, alert.key) is not None:
        return False
    row = {"key": alert.key, "kind": alert.kind, "route": alert.route, "created": alert.created}
    payload = alert_payload(alert)
    insert_unknown(connection, AlertRow, [{**row, "subject": alert.subject, "payload": payload}])
    alert_id = _id_of(connection, alert.key)
    assert alert_id is not None
    if alert.kind not in TRIALS:
        _store_stories(connection, alert_id, alert)
    insert_unknown(connection, DeliveryRow, [_delivery_values(alert_id, alert, target) for target in alert.targets])
    return True


def _id_of(connection: Connection, key: str) -> int | None:
    return connection.execute(select(AlertRow.id).where(AlertRow.key == key)).scalar()


def _store_stories(connection: Connection, alert_id: int, alert: Alert) -> None:
    ids = {brief.story_id for brief in alert.briefs}
    known = {
        id
        for chunk in chunks(ids)
        for id in connection.execute(select(StoryRow.id).where(StoryRow.id.in_(chunk))).scalars()
    }
    rows = [
        {
            "alert_id": alert_id,
            "story_id": brief.story_id,
            "route": alert.route,
            "told_at": alert.created,
            "brief": brief_payload(brief),
        }
        for brief in alert.briefs
        if brief.story_id in known
    ]
    insert_unknown(connection, AlertStoryRow, rows)


def _delivery_values(alert_id: int, alert: Alert, target: str) -> dict[str, object]:
    from watchfloor.alerting import message_id  # here, because who only searches need not wait for it

    return {
        "alert_id": alert_id,
        "target": target,
        "state": "held" if alert.held else "pending",
        "attempts": 0,
        "message_id": message_id(alert.key, target),
        "next_at": alert.not_before or alert.created,
    }


def release_held(connection: Connection, sum_up: SumUp, now: datetime) -> int:
    """Let go what was held until now: one alert as it is, several of one route as one."""
    due = and_(DeliveryRow.state == "held", is_due(DeliveryRow.next_at, now))
    waiting: dict[str, dict[int, Alert]] = {}
    rows = connection.execute(
        select(DeliveryRow.alert_id, AlertRow.route, AlertRow.payload)
        .join(AlertRow, AlertRow.id == DeliveryRow.alert_id)
        .where(due)
        .order_by(DeliveryRow.alert_id)
        .with_for_update(of=DeliveryRow)
    )
    for row in rows:
        waiting.setdefault(row.route, {}).setdefault(row.alert_id, alert_of_payload(row.payload))
    muted = _muted(connection, [id for alerts in waiting.values() for id in alerts])
    for alerts in waiting.values():
        wanted = {id: alert for id, alert in alerts.items() if id not in muted}
        if len(wanted) > 1:
            store_alerts(connection, [sum_up(list(wanted.values()))])
        alone = wanted if len(wanted) == 1 else {}
        for state, ids in (("pending", alone.keys()), ("folded", alerts.keys() - alone.keys())):
            for chunk in chunks(ids):
                connection.execute(update(DeliveryRow).where(due, DeliveryRow.alert_id.in_(chunk)).values(state=state))
    return sum(map(len, waiting.values()))


def _muted(connection: Connection, alert_ids: Iterable[int]) -> set[int]:
    """Those of these alerts whose story was muted while they waited."""
    return {
        id
        for chunk in chunks(alert_ids)
        for id in connection.execute(
            select(AlertStoryRow.alert_id)
            .join(StoryRow, StoryRow.id == AlertStoryRow.story_id)
            .where(AlertStoryRow.alert_id.in_(chunk), StoryRow.muted)
        ).scalars()
    }


def sent_lately(connection: Connection, now: datetime) -> dict[str, list[datetime]]:
    """When messages went out on each route in the last day; what is held is one more, at the hour it waits for."""
    aside = (
        select(DeliveryRow.id)
        .where(DeliveryRow.alert_id == AlertRow.id, DeliveryRow.state.in_(("held", "folded")))
        .exists()
    )
    gone = select(AlertRow.route, AlertRow.created).where(
        AlertRow.created > now - LATELY, AlertRow.kind != "ops", ~aside
    )
    held = (
        select(AlertRow.route, DeliveryRow.next_at)
        .join(DeliveryRow, DeliveryRow.alert_id == AlertRow.id)
        .where(DeliveryRow.state == "held")
        .distinct()
    )
    sent: dict[str, list[datetime]] = {}
    for route, at in (*connection.execute(gone), *connection.execute(held)):
        sent.setdefault(route, []).append(at)
    return {route: sorted(times) for route, times in sent.items()}


def claim_deliveries(
    connection: Connection,
    owner: str,
    now: datetime,
    lease: timedelta,
    *,
    targets: Sequence[str],
    limit: int,
    resting: Collection[str] = (),
) -> list[Delivery]:
    """Lease deliveries that are due, or whose sender has had its time; each counts as an attempt from here on."""
    until = lease_end(now, lease)
    ready = or_(
        and_(DeliveryRow.state == "pending", is_due(DeliveryRow.next_at, now)),
        and_(DeliveryRow.state == "sending", is_free(connection, DeliveryRow, now)),
    )
    taken = connection.execute(
        select(DeliveryRow.id)
        .where(ready, DeliveryRow.target.in_(targets), ~_on(resting))
        .order_by(DeliveryRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).scalars()
    ids = taken.all()
    for chunk in chunks(ids):
        connection.execute(
            update(DeliveryRow)
            .where(DeliveryRow.id.in_(chunk))
            .values(state="sending", owner=owner, until=until, attempts=DeliveryRow.attempts + 1)
        )
    claimed = [delivery for chunk in chunks(ids) for delivery in _read(connection, DeliveryRow.id.in_(chunk))]
    return [replace(one, refers_to=_first_message(connection, one)) for one in claimed]


def _on(routes: Collection[str]) -> ColumnElement[bool]:
    """Whether a delivery's alert is on one of these routes."""
    alerts = select(AlertRow.id).where(AlertRow.id == DeliveryRow.alert_id, AlertRow.route.in_(routes))
    return alerts.exists() if routes else false()


def _first_message(connection: Connection, delivery: Delivery) -> str | None:
    """The id of the message that first told this target of the story that an update goes on with."""
    if delivery.alert.kind != "update":
        return None
    story = select(AlertStoryRow.story_id).where(AlertStoryRow.alert_id == delivery.alert_id).scalar_subquery()
    return connection.execute(
        select(DeliveryRow.message_id)
        .join(AlertStoryRow, AlertStoryRow.alert_id == DeliveryRow.alert_id)
        .where(
            AlertStoryRow.story_id == story,
            DeliveryRow.target == delivery.target,
            DeliveryRow.state.in_(("sent", "sending", "pending", "unknown")),
            DeliveryRow.id < delivery.id,
        )
        .order_by(DeliveryRow.id)
        .limit(1)
    ).scalar()


def _read(connection: Connection, wanted: ColumnElement[bool]) -> list[Delivery]:
    rows = connection.execute(
        select(*DELIVERY_COLUMNS, AlertRow.payload)
        .join(AlertRow, AlertRow.id == DeliveryRow.alert_id)
        .where(wanted)
        .order_by(DeliveryRow.id)
    )
    return [delivery_of(row) for row in rows]


def keep_delivery(
    connection: Connection, owner: str, delivery_id: int, outcome: SendOutcome, next_at: datetime | None, now: datetime
) -> None:
    """Write down an attempt's outcome, if the delivery is still leased by `owner`."""
    values: dict[str, object] = {"owner": None, "until": None, "error": outcome.detail or None}
    if next_at is not None:
        values |= {"state": "pending", "next_at": next_at}
    elif outcome.result == "sent":
        values |= {"state": "sent", "sent_at": now, "error": None}
    else:
        values["state"] = ENDS[outcome.result]
    mine = and_(DeliveryRow.id == delivery_id, DeliveryRow.owner == owner, DeliveryRow.state == "sending")
    connection.execute(update(DeliveryRow).where(mine).values(values))


def count_deliveries(connection: Connection) -> dict[str, int]:
    """How many deliveries are in each state."""
    rows = connection.execute(select(DeliveryRow.state, func.count()).group_by(DeliveryRow.state))
    return {row.state: row[1] for row in rows}


def list_deliveries(connection: Connection, state: DeliveryState | None, limit: int) -> list[Delivery]:
    """Deliveries, newest first."""
    wanted = select(*DELIVERY_COLUMNS, AlertRow.payload).join(AlertRow, AlertRow.id == DeliveryRow.alert_id)
    if state is not None:
        wanted = wanted.where(DeliveryRow.state == state)
    return [delivery_of(row) for row in connection.execute(wanted.order_by(DeliveryRow.id.desc()).limit(limit))]


def list_alerts(connection: Connection, state: DeliveryState | None, limit: int) -> list[Posting]:
    """Alerts with their deliveries, newest first."""
    wanted = _NEWEST.limit(limit)
    if state is not None:
        wanted = wanted.where(AlertRow.id.in_(select(DeliveryRow.alert_id).where(DeliveryRow.state == state)))
    return _postings(connection, wanted)


def alerts_of_story(connection: Connection, story_id: int) -> list[Posting]:
    """What was told of a story, newest first."""
    told = select(AlertStoryRow.alert_id).where(AlertStoryRow.story_id == story_id)
    return _postings(connection, _NEWEST.where(AlertRow.id.in_(told)))


_NEWEST = select(AlertRow.id, AlertRow.payload).order_by(AlertRow.id.desc())


def _postings(connection: Connection, wanted: Select[Any]) -> list[Posting]:
    alerts = connection.execute(wanted).all()
    deliveries: dict[int, list[Delivery]] = {}
    for chunk in chunks(row.id for row in alerts):
        for delivery in _read(connection, DeliveryRow.alert_id.in_(chunk)):
            deliveries.setdefault(delivery.alert_id, []).append(delivery)
    return [Posting(row.id, alert_of_payload(row.payload), tuple(deliveries.get(row.id, ()))) for row in alerts]


def digested_until(connection: Connection, route: str) -> datetime | None:
    """Up to when the latest digest of a route goes; its key says so."""
    from watchfloor.alerting import digest_end

    keys = connection.execute(select(AlertRow.key).where(AlertRow.kind == "digest", AlertRow.route == route)).scalars()
    return max((digest_end(key) for key in keys if key.startswith("digest:")), default=None)


def known_since(connection: Connection, route: str) -> datetime | None:
    """When a route with digests was first seen; None if it never was."""
    said = connection.execute(select(NoteRow.value).where(NoteRow.name == f"route:{route}")).scalar()
    return datetime.fromisoformat(said) if said else None


def note_route(connection: Connection, route: str, now: datetime) -> None:
    """Remember that a route is known from now, if it was not."""
    insert_unknown(connection, NoteRow, [{"name": f"route:{route}", "value": now.isoformat()}])


def retry_deliveries(connection: Connection, ids: Sequence[int] | None, now: datetime) -> int:
    """Give dead deliveries (None: all) another life, from the first attempt; named ones also where unknown."""
    again = {"state": "pending", "attempts": 0, "next_at": now, "owner": None, "until": None}
    if ids is None:
        return connection.execute(update(DeliveryRow).where(DeliveryRow.state == "dead").values(again)).rowcount
    ended = DeliveryRow.state.in_(("dead", "unknown"))
    return sum(
        connection.execute(update(DeliveryRow).where(DeliveryRow.id.in_(chunk), ended).values(again)).rowcount
        for chunk in chunks(ids)
    )
