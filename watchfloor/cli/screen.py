"""A cycle as the terminal shows it: counts while they grow, failures and alerts at the end."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from watchfloor import pipeline, wiring
from watchfloor.cli.printing import console
from watchfloor.cli.sums import summary, when_due
from watchfloor.pipeline import Floor, Watcher
from watchfloor.report import Report
from watchfloor.timing import Times

if TYPE_CHECKING:
    from watchfloor.model import Alert, Collected, FeedState, PageJob, PollJob, PollOutcome
    from watchfloor.settings import Settings


async def cycle(settings: Settings, screen: Screen, *, everything: bool) -> Report:
    """One cycle, shown."""
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
        self.times = Times()
        self._states: Callable[[], Mapping[str, FeedState]] = dict

    def progress(self, floor: Floor) -> Any:
        """A context that shows the counts while they grow, on a terminal only."""
        self._deliveries = bool(floor.sender.targets)
        self._states = floor.archive.states
        self.times = floor.times
        if not sys.stderr.isatty():
            return nullcontext()
        from rich.console import Console
        from rich.status import Status

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
        if not report.asked and (line := self._when_due()):
            out.print(line, markup=False)

    def _when_due(self) -> str:
        states = self._states()
        due = min((state.next_at for state in states.values() if state.next_at and not state.gone), default=None)
        return when_due(len(states), due, self.settings.zone)

    def _print_alerts(self) -> None:
        from alerts.render import render_terminal

        names = wiring.load_watchlist(self.settings).topics if self.alerts else {}
        for alert in self.alerts:
            console().print(render_terminal(alert, self.settings.zone, names=names), markup=False)
