"""Prefect's server seen from outside, without Prefect, which takes seconds to import: where it is, and who keeps it."""

from __future__ import annotations

import os
import socket
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from watchfloor import leases

HOME = Path("data/prefect")  # where PREFECT_HOME names no other folder
NOTE = "server.pid"  # in it: the owner strings of the server and of the `serve` that keeps it


def own_host_and_port() -> tuple[str, str]:
    """Where `serve` starts a server of its own."""
    return os.environ.get("PREFECT_SERVER_API_HOST", "127.0.0.1"), os.environ.get("PREFECT_SERVER_API_PORT", "4200")


def own_address() -> str:
    """The API of that server."""
    host, port = own_host_and_port()
    return f"http://{host}:{port}/api"


def address() -> str:
    """The API that is used: the user's own, or that of a server of our own."""
    return os.environ.get("PREFECT_API_URL") or own_address()


def answers(api: str) -> bool:
    """Whether a Prefect API answers there."""
    try:
        with urllib.request.urlopen(f"{api}/health", timeout=2) as answer:  # noqa: S310 - the user's own address
            return bool(answer.status == 200)
    except (OSError, ValueError):  # nothing there, or no address
        return False


def is_gone(api: str) -> bool:
    """Whether nobody listens there any more. One that is busy, or far away, is not gone."""
    try:
        parts = urlsplit(api)
        socket.create_connection((parts.hostname or "", parts.port or 443), timeout=5).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


@dataclass(frozen=True, slots=True)
class Kept:
    """A server that a `serve` started; both as owner strings, which name a process for ever."""

    server: str
    serve: str

    @property
    def pid(self) -> int:
        """The server's process."""
        return int(self.server.split(":")[1])


def note(home: Path, kept: Kept) -> None:
    """Write down who keeps the server."""
    (home / NOTE).write_text(f"{kept.server} {kept.serve}", encoding="utf-8")


def kept_in(home: Path) -> Kept | None:
    """The server that was last started from there, if it still runs."""
    kept = _noted(home)
    return kept if kept and leases.is_alive(kept.server) else None


def a_serve_lives(home: Path) -> bool:
    """Whether the `serve` that keeps the server of there still runs."""
    kept = _noted(home)
    return bool(kept and leases.is_alive(kept.serve))


def _noted(home: Path) -> Kept | None:
    try:
        return Kept(*(home / NOTE).read_text(encoding="utf-8").split())
    except (OSError, ValueError, TypeError):
        return None  # none was ever started, or the note is damaged
