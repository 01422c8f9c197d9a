"""The only HTTP of the house: guarded, polite, conditional. aiohttp lives here only.

    url | guard.read | robots | turns.turn | guard.check | aiohttp (guarded sockets) | decode, capped | Answer
     ^                                                                                      |
     +------------------------------- a redirect, at most five ----------------------------+

Everything from outside is hostile: an answer may drip, never end, grow a thousandfold when decompressed, be cut off, or
lead into the machines next door. Each hop of a redirect goes through the whole way again.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Literal, Protocol, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from watchfloor import __version__, robots
from watchfloor.addresses import Guard, Network, odd_port
from watchfloor.errors import BadAnswer, ConfigurationError, FetchError, HttpStatus, Refused, Unreachable
from watchfloor.ports import Answer
from watchfloor.turns import Turns

Want = Literal["feed", "page", "any"]
AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[str, int, *tuple[int, ...]]]

PROJECT_PAGE = "https://github.com/watchfloor/watchfloor"
DEADLINE = 14.0  # seconds for a whole answer, redirects included; waiting for one's turn is not counted
MAX_REDIRECTS = 5
MAX_FIELD = 32 * 1024  # bytes of one header: Content-Security-Policy and Link outgrow aiohttp's 8 KB on real news sites
AT_ONCE = 64  # requests in flight: enough to keep two cores busy extracting pages that take a second each to come
RESOLVERS = 16  # threads that look names up: some names hang for many seconds, and must not hold up the others

MB = 1024 * 1024
CAPS: Mapping[Want, int] = {"feed": 10 * MB, "page": 5 * MB, "any": 10 * MB}  # decoded bytes
ROBOTS_CAP = 500 * 1024  # RFC 9309: a reader may stop there
ROBOTS_LIFE = 24 * 3600.0  # seconds; the same RFC
ROBOTS_UNREACHABLE = 600.0  # seconds until a silent host's robots.txt is asked for again; until then no page is

ACCEPT: Mapping[Want, str] = {
    "feed": "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.5, */*;q=0.1",
    "page": "text/html, application/xhtml+xml;q=0.9, */*;q=0.1",
    "any": "*/*",
}

PERMANENT = (301, 308)
REDIRECTS = (301, 302, 303, 307, 308)
BUSY = (429, 503)  # with these a Retry-After speaks for the whole host

LONGEST_WAIT = timedelta(days=7)  # nobody asks for more in earnest
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?(\d+)", re.IGNORECASE)
_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_CONTACT = re.compile(r"[!-'*-:<-~]+")  # printable ASCII without blank, brackets and semicolon


# -- what headers say, pure -------------------------------------------------------------------------------------------


def user_agent(contact: str | None) -> str:
    """Who we are and where a publisher can complain: `Watchfloor/0.1.0 (+https://…; mailto:…)`.

    Raises:
        ConfigurationError: the contact cannot be written into a header.
    """
    product = f"{robots.PRODUCT}/{__version__}"
    if not contact:
        return f"{product} (+{PROJECT_PAGE})"
    if not _CONTACT.fullmatch(contact):
        raise ConfigurationError("WATCHFLOOR_CONTACT: give an e-mail address or the address of a page, in plain ASCII")
    is_mail = "@" in contact and ":" not in contact
    return f"{product} (+{PROJECT_PAGE}; {'mailto:' if is_mail else ''}{contact})"


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long the server asks us to wait (seconds or a date), between nothing and 7 days; None if it does not say."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return _seconds(value)
    date = http_date(value)
    return _clamped(date - now) if date else None


def cache_lifetime(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """For how long from now the answer says it is fresh, at most 7 days; None if it does not say."""
    control = headers.get("cache-control", "")
    if found := _MAX_AGE.search(control):
        age = headers.get("age", "").strip()
        spent = _seconds(age) if age.isascii() and age.isdigit() else timedelta()
        return _clamped(_seconds(found[1]) - spent)
    expires = http_date(headers.get("expires", ""))
    if expires is None or "no-" in control.lower():
        return None
    return _clamped(expires - (http_date(headers.get("date", "")) or now))


def _seconds(digits: str) -> timedelta:
    return _clamped(timedelta(seconds=int(digits))) if len(digits) < 10 else LONGEST_WAIT


def _clamped(wait: timedelta) -> timedelta:
    return min(max(wait, timedelta()), LONGEST_WAIT)


def http_date(text: str) -> datetime | None:
    """A date as headers have it, UTC; None for anything else."""
    try:
        date = parsedate_to_datetime(text)
        return date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _kept_headers(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name, the first of each; lines of Cache-Control add up.

    What is not UTF-8, or has control characters, is left out: it could neither be archived nor sent back as it was.
    """
    kept: dict[str, str] = {}
    for raw_name, raw_value in raw:
        try:
            name, value = raw_name.decode("ascii").lower(), raw_value.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if _UNSENDABLE.search(value):
            continue
        if name == "cache-control" and name in kept:
            kept[name] += f", {value}"
        kept.setdefault(name, value)
    return kept


