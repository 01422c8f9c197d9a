"""Prefect's share of a cycle: the same cycle as a flow, with a server, and as `watchfloor run`."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from bench import cycles
from bench.cycles import said
from bench.material import FRESH
from bench.runs import Table, middle
from flows import serve
from tests.smtp import free_port

SETTLES = 10.0  # seconds after its first answer, in which a server starts what it does at rest


def measure(table: Table, *, scale: float, rounds: int) -> None:
    """A run, and a flow with what the server takes meanwhile, each over the same news."""
    feeds = max(10, round(500 * scale))
    found = []
    with cycles.desk(feeds) as at, _server() as server:
        at.runs("polls")
        at.forget_pages()
        at.cycles()
        at.publish(2)
        at.make_due()
        for _ in range(rounds):
            with at.put_aside():
                run = at.cycles()
            with at.put_aside():
                before = _cpu(server)
                flow = at.runs("flow")
                served = _cpu(server) - before
            for one in (run, flow):
                assert said(one)["entries"]["new"] == FRESH * feeds, one.output
            found.append((run.cpu, flow.cpu, served))
    run_cpu, flow_cpu, served_cpu = (middle(values) for values in zip(*found, strict=True))
    detail = f"run {run_cpu:.1f}, flow {flow_cpu:.1f}, server {served_cpu:.1f} s"
    shares = [(flow + served - run) / run for run, flow, served in found]
    table.add(f"Prefect in a cycle of {feeds} feeds: CPU, of all else", shares, "<= 0.05", detail)


@contextmanager
def _server() -> Iterator[psutil.Process]:
    """A server as `watchfloor serve` starts it; what is run meanwhile finds it by the environment."""
    with tempfile.TemporaryDirectory() as home:
        os.environ.pop("PREFECT_API_URL", None)
        os.environ |= {"PREFECT_HOME": home, "PREFECT_SERVER_API_PORT": str(free_port())}
        serve.set_defaults()
        with serve.prefect_server():
            time.sleep(SETTLES)
            yield next(child for child in psutil.Process().children() if "prefect" in child.cmdline())


def _cpu(server: psutil.Process) -> float:
    """Seconds of CPU since it started."""
    return float(sum(sum(one.cpu_times()[:2]) for one in [server, *server.children(recursive=True)]))
