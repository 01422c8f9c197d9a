"""Shared by all tests: nothing may leave the loopback."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DATA = Path(os.environ.get("WATCHFLOOR_TEST_DATA", Path(__file__).resolve().parent.parent.parent / "shared" / "data"))
NO_DATA = "the collection of real stories is not on this machine (set WATCHFLOOR_TEST_DATA to its folder)"

_connect = socket.socket.connect


def _is_local(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a UNIX socket
    try:
        return ipaddress.ip_address(address[0].split("%")[0]).is_loopback
    except ValueError:
        return address[0] == "localhost"


def _guarded(self: socket.socket, address: Any) -> None:
    if not _is_local(address):
        raise PermissionError(f"a test tried to leave the loopback: {address}")
    _connect(self, address)


socket.socket.connect = _guarded  # type: ignore[method-assign,assignment]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real material; skips where it is absent."""
    if not DATA.is_dir():
        pytest.skip(NO_DATA)
    return DATA


@pytest.fixture(scope="session", autouse=True)
def no_server_outlives_the_tests() -> Iterator[None]:
    """PostgreSQL, which the first test that needs it starts."""
    yield
    from tests import postgres

    postgres.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def archive_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an archive that is not there yet; whoever asks for it is tested on both databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/folder/archive.db"
    from tests.postgres import fresh_database

    return fresh_database()


@pytest.fixture
def archive(archive_url: str) -> Iterator[Any]:
    """An empty archive, on both databases."""
    from storage.engine import open_archive

    opened = open_archive(archive_url)
    yield opened
    opened.close()
