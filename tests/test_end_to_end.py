"""The whole way, on real input: a newspaper over real HTTP, a real archive, the shipped watchlist."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.watching import environment_for, paper_in_a_thread
from watchfloor.demo.newspaper import Newspaper


class Desk:
    """Somebody at the shell: runs commands in a folder and reads what they print."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, {"PATH": "/usr/bin:/bin", "HOME": str(folder), **environment}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "watchfloor", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def says(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, f"{arguments}: {process.returncode}\n{out}\n{err}"
        return out, err

    def tells(self, *arguments: str) -> Any:
        return json.loads(self.says(*arguments, "--format", "json")[0])


def pages_asked(paper: Newspaper) -> Counter[str]:
    return Counter(path for path, _ in paper.asked if path.endswith(".html"))


def matters(paper: Newspaper, edition: int) -> set[str]:
    return {story.title for story in paper.stories if story.matters and story.edition == edition}


def test_two_editions(tmp_path: Path) -> None:
    with paper_in_a_thread() as paper:
        desk = Desk(tmp_path, environment_for(paper, tmp_path))
        first = desk.tells("run", "--now")
        again = desk.tells("run", "--now")
        conditional = paper.asked[-5:]
        paper.publish(2)
        second = desk.tells("run", "--now")
        last = desk.tells("run", "--now")
        alerts = desk.tells("alerts", "list")
        found = desk.tells("search", "--limit", "100")

        assert first["sources"] == {"polled": 5, "not_modified": 0, "failed": 1, "unreachable": 0}
        assert (first["entries"]["new"], first["relevant"], first["alerts"]["created"]) == (10, 5, 1)
        assert (again["entries"]["new"], again["sources"]["not_modified"], again["alerts"]["created"]) == (0, 4, 0)
        assert sorted(status for _, status in conditional) == [200, 304, 304, 304, 304]  # 200: the broken one
        assert (second["entries"]["new"], second["relevant"]) == (11, len(matters(paper, 2)))
        assert (last["entries"]["new"], last["alerts"]["created"]) == (0, 0)
        assert {hit["title"] for hit in found["hits"]} == matters(paper, 1) | matters(paper, 2)
        assert set(pages_asked(paper).values()) == {1}
        told = Counter(brief["headline"] for alert in alerts if alert["kind"] != "update" for brief in alert["briefs"])
        assert set(told.values()) == {1}
        assert set(told) <= matters(paper, 1) | matters(paper, 2)
        (update,) = [brief for alert in alerts if alert["kind"] == "update" for brief in alert["briefs"]]
        assert "brigade in Lithuania" in update["headline"]
        assert "An official source joins: Ministry of Defence." in update["news"]
        (wire,) = [brief for alert in alerts for brief in alert["briefs"] if brief["articles"] == 3]
        carriers = {wire["publisher"], wire["wire"], *wire["others"], *wire["copies"]} - {""}
        assert carriers == {"Harbour Press", "Meridian Wire", "Valley Media"}
        stories = {hit["story"] for hit in found["hits"]}
        assert {brief["story_id"] for alert in alerts for brief in alert["briefs"]} == stories
