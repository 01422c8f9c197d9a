"""The schedule, with the locked versions: `watchfloor serve` as a user starts it, a real Prefect server, real runs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flows.serve import LOOKS_EVERY, PATIENT_SERVICES
from tests.watching import environment_for, paper_in_a_thread

pytestmark = pytest.mark.xdist_group("prefect")  # one server at a time is enough for two cores
PATIENCE = 300.0  # seconds: on a busy machine Prefect's server needs a minute, and each run half of one


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def ask(url: str, body: object | None = None) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode() if body is not None else None)
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


class Served:
    """A `watchfloor serve`: start, kill, ask."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.api_port, self.port = folder, free_port(), free_port()
        self.api = f"http://127.0.0.1:{self.api_port}/api"
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")},
            **environment,
            "PREFECT_SERVER_API_PORT": str(self.api_port),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "watchfloor", "serve", "--every", "15s", "--port", str(self.port)]
        with (self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self, how: signal.Signals) -> None:
        assert self.process is not None
        if how is signal.SIGKILL:
            os.killpg(self.process.pid, how)
        else:
            self.process.send_signal(how)
        self.process.wait(60)

    def runs(self) -> Counter[tuple[str, str]]:
        found = ask(f"{self.api}/flow_runs/filter", {"limit": 200})
        return Counter((run["name_of_flow"], run["state_type"]) for run in self._named(found))

    def _named(self, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        flows = {flow["id"]: flow["name"] for flow in ask(f"{self.api}/flows/filter", {})}
        return [{**run, "name_of_flow": flows[run["flow_id"]]} for run in runs]

    def is_up(self) -> bool:
        try:
            return bool(ask(f"{self.api}/health"))
        except OSError:
            return False

    def doubles(self) -> list[tuple[str, str]]:
        """Flow and minute of runs that were made twice."""
        found = self._named(ask(f"{self.api}/flow_runs/filter", {"limit": 200}))
        times = Counter((run["name_of_flow"], run["expected_start_time"]) for run in found)
        return [time for time, count in times.items() if count > 1]

    def wait_until(self, what: Callable[[], bool]) -> None:
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            try:
                if what():
                    return
            except OSError:
                pass  # not up yet
            time.sleep(1)
        pytest.fail(f"waited {PATIENCE:.0f} s; serve said:\n{(self.folder / 'serve.log').read_text()[-3000:]}")


@contextmanager
def served(folder: Path, environment: dict[str, str]) -> Iterator[Served]:
    one = Served(folder, environment)
    one.start()
    try:
        yield one
    finally:
        if one.process and one.process.poll() is None:
            one.stop(signal.SIGTERM)


def test_serve_runs_on_time_survives_a_kill_and_starts_again(tmp_path: Path) -> None:
    with paper_in_a_thread() as paper, served(tmp_path, environment_for(paper, tmp_path)) as serve:
        serve.wait_until(lambda: serve.runs()["poll feeds", "COMPLETED"] >= 2)
        health = ask(f"http://127.0.0.1:{serve.port}/healthz")
        assert health["ok"]
        assert health["last_cycle"]
        assert {artifact["key"] for artifact in ask(f"{serve.api}/artifacts/filter", {})} == {"cycle"}
        wanted = {"filter": {"event": {"name": ["watchfloor.cycle.completed"]}}}
        serve.wait_until(lambda: ask(f"{serve.api}/events/filter", wanted)["total"] >= 1)
        services = ask(f"{serve.api}/admin/settings")["server"]["services"]
        looks = {name: services[name.lower()]["loop_seconds"] for name in PATIENT_SERVICES}
        assert looks == dict.fromkeys(PATIENT_SERVICES, float(LOOKS_EVERY))

        serve.stop(signal.SIGKILL)
        paper.publish(2)
        serve.start()
        done = serve.runs()["poll feeds", "COMPLETED"] if serve.is_up() else 2
        serve.wait_until(lambda: serve.runs()["poll feeds", "COMPLETED"] >= done + 2)

        runs = serve.runs()
        assert runs["poll feeds", "FAILED"] == 0
        assert runs["poll feeds", "RUNNING"] <= 1  # what the kill left behind is not "Running" for ever
        assert serve.doubles() == []
        assert set(Counter(path for path, _ in paper.asked if path.endswith(".html")).values()) == {1}

        serve.stop(signal.SIGTERM)  # as systemd does
        assert not serve.is_up()  # the server that the killed one left behind went with it
