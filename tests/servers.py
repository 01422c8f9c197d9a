"""Real HTTP servers on loopback, which log what they were asked and answer as badly as a test wants."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from types import TracebackType
from typing import Any, ParamSpec, Self

P = ParamSpec("P")
LOOPBACK = (ip_network("127.0.0.0/8"),)  # what a user would give as WATCHFLOOR_ALLOW_ADDRESSES


def on_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an asynchronous test."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    method: str
    target: str
    headers: tuple[tuple[str, bytes], ...]  # as written, in their order
    at: float  # monotonic

    def header(self, name: str) -> bytes | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


Script = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]


def reply(status: int = 200, body: bytes = b"", **headers: str | bytes) -> bytes:
    """A well-formed answer; `_` in names of headers is a hyphen."""
    given = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [f"{name}: ".encode() + (v if isinstance(v, bytes) else v.encode()) for name, v in given.items()]
    return b"\r\n".join([f"HTTP/1.1 {status} Said".encode(), *lines, b"", body])


def redirect(to: str, status: int = 302) -> bytes:
    return reply(status, Location=to)


@dataclass
class Server:
    """Answers from `answers` by path: bytes, written as they are, or a script, after which the connection is dropped.

    A path it does not know is a 404. `log` holds every request, `connections` counts, `busiest` is the most at once.
    """

    answers: dict[str, bytes | Script] = field(default_factory=dict)
    takes: float = 0.0  # seconds until an answer
    greeting: bytes = b""  # said before anything is asked
    log: list[Seen] = field(default_factory=list)
    connections: int = 0
    busiest: int = 0
    host: str = "127.0.0.1"
    port: int = 0
    _busy: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def url(self, path: str = "/", host: str | None = None) -> str:
        return f"http://{host or self.host}:{self.port}{path}"

    def asked(self, path: str) -> list[Seen]:
        return [seen for seen in self.log if seen.target == path]

    @property
    def targets(self) -> list[str]:
        return [seen.target for seen in self.log]

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.write(self.greeting)
        try:
            while await self._answer_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side has hung up, as it should on a hostile answer
        finally:
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        seen = _read_request(await reader.readuntil(b"\r\n\r\n"))
        self.log.append(seen)
        self._busy += 1
        self.busiest = max(self.busiest, self._busy)
        try:
            await asyncio.sleep(self.takes)
            answer = self.answers.get(seen.target, reply(404))
            if not isinstance(answer, bytes):
                await answer(seen, writer)
                return False
            writer.write(answer)
            await writer.drain()
            return True
        finally:
            self._busy -= 1


def _read_request(head: bytes) -> Seen:
    first, *lines = head.rstrip(b"\r\n").split(b"\r\n")
    method, target, _ = first.decode().split(" ")
    pairs = (line.split(b": ", 1) for line in lines)
    return Seen(method, target, tuple((name.decode(), value) for name, value in pairs), time.monotonic())


# -- hostile answers --------------------------------------------------------------------------------------------------


def drips(start: bytes, drop: bytes, every: float = 0.02) -> Script:
    """`start`, then `drop` again and again, for ever."""

    async def script(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(every)

    return script


def says(raw: bytes) -> Script:
    """These bytes, then the connection is dropped."""

    async def script(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return script


def by_validator(etag: str, body: bytes) -> Script:
    """304 to whoever sends `etag` back byte for byte, else the body with it."""

    async def script(seen: Seen, writer: asyncio.StreamWriter) -> None:
        known = seen.header("If-None-Match") == etag.encode()
        writer.write(reply(304, ETag=etag) if known else reply(200, body, ETag=etag))
        await writer.drain()

    return script


def newspaper(pages: Mapping[str, bytes], robots: bytes | None = None) -> dict[str, bytes | Script]:
    """Well-formed answers for a site, with or without a robots.txt."""
    answers: dict[str, bytes | Script] = {path: reply(200, body) for path, body in pages.items()}
    if robots is not None:
        answers["/robots.txt"] = reply(200, robots)
    return answers
