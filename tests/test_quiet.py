"""A cycle that has nothing to do ends before it has begun; one that has something to do never does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from storage.archive import SqlArchive
from storage.quiet import Rest, rest
from tests.archives import HOUR, LEASE, MINUTE, NOON, WHOLE, Desk, entry, source
from tests.watching import environment_for, paper_in_a_thread
from watchfloor.alerting import next_digest
from watchfloor.model import Alert, PollOutcome
from watchfloor.routes import Route

FILES = "0f1e2d"  # a digest of the user's files


@pytest.fixture
def desk(archive: SqlArchive) -> Desk:
    """All is done: the one source was polled, its one page read, judged and summed up."""
    desk = Desk(archive).knows(source())
    job = archive.claim_sources(desk.owner, NOON, LEASE, shard=WHOLE, limit=1)[0]
    state = replace(job.state, first_answer=NOON, next_at=NOON + HOUR)
    archive.keep_poll(desk.owner, PollOutcome("gazette", NOON, "read", state, (entry("summit"),), 200))
    desk.reads()
    desk.judges()
    archive.settle_baseline(lambda *_: [], NOON)
    archive.keep_quiet(FILES, None)
    return desk


def quiet(desk: Desk, files: str = FILES, after: timedelta = MINUTE) -> bool:
    return desk.archive.is_quiet(files, NOON + after)


def test_it_is_quiet_when_all_is_done(desk: Desk, archive_url: str) -> None:
    assert quiet(desk)
    assert desk.archive.knows(FILES)
    assert rest(archive_url, FILES, NOON + MINUTE, {"relevant": 0}) == Rest(1, NOON + HOUR)
    assert desk.archive.last_cycle() == NOON + MINUTE


def test_a_changed_file_ends_it(desk: Desk) -> None:
    assert not quiet(desk, "other")
    assert not desk.archive.knows("other")


def test_a_source_that_is_due_ends_it(desk: Desk) -> None:
    assert not quiet(desk, after=HOUR)


def test_a_source_in_somebodys_hands_ends_it(desk: Desk) -> None:
    desk.archive.claim_sources("dead:1:1", NOON, LEASE, shard=WHOLE, limit=1, everything=True)
    assert not quiet(desk)


def test_a_page_that_waits_ends_it(desk: Desk) -> None:
    desk.polls("gazette", entry("second"))
    assert not quiet(desk)
    desk.reads()
    assert not quiet(desk)


def test_a_message_of_the_night_ends_it_when_the_morning_has_come(desk: Desk) -> None:
    night = Alert(
        "night", "story", "desk", NOON, "Held", targets=("ann",), not_before=NOON + HOUR / 2, held="quiet hours"
    )
    desk.archive.raise_alert(night)
    assert quiet(desk)
    assert not quiet(desk, after=HOUR / 2)


def test_a_message_that_is_due_ends_it_and_one_that_is_held_does_not(desk: Desk) -> None:
    told = Alert("held", "ops", "desk", NOON, "Held", targets=("ann",), not_before=NOON + 10 * MINUTE)
    assert desk.archive.raise_alert(told)
    assert quiet(desk)
    assert not quiet(desk, after=10 * MINUTE)


def test_a_digest_that_is_due_ends_it(desk: Desk) -> None:
    desk.archive.keep_quiet(FILES, NOON + 5 * MINUTE)
    assert quiet(desk, after=4 * MINUTE)
    assert not quiet(desk, after=5 * MINUTE)


def test_without_an_archive_it_is_not_quiet_and_none_is_made(tmp_path: Path) -> None:
    assert rest(f"sqlite:///{tmp_path}/none.db", FILES, NOON, {}) is None
    assert list(tmp_path.iterdir()) == []


BERLIN = ZoneInfo("Europe/Berlin")
DAILY = Route("daily", digest="daily", at=time(7), timezone=BERLIN)


@pytest.mark.parametrize(
    ("routes", "after", "expected"),
    [
        ((), NOON, None),
        ((DAILY,), datetime(2026, 11, 24, 5, 59, tzinfo=UTC), datetime(2026, 11, 24, 6, tzinfo=UTC)),
        ((DAILY,), datetime(2026, 11, 24, 6, tzinfo=UTC), datetime(2026, 11, 25, 6, tzinfo=UTC)),
        # the night to the 28th of March 2027 is an hour shorter: the digest comes 23 hours after the last one
        ((DAILY,), datetime(2027, 3, 27, 5, 30, tzinfo=UTC), datetime(2027, 3, 27, 6, tzinfo=UTC)),
        ((DAILY,), datetime(2027, 3, 27, 6, tzinfo=UTC), datetime(2027, 3, 28, 5, tzinfo=UTC)),
        ((DAILY, replace(DAILY, digest="hourly", at=time(0, 30))), NOON, NOON + timedelta(minutes=30)),
    ],
)
def test_the_next_digest(routes: tuple[Route, ...], after: datetime, expected: datetime | None) -> None:
    assert next_digest(routes, after) == expected


def test_a_run_with_nothing_due_imports_next_to_nothing_and_says_when(tmp_path: Path) -> None:
    with paper_in_a_thread() as paper:
        environment = {**os.environ, **environment_for(paper, tmp_path)}
        code = "import sys, watchfloor.cli as c; c.run(['run', '--format', sys.argv[1]]); print(*sys.modules)"

        def run(format: str) -> str:
            command = [sys.executable, "-c", code, format]
            done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
            return done.stdout

        run("json")
        asked = len(paper.asked)
        said, _, modules = run("table").rstrip().rpartition("\n")
        assert "is due before" in said
        assert json.loads(run("json").rstrip().rpartition("\n")[0])["sources"]["polled"] == 0
        assert len(paper.asked) == asked
        heavy = {"aiohttp", "apprise", "trafilatura", "feedparser", "prefect", "ruamel", "watchfloor.match"}
        assert heavy.isdisjoint(modules.split())
