"""The composition root: the one module of the heart that imports storage and alerts, and says who plays which part.

What is heavy (the parsers, Apprise, Alembic) is imported where it is made, so that light commands stay light.
"""

from __future__ import annotations

import gc
import hashlib
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from watchfloor import __version__
from watchfloor.settings import Settings

if TYPE_CHECKING:
    from alerts.config import Policy
    from alerts.send import AppriseSender
    from storage.archive import SqlArchive
    from storage.library import Library
    from storage.quiet import Rest
    from watchfloor.checkup import ArchiveFacts
    from watchfloor.fetch import HttpDoor
    from watchfloor.match import Matcher
    from watchfloor.model import Source
    from watchfloor.parsers import ParserPool
    from watchfloor.pipeline import Floor, Watcher
    from watchfloor.ports import Gists, Namer
    from watchfloor.routes import Known, Route
    from watchfloor.watchlist import Watchlist
    from watchfloor.web.guard import Guard

T = TypeVar("T")

_SECRETS = re.compile(r"^\s*(?:export\s+)?(?:APPRISE_URLS|\w*PASSWORD|\w*PROXY|\w*PING_URL|\w+=.*:.+@)", re.MULTILINE)


def now() -> datetime:
    """The clock of the house."""
    return datetime.now(UTC)


def open_archive(settings: Settings) -> SqlArchive:
    """The archive, made or upgraded if need be."""
    from storage.engine import open_archive as open_at

    return open_at(settings.database_url.get_secret_value())


def open_library(settings: Settings) -> Library:
    """The same for those who only ask: search, facets, export."""
    from storage.engine import open_library as open_at

    return open_at(settings.database_url.get_secret_value())


def examine_archive(settings: Settings) -> ArchiveFacts:
    """The archive looked at from outside: nothing is made or changed. ConfigurationError if its URL is none."""
    from storage.checkup import examine

    return examine(settings.database_url.get_secret_value(), now())


def load_sources(settings: Settings) -> Sequence[Source]:
    """The feeds in force. Raises SourcesError with file and line."""
    from watchfloor.sources import load

    return load(settings.sources_path)


def load_watchlist(settings: Settings) -> Watchlist:
    """The watchlist in force. Raises WatchlistError with file and line."""
    from watchfloor import kept

    with _uncollected():
        return kept.load_watchlist(settings.watchlist_path, settings.data_folder)


def load_matcher(settings: Settings) -> Matcher:
    """The watchlist in force, compiled."""
    return _compiled(load_watchlist(settings), settings)


def _compiled(watchlist: Watchlist, settings: Settings) -> Matcher:
    from watchfloor import kept
    from watchfloor.match import Matcher

    with _uncollected():
        return Matcher(watchlist, kept.lexicon_of(watchlist, settings.data_folder))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Make what stays: looking through hundreds of thousands of new objects for garbage is two fifths of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def load_namer(settings: Settings, watchlist: Watchlist) -> Namer | None:
    """Who adds the names that are not on the list; None without a model. ConfigurationError if it is not installed."""
    if not settings.ner_model:
        return None
    from watchfloor.names import ModelNamer

    return ModelNamer(settings.ner_model, watchlist.canonical)


def load_gists(settings: Settings) -> Gists | None:
    """Who says what articles are about, so that stories are grouped by that too; None without the extra `similar`, or
    where it is not wanted.
    """
    if settings.similar == "off":
        return None
    from watchfloor.gist import GistModel, installed

    return GistModel() if installed() else None


def load_policy(settings: Settings, known: Known | None = None) -> Policy:
    """Where alerts go, and which go where. Raises AlertsError with file and line of each fault.

    `known`: what routes may ask for; None: that is not looked at.
    """
    from alerts.config import load

    return load(settings, known)


def names_for_routes(listed: Sequence[Source], watchlist: Watchlist) -> Known:
    """What routes may ask for."""
    from watchfloor.routes import Known

    return Known(list(watchlist.topics), [source.id for source in listed])


