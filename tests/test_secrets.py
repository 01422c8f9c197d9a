"""Planted secrets, and every way in which sending fails: none of them is in a log, an error, a page or the archive."""

from __future__ import annotations

import ast
import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from alerts.config import Policy, parse
from alerts.send import AppriseSender
from storage.archive import SqlArchive
from storage.engine import open_archive
from tests.browsing import Clock, Reader, page_over
from tests.sending import alert, floor_for
from tests.smtp import SlackRoom, free_port, slack_room
from tests.watching import ROOT, environment_for, paper_in_a_thread
from watchfloor import logs, pipeline
from watchfloor.model import Delivery
from watchfloor.report import Report
from watchfloor.settings import Settings

PASSWORD, TOKEN, HEADER, PATH = (
    "hunter22sesame",
    "TIiajkdnlazkcOXrIdevi7FQ",
    "bearer-9f8e7d6c",
    "k3yOfAWebhook0123456789",
)
PLANTED = (PASSWORD, TOKEN, HEADER, PATH, "A1BRTD4JD")
HOOK = f"slack://T1JJ3T3L2/A1BRTD4JD/{TOKEN}"


def clean(*told: object) -> bool:
    """Whether none of the secrets is in what was told; says which one is."""
    text = "\n".join(str(one) for one in told)
    found = [secret for secret in PLANTED if secret in text]
    assert not found, f"{found} in {text[max(text.index(found[0]) - 200, 0) :][:400]}"
    return True


@pytest.fixture
def chatterbox() -> Iterator[int]:
    """A web server that refuses everything and says back what it was told: address, headers, secrets."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = f"{self.path} {self.headers} {' '.join(PLANTED)}".encode()
            self.send_response(403, f"no {TOKEN}")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def gatekeeper() -> Iterator[int]:
    """A mail server that lets nobody in, and quotes the password."""
    port = free_port()
    controller = Controller(
        object(),
        hostname="127.0.0.1",
        port=port,
        auth_require_tls=False,
        authenticator=lambda *_: AuthResult(success=False, handled=False, message=f"535 not with {PASSWORD}"),
    )
    controller.start()
    yield port
    controller.stop(no_assert=True)


@pytest.fixture
def silent() -> Iterator[int]:
    """A server that takes connections and says nothing."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def failing(chatterbox: int, gatekeeper: int, silent: int) -> Policy:
    """Targets that all fail, each in its own way, each with secrets."""
    nobody = free_port()
    login = f"monitor:{PASSWORD}@127.0.0.1"
    mail = "from=w@desk.example&to=a@desk.example"
    urls = [
        HOOK,
        f"mailto://{login}:{gatekeeper}?{mail}",
        f"mailto://{login}:{silent}?{mail}",
        f"mailto://{login}:{nobody}?{mail}",
        f"mailtos://{login}:{gatekeeper}?{mail}",
        f"json://{login}:{chatterbox}/hooks/{PATH}?+X-Key={HEADER}",
        f"xml://{login}:{nobody}/hooks/{PATH}?+X-Key={HEADER}",
        f"json://{login}:{silent}/hooks/{PATH}?+X-Key={HEADER}",
    ]
    return parse("urls:\n" + "".join(f"  - {url}\n" for url in urls), "alerts.yaml", Settings())


def send_all(archive: SqlArchive, policy: Policy, room: SlackRoom) -> list[Delivery]:
    """Try one alert at each target; what became of them."""
    clock = Clock()
    archive.raise_alert(alert(1, [one.target.id for one in policy.targets]))
    with AppriseSender(policy.targets, attempt=timedelta(seconds=6), apart=0, webhooks=room.base) as sender:
        asyncio.run(pipeline.deliver(replace(floor_for(archive, sender, clock)), Report()))
    assert room.posts
    return list(archive.list_deliveries(limit=99))


@pytest.fixture
def room() -> Iterator[SlackRoom]:
    with slack_room() as opened:
        opened.script = [500]
        yield opened