def _validators(etag: str | None, last_modified: str | None) -> dict[str, str]:
    """The conditions as headers, unchanged; what is no header value (a damaged archive) makes no condition."""
    given = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    return {name: value for name, value in given.items() if value and not _UNSENDABLE.search(value)}


# -- bodies -----------------------------------------------------------------------------------------------------------


class _TooLarge(Exception):
    """More decoded bytes than allowed."""


class _CutOff(Exception):
    """The compressed stream ended early, or is none."""


class _Unpacker(Protocol):
    def feed(self, data: bytes, room: int) -> bytes:
        """Decode more; never more than `room` + 1 bytes, so that a bomb is noticed before it goes off."""
        ...

    def close(self) -> None:
        """Raise _CutOff if the stream did not come to its end."""
        ...


class _Plain:
    def feed(self, data: bytes, room: int) -> bytes:
        return data

    def close(self) -> None:
        """Content-Length and chunks are checked by aiohttp."""


class _Gzip:
    """gzip, of one or several members. A cut stream would otherwise pass for a short feed: zlib does not complain."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def feed(self, data: bytes, room: int) -> bytes:
        out = self._member.decompress(data, room + 1)
        while (rest := self._member.unused_data).startswith(b"\x1f\x8b") and len(out) <= room:
            self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            out += self._member.decompress(rest, room + 1 - len(out))
        return out

    def close(self) -> None:
        if not self._member.eof:
            raise _CutOff


class _Deflate:
    """deflate: in a zlib envelope as the RFC has it, or bare as some servers send it; the first byte tells."""

    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = None

    def feed(self, data: bytes, room: int) -> bytes:
        if self._stream is None:
            wrapped = data[0] & 0x0F == 8
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
        return self._stream.decompress(data, room + 1)

    def close(self) -> None:
        if self._stream is None or not self._stream.eof:
            raise _CutOff


UNPACKERS: Mapping[str, Callable[[], _Unpacker]] = {
    "": _Plain,
    "identity": _Plain,
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
}


async def _read(content: aiohttp.StreamReader, unpacker: _Unpacker, cap: int, *, cut: bool) -> bytes:
    """The decoded body. With `cut` its first `cap` bytes do; else more, on the wire or decoded, is too much."""
    body, wire = bytearray(), 0
    async for chunk in content.iter_any():
        wire += len(chunk)
        body += unpacker.feed(chunk, cap - len(body))
        if len(body) > cap or wire > cap:
            if cut:
                return bytes(body[:cap])
            raise _TooLarge
    unpacker.close()
    return bytes(body)


# -- connections ------------------------------------------------------------------------------------------------------

# aiohttp hands its socket factory an address and nothing else: whether the port is meant comes with the context.
_any_port: ContextVar[bool] = ContextVar("any_port", default=False)


class _Forbidden(OSError):
    """The guard forbids this address. An OSError, so that the next address of the same host is tried."""


def _guarded_sockets(guard: Guard) -> Callable[[AddressInfo], socket.socket]:
    """Makes sockets for addresses that may be connected: the last word, whatever a name resolved to before."""

    def make(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, (address, port, *_) = info
        if reason := guard.forbids(address, port, any_port=_any_port.get()):
            raise _Forbidden(reason)
        return socket.socket(family, kind, protocol)

    return make


class _HungUp(Exception):
    """Wraps what ended a request, so that aiohttp does not know it."""

    def __init__(self, error: aiohttp.ClientError) -> None:
        self.error = error


_reused: ContextVar[bool] = ContextVar("reused", default=False)


async def _note_reuse(*_: object) -> None:
    _reused.set(True)


async def _never_twice(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """aiohttp asks again at once when a server hangs up, and cannot be told not to; our retries have one layer.

    It may where an idle connection was closed just before it was used again: that server has not seen the request.
    """
    _reused.set(False)
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if _reused.get():
            raise
        raise _HungUp(error) from error


class _Resolver(AbstractResolver):
    """The system's resolver in threads of its own: names that hang neither wait for nor hold up the house's threads."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="resolver")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        )
        return [_resolved(host, port, info) for info in found]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _resolved(host: str, port: int, info: tuple[object, ...]) -> ResolveResult:
    family, _, protocol, _, sockaddr = info
    assert isinstance(sockaddr, tuple)
    assert isinstance(family, int)
    assert isinstance(protocol, int)
    return ResolveResult(
        hostname=host, host=str(sockaddr[0]), port=port, family=family, proto=protocol, flags=socket.AI_NUMERICHOST
    )


