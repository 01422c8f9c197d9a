"""Two processes on one PostgreSQL against one, each with half of the shards, on pages that are all still to be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace

from bench import cycles
from bench.contenders import SHARDS
from bench.cycles import Desk
from bench.runs import Table, middle


def measure(table: Table, *, scale: float, rounds: int) -> None:
    """Each with one reader of pages, so that what is compared is workers."""
    with cycles.desk(max(10, round(500 * scale))) as desk:
        found = [(_seconds(desk, 1), _seconds(desk, 2)) for _ in range(rounds)]
    detail = f"{middle([one for one, _ in found]):.1f} s and {middle([two for _, two in found]):.1f} s"
    table.add(
        "two workers on one PostgreSQL: times as fast as one", [one / two for one, two in found], ">= 1.70", detail
    )


def _seconds(desk: Desk, workers: int) -> float:
    from tests.postgres import fresh_database

    desk.publish(1)
    at = replace(desk, database=fresh_database())
    at.runs("polls")
    at.forget_pages()
    at.publish(2)
    began = time.perf_counter()
    running = [_start(at, worker, workers) for worker in range(workers)]
    said = [json.loads(process.communicate()[0]) for process in running]
    took = time.perf_counter() - began
    assert sum(one["entries"]["new"] for one in said) == 4 * at.feeds, said
    return took


def _start(at: Desk, worker: int, workers: int) -> subprocess.Popen[str]:
    mine = ",".join(str(index) for index in range(worker, SHARDS, workers))
    environment = {**os.environ, **at.environment(WATCHFLOOR_WORKERS="1", BENCH_SHARDS=mine)}
    command = [sys.executable, *at.arguments("shards")]
    return subprocess.Popen(command, cwd=at.folder, env=environment, stdout=subprocess.PIPE, text=True)
