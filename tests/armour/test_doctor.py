"""The doctor finds each planted fault, says what to do, and finds nothing where all is well."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.archive import SqlArchive
from storage.engine import open_archive
from tests.archives import LEASE, WHOLE, Desk, entry, source
from tests.postgres import fresh_database
from tests.watching import environment_for, paper_in_a_thread
from watchfloor import checkup, cli, wiring
from watchfloor.checkup import Finding
from watchfloor.model import Alert, FeedState, PollOutcome, SendOutcome

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def healthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which all is well."""
    monkeypatch.chdir(tmp_path)
    for name in ("WATCHFLOOR_DATABASE_URL", "APPRISE_URLS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WATCHFLOOR_CONTACT", "desk@paper.example")
    (tmp_path / "sources.yaml").write_text("sources:\n  - {name: Gazette, url: https://gazette.example/feed}\n")
    alerts = tmp_path / "alerts.yaml"
    alerts.write_text("urls:\n  - json://127.0.0.1:9/:\n      - tag: desk\n")
    alerts.chmod(0o600)
    archive = open_archive("sqlite:///data/watchfloor.db")
    (tmp_path / "data").chmod(0o700)
    desk = Desk(archive).knows(source())
    archive.keep_cycle(wiring.now() - MINUTE, wiring.now(), {})
    desk.now = wiring.now()
    yield tmp_path
    archive.close()


