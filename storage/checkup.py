"""An archive looked at from outside, for `watchfloor doctor`: nothing is made, upgraded or changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection, func, select

from storage import outbox, reading
from storage.engine import HEAD, Database, connect, version_in
from storage.leases import is_due
from storage.schema import CycleRow, DeliveryRow, WorkRow
from watchfloor.checkup import ArchiveFacts, Queue, TargetFacts
from watchfloor.errors import ArchiveError

LOCK_SECONDS = 2  # a writer of ours is done in tenths
CYCLES_SEEN = 20  # of the last ones: how often this desk looks
SAMPLE = 3  # faults of a damaged file that are worth quoting


class _Trouble(Exception):
    """Why the examination ends here."""

    def __init__(self, facts: ArchiveFacts) -> None:
        self.facts = facts


def examine(url: str, now: datetime) -> ArchiveFacts:
    """What is to be known of the archive at `url`.

    Raises:
        ConfigurationError: `url` is none, or its driver is not installed.
    """
    database = connect(url, make_folder=False)
    try:
        _expect_version(database)
        _expect_soundness(database)
        _expect_no_lock(database)
        with database.read() as connection:
            return _facts(connection, now)
    except _Trouble as trouble:
        return trouble.facts
    except ArchiveError as error:
        return ArchiveFacts("unreachable", str(error))
    finally:
        database.close()


def _expect_version(database: Database) -> None:
    if database.is_sqlite and not Path(str(database.url.database)).exists():
        raise _Trouble(ArchiveFacts("missing", f"there is no file {database.url.database}"))
    with database.read() as connection:
        found = version_in(connection)
    if found is None:
        raise _Trouble(ArchiveFacts("missing", "the database is empty"))
    if found != HEAD:
        words = f"it is of version {found}, this program knows {HEAD}"
        raise _Trouble(ArchiveFacts("newer" if found > HEAD else "older", words))


def _expect_soundness(database: Database) -> None:
    with database.read() as connection:
        said = _faults_on_sqlite(connection) if database.is_sqlite else _faults_on_postgresql(connection)
    if said:
        raise _Trouble(ArchiveFacts("damaged", "; ".join(said)))


def _faults_on_sqlite(connection: Connection) -> list[str]:
    said = [str(row[0]) for row in connection.exec_driver_sql(f"PRAGMA quick_check({SAMPLE})")]
    strays = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(SAMPLE)
    return [line for line in said if line != "ok"] + [f"{row[0]}: a row refers to none in {row[2]}" for row in strays]


def _faults_on_postgresql(connection: Connection) -> list[str]:
    broken = connection.exec_driver_sql("SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid")
    return [f"the index {row[0]} is not valid" for row in broken.fetchmany(SAMPLE)]


def _expect_no_lock(database: Database) -> None:
    try:
        if database.is_sqlite:
            _lock_sqlite(Path(str(database.url.database)))
            return
        with database.write() as connection:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
            connection.exec_driver_sql("LOCK TABLE sources IN ROW EXCLUSIVE MODE")
    except (sqlite3.Error, ArchiveError) as error:
        raise _Trouble(ArchiveFacts("locked", str(error).splitlines()[0])) from None


def _lock_sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


# -- what it tells of the work ----------------------------------------------------------------------------------------


def _facts(connection: Connection, now: datetime) -> ArchiveFacts:
    ended = connection.execute(select(CycleRow.ended).order_by(CycleRow.ended.desc()).limit(CYCLES_SEEN))
    return ArchiveFacts(
        state="ready",
        sources=tuple((one.source, one.state) for one in reading.sources_overview(connection)),
        cycles=tuple(ended.scalars()),
        queues=tuple(_queues(connection, now)),
        deliveries=outbox.count_deliveries(connection),
        targets=_targets(connection, now),
    )


def _queues(connection: Connection, now: datetime) -> list[Queue]:
    due = (
        select(WorkRow.stage, func.count().label("waiting"), func.min(WorkRow.due_at).label("oldest"))
        .where(is_due(WorkRow.due_at, now))
        .group_by(WorkRow.stage)
    )
    return [Queue(row.stage, row.waiting, row.oldest) for row in connection.execute(due.order_by(WorkRow.stage))]


def _targets(connection: Connection, now: datetime) -> Mapping[str, TargetFacts]:
    """What waits for each target although its time has come, and what it said last."""
    tried = sa.and_(DeliveryRow.state.in_(("pending", "sending")), DeliveryRow.attempts > 0)
    late = sa.and_(DeliveryRow.state == "pending", DeliveryRow.next_at < now - timedelta(hours=1))
    refused = select(DeliveryRow.target, DeliveryRow.error).where(
        sa.or_(tried, DeliveryRow.state == "dead"), DeliveryRow.error.is_not(None)
    )
    said = {row.target: row.error for row in connection.execute(refused.order_by(DeliveryRow.id))}
    counts = select(
        DeliveryRow.target,
        func.sum(sa.case((tried, 1), else_=0)).label("refusing"),
        func.sum(sa.case((DeliveryRow.state == "dead", 1), else_=0)).label("dead"),
        func.sum(sa.case((late, 1), else_=0)).label("late"),
    ).group_by(DeliveryRow.target)
    return {
        row.target: TargetFacts(int(row.refusing), int(row.dead), int(row.late), said.get(row.target))
        for row in connection.execute(counts)
    }
