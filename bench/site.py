"""Many newspapers on loopback, each at an address of its own, in one process: `python -m bench.site --feeds N`.

    /feed        304 to who has this edition already        /edition/2   from now on every feed has four entries more
    /p/NUMBER    a page                                     everything else is a 404

Prints its port when it listens. The answers lie ready: what a request costs is little, and the same for everybody.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import socket

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


class Site:
    """The newspapers and the edition that is out."""

    def __init__(self, feeds: int, port: int) -> None:
        documents, self.pages = material.documents(), material.pages()
        self.edition = 1
        self.feeds: dict[tuple[bytes, int], bytes] = {}
        for number in range(feeds):
            name, base = host(number), f"http://{host(number)}:{port}"
            document = documents[number % len(documents)]
            for edition, left_out in ((1, FRESH), (2, 0)):
                self.feeds[name.encode(), edition] = document.written(base, number, left_out)

    def answer(self, request: bytes) -> bytes:
        target, named = _TARGET.match(request), _HOST.search(request)
        path = target[1] if target else b""
        if path.startswith(b"/p/"):
            number, _, index = path[3:].partition(b"-")
            page = self.pages[(int(number) * FRESH + int(index)) % len(self.pages)]
            return OK % (b"text/html", 0, len(page)) + page
        if path == b"/feed" and named:
            has = _MATCH.search(request)
            if has and int(has[1]) == self.edition:
                return NOT_MODIFIED % self.edition
            body = self.feeds[named[1], self.edition]
            return OK % (b"application/rss+xml", self.edition, len(body)) + body
        if path.startswith(b"/edition/"):
            self.edition = int(path[9:])
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


async def serve(feeds: int) -> None:
    first = socket.create_server((host(0), 0))
    port = first.getsockname()[1]
    site = Site(feeds, port)
    listening = [first, *(socket.create_server((host(number), port)) for number in range(1, feeds))]
    for one in listening:
        await asyncio.get_running_loop().create_server(lambda: Connection(site), sock=one)
    print(port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--feeds", type=int, required=True)
    asyncio.run(serve(parser.parse_args().feeds))
