"""What a cycle did, in a few lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from watchfloor.cli.printing import when

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from watchfloor.report import Report
    from watchfloor.timing import Slow

SHOWN = 5  # of the slowest of each stage


def when_due(sources: int, due: datetime | None, zone: ZoneInfo) -> str:
    """Why nobody was asked: a second look would only annoy the publishers. `due`: when the first will be."""
    if not sources:
        return "There are no sources; `watchfloor sources add ADDRESS` adds one."
    return f"None of {sources} sources is due before {when(due, zone)}; --now asks all of them." if due else ""


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


def profile_lines(stages: Mapping[str, float], slowest: Mapping[str, Sequence[Slow]]) -> list[str]:
    """Where the time went: the stages, and the slowest pieces of those whose pieces have names."""
    lines = ["Seconds that tasks spent, in sum (they wait side by side):"]
    lines += [f"  {stage:<12}{seconds:9.2f}" for stage, seconds in sorted(stages.items(), key=lambda one: -one[1])]
    for stage, slow in slowest.items():
        lines += [f"The slowest, {stage}:", *(f"  {one.seconds:7.2f} s  {one.what}" for one in slow[:SHOWN])]
    return lines
