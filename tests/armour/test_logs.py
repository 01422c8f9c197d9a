"""Log lines: the same keys on every line, and no secret in any of them, tracebacks included."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.watching import environment_for, paper_in_a_thread
from watchfloor import logs
from watchfloor.settings import load
from watchfloor.wiring import readable_by_others

SECRETS = ("postgresql+psycopg://desk:pass%20word@db.example/news", "slack://T1/B2/tokentoken mailto://a:b@c.example")


@pytest.fixture(autouse=True)
def _own_loggers() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("watchfloor")
    before = (root.handlers, ours.handlers, ours.level, ours.propagate)
    yield
    root.handlers, ours.handlers, ours.level, ours.propagate = before


def test_the_same_keys_whoever_speaks(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger().handlers = []
    logs.begin("json")
    logs.say("polled", source="gazette", status=200)
    logs.warn("strange")
    logging.getLogger("some.library").warning("of %s", "theirs")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [tuple(line) for line in lines] == [logs.KEYS] * 3
    assert [(line["level"], line["event"], line["source"], line["detail"]) for line in lines] == [
        ("info", "polled", "gazette", None),
        ("warning", "strange", None, None),
        ("warning", "some.library", None, "of theirs"),
    ]


def test_text_has_the_same_keys(capsys: pytest.CaptureFixture[str]) -> None:
    logs.begin("text")
    logs.say("read", article=7, detail="two words\nand a line")
    (line,) = capsys.readouterr().err.splitlines()
    assert [word.partition("=")[0] for word in line.split() if "=" in word] == list(logs.KEYS[3:])
    assert 'detail="two words\\nand a line"' in line


def test_quiet_says_what_matters_only(capsys: pytest.CaptureFixture[str]) -> None:
    logs.begin("quiet")
    logs.say("polled")
    logs.warn("look here")
    assert [line.split()[2] for line in capsys.readouterr().err.splitlines()] == ['"look']


def test_a_key_of_ones_own_is_refused() -> None:
    with pytest.raises(ValueError, match="no colour"):
        logs.say("polled", colour="red")


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_gets_into_a_line(capsys: pytest.CaptureFixture[str], form: logs.Form) -> None:
    logs.begin(form, SECRETS)
    try:
        raise ValueError(f"cannot connect to {SECRETS[0]} as pass word")
    except ValueError as error:
        logs.warn("failed", trace=error, url="http://me:hidden@host/", detail="slack://T1/B2/tokentoken")
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert not [secret for secret in ("pass%20word", "pass word", "tokentoken", "hidden") if secret in said]


def test_settings_know_their_secrets_and_never_show_them() -> None:
    settings = load(database_url=SECRETS[0], apprise_urls=SECRETS[1], ping_url="https://ping.example/uuid-uuid")
    assert {*SECRETS, "https://ping.example/uuid-uuid"} <= set(settings.secrets)
    assert not [secret for secret in ("pass%20word", "tokentoken", "uuid-uuid") if secret in repr(settings)]


def test_files_with_secrets_that_others_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    alerts, env = tmp_path / "alerts.yaml", tmp_path / ".env"
    alerts.write_text("urls: []")
    env.write_text("WATCHFLOOR_CONTACT=desk@paper.example\n")
    alerts.chmod(0o644)
    env.chmod(0o644)
    assert readable_by_others(load()) == [Path("alerts.yaml")]
    alerts.chmod(0o600)
    env.write_text("APPRISE_URLS=slack://x\n")
    assert readable_by_others(load()) == [Path(".env")]


def test_a_run_writes_lines_and_warns_of_open_secrets(tmp_path: Path) -> None:
    alerts = tmp_path / "alerts.yaml"
    alerts.write_text("urls: []\n")
    alerts.chmod(0o644)
    with paper_in_a_thread() as paper:
        environment = environment_for(paper, tmp_path) | {"WATCHFLOOR_LOG": "json", "HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-m", "watchfloor", "run", "--format", "json"],
            cwd=tmp_path,
            env={**environment, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert all(tuple(line) == logs.KEYS for line in lines)
    events = [line["event"] for line in lines]
    assert events[0] == "secrets others can read"
    assert (events.count("polled"), events.count("read"), events[-1]) == (5, 10, "cycle")