@contextmanager
def open_sender(
    settings: Settings, policy: Policy, *, names: Callable[[], Mapping[str, str]] = dict
) -> Iterator[AppriseSender]:
    """The processes that send. `names`: of topics, as the watchlist gives them.

    Raises:
        AlertsError: a template of the user's cannot be used; names file and line.
    """
    from alerts.send import AppriseSender

    check_templates(settings)
    with AppriseSender(
        policy.targets, zone=settings.zone, desk=settings.desk_url, templates=settings.templates, names=names
    ) as sender:
        yield sender


def check_templates(settings: Settings) -> None:
    """Write a message of each kind with the user's templates. Raises AlertsError with file and line."""
    if settings.templates:
        from alerts.samples import try_templates

        try_templates(settings.templates, now())


def readable_by_others(settings: Settings) -> list[Path]:
    """The files that may hold secrets and that more people than their owner can read."""
    files = [settings.alerts_path] if settings.alerts_path else []
    files += [path for path in [Path(".env")] if path.is_file() and _SECRETS.search(path.read_text("utf-8", "replace"))]
    return [path for path in files if path.is_file() and path.stat().st_mode & 0o077]


def check(settings: Settings) -> None:
    """Read every file of the user's, so that a fault is one line now and not one in every scheduled run."""
    listed, watchlist = load_sources(settings), load_watchlist(settings)
    load_namer(settings, watchlist)
    load_policy(settings, names_for_routes(listed, watchlist))
    check_templates(settings)


def open_door(settings: Settings, room: Callable[[], Awaitable[object]] | None = None) -> HttpDoor:
    """The door to the network; an async context manager, one for a process. It asks when those who read have `room`."""
    from watchfloor.fetch import HttpDoor, room_enough

    return HttpDoor(
        contact=settings.contact,
        proxy=settings.proxy.get_secret_value() if settings.proxy else None,
        allow_addresses=settings.allow_addresses,
        host_delay=settings.host_delay,
        host_connections=settings.host_connections,
        room=room or room_enough,
    )


def open_parsers(settings: Settings) -> ParserPool:
    """The processes that read foreign bytes; an async context manager."""
    from watchfloor.parsers import ParserPool

    return ParserPool(workers=settings.workers)


def digest_of_files(settings: Settings) -> str:
    """Changes whenever a file of the user's does, or what else decides how it is read."""
    files = [settings.sources_path, settings.watchlist_path, settings.alerts_path]
    said = [__version__, settings.timezone, settings.ner_model or "", settings.apprise_urls.get_secret_value()]
    said += [path.read_text("utf-8", "replace") if path and path.is_file() else "" for path in files]
    return hashlib.sha256("\0".join(said).encode()).hexdigest()


@contextmanager
def _known_archive(settings: Settings) -> Iterator[SqlArchive | None]:
    """The archive if there is one of this version; nothing is written."""
    from storage.engine import pending_migration

    if pending_migration(settings.database_url.get_secret_value()):
        yield None
        return
    archive = open_archive(settings)
    try:
        yield archive
    finally:
        archive.close()


def rests(settings: Settings) -> Rest | None:
    """What is known of the sources, if a cycle would find nothing to do, which then counts as done; else None.

    The user's files are only looked at, to see that they are as they were.
    """
    from storage.quiet import rest
    from watchfloor.report import Report

    url = settings.database_url.get_secret_value()
    return rest(url, digest_of_files(settings), now(), Report().as_json())


def _once(make: Callable[[], T]) -> Callable[[], T]:
    """Makes it when it is first asked for; other threads that ask wait for the same."""
    lock, made = threading.Lock(), cache(make)

    def get() -> T:
        with lock:
            return made()

    return get


