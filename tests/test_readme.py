"""What the README shows is what there is: its commands parse, its targets exist, its output is the demo's."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.watching import ROOT
from watchfloor.cli import make_app

README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = [line.strip() for line in README.splitlines() if line.startswith("    ")]
COMMANDS = sorted({line.split("  #")[0].strip() for line in LINES if line.startswith("watchfloor ")})
VOLATILE = re.compile(r"\d+|\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|[A-Z][a-z]{2})(?= \d)")


def shown(name: str) -> list[str]:
    """The lines of an excerpt, as they stand between its marks."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README, re.DOTALL)
    assert found
    return [line[4:] for line in found[1].splitlines() if line.strip()]


def masked(lines: list[str]) -> list[str]:
    """Without dates, ports, durations and scores, and in any order of words: who was first to carry it varies."""
    return [" ".join(sorted(re.findall(r"\w+", VOLATILE.sub("0", line)))) for line in lines if line.strip()]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_parses(command: str) -> None:
    make_app().parse_args(shlex.split(command)[1:], print_error=False, exit_on_error=False)


def test_every_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^    )make ([a-z-]+)", README, re.MULTILINE)) <= targets


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_excerpts_are_what_the_demo_prints(tmp_path: Path) -> None:
    def says(*words: str) -> list[str]:
        command = [sys.executable, "-m", "watchfloor", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120)
        return masked(done.stdout.splitlines())

    demo = says("demo", "--keep", "kept")
    assert [line for line in masked(shown("demo")) if line not in demo] == []
    found = re.search(r"(\d+)\s+Pentagon chief", _found(tmp_path, "pentagon"))
    assert found
    explained = says("explain", found[1], "--database-url", "sqlite:///kept/demo.db")
    assert [line for line in masked(shown("explain")) if line not in explained] == []


def _found(folder: Path, query: str) -> str:
    command = [sys.executable, "-m", "watchfloor", "search", query, "--database-url", "sqlite:///kept/demo.db"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
