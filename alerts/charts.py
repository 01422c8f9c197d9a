"""Counts -> a picture for the mail, where matplotlib is installed (the extra `charts`); else none. No file, no screen.

The ground is transparent and the words are of a grey that can be read on white and on black, because a mail program
decides by itself whether it is day or night.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO

INK, BAR = "#747a86", "#4f86c6"  # a contrast of 3.9 on the mail's light ground and of 4.2 on its dark one
SIZE = 12.5  # points: 17 px on a desktop, 11 px on a phone of 390
WIDTH = 5.6  # inches; at DPI twice the 560 px that the sheet has room for
DPI = 200
LONGEST = 34  # characters of a name

Counts = tuple[tuple[str, int], ...]  # name, how many


@lru_cache(maxsize=8)  # one digest goes to several targets
def bars(counts: Counts) -> bytes | None:
    """A PNG of horizontal bars, the first on top; None without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError:
        return None
    figure = Figure(figsize=(WIDTH, 0.38 * len(counts) + 0.3), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    drawn = axes.barh(_names(counts), [count for _, count in counts], color=BAR, height=0.66)
    axes.bar_label(drawn, padding=4, color=INK, fontsize=SIZE)
    axes.invert_yaxis()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(left=False, bottom=False, labelbottom=False, colors=INK, labelsize=SIZE)
    axes.margins(x=0.08)
    for spine in axes.spines.values():
        spine.set_visible(False)
    png = BytesIO()
    figure.savefig(png, format="png", transparent=True)
    return png.getvalue()


def _names(counts: Sequence[tuple[str, int]]) -> list[str]:
    """Names as they are, without the signs that matplotlib would set as a formula."""
    return [name[:LONGEST].replace("$", r"\$") for name, _ in counts]
