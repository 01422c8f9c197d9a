"""Two workers on one PostgreSQL against one, each on a core of its own, on pages that are all still to be read.

A worker is a process with its reader, both kept on one core: without that one worker keeps a core and a half busy, and
two on two cores would be compared with that. The database and the newspapers may run on any core, as if elsewhere; what
the database takes of the two is said.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

import psutil

from bench import cycles
from bench.contenders import SHARDS
from bench.cycles import Desk
from bench.runs import Table, middle, own_environment


@dataclass(frozen=True)
class _Found:
    """What so many workers took, start and end included: seconds, and the CPU seconds of workers and database."""

    wall: float
    cpu: float
    database: float


def measure(table: Table, *, scale: float, rounds: int) -> None:
    """Each with one reader of pages, so that what is compared is workers."""
    with cycles.desk(max(10, round(500 * scale))) as desk:
        found = [(_took(desk, 1), _took(desk, 2)) for _ in range(rounds)]
    ones, twos = [one for one, _ in found], [two for _, two in found]
    detail = f"{middle([one.wall for one in ones]):.1f} s and {middle([two.wall for two in twos]):.1f} s"
    ratios = [one.wall / two.wall for one, two in found]
    table.add("two workers on one PostgreSQL, a core each: times as fast as one", ratios, ">= 1.70", detail)
    # On a machine that others keep busy this holds where wall time does not: twice the speed is half the work for each.
    detail = f"{middle([one.cpu for one in ones]):.1f} s and {middle([two.cpu for two in twos]):.1f} s of both"
    table.add(
        "the same by CPU: one's, over that of each of two", [2 * one.cpu / two.cpu for one, two in found], "", detail
    )
    shares = [two.database / (two.cpu + two.database) for two in twos]
    table.add("the same: PostgreSQL's share of all CPU with two", shares, "")


def _took(desk: Desk, workers: int) -> _Found:
    from tests.postgres import fresh_database

    desk.publish(1)
    at = replace(desk, database=fresh_database())
    at.runs("polls")
    at.forget_pages()
    at.publish(2)
    before, began = _cpu_of_database(), time.perf_counter()
    running = [_start(at, worker, workers) for worker in range(workers)]
    ended = [_end(process) for process in running]
    wall = time.perf_counter() - began
    assert sum(said["entries"]["new"] for said, _ in ended) == 4 * at.feeds, ended
    return _Found(wall, sum(cpu for _, cpu in ended), _cpu_of_database() - before)


def _start(at: Desk, worker: int, workers: int) -> subprocess.Popen[str]:
    mine = ",".join(str(index) for index in range(worker, SHARDS, workers))
    environment = {**own_environment(), **at.environment(WATCHFLOOR_WORKERS="1", BENCH_SHARDS=mine)}
    cores = sorted(os.sched_getaffinity(0))
    command = [sys.executable, *at.arguments("shards")]
    process = subprocess.Popen(command, cwd=at.folder, env=environment, stdout=subprocess.PIPE, text=True)
    os.sched_setaffinity(process.pid, {cores[worker % len(cores)]})  # its readers, which come later, inherit it
    return process


def _end(process: subprocess.Popen[str]) -> tuple[dict[str, Any], float]:
    """What it printed, and the CPU seconds of it and of its children."""
    assert process.stdout
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, output
    said: dict[str, Any] = json.loads(output)
    return said, used.ru_utime + used.ru_stime


def _cpu_of_database() -> float:
    """CPU seconds of the server since it started, connections that are closed included."""
    from tests.postgres import server_pid

    server = psutil.Process(server_pid())
    closed = server.cpu_times()
    alive = [one.cpu_times() for one in server.children()]
    return float(closed.children_user + closed.children_system + sum(sum(one[:2]) for one in [closed, *alive]))
