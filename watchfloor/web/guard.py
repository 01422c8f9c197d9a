"""Who may ask, and what a browser may do with the answer.

On loopback nobody has to say who they are. Anywhere else a password opens a session for people, and tokens are for
machines. Always: the Host header is one that we answer to (a name of a stranger's that leads here is refused, which
stops DNS rebinding), what changes anything must come from a page of ours, and no answer may load or run anything that
is not ours.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchfloor.errors import ConfigurationError

LOOPBACK = ("127.0.0.1", "::1", "localhost")
SESSION = "watchfloor_session"
FORMS = "watchfloor_forms"  # the cookie that a form's token belongs to
SESSION_LASTS = timedelta(days=14)
SESSIONS = 1_000  # at a time; the oldest ends first
TRIES, TRIES_IN_ALL, TRIES_WITHIN = 5, 50, timedelta(minutes=5)  # wrong passwords: of one address, of all
BODY = 64_000  # bytes of a form
OPEN = ("/healthz", "/login", "/static/")
SAFE = ("GET", "HEAD", "OPTIONS")

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask; without a password everybody. `hosts`: names we answer to besides loopback and bare addresses."""

    password: str | None = None
    tokens: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether nobody has to say who they are."""
        return self.password is None


def check_bind(host: str, access: Access) -> None:
    """Refuse an address that others can reach without a password.

    Raises:
        ConfigurationError: in words.
    """
    if host not in LOOPBACK and access.is_open:
        raise ConfigurationError(
            f"--host {host}: others could reach the page, and there is no password",
            hint="set WATCHFLOOR_WEB_PASSWORD, or leave --host out",
        )


# -- people -----------------------------------------------------------------------------------------------------------


@dataclass
class Doorkeeper:
    """Knows the password, who is in, and who has tried too often."""

    access: Access
    clock: Callable[[], datetime]
    sessions: dict[str, datetime] = field(default_factory=dict)  # digest -> when it ends
    tries: dict[str, deque[datetime]] = field(default_factory=dict)
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def wait(self, address: str) -> timedelta | None:
        """How long this address has to wait before its next try; None if it may try now."""
        now = self.clock()
        for name in list(self.tries):
            while self.tries[name] and self.tries[name][0] <= now - TRIES_WITHIN:
                self.tries[name].popleft()
            if not self.tries[name]:
                del self.tries[name]
        mine = self.tries.get(address, ())
        if len(mine) < TRIES and sum(map(len, self.tries.values())) < TRIES_IN_ALL:
            return None
        first = mine[0] if mine else min(tries[0] for tries in self.tries.values())
        return first + TRIES_WITHIN - now

    def admit(self, password: str, address: str) -> str | None:
        """A new session for who knows the password, else None, and the try is remembered."""
        if self.access.password is None or not _same(password, self.access.password):
            self.tries.setdefault(address, deque()).append(self.clock())
            return None
        self.tries.pop(address, None)
        session = secrets.token_urlsafe(32)
        self.sessions[_digest(session)] = self.clock() + SESSION_LASTS
        while len(self.sessions) > SESSIONS:
            del self.sessions[next(iter(self.sessions))]
        return session

    def dismiss(self, session: str) -> None:
        """End a session."""
        self.sessions.pop(_digest(session), None)

    def knows(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> str | None:
        """By what we know who asks: "token", "session", "open"; None if we do not."""
        if self.access.is_open:
            return "open"
        if any(_same(_token_in(headers), token) for token in self.access.tokens):
            return "token"
        ends = self.sessions.get(_digest(cookies.get(SESSION, "")))
        return "session" if ends is not None and ends > self.clock() else None

    def form_token(self, cookie: str) -> str:
        """What a form must bring to be one of ours, given to who has this cookie."""
        return hmac.new(self.key, cookie.encode(), hashlib.sha256).hexdigest()


def _same(given: str, known: str) -> bool:
    return bool(known) and hmac.compare_digest(given.encode(), known.encode())


def _digest(session: str) -> str:
    """Sessions are looked up by digest, so that the time of a look-up tells nothing of the ones that exist."""
    return hashlib.sha256(session.encode()).hexdigest()


def _token_in(headers: Mapping[str, str]) -> str:
    """A bearer token, or the password of Basic: feed readers know no other way."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            pass
    return ""


# -- forms ------------------------------------------------------------------------------------------------------------


class NotOurs(Exception):
    """A form that did not come from a page of ours, or is too large to be one."""


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form of ours.

    Raises:
        NotOurs: its token is not the one that this browser was given.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY:
            raise NotOurs
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100))
    except ValueError:
        raise NotOurs from None
    cookie = request.cookies.get(FORMS, "")
    doorkeeper: Doorkeeper = request.app.state.doorkeeper
    if not cookie or not _same(fields.get("token", ""), doorkeeper.form_token(cookie)):
        raise NotOurs
    return fields


def is_from_here(headers: Mapping[str, str], path: str) -> bool:
    """Whether a browser lets a page of ours ask; who is no browser says nothing of it.

    A form of a page that sends no referrer, as ours do, comes from "null": there its token decides. The API has none.
    """
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin == "null":
        return not path.startswith("/api")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


# -- the door ---------------------------------------------------------------------------------------------------------


class Guard:
    """Middleware: Host, who asks, where from; and the headers of every answer."""

    def __init__(self, app: ASGIApp, doorkeeper: Doorkeeper) -> None:
        self.app = app
        self.doorkeeper = doorkeeper
        self.hosts = {"localhost", *(host.lower() for host in doorkeeper.access.hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self.refusal(HTTPConnection(scope))
        await (refusal or self.app)(scope, receive, send_with_headers)

    def refusal(self, asking: HTTPConnection) -> Response | None:
        """Why this request is not answered; None if it is."""
        headers, path = asking.headers, asking.url.path
        if not self.answers_to(headers.get("host", "")):
            return PlainTextResponse("This desk does not answer to that name; see WATCHFLOOR_WEB_HOSTS.", 421)
        known = self.doorkeeper.knows(headers, asking.cookies)
        if known is None and not path.startswith(OPEN):
            return _who_is_there(path, str(asking.url.query))
        if asking.scope["method"] not in SAFE and known != "token" and not is_from_here(headers, path):
            return PlainTextResponse("This did not come from a page of the desk.", 403)
        asking.state.known = known
        return None

    def answers_to(self, host: str) -> bool:
        """Whether a Host header names us: a name that we know, or an address, which no stranger's name leads to."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _who_is_there(path: str, question: str) -> Response:
    if path.startswith(("/api", "/feed")):
        challenge = {"WWW-Authenticate": 'Basic realm="Watchfloor", Bearer'}
        return JSONResponse({"detail": "a token is needed"}, 401, headers=challenge)
    back = quote(f"{path}?{question}" if question else path, safe="")
    return RedirectResponse(f"/login?back={back}", 303)


def local_path(back: str) -> str:
    """Where to go on: a path of ours, whatever was asked for."""
    is_ours = back.startswith("/") and not back.startswith("//") and back.isprintable() and "\\" not in back
    return back if is_ours else "/"
