"""`run` and `demo`: cycles in this process, without an engine."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from watchfloor import wiring
from watchfloor.cli import DONE, FAILED
from watchfloor.cli.options import CycleOptions, Format
from watchfloor.cli.printing import as_json, print_hits
from watchfloor.cli.sums import profile_lines, summary, when_due
from watchfloor.model import Filters
from watchfloor.report import Report
from watchfloor.settings import NO_CONTACT, load, shipped

if TYPE_CHECKING:
    from storage.quiet import Rest
    from watchfloor.settings import Settings


def run(
    *,
    now: Annotated[bool, Parameter(negative="")] = False,
    profile: Annotated[bool, Parameter(negative="")] = False,
    profile_to: Path | None = None,
    format: Format = "table",
    options: CycleOptions = CycleOptions(),  # noqa: B008 - frozen, and cyclopts reads it
) -> int:
    """One cycle: poll what is due, read, judge, group, alert; then say what was done.

    Exits with 0 if any source answered or none was due, with 1 if none of those asked could be reached.

    Parameters
    ----------
    now
        Poll every source, due or not, but none that asked us to wait.
    profile
        Say where the time went: seconds in each stage, and the slowest feeds and pages.
    profile_to
        Write what Python's own profiler (cProfile) saw of this process to a file.
    format
        table, or json: one object with the counts.
    """
    settings = options.settings()
    if not (now or profile or profile_to) and (rest := wiring.rests(settings)) is not None:
        return _say_nothing(rest, settings, format)
    with _profiled(profile_to):
        report = _run(settings, everything=now, quiet=format == "json", profile=profile)
    if settings.contact is None:
        print(f"watchfloor: {NO_CONTACT}", file=sys.stderr)
    if not report.nobody_answered:
        return DONE
    print(
        f"watchfloor: none of {report.asked} sources could be reached; try again when this machine is online, "
        "or name your proxy with WATCHFLOOR_PROXY",
        file=sys.stderr,
    )
    return FAILED


def _say_nothing(rest: Rest, settings: Settings, format: Format) -> int:
    report, due = Report(), when_due(rest.sources, rest.due, settings.zone)
    lines = [as_json(report.as_json())] if format == "json" else [*summary(report), due]
    print(*(line for line in lines if line), sep="\n")
    return DONE


@contextmanager
def _profiled(path: Path | None) -> Iterator[None]:
    if path is None:
        yield
        return
    import cProfile

    profiler = cProfile.Profile()
    with profiler:
        yield
    profiler.dump_stats(path)


def _run(settings: Settings, *, everything: bool, quiet: bool, profile: bool) -> Report:
    import asyncio

    from watchfloor.cli import screen  # and with it what a cycle that has nothing to do need not wait for

    shown = screen.Screen(settings, quiet=quiet)
    report = asyncio.run(screen.cycle(settings, shown, everything=everything))
    slowest = shown.times.slowest() if profile else {}
    if quiet:
        print(as_json(report.as_json() | ({"slowest": slowest} if profile else {})))
    else:
        shown.sum_up(report)
        print(*profile_lines(report.stages, slowest) if profile else (), sep="\n", end="\n" if profile else "")
    return report


# -- demo -------------------------------------------------------------------------------------------------------------


def demo(*, keep: Annotated[Path | None, Parameter(help="Keep the archive in this folder.")] = None) -> int:
    """Watch a small newspaper on this machine for two cycles: no network, no configuration, under a minute.

    The newspaper (five feeds in five dialects, four page layouts, look-alikes, copies, one broken feed) was written for
    this project. The archive is thrown away unless --keep names a folder for it.
    """
    import asyncio

    with tempfile.TemporaryDirectory() as folder:
        place = keep or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        asyncio.run(_demo(place))
    if keep:
        print(f"\nAsk on: watchfloor search Iraq --database-url sqlite:///{keep}/demo.db")
    return DONE


async def _demo(folder: Path) -> None:
    from watchfloor.demo import newspaper

    async with newspaper.serve() as paper:
        sources_file = folder / "sources.yaml"
        sources_file.write_text(paper.sources_yaml(), encoding="utf-8")
        settings = load(
            database_url=f"sqlite:///{folder}/demo.db",
            sources=sources_file,
            watchlist=shipped("watchlist.yaml"),
            allow_addresses="127.0.0.0/8",
            host_delay=0.0,
            host_connections=1,  # one after the other, so that it goes the same way every time
            alerts=None,
        )
        print(f"A newspaper with {len(paper.feeds)} feeds on {paper.base}; nothing leaves this machine.")
        await _demo_cycle(settings, "The first look: what is there already becomes one message.")
        paper.publish(2)
        await _demo_cycle(
            settings,
            "Eleven more come out: three are one wire text, one goes on from before, three only look like defence.",
        )
    from watchfloor.query import parse

    print("\n== Ask the archive: watchfloor search 'troops iraq' ==\n")
    hits = wiring.open_archive(settings).search(parse("troops iraq"), Filters(), limit=5, after=None, by="relevance")
    print_hits(hits.hits, settings.zone)


async def _demo_cycle(settings: Settings, what: str) -> None:
    from watchfloor.cli import screen

    print(f"\n== {what} ==\n")
    shown = screen.Screen(settings, quiet=False)
    shown.sum_up(await screen.cycle(settings, shown, everything=True))
