"""Every moment can be the last: killed before and after every commit, and at random; nothing is lost, nothing twice.

In `make test` some commits on SQLite, in `make armour` all of them, on both databases, and two hundred random ends.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from storage.engine import connect, open_archive
from storage.migrations.run import run
from tests import earlier
from tests.armour.desks import RUN, MortalDesk, Nursery, a_copy, a_desk, a_nursery, differences, standing
from tests.watching import paper_in_a_thread
from watchfloor.demo.newspaper import Newspaper
from watchfloor.pipeline import SENT_AT_ONCE

ALL = os.environ.get("WATCHFLOOR_ARMOUR") == "all"
DATABASES = ["sqlite", "postgresql"] if ALL else ["sqlite"]
STEP = 1 if ALL else 40  # of the commits, every how manieth
KILLS = 200 if ALL else 3
PRUNE = ("db", "prune", "--raw-days", "0", "--text-days", "0")
UPGRADE = ("db", "upgrade")

pytestmark = pytest.mark.xdist_group("kill")


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with a_nursery() as made:
        yield made


@pytest.fixture(scope="module")
def paper() -> Iterator[Newspaper]:
    with paper_in_a_thread() as served:
        yield served


def dies_at_each_commit(start: MortalDesk, reference: MortalDesk, *command: str, folder: Path) -> int:
    """Live through the command again and again, each time with another last moment; then go on, and compare."""
    commits, lived = reference.finishes(*command), 0
    expected = standing(reference.url)
    for when in ("before", "after"):
        for at in range(1, commits + 1, STEP):
            desk = a_copy(start, folder / f"{when}-{at}")
            desk.does(*command, at=at, when=when)  # how commits fall is chance: now and then there are fewer
            desk.finishes(*command)
            found = standing(desk.url)
            assert differences(found, expected) == [], (when, at)
            assert_all_was_sent(desk, found.deliveries)
            lived += desk.kills
    assert lived
    return lived


def assert_all_was_sent(desk: MortalDesk, deliveries: tuple[tuple[str, int], ...]) -> None:
    sent = desk.sent()
    assert dict(deliveries).keys() <= {"sent"}
    assert len(sent) == dict(deliveries).get("sent", 0)  # none lost
    assert sent.total() - len(sent) <= desk.kills * SENT_AT_ONCE  # where an end fell between a sending and its commit


@pytest.mark.parametrize("database", DATABASES)
def test_at_every_commit_of_a_first_cycle(database: str, nursery: Nursery, paper: Newspaper, tmp_path: Path) -> None:
    paper.publish(1)
    start = a_desk(nursery, paper, tmp_path / "start", database)
    lived = dies_at_each_commit(start, a_copy(start, tmp_path / "reference"), *RUN, folder=tmp_path)
    print(f"\n{lived} ends in a first cycle on {database}: all the same in the end")


@pytest.mark.parametrize("database", DATABASES)
def test_at_every_commit_of_a_later_cycle_and_of_pruning(
    database: str, nursery: Nursery, paper: Newspaper, tmp_path: Path
) -> None:
    paper.publish(1)
    start = a_desk(nursery, paper, tmp_path / "start", database)
    start.finishes(*RUN)
    paper.publish(2)
    reference = a_copy(start, tmp_path / "reference")
    lived = dies_at_each_commit(start, reference, *RUN, folder=tmp_path / "cycle")
    print(f"\n{lived} ends in a later cycle on {database}: all the same in the end")
    assert standing(reference.url).told
    pruned = a_copy(reference, tmp_path / "pruned")
    lived = dies_at_each_commit(reference, pruned, *PRUNE, folder=tmp_path / "prune")
    print(f"{lived} ends in pruning on {database}: all the same in the end")


@pytest.mark.parametrize("database", DATABASES)
def test_at_every_commit_of_an_upgrade(database: str, nursery: Nursery, paper: Newspaper, tmp_path: Path) -> None:
    start = an_old_desk(nursery, paper, tmp_path / "start", database)
    reference, lived = a_copy(start, tmp_path / "reference"), 0
    commits = reference.finishes(*UPGRADE)
    expected = rows_of(reference.url)
    for when in ("before", "after"):
        for at in range(1, commits + 1):
            desk = a_copy(start, tmp_path / f"{when}-{at}")
            desk.does(*UPGRADE, at=at, when=when)
            desk.finishes(*UPGRADE)
            assert rows_of(desk.url) == expected, (when, at)
            lived += desk.kills
    assert lived >= commits
    print(f"\n{lived} ends in an upgrade on {database}: all the same in the end")


@pytest.mark.parametrize("database", DATABASES)
def test_at_random(database: str, nursery: Nursery, paper: Newspaper, tmp_path: Path) -> None:
    """Two cycles, then pruning, each killed three times before it may end; beside it an upgrade of an old archive."""
    dice = random.Random(20261124)
    paper.publish(1)
    start, old = (make(nursery, paper, tmp_path / name, database) for make, name in STARTS)
    reference = a_copy(start, tmp_path / "reference")
    reference.finishes(*RUN)
    paper.publish(2)
    reference.finishes(*RUN)
    expected = standing(reference.url)
    reference.finishes(*PRUNE)
    pruned = standing(reference.url)
    upgraded = a_copy(old, tmp_path / "upgraded")
    upgraded.finishes(*UPGRADE)
    tried, of_old = 0, rows_of(upgraded.url)
    for life in count():
        if tried >= KILLS:
            break
        desk = a_copy(start, tmp_path / f"life-{life}")
        for edition in (1, 2):
            paper.publish(edition)
            finishes_in_the_end(desk, dice, RUN, seconds=1.2)
        found = standing(desk.url)
        assert differences(found, expected) == []
        assert_all_was_sent(desk, found.deliveries)
        finishes_in_the_end(desk, dice, PRUNE, seconds=0.3)
        assert differences(standing(desk.url), pruned) == []
        aged = a_copy(old, tmp_path / f"old-{life}")
        finishes_in_the_end(aged, dice, UPGRADE, seconds=0.5)
        assert rows_of(aged.url) == of_old
        tried += desk.kills + aged.kills
    print(f"\n{tried} random ends on {database}: all the same in the end")


def finishes_in_the_end(desk: MortalDesk, dice: random.Random, command: tuple[str, ...], *, seconds: float) -> None:
    """Killed three times within so many seconds of its start, then left alone."""
    for _ in range(3):
        desk.does(*command, after=dice.uniform(0.02, seconds))
    desk.finishes(*command)


def an_old_desk(nursery: Nursery, paper: Newspaper, folder: Path, database: str) -> MortalDesk:
    """One whose archive the first version made and filled."""
    desk = a_desk(nursery, paper, folder, database)
    made = connect(desk.url)
    with made.write() as connection:
        run(connection, None, target=OLDEST)
        earlier.load(connection, OLDEST)
    made.close()
    return desk


OLDEST = min(earlier.known_versions())
STARTS = ((a_desk, "start"), (an_old_desk, "old"))


def rows_of(url: str) -> earlier.Rows:
    """All rows of an archive in which nothing is wrong, by the doctor's own look at it."""
    archive = open_archive(url)
    try:
        assert archive.check() == []
        with archive._database.read() as connection:
            return earlier.dump(connection)
    finally:
        archive.close()
