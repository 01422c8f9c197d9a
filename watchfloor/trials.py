"""A backtest carried out: batches of the past from the archive, judged in several processes, counted in one.

Whatever the archive's size, a few batches are in memory: the next is read when the oldest has been counted.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from watchfloor import stories
from watchfloor.backtesting import Backtest, Change, Compared, Outcome, Past, change, compare
from watchfloor.match import Matcher
from watchfloor.model import Record
from watchfloor.ports import Sketched
from watchfloor.watchlist import Watchlist

AT_ONCE = 250  # articles in a batch: a tenth of a second of judging, and 1 MB on its way to another process
ALONE = 8_000  # articles up to which starting processes (1.5 s of CPU each) costs more time than it saves
IN_HAND = 2  # batches that each process has before it, so that none waits for the archive

Progress = Callable[[int, int], None]  # how many articles are done, of how many


class PastArchive(Protocol):
    """What a trial needs of the archive. Times are when articles were first seen; `until` is excluded."""

    def count_past(self, since: datetime, until: datetime) -> tuple[int, int]:
        """How many articles can be judged anew, and how many cannot because their text was let go."""
        ...

    def past(self, since: datetime, until: datetime, *, at_once: int) -> Iterator[Sequence[Past]]:
        """The former, oldest first, in batches."""
        ...

    def sketches(self, since: datetime, until: datetime) -> list[tuple[datetime, Sketched]]:
        """What grouping remembers of relevant articles, each with when it was first seen, oldest first."""
        ...

    def find_article(self, id_or_url: int | str) -> Record | None:
        """All that is known of one article."""
        ...


@dataclass(frozen=True, slots=True)
class Lists:
    """The list to try, and the one to try it against; None for the verdicts that are kept."""

    edited: Watchlist
    against: Watchlist | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it. `pruned`: articles that could not be judged anew."""

    outcome: Outcome
    pruned: int
    gained: tuple[Change, ...]
    lost: tuple[Change, ...]


def run(
    archive: PastArchive,
    lists: Lists,
    since: datetime,
    until: datetime,
    *,
    limit: int,
    processes: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Trial:
    """Try a list on the past. `processes`: None for one a core."""
    backtest = Backtest(window=archive.sketches(since - stories.WINDOW, since))
    wanted, pruned = archive.count_past(since, until)
    matchers = _Matchers(lists)
    with _judges(matchers, _processes(wanted, processes)) as judges:
        for past, compared in judges(archive.past(since, until, at_once=AT_ONCE)):
            backtest.take(past, compared)
            progress(backtest.articles, wanted)
    outcome = backtest.result(limit)
    return Trial(
        outcome,
        pruned,
        gained=tuple(_changes(archive, matchers, outcome.strongest_gained)),
        lost=tuple(_changes(archive, matchers, outcome.strongest_lost)),
    )


def _processes(wanted: int, processes: int | None) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if wanted <= ALONE else processes or cores


def _changes(archive: PastArchive, matchers: _Matchers, ids: Sequence[int]) -> Iterator[Change]:
    for id in ids:
        record = archive.find_article(id)
        if record is None or record.verdict is None:
            continue  # let go since
        article = record.article
        after = matchers.edited.judge(article.title, article.text, article.language)
        against = matchers.against
        before = against.judge(article.title, article.text, article.language) if against else record.verdict
        yield change(article, before, after)


# -- who judges -------------------------------------------------------------------------------------------------------

_Judges = Callable[[Iterator[Sequence[Past]]], Iterator[tuple[Sequence[Past], list[Compared]]]]


class _Matchers:
    """Both lists, compiled."""

    def __init__(self, lists: Lists) -> None:
        self.lists = lists
        self.edited = Matcher(lists.edited)
        self.against = Matcher(lists.against) if lists.against else None

    def compare(self, past: Sequence[Past]) -> list[Compared]:
        return compare(past, self.edited, self.against)


@contextmanager
def _judges(matchers: _Matchers, processes: int) -> Iterator[_Judges]:
    """Batches -> the same with what the lists make of them, in order."""
    if processes == 1:
        yield lambda batches: ((past, matchers.compare(past)) for past in batches)
        return
    spawn = multiprocessing.get_context("spawn")  # a fork would inherit the archive's connections
    with ProcessPoolExecutor(processes, mp_context=spawn, initializer=_prepare, initargs=(matchers.lists,)) as pool:
        yield lambda batches: _spread(pool, batches, processes * IN_HAND)


def _spread(
    pool: Executor, batches: Iterator[Sequence[Past]], in_hand: int
) -> Iterator[tuple[Sequence[Past], list[Compared]]]:
    waiting: deque[tuple[Sequence[Past], Future[list[Compared]]]] = deque()
    for past in batches:
        waiting.append((past, pool.submit(_compare_there, past)))
        if len(waiting) > in_hand:
            oldest, future = waiting.popleft()
            yield oldest, future.result()
    for oldest, future in waiting:
        yield oldest, future.result()


_there: list[_Matchers] = []  # in a process of the pool: compiled once, when it starts


def _prepare(lists: Lists) -> None:
    _there.append(_Matchers(lists))


def _compare_there(past: Sequence[Past]) -> list[Compared]:
    return _there[0].compare(past)
