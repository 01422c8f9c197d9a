"""Several processes on one PostgreSQL: nothing is done twice, whoever dies in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from storage.engine import open_archive
from tests.postgres import fresh_database
from tests.watching import environment_for, paper_in_a_thread
from watchfloor.demo.newspaper import Newspaper
from watchfloor.model import Filters

ALL = os.environ.get("WATCHFLOOR_ARMOUR") == "all"
RUN = [sys.executable, "-m", "watchfloor", "run", "--now"]


def start(folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    whole = {**os.environ, **environment}
    return subprocess.Popen(
        RUN, cwd=folder, env=whole, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def pages(paper: Newspaper) -> Counter[str]:
    return Counter(path for path, _ in list(paper.asked) if path.endswith(".html"))


def kill_one_in_the_middle(workers: Sequence[subprocess.Popen[bytes]], paper: Newspaper) -> subprocess.Popen[bytes]:
    """As soon as the first page is asked for: some entries are kept then, and some pages are in somebody's hands.

    One that is still at work: who came late found every source in the hands of another, and has ended.
    """
    ends = time.monotonic() + 60
    while not pages(paper) and time.monotonic() < ends:
        time.sleep(0.01)
    victim = next(worker for worker in workers if worker.poll() is None)
    os.killpg(victim.pid, signal.SIGKILL)
    victim.wait()
    return victim


@pytest.mark.parametrize("workers", [2, 4] if ALL else [2])
def test_workers_share_one_archive_and_one_is_killed(tmp_path: Path, workers: int) -> None:
    with paper_in_a_thread() as paper:
        environment = environment_for(paper, tmp_path) | {"WATCHFLOOR_DATABASE_URL": fresh_database()}
        open_archive(environment["WATCHFLOOR_DATABASE_URL"]).close()
        first = [story for story in paper.stories if story.edition == 1]
        running = [start(tmp_path, environment) for _ in range(workers)]
        victim = kill_one_in_the_middle(running, paper)
        assert [worker.wait(120) for worker in running if worker is not victim] == [0] * (workers - 1)
        assert start(tmp_path, environment).wait(120) == 0  # what the dead one held is free at once

        with closing(open_archive(environment["WATCHFLOOR_DATABASE_URL"])) as archive:
            hits = archive.search(None, Filters(everything=True), limit=100, after=None, by="date").hits
            left = archive.census(hits[0].first_seen).queues
            told = [brief.story_id for alert in archive.list_alerts() for brief in alert.alert.briefs]
    assert len(hits) == len({hit.url for hit in hits}) == len(first)
    assert sum(queue.waiting for stage, queue in left.items() if stage != "poll") == 0
    assert told
    assert len(told) == len(set(told))
    asked = pages(paper)
    assert len(asked) == len(first)
    assert max(asked.values()) <= workers + 1  # again only what the dead one had in hand


REGISTER = """
import sys
from datetime import UTC, datetime
from storage.engine import open_archive
from watchfloor.model import Source
archive = open_archive(sys.argv[1])
for _ in range(10):
    archive.register([Source(f"s{n}", "S", f"https://a{n}.example/", "S") for n in range(200)], datetime.now(UTC))
archive.close()
"""


def test_who_starts_together_registers_the_same_sources_without_waiting_crosswise() -> None:
    database = fresh_database()
    open_archive(database).close()
    starting = [
        subprocess.Popen([sys.executable, "-c", REGISTER, database], env={**os.environ, "PYTHONHASHSEED": seed})
        for seed in "123"
    ]
    assert [one.wait(120) for one in starting] == [0, 0, 0]
