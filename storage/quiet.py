"""Whether there is anything to do, asked without what doing it takes.

Most cycles of a cron job find nothing due, and should end in the time that Python takes to begin. So the tables that
say it are named here once more, by the columns that matter, and neither the schema nor the archive is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Connection, Integer, and_, column, exists, false, func, insert, or_, select, table

from storage.engine import Database, pending_migration, read_url
from storage.leases import CLOCKS_DIFFER, due_ranges, is_due
from storage.times import UtcDateTime

NOTE = "quiet"
_NOTES = table("notes", column("name"), column("value"))
_SOURCES = table(
    "sources",
    *(column("active", Boolean), column("gone", Boolean), column("next_at", UtcDateTime), column("owner")),
    column("every_seconds", Integer),
)
_WORK = table("work", column("due_at", UtcDateTime), column("owner"))
_DELIVERIES = table("deliveries", column("state"), column("next_at", UtcDateTime))
_CYCLES = table("cycles", column("began", UtcDateTime), column("ended", UtcDateTime), column("report", JSON))
_ASKED = and_(_SOURCES.c.active, _SOURCES.c.gone == false())


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing is due: how many sources there are, and when the first of them will be."""

    sources: int
    due: datetime | None


def rest(url: str, files: str, now: datetime, report: Mapping[str, Any]) -> Rest | None:
    """None if there is something to do, or no archive of this version; else the cycle counts as done, with `report`."""
    if pending_migration(url):
        return None
    database = Database(read_url(url))
    try:
        with database.read() as connection:
            if not is_quiet(connection, files, now):
                return None
        with database.write() as connection:
            connection.execute(insert(_CYCLES), {"began": now, "ended": now, "report": dict(report)})
            return Rest(*connection.execute(select(func.count(), func.min(_SOURCES.c.next_at)).where(_ASKED)).one())
    finally:
        database.close()


def note(files: str, until: datetime | None) -> str:
    """That all was done with these files, and that until then nothing is due that is not a row."""
    return f"{files} {until.isoformat() if until else ''}"


def knows(connection: Connection, files: str) -> bool:
    """Whether all was done with these files."""
    return _read_note(connection)[0] == files


def is_quiet(connection: Connection, files: str, now: datetime) -> bool:
    """Whether the files are those, no digest is due, and nothing is due or in somebody's hands."""
    known, until = _read_note(connection)
    if known != files or (until and now >= datetime.fromisoformat(until)):
        return False
    busy = [
        exists().where(_ASKED, or_(*due_ranges(_SOURCES.c, now), _SOURCES.c.owner.is_not(None))),
        exists().where(or_(is_due(_WORK.c.due_at, now), _WORK.c.owner.is_not(None))),
        exists().where(_DELIVERIES.c.state.in_(("pending", "held")), is_due(_DELIVERIES.c.next_at, now)),
        exists().where(_DELIVERIES.c.state == "sending"),
        exists().where(_CYCLES.c.ended > now + CLOCKS_DIFFER),  # the clock was set back
    ]
    return not connection.execute(select(or_(*busy))).scalar()


def _read_note(connection: Connection) -> tuple[str, str]:
    said = connection.execute(select(_NOTES.c.value).where(_NOTES.c.name == NOTE)).scalar() or ""
    files, _, until = said.partition(" ")
    return files, until
