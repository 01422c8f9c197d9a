"""Conditions on rows that are leased or wait for their time, the same for sources, work and deliveries.

A clock that was set back leaves times that lie too far ahead. What is leased, or put off, for longer than anything may
be counts as over, so that no row is stuck. And a clock that jumps must not hand a row to a second worker while the
first is at it: what a living process of this host holds is over only when its time has passed by more than clocks jump.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from watchfloor import leases
from watchfloor.ports import Shard

LONGEST_LEASE = timedelta(hours=1)
CLOCK_JUMP = timedelta(hours=2)  # summer time that somebody set by hand, twice; a process that hangs is robbed after it
# The longest Retry-After that is believed is seven days, jitter goes upward, and skipDays add six.
LONGEST_WAIT = timedelta(days=16)
# Between the hosts that share an archive; what is further ahead was a wrong clock.
CLOCKS_DIFFER = timedelta(minutes=10)
LONGEST_FLOOR = timedelta(days=410)  # of a source, by its own `every`: a year, and jitter


def lease_end(now: datetime, lease: timedelta) -> datetime:
    """When a lease taken now ends.

    Raises:
        ValueError: it is longer than any may be, and would count as over at once.
    """
    if not timedelta(0) < lease <= LONGEST_LEASE:
        raise ValueError(f"a lease of {lease}; at most {LONGEST_LEASE}")
    return now + lease


def is_free(connection: Connection, row: Any, now: datetime) -> ColumnElement[bool]:
    """Nobody holds the row, or whoever held it has had its time."""
    over = _is_over(row, now, timedelta(0))
    suspects = connection.execute(select(row.owner).where(row.owner.is_not(None), over).distinct()).scalars()
    if alive := [owner for owner in suspects if leases.lives_here(owner)]:
        over = or_(_is_over(row, now, CLOCK_JUMP), and_(over, row.owner.not_in(alive)))
    return or_(row.owner.is_(None), over)


def _is_over(row: Any, now: datetime, grace: timedelta) -> ColumnElement[bool]:
    return or_(row.until <= now - grace, row.until > now + LONGEST_LEASE + grace)


def is_due(time: Any, now: datetime) -> ColumnElement[bool]:
    """The time has come; none means now."""
    return or_(time.is_(None), time <= now, time > now + LONGEST_WAIT)


def due_ranges(source: Any, now: datetime) -> list[ColumnElement[bool]]:
    """The same of a source in parts, what is due longest first; its floor may be longer than anything else waits. Each
    is a range of the index on `next_at`: together they would make the database look at every row, due or not."""
    time, seldom = source.next_at, source.every_seconds > LONGEST_WAIT.total_seconds() / 2
    too_far = and_(time > now + LONGEST_WAIT, or_(~seldom, time > now + LONGEST_FLOOR))
    return [time.is_(None), time <= now, too_far]


def is_in(row: Any, shard: Shard) -> ColumnElement[bool]:
    """The row's host belongs to this shard."""
    return and_(row.host_hash % shard.count == shard.index)
