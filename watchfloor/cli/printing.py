"""What commands print: tables that fit 80 columns, JSON beside them, times in the reader's zone."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from watchfloor.briefs import bracketed

if TYPE_CHECKING:
    from rich.progress import TaskID

    from watchfloor.model import Facets, Hit


LABEL = 10  # columns of the words before a line
HANG = " " * 8  # before all lines of a hit but the first


def console(*, stderr: bool = False) -> Any:
    """Standard output as rich sees it: colours on a terminal only, NO_COLOR respected."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty(), stderr=stderr)


def as_json(value: object) -> str:
    """Indented JSON; dataclasses become objects, times ISO 8601, durations seconds."""
    return json.dumps(value, default=_plain, ensure_ascii=False, indent=2)


def as_line(value: object) -> str:
    """The same on one line."""
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, wide: str | None = None) -> None:
    """A plain table; `wide` names the column that takes what room is left and folds."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold", ratio=1 if column == wide else None, no_wrap=column != wide)
    for row in rows:
        grid.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console().print(grid)


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """CSV on standard output, safe for spreadsheets."""
    from watchfloor.clippings import csv_lines

    for lines in csv_lines(columns, rows):
        sys.stdout.write(lines)


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Show how far long work is, on a terminal only: to be told what is done, how much of it, of how much."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=not sys.stderr.isatty(), console=console(stderr=True)) as bar:
        tasks: dict[str, TaskID] = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name)
            bar.update(tasks[name], completed=done, total=total)

        yield show


def when(moment: datetime | None, zone: ZoneInfo) -> str:
    """A time as people read it, in their zone; a dash where there is none."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M") if moment else "-"


def print_lines(lines: Iterable[str]) -> None:
    """Lines that begin with a label or a weight: on a terminal wrapped under themselves and in colours, else as is."""
    from rich.text import Text

    out = console()
    if not out.is_terminal:
        print("\n".join(lines))
        return
    for number, line in enumerate(lines):
        text = Text("\n".join(textwrap.wrap(line, out.width, subsequent_indent=" " * LABEL)))
        text.highlight_regex(r"^[A-Z][a-z]+(?= {2,})", "bold cyan")
        text.highlight_regex(r"^ +\+[\d.]+", "green")
        text.highlight_regex(r"^ +-[\d.]+", "red")
        text.highlight_regex(r"\[[^\]]+\]", "bold yellow")
        out.print(text, style="bold" if number == 0 else "")


def print_hits(hits: Iterable[Hit], zone: ZoneInfo) -> None:
    """Hits for people: title, who and when, the words around what was found, which stand in brackets."""
    from rich.text import Text

    out = console()
    for hit in hits:
        title = _hanging(f"{hit.id:>6}  {hit.title}", out.width)
        out.print(Text(title, style="bold"))
        out.print(Text(f"{HANG}{hit.publisher}, {when(hit.published or hit.first_seen, zone)}", style="dim"))
        if hit.snippet:
            snippet = Text(_hanging(f"{HANG}{_passage(hit)}", out.width))
            snippet.highlight_regex(r"\[[^\]]+\]", "bold yellow")
            out.print(snippet)


def _hanging(line: str, width: int) -> str:
    return "\n".join(textwrap.wrap(line, max(width, 2 * len(HANG)), subsequent_indent=HANG))


def _passage(hit: Hit) -> str:
    """The snippet on one line, its marks in brackets."""
    return " ".join(bracketed(hit.snippet, hit.marks).split())


def print_facets(facets: Facets) -> None:
    """What the matches have in common, a line for each kind, and whether the counts are the truth."""
    if facets.one_in > 1:
        print(f"About {facets.total} in all; the counts are estimates from one match in {facets.one_in}.")
    if facets.partly:
        print("Only the newest matches were counted: there may be more of each.")
    kinds = ("topics", "entities", "publishers", "countries", "languages", "months")
    counts = {kind: ", ".join(f"{one.value} {one.count}" for one in getattr(facets, kind)) for kind in kinds}
    table(("facet", "matches"), ((kind, text or "-") for kind, text in counts.items()), wide="matches")
