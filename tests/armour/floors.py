"""A real floor for hostile days: real archive, door and parsers; names lead nowhere, and time may be made."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from sqlalchemy import inspect, select

from storage.archive import SqlArchive
from storage.engine import open_archive
from storage.schema import METADATA
from tests.armour.harmless import is_harmless
from tests.servers import LOOPBACK
from watchfloor import leases, watchlist
from watchfloor.clean import OLDEST, clean_link
from watchfloor.fetch import HttpDoor
from watchfloor.match import Matcher
from watchfloor.model import Delivery, SendOutcome, Source
from watchfloor.parsers import ParserPool
from watchfloor.pipeline import Floor, Watcher
from watchfloor.ports import Target
from watchfloor.settings import shipped


class NoNames(AbstractResolver):
    """Knows no host: nothing of these tests may ask beyond loopback, not even for a name."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    async def close(self) -> None:
        """Nothing is held."""


class Silence:
    """A sender with nobody to send to."""

    targets: tuple[Target, ...] = ()
    hard_limit = timedelta(minutes=1)

    def send(self, delivery: Delivery) -> SendOutcome:
        raise AssertionError("nobody is to be told")


@cache
def matcher() -> Matcher:
    return Matcher(watchlist.load(shipped("watchlist.yaml")))


def wall_clock() -> datetime:
    return datetime.now(UTC)


def a_door(**options: Any) -> HttpDoor:
    plain = {"allow_addresses": LOOPBACK, "host_delay": 0.0, "host_connections": 4, "resolver": NoNames()}
    return HttpDoor(**{**plain, **options})


@asynccontextmanager
async def open_floor(
    url: str,
    sources: Iterable[Source],
    *,
    clock: Callable[[], datetime] = wall_clock,
    parsers: ParserPool | None = None,
    watcher: Watcher | None = None,
) -> AsyncIterator[Floor]:
    """All that a cycle works with, for these sources."""
    archive = open_archive(url)
    archive.register(sources, clock())
    pool = parsers or ParserPool(workers=2)
    try:
        async with a_door(clock=clock) as door:
            yield Floor(
                owner=leases.owner_of_this_process(),
                archive=archive,
                door=door,
                parsers=pool,
                sender=Silence(),
                matcher=matcher,
                routes=(),
                clock=clock,
                watcher=watcher or Watcher(),
            )
    finally:
        if parsers is None:
            pool.close()
        archive.close()


# -- what must hold of every archive, whatever came in ----------------------------------------------------------------

LINKS = {"entries.url", "articles.url", "articles.canonical_url"}
DATES = {"entries.published", "articles.published"}


def faults(archive: SqlArchive, now: datetime) -> list[str]:
    """Whatever is stored that should not have come through the door."""
    found = []
    with archive._database.read() as connection:
        there = set(inspect(connection).get_table_names())
        for table in METADATA.sorted_tables:
            if table.name not in there:
                continue
            for row in connection.execute(select(table)).mappings():
                for column, value in row.items():
                    place = f"{table.name}.{column}"
                    found += [f"{place}: {value!r:.200}" for text in _texts(value) if not is_harmless(text)]
                    if place in LINKS and value is not None and clean_link(value, "") != value:
                        found.append(f"{place}: not clean {value!r:.200}")
                    if place in DATES and value is not None and not OLDEST <= value <= now + timedelta(hours=25):
                        found.append(f"{place}: cannot be true {value}")
    return found


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list | tuple):
        return [text for one in value for text in _texts(one)]
    if isinstance(value, dict):
        return [text for one in (*value.keys(), *value.values()) for text in _texts(one)]
    return []


def integrity(archive: SqlArchive) -> list[str]:
    """What the database says of itself; nothing where all is well."""
    with archive._database.read() as connection:
        if connection.dialect.name != "sqlite":
            return []
        said = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
        said += [f"foreign key: {row}" for row in connection.exec_driver_sql("PRAGMA foreign_key_check")]
    return [line for line in said if line != "ok"]
