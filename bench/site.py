"""Any number of newspapers on loopback, each at an address of its own, in one process: `python -m bench.site`.

    /feed        304 to who has this edition already     /edition/2      from now on every feed has four entries more
    /p/NUMBER    a page                                  /edition/2/20   the same, but only every twentieth feed
    everything else is a 404

Prints its port when it listens. A feed is written when it is first asked for and lies ready then: what a request costs
is little, and the same for everybody.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import socket
from functools import cache

from bench import material
from bench.material import FRESH

_TARGET = re.compile(rb"GET (\S+) HTTP")
_HOST = re.compile(rb"\r\n[Hh]ost: *([\d.]+)")
_MATCH = re.compile(rb'\r\n[Ii]f-[Nn]one-[Mm]atch: *"(\d)"')
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
NOT_MODIFIED = b'HTTP/1.1 304 Not Modified\r\nETag: "%d"\r\n\r\n'
OK = b'HTTP/1.1 200 OK\r\nContent-Type: %s\r\nETag: "%d"\r\nContent-Length: %d\r\n\r\n'


def host(number: int) -> str:
    """The address of a newspaper: hosts differ, as in life, so that politeness to one does not slow the others."""
    return f"127.1.{number // 200}.{number % 200 + 1}"


def _number(host: bytes) -> int:
    _, _, hundreds, rest = host.split(b".")
    return 200 * int(hundreds) + int(rest) - 1


class Site:
    """The newspapers and the edition that is out. `items`: of a feed at most."""

    def __init__(self, port: int, items: int) -> None:
        self.documents, self.pages = [one.cut(items) for one in material.documents()], material.pages()
        self.edition, self.every, self.port = 1, 1, port
        self.feed = cache(self._feed)

    def _feed(self, number: int, edition: int) -> bytes:
        base, document = f"http://{host(number)}:{self.port}", self.documents[number % len(self.documents)]
        return document.written(base, number, 0 if edition == 2 else FRESH)

    def edition_of(self, number: int) -> int:
        return self.edition if number % self.every == 0 else 1

    def answer(self, request: bytes) -> bytes:
        target, named = _TARGET.match(request), _HOST.search(request)
        path = target[1] if target else b""
        if path.startswith(b"/p/"):
            number, _, index = path[3:].partition(b"-")
            page = self.pages[(int(number) * FRESH + int(index)) % len(self.pages)]
            return OK % (b"text/html", 0, len(page)) + page
        if path == b"/feed" and named:
            has, number = _MATCH.search(request), _number(named[1])
            edition = self.edition_of(number)
            if has and int(has[1]) == edition:
                return NOT_MODIFIED % edition
            body = self.feed(number, edition)
            return OK % (b"application/rss+xml", edition, len(body)) + body
        if path.startswith(b"/edition/"):
            edition, _, every = path[9:].partition(b"/")
            self.edition, self.every = int(edition), int(every or 1)
            return OK % (b"text/plain", 0, 0)
        return NOT_FOUND


class Connection(asyncio.Protocol):
    """One client, asking one thing after another."""

    def __init__(self, site: Site) -> None:
        self.site, self.waiting = site, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        while b"\r\n\r\n" in self.waiting:
            request, _, self.waiting = self.waiting.partition(b"\r\n\r\n")
            self.transport.write(self.site.answer(request))


async def serve(items: int) -> None:
    listening = socket.create_server(("0.0.0.0", 0), backlog=1000)  # every address of loopback is a newspaper
    site = Site(listening.getsockname()[1], items)
    await asyncio.get_running_loop().create_server(lambda: Connection(site), sock=listening)
    print(site.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=10_000, help="of a feed at most")
    asyncio.run(serve(parser.parse_args().items))
