"""What grows, and how: memory with the pages of a cycle, CPU with feeds and articles, the archive with articles.

Costs are slopes: what a larger cycle takes more than a smaller one, so that what every start costs is not in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench import cycles
from bench.cycles import Desk, said
from bench.material import FRESH
from bench.runs import Run, Table, middle

MANY = 20  # times as many feeds: 500 and 10,000
CHANGED = 20  # of so many feeds one has news
FEEDS_OF_500 = 14  # first looked at they have some 500 pages: a smaller cycle ends before the way is full
SMALL_FEEDS = 3 * FRESH  # items: what is measured is the number of feeds


def measure(table: Table, *, scale: float, rounds: int) -> None:
    """Once each: growth is its own comparison."""
    _memory(table, scale)
    _feeds(table, scale)


# -- pages ------------------------------------------------------------------------------------------------------------


def _memory(table: Table, scale: float) -> None:
    few, many = _first_cycle(FEEDS_OF_500), _first_cycle(FEEDS_OF_500 * max(2, round(10 * scale)))
    pages, at_500 = many.pages - few.pages, next(memory for pages, memory in many.seen if pages >= 500)
    detail = f"{at_500 / 1e6:.0f} MB, at the highest of {many.pages} pages {many.run.memory / 1e6:.0f} MB"
    table.add("memory of all processes, the highest of that at page 500", [many.run.memory / at_500], "<= 1.10", detail)
    first, last = many.between(500, 1000), many.between(many.pages - 500, many.pages)
    detail = f"{first / 1e6:.0f} and {last / 1e6:.0f} MB"
    table.add("the same, medians of the last 500 pages and those from 500 on", [last / first], "<= 1.10", detail)
    table.add("an article, everything included: ms of CPU", [1000 * (many.run.cpu - few.run.cpu) / pages], "")
    table.add("an article in the archive, its page included: kB", [(many.size - few.size) / 1000 / pages], "")


@dataclass(frozen=True)
class _Grown:
    run: Run
    pages: int
    size: int
    seen: Sequence[tuple[int, int]]  # pages that were kept, and the memory of all processes then

    def between(self, begin: int, end: int) -> float:
        """The median of what was seen from one page to another."""
        return middle([memory for pages, memory in self.seen if begin <= pages <= end])


def _first_cycle(feeds: int) -> _Grown:
    """Every entry of every feed is new, and every page is read."""
    with cycles.desk(feeds) as at:
        seen: list[tuple[int, int]] = []
        run = at.cycles(seen=lambda memory: seen.append((at.pages(), memory)))
        return _Grown(run, sum(said(run)["articles"].values()), _size(at), seen)


def _size(at: Desk) -> int:
    return sum(path.stat().st_size for path in at.folder.glob("ours.db*"))


# -- feeds ------------------------------------------------------------------------------------------------------------


def _feeds(table: Table, scale: float) -> None:
    few, many = max(25, round(500 * scale)), MANY * max(25, round(500 * scale))
    small, large = _idle_and_changed(few), _idle_and_changed(many)
    for name, one, other in zip(("nothing new", "one in twenty changed"), small, large, strict=True):
        detail = f"{few} and {many} feeds, {one.cpu:.1f} and {other.cpu:.1f} s of CPU"
        table.add(f"{name}: CPU a feed, of {MANY} times as many", [other.cpu / one.cpu / MANY], "<= 1.00", detail)
    idle = 1000 * (large[0].cpu - small[0].cpu) / (many - few)
    table.add("a feed with nothing new: ms of CPU", [idle], "")


def _idle_and_changed(feeds: int) -> tuple[Run, Run]:
    with cycles.desk(feeds, items=SMALL_FEEDS) as at:
        at.runs("polls")
        at.forget_pages()
        at.cycles()
        idle = at.cycles()
        at.publish(2, CHANGED)
        changed = at.cycles()
        assert said(changed)["entries"]["new"] == FRESH * len(range(0, feeds, CHANGED))
        return idle, changed
