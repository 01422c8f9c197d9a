"""How the monitor does x what is known to be wrong -> what is newly wrong, and what is over. Pure.

    archive.vitals -> troubles -> change -> one message to the tag `ops`, once per incident, and one with the all-clear

An incident has a key (`source:...`, `target:...`, `queue`, `disk`), and while it is open nothing more is said of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from watchfloor.model import Alert, Change, TargetHealth, Trouble, Vitals
from watchfloor.routes import OPS_TAG

FAILS_FOR = timedelta(days=1)  # a source that cannot be read; most are back within hours
REFUSES_AFTER = 5  # attempts at one message: a quarter of an hour
DIES_AFTER = 3  # messages in a row that a target refused for good, or that nobody knows of
LATE = timedelta(hours=3)  # an article that is due for so long waits for something other than its turn
LATE_ARTICLES = 20
GIGABYTE = 10**9
DISK_LEAST, DISK_SHARE, DISK_ENOUGH = GIGABYTE, 0.05, 10 * GIGABYTE  # 5 % of a large disk is room for years
CLEAR_OF = 1.5  # times that much has to be free until it is over, or it would be over and back every hour
LISTED = 20  # lines in a message; the rest is counted


def change(known: Sequence[Trouble], vitals: Vitals, targets: Sequence[str], now: datetime) -> Change:
    """Compare what is wrong now with the incidents that are open. `targets`: who hears of the monitor itself."""
    found = {one.key: one for one in troubles(vitals, {one.key for one in known}, now)}
    opened = tuple(one for key, one in found.items() if key not in {one.key for one in known})
    closed = tuple(one for one in known if one.key not in found)
    return Change(opened, closed, _alert(opened, closed, targets, now))


def _alert(opened: Sequence[Trouble], closed: Sequence[Trouble], targets: Sequence[str], now: datetime) -> Alert | None:
    if not (opened or closed):
        return None
    counted = [f"{len(opened)} new trouble{'s' if len(opened) > 1 else ''}"] if opened else []
    counted += [f"{len(closed)} trouble{'s' if len(closed) > 1 else ''} over"] if closed else []
    subject = f"Watchfloor: {', '.join(counted)}"
    mark = hashlib.sha256(repr((opened, closed, now)).encode()).hexdigest()[:16]
    lines = [*_listed("", opened), *_listed("All clear: ", closed)]
    return Alert(f"ops:{mark}", "ops", OPS_TAG, now, subject, targets=tuple(targets), lines=tuple(lines))


def _listed(before: str, some: Sequence[Trouble]) -> Iterator[str]:
    yield from (f"{before}{one.said}" for one in some[:LISTED])
    if len(some) > LISTED:
        yield f"{before}and {len(some) - LISTED} more of the kind; `watchfloor doctor` lists them."


def troubles(vitals: Vitals, known: set[str], now: datetime) -> Iterator[Trouble]:
    """All that is wrong now. `known`: keys of open incidents, of which some need more than a moment to be over."""
    yield from _sources(vitals, now)
    yield from _targets(vitals.targets)
    yield from _queue(vitals, now)
    yield from _disk(vitals, "disk" in known)


def _sources(vitals: Vitals, now: datetime) -> Iterator[Trouble]:
    for source in vitals.sources:
        key, words = f"source:{source.id}", source.message or source.health
        if source.health == "silent":
            yield Trouble(key, f"{source.name} has fallen silent: {words}.")
        elif source.failing_since and now - source.failing_since >= FAILS_FOR:
            yield Trouble(key, f"{source.name} cannot be read since {source.failing_since:%d %B, %H:%M} UTC: {words}.")


def _targets(targets: Iterable[TargetHealth]) -> Iterator[Trouble]:
    for one in targets:
        if one.attempts >= REFUSES_AFTER or one.lost >= DIES_AFTER:
            error = f": {one.error}" if one.error else ""
            yield Trouble(f"target:{one.target}", f"The target {one.name} keeps refusing{error}.")


def _queue(vitals: Vitals, now: datetime) -> Iterator[Trouble]:
    if vitals.late >= LATE_ARTICLES and vitals.late_since:
        hours = (now - vitals.late_since) // timedelta(hours=1)
        yield Trouble("queue", f"The queue grows: {vitals.late} articles wait, the oldest for {hours} hours.")


def _disk(vitals: Vitals, open_already: bool) -> Iterator[Trouble]:
    if vitals.disk is None:
        return
    free, total = vitals.disk
    wanted = max(DISK_LEAST, min(DISK_SHARE * total, DISK_ENOUGH)) * (CLEAR_OF if open_already else 1)
    if free < wanted:
        yield Trouble("disk", f"The archive's disk is nearly full: {free / GIGABYTE:.1f} GB free.")


def late_before(now: datetime) -> datetime:
    """What was due before this waits too long."""
    return now - LATE