@asynccontextmanager
async def open_floor(settings: Settings, watcher: Watcher | None = None) -> AsyncIterator[Floor]:
    """All that a cycle works with.

    Every file of the user's that has changed is read, and faults raised, before anything is written.
    """
    from watchfloor import leases, logs, memory
    from watchfloor.pipeline import Floor, Watcher
    from watchfloor.timing import TimedDoor, TimedParsers, Times

    memory.keep_little()
    times = Times()
    files = digest_of_files(settings)
    with _known_archive(settings) as known:
        unchanged = known is not None and known.knows(files)
    watchlist = _once(partial(load_watchlist, settings))
    matcher = _once(lambda: _compiled(watchlist(), settings))  # when something is judged, while pages come in
    namer = _once(lambda: load_namer(settings, watchlist()))
    listed: Sequence[Source] = ()
    if not unchanged:
        listed = load_sources(settings)
        namer()
    policy = load_policy(settings, None if unchanged else names_for_routes(listed, watchlist()))
    check_templates(settings)
    logs.begin(settings.log, [*settings.secrets, *policy.secrets])
    for path in readable_by_others(settings):
        logs.warn("secrets others can read", detail=f"{path} can be read by others: chmod 600 {path}")
    archive = open_archive(settings)
    with suppress(OSError):  # a database makes none, and where none can be made nothing is kept
        settings.data_folder.mkdir(parents=True, exist_ok=True)
    if not unchanged:
        archive.register(listed, now())
    async with open_parsers(settings) as parsers, open_door(settings, parsers.room) as door:
        with open_sender(settings, policy, names=lambda: watchlist().topics) as sender:
            yield Floor(
                owner=leases.owner_of_this_process(),
                archive=archive,
                door=TimedDoor(door, times),
                parsers=TimedParsers(parsers, times),
                sender=sender,
                matcher=matcher,
                routes=_routes(settings, policy, archive),
                ops=policy.ops,
                clock=now,
                watcher=watcher or Watcher(),
                namer=namer,
                gists=cache(partial(load_gists, settings)),
                times=times,
                files=files,
                gate=settings.gate == "rough",
            )


def _routes(settings: Settings, policy: Policy, archive: SqlArchive) -> Sequence[Route]:
    """The routes, those that name a saved search by what it asks now."""
    if not any(route.search for route in policy.routes):
        return policy.routes
    from watchfloor.searched import with_searches

    return with_searches(policy.routes, archive.saved_searches(), load_sources(settings), settings.alerts_path)


def make_page(settings: Settings, *, host: str, every: timedelta) -> Guard:
    """The desk's page; `every` is how often a cycle should end well.

    Raises:
        ConfigurationError: `host` can be reached by others, and there is no password.
    """
    from watchfloor.web.app import make_app
    from watchfloor.web.desk import Desk
    from watchfloor.web.guard import Access, check_bind

    access = Access(
        password=settings.web_password.get_secret_value() if settings.web_password else None,
        tokens=tuple(settings.web_tokens.get_secret_value().split()),
        hosts=tuple(settings.web_hosts.split()),
    )
    check_bind(host, access)
    current = current_watchlist(settings)
    current()  # what is wrong with it is said now, and the first page is quick
    desk = Desk(
        archive=open_archive(settings),
        clock=now,
        zone=settings.zone,
        watchlist=current,
        access=access,
        routed=lambda: routed_searches(settings),
    )
    return make_app(desk, every=every)


def routed_searches(settings: Settings) -> frozenset[str]:
    """The saved searches that routes of the alerts file name. Raises AlertsError with file and line."""
    return frozenset(route.search for route in load_policy(settings).routes if route.search)


def current_watchlist(settings: Settings) -> Callable[[], Watchlist]:
    """Reads the watchlist in force, anew only when its file has changed."""
    known: dict[tuple[int, int], Watchlist] = {}

    def read() -> Watchlist:
        try:
            state = settings.watchlist_path.stat()
            stamp = (state.st_mtime_ns, state.st_size)
        except OSError:
            stamp = (0, 0)  # `load` says what is wrong
        if stamp not in known:
            found = load_watchlist(settings)
            known.clear()
            known[stamp] = found
        return known[stamp]

    return read
