"""The commands as somebody types them: what goes wrong is one line with its place, exit code 2, and nothing written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.watching import ROOT
from watchfloor.cli import run

SOURCES = "sources:\n  - name: Gazette\n    url: https://gazette.example/feed\n"
WATCHLIST = "threshold: 4\ntopics:\n  - id: aid\n    name: Aid\n    keywords:\n      - warhead\n"


class Shell:
    """A folder in which somebody types commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "sources.yaml").write_text(SOURCES)
        (folder / "watchlist.yaml").write_text(WATCHLIST)

    def types(self, *words: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("WATCHFLOOR_", "PREFECT_"))}
        return subprocess.run(
            [sys.executable, "-m", "watchfloor", *words],
            cwd=self.folder,
            env={**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "80", **environment},
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def reads(self, *words: str, given: str = "", **environment: str) -> Any:
        done = self.types(*words, given=given, **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


# -- what is broken ---------------------------------------------------------------------------------------------------

BROKEN = [
    ("sources.yaml", "sources:\n  - name: Gazette\n", "sources.yaml:2"),
    ("sources.yaml", "sources:\n  - name: Gazette\n    url: ftp://gazette.example/feed\n", "sources.yaml:3"),
    ("sources.yaml", "sources:\n\t- name", "sources.yaml:2"),
    ("sources.yaml", "", "sources.yaml"),
    ("watchlist.yaml", WATCHLIST.replace("threshold: 4", "threshold: lots"), "watchlist.yaml:1"),
    ("watchlist.yaml", WATCHLIST.replace("keywords", "keyword"), "watchlist.yaml:5"),
    ("watchlist.yaml", f"{WATCHLIST}rules:\n  - {{query: 'a AND (b', topic: aid}}\n", "watchlist.yaml:8"),
    ("alerts.yaml", "urls:\n  - nonsense://x\n", "alerts.yaml:2"),
    ("alerts.yaml", "urls:\n  - json://127.0.0.1:\n      - tag: desk\nroutes:\n  - name: a\n    tags: [dsk]\n", ":5"),
]


@pytest.mark.parametrize(("name", "content", "place"), BROKEN)
def test_a_broken_file_is_one_line_with_its_place(shell: Shell, name: str, content: str, place: str) -> None:
    (shell.folder / name).write_text(content)
    before = shell.files()
    done = shell.types("run")
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert place in done.stderr
    assert shell.files() == before


def test_serve_looks_before_it_starts(shell: Shell) -> None:
    (shell.folder / "watchlist.yaml").write_text(WATCHLIST.replace("threshold: 4", "threshold: lots"))
    before = shell.files()
    done = shell.types("serve")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert shell.files() == before


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"WATCHFLOOR_DATABASE_URL": "mysql://somewhere/db"}, "WATCHFLOOR_DATABASE_URL"),
        ({"WATCHFLOOR_DATABASE_URL": "nonsense"}, "WATCHFLOOR_DATABASE_URL"),
        ({"WATCHFLOOR_TIMEZONE": "Mars/Base"}, "WATCHFLOOR_TIMEZONE"),
        ({"WATCHFLOOR_HOST_DELAY": "-1"}, "WATCHFLOOR_HOST_DELAY"),
        ({"WATCHFLOOR_ALLOW_ADDRESSES": "everything"}, "WATCHFLOOR_ALLOW_ADDRESSES"),
        ({"WATCHFLOOR_SOURCES": "nowhere.yaml"}, "nowhere.yaml"),
        ({"WATCHFLOOR_ALERTS": "nowhere.yaml"}, "nowhere.yaml"),
    ],
)
def test_a_broken_setting_is_one_line_that_names_it(shell: Shell, environment: dict[str, str], said: str) -> None:
    before = shell.files()
    done = shell.types("run", **environment)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert shell.files() == before


def test_a_secret_is_not_repeated_in_an_error(shell: Shell) -> None:
    done = shell.types("run", WATCHFLOOR_DATABASE_URL="mysql://user:hunter2@somewhere/db")
    assert "hunter2" not in done.stdout + done.stderr


# -- what works -------------------------------------------------------------------------------------------------------


def test_without_a_network_it_says_so_and_keeps_the_sources(shell: Shell) -> None:
    (shell.folder / "sources.yaml").write_text(SOURCES.replace("https://gazette.example", "http://127.0.0.1:9"))
    done = shell.types("run", WATCHFLOOR_ALLOW_ADDRESSES="127.0.0.0/8")
    assert done.returncode == 1
    assert "Gazette" in done.stdout
    assert "none of 1 sources could be reached" in done.stderr
    assert "WATCHFLOOR_CONTACT" in done.stderr
    with_contact = shell.types("run", WATCHFLOOR_CONTACT="desk@example.org")
    assert "WATCHFLOOR_CONTACT" not in with_contact.stderr
    again = shell.types("run", WATCHFLOOR_ALLOW_ADDRESSES="127.0.0.0/8")
    assert again.returncode == 0
    assert "None of 1 sources is due before" in again.stdout


