"""A real SMTP server and a real Slack-like HTTP server for the sender's tests; each says what it is told to say."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

DRIP = 1.0  # seconds between two bytes
RECIPIENT_RULES = {"bad": "550 no such mailbox", "full": "451 try again later", "long": "552 too large"}


@dataclass
class Mailbox:
    """What arrived. The local part of the recipient says how the server behaves (see `post_office`)."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    attempts: Counter[str] = field(default_factory=Counter)
    takes: float = 0.0  # seconds until the yes to a message
    faults: dict[str, Iterator[str | None]] = field(default_factory=dict)

    def faults_of(self, name: str, faults: Sequence[str], *, every: int) -> None:
        """Let one in `every` messages to a recipient meet a fault, each kind in its turn."""
        kinds = itertools.cycle(faults)
        self.faults[name] = (next(kinds) if turn % every == 0 else None for turn in itertools.count(1))

    def recipients(self) -> list[str]:
        return sorted(str(mail["To"]) for mail in self.mails)


class _Clerk:
    def __init__(self, box: Mailbox) -> None:
        self.box = box

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        name = address.partition("@")[0]
        self.box.attempts[name] += 1
        fault = next(self.box.faults[name]) if name in self.box.faults else None
        rule = {"550": "bad", "451": "full"}.get(str(fault), name)
        if rule in RECIPIENT_RULES:
            return RECIPIENT_RULES[rule]
        session.fault = fault or name  # type: ignore[attr-defined]  # how this session goes on
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        fault = session.fault  # type: ignore[attr-defined]
        if fault == "cut":
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            return "250 never heard"
        if fault == "silent":
            await asyncio.sleep(30)
        if fault == "drip":
            await self._drip(server)
        if fault == "spam":
            return "554 looks like spam"
        await asyncio.sleep(self.box.takes)
        assert isinstance(envelope.content, bytes)
        self.box.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    async def _drip(self, server: SMTP) -> None:
        """An answer of one byte a second that never ends."""
        assert isinstance(server.transport, asyncio.Transport)
        while not server.transport.is_closing():
            server.transport.write(b"2")
            await asyncio.sleep(DRIP)


class _Anywhere(Controller):
    """On a free port: the system picks it."""

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, host="127.0.0.1", port=0)

    def _trigger_server(self) -> None:
        """Its look whether the server answers, at the port that it got."""
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]  # it has been created
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def post_office() -> Iterator[Mailbox]:
    """A mail server. bad@ and spam@ are refused for good, full@ for now, cut@ loses the connection after the data,
    silent@ gets no answer after the data; everybody else gets the mail."""
    box = Mailbox()
    controller = _Anywhere(_Clerk(box), hostname="127.0.0.1")
    controller.start()
    try:
        box.port = controller.port
        yield box
    finally:
        controller.stop(no_assert=True)


@dataclass
class SlackRoom:
    """A webhook server: the channel's name is the status it answers with, `#200` by default."""

    base: str = ""
    posts: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    script: list[int] = field(default_factory=list)  # statuses of the next answers, before the channels' own
    headers: Mapping[int, Mapping[str, str]] = field(
        default_factory=lambda: {429: {"Retry-After": "7"}, 302: {"Location": "/elsewhere"}}
    )


@contextmanager
def slack_room() -> Iterator[SlackRoom]:
    room = SlackRoom()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            room.posts.append(payload)
            room.paths.append(self.path)
            status = room.script.pop(0) if room.script else int(payload.get("channel", "#200").lstrip("#"))
            body = b"ok" if status == 200 else b"no_service"
            self.send_response(status)
            for name, value in room.headers.get(status, {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    room.base = f"http://127.0.0.1:{server.server_address[1]}/services"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield room
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    """A port of loopback that nobody listens on, for a server that cannot be told to find one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
