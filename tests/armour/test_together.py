"""Several processes on one archive: each thing is done once, whoever does it."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from tests.armour.desks import standing
from tests.postgres import fresh_database
from tests.test_end_to_end import Desk
from tests.watching import environment_for, paper_in_a_thread

ALL = os.environ.get("WATCHFLOOR_ARMOUR") == "all"
RUNS = 4 if ALL else 2


@pytest.mark.parametrize("database", ["sqlite", "postgresql"] if ALL else ["sqlite"])
def test_runs_at_once_share_the_work(database: str, tmp_path: Path) -> None:
    with paper_in_a_thread() as paper:
        environment = environment_for(paper, tmp_path)
        if database == "postgresql":
            environment["WATCHFLOOR_DATABASE_URL"] = fresh_database()
        desk = Desk(tmp_path, environment)
        runs = [desk.start("run", "--format", "json") for _ in range(RUNS)]
        said = [run.communicate(timeout=300) for run in runs]
        assert [run.returncode for run in runs] == [0] * RUNS, said
        reports = [json.loads(out) for out, _ in said]
        asked = Counter(path for path, _ in paper.asked if path != "/robots.txt")
    assert set(asked.values()) == {1}  # every feed and every page, by one of them
    assert sum(report["sources"]["polled"] for report in reports) == 5
    assert sum(report["entries"]["new"] for report in reports) == 10
    found = standing(environment["WATCHFLOOR_DATABASE_URL"])
    assert (len(found.articles), len(found.verdicts), found.work, found.leases) == (10, 10, 0, 0)
    assert len(found.told) == 5
