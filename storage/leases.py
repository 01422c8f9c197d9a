"""Conditions on rows that are leased or wait for their time, the same for sources, work and deliveries.

A clock that was set back leaves times that lie too far ahead. What is leased, or put off, for longer than anything may
be counts as over, so that no row is stuck (and none is stolen: a live lease is never that long).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from watchfloor.ports import Shard

LONGEST_LEASE = timedelta(hours=1)
LONGEST_WAIT = timedelta(days=8)  # the longest Retry-After that is believed is seven, and jitter goes upward


def lease_end(now: datetime, lease: timedelta) -> datetime:
    """When a lease taken now ends.

    Raises:
        ValueError: it is longer than any may be, and would count as over at once.
    """
    if not timedelta(0) < lease <= LONGEST_LEASE:
        raise ValueError(f"a lease of {lease}; at most {LONGEST_LEASE}")
    return now + lease


def is_free(row: Any, now: datetime) -> ColumnElement[bool]:
    """Nobody holds the row, or whoever held it has had its time."""
    return or_(row.owner.is_(None), row.until <= now, row.until > now + LONGEST_LEASE)


def is_due(time: Any, now: datetime) -> ColumnElement[bool]:
    """The time has come; none means now."""
    return or_(time.is_(None), time <= now, time > now + LONGEST_WAIT)


def is_in(row: Any, shard: Shard) -> ColumnElement[bool]:
    """The row's host belongs to this shard."""
    return and_(row.host_hash % shard.count == shard.index)
