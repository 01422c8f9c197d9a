"""Several `serve`s, killed and started again: nothing is done twice, the living are left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import Pending, Running

from flows.free_orphans import BEGINS_WITHIN, is_orphan, needless
from tests.armour.desks import standing
from tests.postgres import fresh_database
from tests.test_flows import Served, ask, served
from tests.watching import environment_for, paper_in_a_thread
from watchfloor import leases, scheduler, wiring
from watchfloor.demo.newspaper import Newspaper

ALL = os.environ.get("WATCHFLOOR_ARMOUR") == "all"
slow = pytest.mark.skipif(not ALL, reason="make armour: minutes with Prefect's server")
pytestmark = pytest.mark.xdist_group("prefect")
NOW = wiring.now()
DEAD = f"{leases.host_name()}:{2**22 + 1}:never"


# -- decisions --------------------------------------------------------------------------------------------------------


def a_run(number: int = 1, flow: int = 1, pid: str | None = None, state: Any = None) -> FlowRun:
    return FlowRun(id=UUID(int=number), flow_id=UUID(int=flow), infrastructure_pid=pid, state=state)


@pytest.mark.parametrize(
    ("pid", "age", "dead"),
    [
        (leases.owner_of_this_process(), timedelta(days=1), False),
        (DEAD, timedelta(0), True),
        ("elsewhere:1:1", timedelta(days=1), False),
        (None, timedelta(seconds=5), False),
        (None, BEGINS_WITHIN * 2, True),
    ],
    ids=["alive", "dead", "of another host", "begins", "never began"],
)
def test_a_run_is_an_orphan_if_its_process_is_dead(pid: str | None, age: timedelta, dead: bool) -> None:
    for state in (Running, Pending):
        assert is_orphan(a_run(pid=pid, state=state(timestamp=NOW - age)), NOW) == dead


def test_of_what_is_late_the_newest_of_each_flow_is_made_up_for() -> None:
    late = [a_run(number, flow) for number, flow in ((1, 1), (2, 2), (3, 1), (4, 1), (5, 2), (6, 3))]
    assert [run.id.int for run in needless(late)] == [3, 4, 5]
    assert needless([]) == []


# -- two of them ------------------------------------------------------------------------------------------------------


def cycles(serve: Served) -> int:
    return serve.runs()["poll feeds", "COMPLETED"]


def sees_more(serve: Served, times: int = 2) -> None:
    """So many cycles more have come to their end."""
    before = cycles(serve)
    serve.wait_until(lambda: cycles(serve) >= before + times)


def asked_once(paper: Newspaper) -> bool:
    return set(Counter(path for path, _ in list(paper.asked) if path.endswith(".html")).values()) == {1}


def two_runs(folder: Path, environment: dict[str, str]) -> None:
    """By hand, at once: `serve` alone would ask the feeds again when they are due."""
    command, whole = [sys.executable, "-m", "watchfloor", "run", "--now"], {**os.environ, **environment}
    runs = [
        subprocess.Popen(command, cwd=folder, env=whole, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [run.wait(120) for run in runs] == [0, 0]


def runs_are_well(serve: Served, died: int = 0) -> None:
    """None has failed; at most so many are said to have crashed, with the server that they spoke to."""
    runs = serve.runs()
    assert {state for (_, state), count in runs.items() if count} <= {
        *("COMPLETED", "SCHEDULED", "RUNNING", "PENDING"),
        *(["CRASHED"] if died else []),
    }, runs
    assert sum(count for (_, state), count in runs.items() if state == "CRASHED") <= died, runs
    assert serve.doubles() == []


@slow
def test_two_on_one_sqlite_archive_share_prefects_server_and_survive_each_other(tmp_path: Path) -> None:
    with paper_in_a_thread() as paper:
        environment = environment_for(paper, tmp_path)
        with served(tmp_path, environment) as first:
            first.wait_until(lambda: cycles(first) >= 1)
            second = Served(tmp_path, environment)
            second.api_port, second.api = first.api_port, first.api
            second.environment = {**second.environment, "PREFECT_SERVER_API_PORT": str(first.api_port)}
            second.start()
            try:
                second.wait_until(lambda: ask(f"http://127.0.0.1:{second.port}/healthz")["ok"])
                paper.publish(2)
                two_runs(tmp_path, environment)
                sees_more(first)
                runs_are_well(first)
                second.stop(signal.SIGTERM)
                sees_more(first, 1)  # the server is the first one's, and was left to it
                second.start()
                second.wait_until(lambda: ask(f"http://127.0.0.1:{second.port}/healthz")["ok"])
                runs_are_well(first)
                first.stop(signal.SIGTERM)  # its server goes with it
                second.wait_until(second.is_up)  # another was started
                sees_more(second)
            finally:
                second.stop(signal.SIGTERM)
        assert asked_once(paper)
        found = standing(environment["WATCHFLOOR_DATABASE_URL"])
        assert (len(found.articles), found.work, found.leases) == (len(paper.stories), 0, 0)
        assert not second.is_up()


@slow
def test_two_serves_and_two_runs_on_one_postgresql(tmp_path: Path) -> None:
    with paper_in_a_thread() as paper:
        environment = environment_for(paper, tmp_path) | {"WATCHFLOOR_DATABASE_URL": fresh_database()}
        homes = [tmp_path / "one", tmp_path / "two"]
        for home in homes:
            home.mkdir()
        with served(homes[0], environment) as one, served(homes[1], environment) as two:
            for serve in (one, two):
                serve.wait_until(lambda: cycles(serve) >= 1)  # noqa: B023 - called at once
            paper.publish(2)
            two_runs(tmp_path, environment)
            for serve in (one, two):
                sees_more(serve)
                runs_are_well(serve)
        assert asked_once(paper)
        found = standing(environment["WATCHFLOOR_DATABASE_URL"])
        assert (len(found.articles), found.work, found.leases) == (len(paper.stories), 0, 0)
        assert len(found.told) == len(set(found.told))


# -- killed -----------------------------------------------------------------------------------------------------------


@slow
def test_after_a_kill_and_a_rest_the_runs_that_were_missed_are_not_made_up_for_one_by_one(tmp_path: Path) -> None:
    with paper_in_a_thread() as paper, served(tmp_path, environment_for(paper, tmp_path)) as serve:
        serve.wait_until(lambda: cycles(serve) >= 1)
        serve.stop(signal.SIGKILL)
        time.sleep(150)  # ten cycles long
        done = cycles(serve) if serve.is_up() else 1
        serve.start()
        serve.wait_until(lambda: serve.runs()["poll feeds", "CANCELLED"] >= 5)
        serve.wait_until(lambda: cycles(serve) >= done + 1)
        runs = serve.runs()
        assert cycles(serve) <= done + 4
        assert sum(count for (_, state), count in runs.items() if state in ("RUNNING", "PENDING")) <= 3, runs
        print(f"\nafter a rest of ten cycles: {dict(runs)}")


@slow
def test_prefects_server_is_killed_and_comes_again(tmp_path: Path) -> None:
    with paper_in_a_thread() as paper, served(tmp_path, environment_for(paper, tmp_path)) as serve:
        serve.wait_until(lambda: cycles(serve) >= 1)
        kept = scheduler.kept_in(tmp_path / scheduler.HOME)
        assert kept
        under_way = sum(count for (_, state), count in serve.runs().items() if state in ("RUNNING", "PENDING"))
        psutil.Process(kept.pid).kill()
        serve.wait_until(lambda: not serve.is_up())
        serve.wait_until(serve.is_up)
        sees_more(serve)
        assert serve.process
        assert serve.process.poll() is None
        runs_are_well(serve, died=under_way)


@slow
def test_a_port_that_is_taken_is_said_before_anything_starts(tmp_path: Path) -> None:
    with paper_in_a_thread() as paper:
        serve = Served(tmp_path, environment_for(paper, tmp_path))
        serve.port = int(paper.base.rpartition(":")[2])
        serve.start()
        assert serve.process
        assert serve.process.wait(60) == 2
    assert f"127.0.0.1:{serve.port}: Address already in use" in (tmp_path / "serve.log").read_text()
