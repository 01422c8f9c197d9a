"""Pictures for the page, drawn on the server as SVG; without the extra `charts` there are tables alone."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from importlib.util import find_spec

INKS = {"light": ("#14509c", "#55606f", "#dde1e8"), "dark": ("#8fbcf7", "#a7b1c1", "#303946")}  # bars, text, lines
WIDE, NARROW = (9.0, 1.9), (4.6, 1.9)  # inches, for a desk and a telephone; the page scales them


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def bars(counts: Mapping[date, int], theme: str, *, narrow: bool = False) -> bytes:
    """A bar for each day. `theme` is "light" or "dark"; `narrow`: as a telephone shows it."""
    return _bars(tuple(counts.items()), theme if theme in INKS else "light", NARROW if narrow else WIDE)


@lru_cache(maxsize=64)
def _bars(counts: tuple[tuple[date, int], ...], theme: str, size: tuple[float, float]) -> bytes:
    from matplotlib import rc_context
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    bar, ink, line = INKS[theme]
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "watchfloor", "font.family": "sans-serif"}):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        axes.bar([day for day, _ in counts], [count for _, count in counts], width=0.8, color=bar)  # type: ignore[arg-type]
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(line)
        axes.tick_params(colors=ink, labelsize=9, length=0)
        axes.grid(axis="y", color=line, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
        axes.set_ylim(bottom=0, top=max(1, *(count for _, count in counts)) * 1.05)
        locator = AutoDateLocator(maxticks=8 if size == WIDE else 5)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        formatter = ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(formatter)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return drawn.getvalue()