# What a failed connection means, for somebody who never met errno. The first that fits, the special before the general.
FAILURES: Sequence[tuple[tuple[type[Exception], ...], type[FetchError], str]] = (
    ((aiohttp.ClientProxyConnectionError,), Unreachable, "the proxy could not be reached"),
    ((aiohttp.ClientHttpProxyError,), Unreachable, "the proxy refused to connect there"),
    ((_Forbidden,), Refused, ""),
    ((socket.gaierror, UnicodeError), Unreachable, "host name not found"),
    ((ConnectionRefusedError,), Unreachable, "connection refused: nothing answers there"),
    ((ssl.SSLCertVerificationError,), Unreachable, "the certificate was not accepted"),
    ((ssl.SSLError, aiohttp.ClientSSLError), Unreachable, "no secure connection: the server does not speak proper TLS"),
    ((aiohttp.ClientConnectorError,), Unreachable, "no connection: the network or the host is down"),
    ((aiohttp.ClientPayloadError,), BadAnswer, "the answer was cut off"),
    ((aiohttp.ServerDisconnectedError, OSError), Unreachable, "the server closed the connection without an answer"),
    ((Exception,), BadAnswer, "the answer is not proper HTTP"),
)


def _in_words(url: str, error: Exception) -> FetchError:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    kind, words = next(
        (kind, words) for types, kind, words in FAILURES if isinstance(error, types) or isinstance(cause, types)
    )
    return kind(url, words + _detail(cause))


def _detail(cause: Exception) -> str:
    if isinstance(cause, _Forbidden):
        return str(cause)
    if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_AGAIN:
        return ", or there is no network"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f": {cause.verify_message}"
    return ""


# -- the door ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ask:
    """What is asked of every hop of one request."""

    url: str  # as it was given, for errors
    want: Want
    cap: int
    cut: bool = False
    robots: bool = False
    named: URL | None = None  # its host and port are meant, whichever port that is


@dataclass(frozen=True, slots=True)
class _Hop:
    """One answer: a redirect to follow, or what was asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(slots=True)
class _RobotsFile:
    """What is known of an origin's robots.txt: its rules, or why there are none, until a loop time."""

    rules: robots.Rules | None = None
    trouble: FetchError | None = None
    until: float = 0.0


async def room_enough() -> None:
    """Whoever asks can take the answer."""


