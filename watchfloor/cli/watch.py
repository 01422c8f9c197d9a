"""`run` and `demo`: cycles in this process, without an engine."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from watchfloor import pipeline, wiring
from watchfloor.cli import DONE, FAILED
from watchfloor.cli.options import CycleOptions, Format
from watchfloor.cli.printing import as_json, console, print_hits, when
from watchfloor.model import Filters
from watchfloor.pipeline import Floor, Report, Watcher
from watchfloor.query import parse
from watchfloor.settings import NO_CONTACT, load, shipped

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from watchfloor.model import Alert, Collected, FeedState, PageJob, PollJob, PollOutcome
    from watchfloor.settings import Settings


def run(
    *,
    now: Annotated[bool, Parameter(negative="")] = False,
    format: Format = "table",
    options: CycleOptions = CycleOptions(),  # noqa: B008 - frozen, and cyclopts reads it
) -> int:
    """One cycle: poll what is due, read, judge, group, alert; then say what was done.

    Exits with 0 if any source answered or none was due, with 1 if none of those asked could be reached.

    Parameters
    ----------
    now
        Poll every source, due or not, but none that asked us to wait.
    format
        table, or json: one object with the counts.
    """
    settings = options.settings()
    screen = Screen(settings, quiet=format == "json")
    report = asyncio.run(_cycle(settings, screen, everything=now))
    if format == "json":
        print(as_json(report.as_json()))
    else:
        screen.sum_up(report)
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


async def _cycle(settings: Settings, screen: Screen, *, everything: bool) -> Report:
    async with wiring.open_floor(settings, watcher=screen) as floor:
        with screen.progress(floor):
            return await pipeline.cycle(floor, everything=everything)


class Screen(Watcher):
    """Shows a cycle: a progress line on a terminal, in a pipe the failures alone, and the alerts at the end."""

    def __init__(self, settings: Settings, *, quiet: bool) -> None:
        self.settings = settings
        self.quiet = quiet
        self.alerts: list[Alert] = []
        self.failures: list[tuple[str, str]] = []
        self.counts: Counter[str] = Counter()
        self._line: Any = None
        self._deliveries = False
        self._states: Callable[[], Mapping[str, FeedState]] = dict

    def progress(self, floor: Floor) -> Any:
        """A context that shows the counts while they grow, on a terminal only."""
        from rich.console import Console
        from rich.status import Status

        self._deliveries = bool(floor.sender.targets)
        self._states = floor.archive.states
        self._line = Status("asking the sources ...", console=Console(stderr=True))
        return self._line

    def polled(self, job: PollJob, outcome: PollOutcome, new: int) -> None:
        """Count a source, and keep its failure in words."""
        self.counts.update(sources=1, entries=new)
        if outcome.result == "failed":
            self.failures.append((job.source.name, outcome.error or "failed"))
        self._show()

    def collected(self, job: PageJob, collected: Collected) -> None:
        """Count a page."""
        self.counts.update(pages=1)
        self._show()

    def alerted(self, alert: Alert) -> None:
        """Keep an alert for the end."""
        self.alerts.append(alert)

    def _show(self) -> None:
        if self._line is not None:
            counts = self.counts
            self._line.update(
                f"{counts['sources']} sources asked, {counts['entries']} new entries, {counts['pages']} pages read"
            )

    def sum_up(self, report: Report) -> None:
        """The end of a cycle, for people: failures, alerts, one line of sums."""
        out = console()
        for name, error in sorted(self.failures):
            out.print(f"  ! {name}: {error}", markup=False)
        if not self._deliveries:
            self._print_alerts()
        for line in summary(report):
            out.print(line, markup=False)
        if not report.asked and (line := _when_due(self._states(), self.settings.zone)):
            out.print(line, markup=False)

    def _print_alerts(self) -> None:
        from alerts.render import render_terminal

        names = wiring.load_watchlist(self.settings).topics if self.alerts else {}
        for alert in self.alerts:
            console().print(render_terminal(alert, self.settings.zone, names=names), markup=False)


def _when_due(states: Mapping[str, FeedState], zone: ZoneInfo) -> str:
    """Why nobody was asked: a second look would only annoy the publishers."""
    if not states:
        return "There are no sources; `watchfloor sources add ADDRESS` adds one."
    due = min((state.next_at for state in states.values() if state.next_at and not state.gone), default=None)
    return f"None of {len(states)} sources is due before {when(due, zone)}; --now asks all of them." if due else ""


def summary(report: Report) -> list[str]:
    """What a cycle did, in three short lines."""
    read = report.asked - report.failed
    lines = [
        f"{report.asked} sources asked: {read} answered ({report.not_modified} without news), {report.failed} failed.",
        f"{report.entries} new entries, {report.grades.total()} pages ({report.grades['full']} full), "
        f"{report.relevant} relevant, {report.stories_new} new stories, {report.alerts} alerts.",
    ]
    if report.sent or report.pending or report.dead or report.unknown:
        lines.append(
            f"{report.sent} messages sent, {report.pending} wait, {report.dead} refused for good, "
            f"{report.unknown} unknown."
        )
    lines.append(f"Took {report.seconds:.1f} s.")
    return lines


# -- demo -------------------------------------------------------------------------------------------------------------


def demo(*, keep: Annotated[Path | None, Parameter(help="Keep the archive in this folder.")] = None) -> int:
    """Watch a small newspaper on this machine for two cycles: no network, no configuration, under a minute.

    The newspaper (five feeds in five dialects, four page layouts, look-alikes, copies, one broken feed) was written for
    this project. The archive is thrown away unless --keep names a folder for it.
    """
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
            host_connections=4,
            alerts=None,
        )
        print(f"A newspaper with {len(paper.feeds)} feeds on {paper.base}; nothing leaves this machine.")
        await _demo_cycle(settings, "The first look: what is there already becomes one message.")
        paper.publish(2)
        await _demo_cycle(
            settings, "Ten more stories come out; three are the same wire text, four only look like defence."
        )
    print("\n== Ask the archive: watchfloor search 'troops iraq' ==\n")
    hits = wiring.open_archive(settings).search(parse("troops iraq"), Filters(), limit=5, after=None, by="relevance")
    print_hits(hits.hits, settings.zone)


async def _demo_cycle(settings: Settings, what: str) -> None:
    print(f"\n== {what} ==\n")
    screen = Screen(settings, quiet=False)
    screen.sum_up(await _cycle(settings, screen, everything=True))