def test_no_failure_of_sending_tells_a_secret(
    tmp_path: Path,
    room: SlackRoom,
    chatterbox: int,
    gatekeeper: int,
    silent: int,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    policy, archive = failing(chatterbox, gatekeeper, silent), open_archive(f"sqlite:///{tmp_path}/archive.db")
    with caplog.at_level(logging.DEBUG):
        for name in ("apprise", "urllib3", "requests", "smtplib"):
            logging.getLogger(name).setLevel(logging.NOTSET if name != "apprise" else logging.WARNING)
        told = send_all(archive, policy, room)
    assert len(told) == 8
    assert "sent" not in {one.state for one in told}
    logged = [one.getMessage() for one in caplog.records if one.name != "mail.log"]  # the test's own mail server
    assert clean(told, policy, logged, *capfd.readouterr())
    assert any("403" in str(one.error) for one in told)  # what a service says is told, without the secret

    reader = Reader(page_over(archive))
    pages = [reader.opens(path) for path in ("/deliveries", "/", "/metrics", "/story/1", "/api/health")]
    assert clean(*(f"{page.status_code} {page.headers} {page.text}" for page in pages))
    census, postings = archive.census(Clock()()), archive.list_alerts(limit=9)
    assert clean(census, [one.as_json() for one in postings])
    assert clean(archive.vitals([one.target for one in policy.targets], Clock()()))
    archive.close()


def test_a_sender_that_is_killed_tells_no_secret(silent: int, capfd: pytest.CaptureFixture[str]) -> None:
    url = f"mailto://monitor:{PASSWORD}@127.0.0.1:{silent}?from=w@desk.example&to=a@desk.example"
    policy = parse(f"urls:\n  - {url}\n", None, Settings())
    outcomes: list[object] = []
    with AppriseSender(policy.targets, attempt=timedelta(seconds=30)) as sender:
        target = policy.targets[0].target.id
        one = Delivery(1, 1, target, "sending", 1, "1@watchfloor", alert(1, [target]))
        sending = threading.Thread(target=lambda: outcomes.append(sender.send(one)))
        sending.start()
        until = time.monotonic() + 30
        while sending.is_alive() and time.monotonic() < until:
            for child in psutil.Process().children():
                if any(at.raddr and at.raddr.port == silent for at in child.net_connections()):
                    os.kill(child.pid, signal.SIGKILL)
            time.sleep(0.05)
        sending.join(10)
    assert outcomes
    assert clean(outcomes, *capfd.readouterr())


IN_ORDER = ["alerts check --format json", "run --now --log json", "digest --send", "doctor --offline"]
BROKEN = ["alerts check", "run --now"]


def test_no_command_tells_a_secret(tmp_path: Path, chatterbox: int, gatekeeper: int) -> None:
    login = f"monitor:{PASSWORD}@127.0.0.1"
    routes = "routes:\n  - {name: all, tags: desk}\n"
    urls = f"""\
urls:
  - mailto://{login}:{gatekeeper}?from=w@desk.example&to=a@desk.example:
      - tag: desk
  - json://{login}:{chatterbox}/hooks/{PATH}?+X-Key={HEADER}:
      - tag: desk
"""
    broken = f"  - slack://{TOKEN}\n  - nothing://{PASSWORD}\n  - {{mailto://{login}: [tag: {{x}}]}}\n"
    alerts = tmp_path / "alerts.yaml"
    with paper_in_a_thread() as paper:
        environment = {**os.environ, **environment_for(paper, tmp_path), "PYTHONPATH": str(ROOT)}
        environment["WATCHFLOOR_ALERTS"] = str(alerts)

        def says(words: str) -> int:
            command = [sys.executable, "-m", "watchfloor", *words.split()]
            done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert clean(words, done.stdout, done.stderr)
            return done.returncode

        alerts.write_text(urls + routes, encoding="utf-8")
        assert [says(words) for words in IN_ORDER][:2] == [0, 0]
        alerts.write_text(urls + broken + routes, encoding="utf-8")
        assert {says(words) for words in BROKEN} == {2}
    archive = b"".join(file.read_bytes() for file in tmp_path.glob("archive.db*"))
    assert clean(archive.decode("latin-1"))


def test_prefect_is_given_numbers_alone() -> None:
    """It keeps the parameters of every run, and shows them."""
    parameters = {
        (argument.arg, ast.unparse(argument.annotation or ast.Constant(None)))
        for file in (ROOT / "flows").glob("*.py")
        for one in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.decorator_list
        if {"flow", "task"} & {node.id for node in ast.walk(one.decorator_list[0]) if isinstance(node, ast.Name)}
        for argument in one.args.args
    }
    assert parameters == {("index", "int"), ("count", "int"), ("shards", "int"), ("shards", "int | None")}


def test_a_log_line_hides_each_part_of_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    policy = parse(f"urls:\n  - {HOOK}\n  - json://u:{PASSWORD}@127.0.0.1/{PATH}?+X-Key={HEADER}\n", None, Settings())
    line = logs.Line("json", policy.secrets)
    record = logging.LogRecord("x", logging.ERROR, "x", 1, f"asked /services/{TOKEN} {' '.join(PLANTED)}", None, None)
    assert clean(json.loads(line.format(record)))
