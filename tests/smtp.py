"""A real SMTP server and a real Slack-like HTTP server for the sender's tests; each says what it is told to say."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

RECIPIENT_RULES = {"bad": "550 no such mailbox", "full": "451 try again later", "long": "552 too large"}


@dataclass
class Mailbox:
    """What arrived. The local part of the recipient says how the server behaves (see `post_office`)."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    attempts: Counter[str] = field(default_factory=Counter)

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
        if name in RECIPIENT_RULES:
            return RECIPIENT_RULES[name]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        name = envelope.rcpt_tos[0].partition("@")[0]
        if name == "cut":
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            return "250 never heard"
        if name == "silent":
            await asyncio.sleep(30)
        if name == "spam":
            return "554 looks like spam"
        assert isinstance(envelope.content, bytes)
        self.box.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


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
            status = int(payload.get("channel", "#200").lstrip("#"))
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
