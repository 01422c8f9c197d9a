"""Runs of contenders in processes of their own, in turn; what they took; a table of ratios, and the same as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

RESULTS = Path(__file__).parent / "results"
WATCH_EVERY = 0.2  # seconds between looks at the memory


@dataclass(frozen=True)
class Run:
    """What one process and its children took: seconds, and bytes at the highest; and what it printed."""

    wall: float
    cpu: float
    memory: int
    output: str


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    seen: Callable[[int], object] = lambda memory: None,
) -> Run:
    """Run `python ARGUMENTS` and wait for it. CPU is its own and that of the children it waited for.

    `seen` is called with the memory of them all, over and over.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={**own_environment(), **environment},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watched = _Memory(process.pid, seen)
    assert process.stdout
    assert process.stderr
    errors: list[str] = []
    reader = threading.Thread(target=lambda stream: errors.append(stream.read()), args=(process.stderr,))
    reader.start()
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    reader.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}:\n{output}\n{''.join(errors)}")
    return Run(wall, used.ru_utime + used.ru_stime, watched.end(), output)


def own_environment() -> dict[str, str]:
    """This process's own settings, but for one that has every process compile Watchfloor anew: what is installed is
    compiled once, as it is installed."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class _Memory(threading.Thread):
    """Watches a tree of processes: the largest sum of what each has in memory; what they share counts for each."""

    def __init__(self, pid: int, seen: Callable[[int], object]) -> None:
        super().__init__(daemon=True)
        self.root, self.highest, self.over, self.seen = psutil.Process(pid), 0, threading.Event(), seen
        self.start()

    def run(self) -> None:
        while not self.over.wait(WATCH_EVERY):
            try:
                tree = [self.root, *self.root.children(recursive=True)]
                memory = sum(one.memory_info().rss for one in tree)
            except psutil.Error:
                continue
            self.highest = max(self.highest, memory)
            self.seen(memory)

    def end(self) -> int:
        self.over.set()
        self.join()
        return self.highest


@contextmanager
def site(items: int) -> Iterator[int]:
    """Newspapers on loopback with feeds of so many items at most; the port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.site", "--items", str(items)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


# -- results ----------------------------------------------------------------------------------------------------------


@dataclass
class Line:
    """A ratio that was measured in each round, and what it should be at most (or at least)."""

    measure: str
    ratios: list[float]
    target: str
    detail: str = ""

    def row(self) -> str:
        spread = f"{min(self.ratios):.2f}-{max(self.ratios):.2f}"
        middle = statistics.median(self.ratios)
        return f"{self.measure:<62} {middle:>7.2f}  {spread:<11} {self.target:<12} {self.detail}"


@dataclass
class Table:
    """What a run of the benches found."""

    lines: list[Line] = field(default_factory=list)

    def add(self, measure: str, ratios: Sequence[float], target: str, detail: str = "") -> None:
        line = Line(measure, list(ratios), target, detail)
        self.lines.append(line)
        if len(self.lines) == 1:
            print(f"{'measure':<62} {'median':>7}  {'spread':<11} {'target':<12} medians", flush=True)
        print(line.row(), flush=True)

    def keep(self, about: Mapping[str, Any]) -> Path:
        """Write it down as JSON; the file."""
        RESULTS.mkdir(exist_ok=True)
        now = datetime.now(UTC)
        path = RESULTS / f"{now:%Y-%m-%dT%H%M%S}.json"
        machine = {"python": platform.python_version(), "cores": os.cpu_count(), "machine": platform.machine()}
        document = {"at": now.isoformat(), **machine, **about, "lines": [asdict(line) for line in self.lines]}
        path.write_text(json.dumps(document, indent=1), encoding="utf-8")
        return path


def in_turn(rounds: int, *contenders: Callable[[], Run]) -> list[tuple[Run, ...]]:
    """Run each once a round, one after the other, so that a noisy machine is noisy for all."""
    return [tuple(contender() for contender in contenders) for _ in range(rounds)]


def middle(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)