def finds(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    capsys.readouterr()
    code = cli.run(["doctor", "--format", "json", *(arguments or ("--offline",))])
    findings = json.loads(capsys.readouterr().out)
    assert all(bool(one["remedy"]) == one["wrong"] for one in findings)
    assert (code == 1) == any(one["wrong"] for one in findings)
    return code, [one for one in findings if one["wrong"]]


def only_fault(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    code, faults = finds(capsys, *arguments)
    assert code == 1
    assert len(faults) == 1, faults
    return faults[0]["about"], faults[0]["words"]


def archive_of(folder: Path) -> SqlArchive:
    return open_archive(f"sqlite:///{folder}/data/watchfloor.db")


def test_where_all_is_well_nothing_is_wrong(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert finds(capsys) == (0, [])
    assert cli.run(["doctor", "--offline"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "All is well."


# -- files and settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sources", "watchlist", "alerts"])
def test_a_file_that_cannot_be_read(healthy: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    path = healthy / f"{name}.yaml"
    path.write_text("urls: [\n")
    path.chmod(0o600)
    about, words = only_fault(capsys)
    assert (about, words.partition(":")[0]) == (name, f"{name}.yaml")


def test_every_broken_file_is_named_not_the_first_alone(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (healthy / "sources.yaml").write_text("[")
    (healthy / "watchlist.yaml").write_text("[")
    assert [one["about"] for one in finds(capsys)[1]] == ["sources", "watchlist"]


def test_a_setting_that_cannot_be(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about, words = only_fault(capsys, "--offline", "--host-delay", "-1")
    assert (about, "WATCHFLOOR_HOST_DELAY" in words) == ("settings", True)


def test_no_contact(healthy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHFLOOR_CONTACT")
    assert only_fault(capsys)[0] == "contact"


def test_secrets_that_others_can_read(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (healthy / "alerts.yaml").chmod(0o640)
    assert only_fault(capsys) == ("secrets", "alerts.yaml can be read by other users of this machine")


def test_what_no_machine_of_ours_has() -> None:
    assert [checkup.of_expat(version).wrong for version in ((2, 4, 0), (2, 4, 1), (2, 6, 3))] == [True, False, False]
    assert checkup.of_disk("/d", free=40 << 30, total=1000 << 30).wrong
    assert checkup.of_disk("/d", free=1 << 29, total=5 << 30).wrong
    assert not checkup.of_disk("/d", free=2 << 30, total=20 << 30).wrong
    (missing, _) = checkup.of_extras({"postgresql": False, "ner": True}, {"postgresql": "WATCHFLOOR_DATABASE_URL"})
    assert missing == Finding(
        "extras",
        "WATCHFLOOR_DATABASE_URL needs the extra postgresql",
        wrong=True,
        remedy="pip install 'watchfloor[postgresql]'",
    )


# -- the archive ------------------------------------------------------------------------------------------------------


def test_no_archive_and_none_is_made(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about, words = only_fault(capsys, "--offline", "--database-url", "sqlite:///other/archive.db")
    assert (about, words) == ("archive", "missing: there is no file other/archive.db")
    assert not (healthy / "other").exists()


@pytest.mark.parametrize(("version", "state"), [("0000", "older"), ("9999", "newer")])
def test_an_archive_of_another_version(
    healthy: Path, capsys: pytest.CaptureFixture[str], version: str, state: str
) -> None:
    with archive_of(healthy)._database.write() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{version}'")
    about, words = only_fault(capsys)
    assert (about, words.partition(":")[0]) == ("archive", state)


def test_an_archive_that_is_none(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (healthy / "text.db").write_text("no database " * 1000)
    about, words = only_fault(capsys, "--offline", "--database-url", "sqlite:///text.db")
    assert (about, words.partition(":")[0]) == ("archive", "unreachable")


def test_a_damaged_archive(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = archive_of(healthy)
    with archive._database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO notes (name, value) SELECT 'n' || id, hex(randomblob(900)) FROM sources"
        )
    archive.close()
    with sqlite3.connect(healthy / "data" / "watchfloor.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("INSERT INTO entry_keys (source_id, key, entry_id, position) VALUES ('none', 'k', 77, 0)")
    connection.close()
    about, words = only_fault(capsys)
    assert (about, words.partition(":")[0]) == ("archive", "damaged")


def test_a_locked_archive(healthy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.checkup.LOCK_SECONDS", 0.1)
    holder = sqlite3.connect(healthy / "data" / "watchfloor.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert only_fault(capsys) == ("archive", "locked: database is locked")
    holder.close()


# -- what the archive tells -------------------------------------------------------------------------------------------

SICK = {
    "failing": FeedState(health="failing", message="refuses us (403)", failures=3),
    "silent": FeedState(health="silent", message="nothing new for 9 days"),
    "gone": FeedState(health="gone", message="gone for good (410)", gone=True),
    "not-a-feed": FeedState(health="not-a-feed", message="a web page, not a feed"),
    "undated": FeedState(health="undated", message="none of its items has a date"),
    "churning": FeedState(health="churning", message="9 of 9 items came under a new id"),
}


def keep_state(archive: SqlArchive, state: FeedState) -> None:
    now = wiring.now()
    (job,) = archive.claim_sources("x:1:1", now, LEASE, shard=WHOLE, limit=9, everything=True)
    archive.keep_poll("x:1:1", PollOutcome(job.source.id, now, "read", state))


@pytest.mark.parametrize("health", SICK)
def test_a_sick_source(healthy: Path, capsys: pytest.CaptureFixture[str], health: str) -> None:
    keep_state(archive_of(healthy), replace(SICK[health], last_unconditional=wiring.now()))
    assert only_fault(capsys) == ("source", f"Gazette: {health}: {SICK[health].message}")


def test_a_source_that_says_304_for_ever(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    liar = FeedState(health="ok", last_answer=wiring.now(), first_answer=wiring.now(), message="its validators stay")
    keep_state(archive_of(healthy), liar)
    assert only_fault(capsys) == ("source", "Gazette: its validators stay")


def test_targets_that_refuse_and_messages_given_up(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive, now = archive_of(healthy), wiring.now()
    archive.raise_alert(Alert("test:1", "test", "desk", now - 9 * HOUR, "Test", targets=("slack-1", "mail-1", "late")))
    for target, outcome, next_at in (
        ("slack-1", SendOutcome("retry", "HTTP 500"), now + HOUR),
        ("mail-1", SendOutcome("refused", "no such user"), None),
    ):
        (one,) = archive.claim_deliveries("x:1:1", now, LEASE, targets=[target], limit=1)
        archive.keep_delivery("x:1:1", one.id, outcome, next_at, now)
    assert sorted((one["about"], one["words"]) for one in finds(capsys)[1]) == [
        ("deliveries", "1 messages to late wait for longer than an hour"),
        ("deliveries", "1 to mail-1 were given up: no such user"),
        ("targets", "slack-1 refuses or does not answer, 1 messages wait: HTTP 500"),
    ]


def test_work_that_piles_up(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk(archive_of(healthy))
    desk.now = wiring.now() - 5 * HOUR
    desk.polls("gazette", entry("one"), entry("two"))
    with desk.archive._database.write() as connection:
        connection.exec_driver_sql("UPDATE sources SET health = 'ok', last_unconditional = last_answer")
    assert only_fault(capsys) == ("queue", "2 articles wait to be read, the first for 5 hours")


def times(*ago: timedelta, now: datetime) -> tuple[datetime, ...]:
    return tuple(now - one for one in ago)


def test_cycles_that_stopped() -> None:
    now = wiring.now()
    assert checkup.of_cycles((), now).wrong
    assert not checkup.of_cycles(times(2 * HOUR, now=now), now).wrong
    assert checkup.of_cycles(times(2 * HOUR, 2 * HOUR + 5 * MINUTE, now=now), now).wrong
    assert not checkup.of_cycles(times(50 * MINUTE, 55 * MINUTE, now=now), now).wrong
    assert not checkup.of_cycles(times(2 * DAY, 3 * DAY, now=now), now).wrong
    assert checkup.of_cycles(times(4 * DAY, 5 * DAY, now=now), now).wrong


# -- the network ------------------------------------------------------------------------------------------------------


def test_clocks_that_disagree() -> None:
    assert not checkup.of_clock([timedelta(seconds=2), timedelta(seconds=-1), HOUR]).wrong  # one server may be wrong
    assert checkup.of_clock([HOUR, HOUR, timedelta(0)]).words.startswith("the clock of this machine is 3600 s behind")
    assert checkup.of_clock([-HOUR]).wrong
    assert not checkup.of_clock([]).wrong


def test_the_network_is_asked_only_if_it_may_be(
    healthy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with paper_in_a_thread() as paper:
        for name, value in environment_for(paper, healthy).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("WATCHFLOOR_DATABASE_URL", "sqlite:///data/watchfloor.db")
        assert finds(capsys)[0] == 0
        assert paper.asked == []
        with archive_of(healthy)._database.write() as connection:
            connection.exec_driver_sql("UPDATE sources SET active = false")
        assert finds(capsys, "--timezone", "UTC")[1] == []
        assert len(paper.asked) >= 1
    about, words = only_fault(capsys, "--timezone", "UTC")
    assert (about, words.partition(":")[0]) == ("network", "none of 1 sources answers")


def test_the_doctor_on_postgresql(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = fresh_database()
    assert only_fault(capsys, "--offline", "--database-url", url) == ("archive", "missing: the database is empty")
    archive = open_archive(url)
    Desk(archive).knows(source())
    archive.keep_cycle(wiring.now() - MINUTE, wiring.now(), {})
    assert finds(capsys, "--offline", "--database-url", url) == (0, [])
    archive.close()
