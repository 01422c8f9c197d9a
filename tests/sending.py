"""The sender as a process of its own, to be killed: `main(DATABASE, PORT, [PHASE, NUMBER])`.

It delivers what is due until nothing waits, on a clock of its own that jumps whenever something has to wait. With PHASE
(before, after) and NUMBER it kills itself there: before or right after its NUMBERth commit.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import event

from alerts.config import Address, parse
from alerts.send import AppriseSender
from storage.archive import SqlArchive
from storage.engine import open_archive
from watchfloor import leases, pipeline
from watchfloor.model import Alert, Brief, Grade
from watchfloor.pipeline import Floor, Report
from watchfloor.ports import Sender
from watchfloor.settings import Settings

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
JUMP = timedelta(hours=5)  # longer than any wait but those of a target that asks for more
SHORT = timedelta(seconds=5)  # for one attempt: silence and dripping take no longer
RECIPIENTS = ("ann", "bob", "moody")


@dataclass
class Clock:
    """Stands still until it is told to jump."""

    now: datetime = NOON
    jumped: list[datetime] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    def jump(self, by: timedelta = JUMP) -> None:
        self.now += by
        self.jumped.append(self.now)


def addresses(port: int, recipients: Sequence[str] = RECIPIENTS) -> tuple[Address, ...]:
    """One target for each recipient, at a server on loopback."""
    listed = ",".join(f"{name}@desk.example" for name in recipients)
    url = f"mailto://127.0.0.1:{port}?from=monitor@desk.example&to={listed}"
    return parse(f"urls:\n  - {url}\n", None, Settings()).targets


def alert(number: int, targets: Sequence[str]) -> Alert:
    brief = Brief(
        story_id=number,
        headline=f"Fleet {number} returns to harbour",
        url=f"https://paper.example/{number}",
        publisher="Paper One",
        others=(),
        published=NOON,
        first_seen=NOON,
        sentence="The allied fleet returned to harbour on Monday.",
        marks=((4, 16),),
        topics=("naval",),
        entities=("NATO",),
        grade=Grade.FULL,
        score=7.0,
    )
    return Alert(f"story:{number}:all", "story", "all", NOON, "naval (1 publisher)", (brief,), tuple(targets))


def fill(archive: SqlArchive, count: int, targets: Sequence[Address]) -> None:
    """Store so many alerts, each for all targets."""
    for number in range(1, count + 1):
        archive.raise_alert(alert(number, [one.target.id for one in targets]))


def floor_for(archive: SqlArchive, sender: Sender, clock: Clock) -> Floor:
    """A floor on which nothing but delivering is done."""
    nobody = cast(Any, None)
    return Floor(
        owner=leases.owner_of_this_process(),
        archive=archive,
        door=nobody,
        parsers=nobody,
        sender=sender,
        matcher=nobody,
        routes=(),
        clock=clock,
        jitter=lambda: 0.0,
    )


def deliver_all(archive: SqlArchive, sender: Sender, clock: Clock, rounds: int = 60) -> Report:
    """Deliver until nothing waits any more, letting time pass in between."""
    floor, report = floor_for(archive, sender, clock), Report()
    for _ in range(rounds):
        asyncio.run(pipeline.deliver(floor, report))
        if archive.pending_deliveries().keys() <= {"sent", "dead", "unknown", "folded"}:
            return report
        clock.jump()
    raise AssertionError(f"still waiting: {archive.pending_deliveries()}")


def die_at(archive: SqlArchive, phase: str, number: int) -> None:
    """Be killed before, or right after, the commit with this number."""
    engine, commits = archive._database._reads, 0

    def commit(connection: object) -> None:
        nonlocal commits
        commits += 1
        if phase == "before" and commits == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def back(connection: object, record: object) -> None:
        if phase == "after" and commits == number:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine, "commit", commit)
    event.listen(engine, "checkin", back)


def main(url: str, port: str, phase: str = "", number: str = "0") -> None:
    archive = open_archive(url)
    if phase:
        die_at(archive, phase, int(number))
    with AppriseSender(addresses(int(port)), attempt=SHORT, breaks_for=timedelta(0)) as sender:
        deliver_all(archive, sender, Clock())
    archive.close()
