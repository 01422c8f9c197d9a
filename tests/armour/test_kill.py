"""Every moment can be the last: killed before and after every commit, and at random; nothing is lost, nothing twice.

In `make test` some commits on SQLite, in `make armour` all of them, on both databases, and two hundred random ends.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.armour.desks import RUN, MortalDesk, Nursery, a_copy, a_desk, a_nursery, differences, standing
from tests.watching import paper_in_a_thread
from watchfloor.demo.newspaper import Newspaper
from watchfloor.pipeline import SENT_AT_ONCE

ALL = os.environ.get("WATCHFLOOR_ARMOUR") == "all"
DATABASES = ["sqlite", "postgresql"] if ALL else ["sqlite"]
STEP = 1 if ALL else 40  # of the commits, every how manieth
KILLS = 200 if ALL else 3
PRUNE = ("db", "prune", "--raw-days", "0", "--text-days", "0")

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
def test_at_random(database: str, nursery: Nursery, paper: Newspaper, tmp_path: Path) -> None:
    dice = random.Random(20261124)
    paper.publish(1)
    start = a_desk(nursery, paper, tmp_path / "start", database)
    reference = a_copy(start, tmp_path / "reference")
    reference.finishes(*RUN)
    paper.publish(2)
    reference.finishes(*RUN)
    expected = standing(reference.url)
    tried = 0
    while tried < KILLS:
        paper.publish(1)
        desk = a_copy(start, tmp_path / f"life-{tried}")
        for edition in (1, 2):
            paper.publish(edition)
            for _ in range(3):
                desk.does(*RUN, after=dice.uniform(0.02, 1.2))
            desk.finishes(*RUN)
        found = standing(desk.url)
        assert differences(found, expected) == []
        assert_all_was_sent(desk, found.deliveries)
        tried += desk.kills
    print(f"\n{tried} random ends on {database}: all the same in the end")