class HttpDoor:
    """The Door of `watchfloor.ports`. An asynchronous context manager; one for a process, used by many tasks.

    `contact` goes into the User-Agent. With `proxy` its address is the one address that is connected, and names are its
    to look up. `allow_addresses`: private networks that may be asked, on any port. `host_delay`, `deadline`: seconds.
    `clock` reads dates in Retry-After; `resolver` looks names up (default: the system's); `room` is waited for before
    each request, so that answers do not pile up before those who read them.

    Raises:
        ConfigurationError: the contact or the proxy cannot be used.
    """

    def __init__(
        self,
        *,
        contact: str | None = None,
        proxy: str | None = None,
        allow_addresses: Sequence[Network] = (),
        host_delay: float = 2.0,
        host_connections: int = 1,
        deadline: float = DEADLINE,
        caps: Mapping[Want, int] = CAPS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        resolver: AbstractResolver | None = None,
        room: Callable[[], Awaitable[object]] = room_enough,
    ) -> None:
        self._agent, self._proxy = user_agent(contact), _proxy(proxy)
        self._guard = Guard(tuple(allow_addresses))
        self._turns = Turns(delay=host_delay, per_host=host_connections, in_all=AT_ONCE)
        self._deadline, self._caps, self._clock = deadline, caps, clock
        self._resolver, self._room = resolver or _Resolver(), room
        self._robots: dict[str, _RobotsFile] = {}
        self._robots_locks: dict[str, asyncio.Lock] = {}

    async def __aenter__(self) -> Self:
        """Open the one session."""
        connector = aiohttp.TCPConnector(
            limit=0,  # `Turns` limits; a queue in here would count as waiting for the server
            resolver=self._resolver,
            socket_factory=None if self._proxy else _guarded_sockets(self._guard),
        )
        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(_note_reuse)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._agent, "Accept-Encoding": "gzip, deflate"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # `_within` holds for headers too
            trust_env=False,
            auto_decompress=False,
            middlewares=(_never_twice,),
            trace_configs=[trace],
            max_field_size=MAX_FIELD,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self._session.close()
        await self._resolver.close()  # the connector closes only one of its own

    async def get(
        self,
        url: str,
        *,
        want: Want = "any",
        etag: str | None = None,
        last_modified: str | None = None,
        robots: bool = False,
        named_by_user: bool = False,
    ) -> Answer:
        """Ask once; see `watchfloor.ports.Door.get`.

        Raises:
            Refused: we do not ask. Unreachable: nobody answered in time. BadAnswer: what came cannot be used.
            HttpStatus: 400 and above, with what Retry-After says; also while an earlier Retry-After of the host holds.
        """
        first = self._guard.read(url, asked=url)
        ask = _Ask(url, want, self._caps[want], robots=robots, named=first if named_by_user else None)
        return await self._follow(first, ask, _validators(etag, last_modified))

    async def _follow(self, first: URL, ask: _Ask, validators: Mapping[str, str]) -> Answer:
        url, permanent, only_permanent, left = first, None, True, self._deadline
        seen = {first}
        while True:
            hop, took = await self._polite_hop(url, ask, validators if url is first else {}, left)
            if hop.status not in REDIRECTS:
                return _answer(ask.url, first, url, permanent, hop)
            url, left = self._target(ask, url, hop), left - took
            if url in seen:
                raise BadAnswer(ask.url, "redirects in a circle; perhaps the site insists on cookies")
            if len(seen) > MAX_REDIRECTS:
                raise BadAnswer(ask.url, f"more than {MAX_REDIRECTS} redirects")
            seen.add(url)
            only_permanent = only_permanent and hop.status in PERMANENT
            permanent = url if only_permanent else permanent

    def _target(self, ask: _Ask, url: URL, hop: _Hop) -> URL:
        location = hop.headers.get("location", "").strip()
        if not location:
            raise BadAnswer(ask.url, f"HTTP {hop.status} without saying where to")
        return self._guard.read(location, asked=ask.url, base=url)

    async def _polite_hop(self, url: URL, ask: _Ask, validators: Mapping[str, str], left: float) -> tuple[_Hop, float]:
        """One request in its turn, and the seconds it took."""
        self._refuse_by_look(url, ask)
        if ask.robots:
            await self._obey_robots(url, ask)
        host = url.raw_host or ""
        async with self._turns.turn(host, ask.url):
            await self._room()
            began = asyncio.get_running_loop().time()
            try:
                hop = await self._within(left, url, ask, validators)
            except HttpStatus as error:
                if error.busy_host and error.retry_after:
                    self._turns.close(error.busy_host, error.retry_after.total_seconds(), error.status)
                raise
            return hop, asyncio.get_running_loop().time() - began

    def _refuse_by_look(self, url: URL, ask: _Ask) -> None:
        any_port = _is_named(url, ask)
        self._guard.check(url, asked=ask.url, any_port=any_port)
        if self._proxy and not any_port and (reason := odd_port(url.port)):
            raise Refused(ask.url, reason)

    async def _within(self, seconds: float, url: URL, ask: _Ask, validators: Mapping[str, str]) -> _Hop:
        _any_port.set(_is_named(url, ask))
        try:
            async with asyncio.timeout(seconds):
                return await self._hop(url, ask, validators)
        except TimeoutError:
            raise Unreachable(ask.url, f"took longer than {self._deadline:g} s") from None
        except _TooLarge:
            raise BadAnswer(ask.url, f"larger than {ask.cap / MB:g} MB") from None
        except (_CutOff, zlib.error):
            raise BadAnswer(ask.url, "the answer was cut off, or is not compressed as it says") from None
        except _HungUp as error:
            raise _in_words(ask.url, error.error) from error.error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _in_words(ask.url, error) from error

    async def _hop(self, url: URL, ask: _Ask, validators: Mapping[str, str]) -> _Hop:
        headers = {"Accept": ACCEPT[ask.want], **validators}
        async with self._session.get(url, headers=headers, allow_redirects=False, proxy=self._proxy) as response:
            kept = _kept_headers(response.raw_headers)
            if response.status >= 400:
                wait = retry_after(kept, self._clock())
                busy_host = url.raw_host if wait and response.status in BUSY else None
                raise HttpStatus(ask.url, response.status, retry_after=wait, busy_host=busy_host)
            if response.status in REDIRECTS or (response.status == 304 and validators):
                return _Hop(response.status, kept)
            if response.status == 304:
                raise BadAnswer(ask.url, "HTTP 304 (not modified) although nothing was said of an earlier answer")
            if not 200 <= response.status < 300 or response.status == 206:
                raise BadAnswer(ask.url, f"HTTP {response.status}, which nobody asked for")
            return _Hop(response.status, kept, await self._body(response, ask, kept))

    async def _body(self, response: aiohttp.ClientResponse, ask: _Ask, headers: Mapping[str, str]) -> bytes:
        unpacker = UNPACKERS.get(headers.get("content-encoding", "").strip().lower())
        if unpacker is None:
            raise BadAnswer(ask.url, "compressed in a way that was not asked for")
        if not ask.cut and (response.content_length or 0) > ask.cap:
            raise _TooLarge
        return await _read(response.content, unpacker(), ask.cap, cut=ask.cut)

    # robots.txt

    async def _obey_robots(self, url: URL, ask: _Ask) -> None:
        known = await self._robots_of(url)
        if known.trouble:
            left = known.until - asyncio.get_running_loop().time()
            raise Unreachable(
                ask.url,
                f"robots.txt could not be read ({known.trouble.reason}), so no page is asked for",
                retry_after=timedelta(seconds=max(left, 0)),
                busy_host=known.trouble.busy_host,
            )
        assert known.rules
        if not known.rules.allow(str(url)):
            raise Refused(ask.url, "robots.txt of the site does not allow it")

    async def _robots_of(self, url: URL) -> _RobotsFile:
        """What is known of the origin's robots.txt, asked for if need be; by one task while the others wait."""
        origin = url.origin()
        async with self._robots_locks.setdefault(str(origin), asyncio.Lock()):
            known = self._robots.get(str(origin))
            if known is None or known.until <= asyncio.get_running_loop().time():
                known = self._robots[str(origin)] = await self._ask_robots(origin)
            return known

    async def _ask_robots(self, origin: URL) -> _RobotsFile:
        address = origin / "robots.txt"
        ask = _Ask(str(address), "any", ROBOTS_CAP, cut=True)
        now = asyncio.get_running_loop().time
        try:
            answer = await self._follow(address, ask, {})
        except HttpStatus as error:
            if error.status < 500 and error.status not in BUSY:
                return _RobotsFile(robots.FREE, until=now() + ROBOTS_LIFE)
            return _RobotsFile(trouble=error, until=now() + _robots_silence(error))
        except FetchError as error:
            return _RobotsFile(trouble=error, until=now() + ROBOTS_UNREACHABLE)
        rules = robots.read(answer.body)
        self._turns.slow_down(origin.raw_host or "", rules.delay)
        return _RobotsFile(rules, until=now() + ROBOTS_LIFE)


def _proxy(address: str | None) -> URL | None:
    try:
        url = URL(address) if address else None
    except ValueError:
        url = URL()
    if url is not None and (url.scheme not in ("http", "https") or not url.raw_host):
        raise ConfigurationError("WATCHFLOOR_PROXY: give an address such as http://proxy.example:3128")
    return url


def _robots_silence(error: HttpStatus) -> float:
    """Seconds for which an origin that could not give its robots.txt is not asked: as it says, else a day."""
    return error.retry_after.total_seconds() if error.retry_after else ROBOTS_LIFE


def _answer(asked: str, first: URL, last: URL, permanent: URL | None, hop: _Hop) -> Answer:
    final = asked if last is first else str(last)  # as it is spelt in sources.yaml, so that it compares equal
    return Answer(asked, final, hop.status, hop.headers, hop.body, str(permanent) if permanent else None)


def _is_named(url: URL, ask: _Ask) -> bool:
    return ask.named is not None and (url.raw_host, url.port) == (ask.named.raw_host, ask.named.port)