def test_init_lays_out_the_files_once(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    shell = Shell(tmp_path)
    assert shell.types("init", str(folder)).returncode == 0
    written = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(written) == {"sources.yaml", "watchlist.yaml", "alerts.yaml"}
    (folder / "sources.yaml").write_text(SOURCES)
    assert "left alone" in shell.types("init", str(folder)).stdout
    assert (folder / "sources.yaml").read_text() == SOURCES


def test_judge_reads_lines_and_prints_lines(shell: Shell) -> None:
    given = '{"id": "a", "title": "Warhead", "text": "A warhead."}\n\n{"title": "Tulips", "text": "They grow."}\n'
    done = shell.types("judge", given=given)
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert (first["id"], first["judged"], first["evidence"][0]["term"]) == ("a", True, "warhead")
    assert (second["id"], second["relevant"], second["evidence"]) == (3, False, [])


def test_judge_names_the_line_that_is_no_json(shell: Shell) -> None:
    done = shell.types("judge", given='{"title": "a", "text": "b"}\nnonsense\n')
    assert done.returncode == 2
    assert "-:2" in done.stderr


def test_group_names_stories_by_their_oldest_article(shell: Shell) -> None:
    text = "The minister said that the second battalion will move to the eastern garrison in spring. " * 6
    given = "".join(
        json.dumps({"id": name, "title": "Battalion moves", "text": said, "published": when}) + "\n"
        for name, said, when in [
            ("late", text, "2026-11-24T10:00:00Z"),
            ("early", text + "He gave no date.", "2026-11-24T08:00:00Z"),
            ("other", "Tulips grow in the park of the old town, and bees like them very much. " * 6, None),
        ]
    )
    done = shell.types("group", given=given)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"id": "late", "story": "early"},
        {"id": "early", "story": "early"},
        {"id": "other", "story": "other"},
    ]


@pytest.mark.parametrize("query", ["C++", "O'Brien", "AT&T", '"', "NEAR/", "(", "NOT", "*", "a" * 20_000, "a\0b"])
def test_any_query_is_answered(
    shell: Shell, query: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shell.folder)
    assert run(["search", query, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"] == 0


NOT_FOR_SEARCH = (
    *("prefect", "alembic", "trafilatura", "feedparser", "apprise", "aiohttp", "jinja2", "starlette", "psutil"),
    *("sqlalchemy.orm", "sqlalchemy.dialects.postgresql", "watchfloor.pipeline", "storage.archive"),
)


@pytest.mark.parametrize(("form", "absent"), [("table", NOT_FOR_SEARCH), ("json", (*NOT_FOR_SEARCH, "rich"))])
def test_search_imports_only_what_it_needs(shell: Shell, form: str, absent: tuple[str, ...]) -> None:
    shell.reads("search", "--format", "json")  # makes the archive, for which it does need Alembic
    asked = f"run(['search', 'warhead', '--facets', '--format', {form!r}])"
    code = f"import sys; from watchfloor.cli import run; {asked}; print(*sorted(sys.modules), file=sys.stderr)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=shell.folder, env=environment
    )
    assert "storage.search" in done.stderr.split()
    assert set(absent) & set(done.stderr.split()) == set()


def test_an_article_that_is_not_there(shell: Shell) -> None:
    for command in ("show", "explain"):
        done = shell.types(command, "17")
        assert (done.returncode, done.stderr) == (1, "watchfloor: the archive knows no article 17\n")


def test_a_closed_pipe_is_no_error(shell: Shell) -> None:
    done = subprocess.run(
        f"{sys.executable} -m watchfloor --help | head -1",
        shell=True,
        cwd=shell.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr


def test_alerts_without_a_target_say_what_to_do(shell: Shell) -> None:
    done = shell.types("alerts", "test")
    assert done.returncode == 2
    assert "watchfloor init" in done.stderr
    assert shell.reads("alerts", "list", "--format", "json") == []


def test_a_digest_of_nothing_says_what_was_looked_at(shell: Shell) -> None:
    done = shell.types("digest", "--preview", "digest.html")
    assert done.returncode == 0, done.stderr
    assert "0 stories" in done.stdout
    assert "sources answered" in done.stdout
    assert "<!doctype html>" in (shell.folder / "digest.html").read_text()
    assert shell.types("digest", "--send").returncode == 2  # nobody to send it to


ROUTED = """\
urls:
  - json://127.0.0.1:9:
      - tag: desk
  - mailto://monitor:hunter22@127.0.0.1:9?from=a@desk.example&to=b@desk.example:
      - tag: ops
routes:
  - {name: strategic, tags: desk, quiet: "22:00-07:00"}
  - {name: morning, tags: [desk], digest: daily, at: "07:30", timezone: Europe/Berlin}
"""


def test_alerts_check_says_all_that_is_wrong_or_what_leads_where(shell: Shell) -> None:
    alerts = shell.folder / "alerts.yaml"
    alerts.write_text(ROUTED)
    done = shell.types("alerts", "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "at once, not from 22:00 to 07:00 (UTC)" in " ".join(done.stdout.split())
    told = shell.reads("alerts", "check", "--format", "json")
    assert (told["faults"], [one["name"] for one in told["targets"]]) == (
        [],
        ["json://127.0.0.1:9", "b@desk.example via 127.0.0.1"],
    )
    assert [one["when"] for one in told["routes"]][1] == "daily at 07:30 (Europe/Berlin)"
    assert "hunter22" not in done.stdout + str(told)

    alerts.write_text(ROUTED.replace("tags: [desk]", "tags: [dsk]").replace("07:30", "7h"))
    (shell.folder / "mail.txt.j2").write_text("{{ title }")
    done = shell.types("alerts", "check", WATCHFLOOR_TEMPLATES=".")
    assert (done.returncode, done.stdout) == (2, "")
    lines = ["mail.txt.j2:1: ", "alerts.yaml:8: unknown tag 'dsk'", "alerts.yaml:8: at: '7h'"]
    assert all(any(said in line for line in done.stderr.splitlines()) for said in lines)
    done = shell.types("alerts", "check", "--format", "json")
    faults = json.loads(done.stdout)["faults"]
    assert (done.returncode, [one["line"] for one in faults]) == (2, [8, 8])
    done = shell.types("run", "--now")  # and so does every other command that needs the file
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 2)
