"""What is wrong with the monitor itself: said once, and the all-clear; decided purely, kept on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from storage.archive import SqlArchive
from tests.archives import DAY, HOUR, LEASE, MINUTE, WHOLE, Desk, desk_with_news, entry, source
from watchfloor import incidents, pipeline
from watchfloor.model import Alert, FeedState, PollOutcome, SendOutcome, SourceHealth, TargetHealth, Trouble, Vitals
from watchfloor.ports import Target

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
WELL = Vitals((), (), 0, None, (100 * 10**9, 500 * 10**9))
SILENT = SourceHealth("one", "One", "silent", "nothing new for 9 days; its items used to come 5 hours apart", None)
DOWN = SourceHealth("two", "Two", "failing", "its server answers with an error (HTTP 500)", NOW - 2 * DAY)


def said(vitals: Vitals, *known: Trouble) -> list[str]:
    alert = incidents.change(known, vitals, ["admin"], NOW).alert
    return [alert.subject, *alert.lines] if alert else []


@pytest.mark.parametrize(
    ("vitals", "lines"),
    [
        (WELL, []),
        (
            replace(WELL, sources=(SILENT,)),
            ["One has fallen silent: nothing new for 9 days; its items used to come 5 hours apart."],
        ),
        (
            replace(WELL, sources=(DOWN,)),
            ["Two cannot be read since 22 November, 12:00 UTC: its server answers with an error (HTTP 500)."],
        ),
        (replace(WELL, sources=(replace(DOWN, failing_since=NOW - HOUR),)), []),
        (replace(WELL, targets=(TargetHealth("mail-1", "ann via mail", 4, 2, "451 later"),)), []),
        (
            replace(WELL, targets=(TargetHealth("mail-1", "ann via mail", 5, 0, "451 later"),)),
            ["The target ann via mail keeps refusing: 451 later."],
        ),
        (
            replace(WELL, targets=(TargetHealth("mail-1", "ann via mail", 0, 3, None),)),
            ["The target ann via mail keeps refusing."],
        ),
        (replace(WELL, late=19, late_since=NOW - 9 * HOUR), []),
        (
            replace(WELL, late=20, late_since=NOW - 9 * HOUR),
            ["The queue grows: 20 articles wait, the oldest for 9 hours."],
        ),
        (replace(WELL, disk=(9 * 10**9, 500 * 10**9)), ["The archive's disk is nearly full: 9.0 GB free."]),
        (replace(WELL, disk=(11 * 10**9, 500 * 10**9)), []),
        (replace(WELL, disk=(2 * 10**9, 10 * 10**9)), []),
        (replace(WELL, disk=None), []),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(vitals: Vitals, lines: list[str]) -> None:
    assert said(vitals) == (["Watchfloor: 1 new trouble", *lines] if lines else [])


def test_what_was_said_is_not_said_again_and_its_end_is_the_all_clear() -> None:
    silent = replace(WELL, sources=(SILENT,))
    opened = incidents.change((), silent, ["admin"], NOW).opened
    assert said(silent, *opened) == []
    assert said(replace(WELL, sources=(DOWN,)), *opened) == [
        "Watchfloor: 1 new trouble, 1 trouble over",
        "Two cannot be read since 22 November, 12:00 UTC: its server answers with an error (HTTP 500).",
        f"All clear: {opened[0].said}",
    ]


def test_a_disk_is_well_again_only_with_room_to_spare() -> None:
    known = Trouble("disk", "The archive's disk is nearly full: 9.0 GB free.")
    assert said(replace(WELL, disk=(11 * 10**9, 500 * 10**9)), known) == []
    assert said(replace(WELL, disk=(16 * 10**9, 500 * 10**9)), known) == [
        "Watchfloor: 1 trouble over",
        f"All clear: {known.said}",
    ]


def test_a_hundred_silent_sources_are_one_message_of_twenty_lines() -> None:
    many = tuple(replace(SILENT, id=str(number), name=f"Source {number}") for number in range(100))
    subject, *lines = said(replace(WELL, sources=many))
    assert (subject, len(lines)) == ("Watchfloor: 100 new troubles", 21)
    assert lines[-1] == "and 80 more of the kind; `watchfloor doctor` lists them."


# -- on an archive ----------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(archive: SqlArchive) -> Desk:
    return desk_with_news(archive)


def reviews(desk: Desk) -> list[str]:
    """The lines that ops is told now."""
    targets = [Target("ann", "mailto://ann", ("desk",))]
    alerts: Sequence[Alert] = pipeline.review_incidents(desk.archive, targets, ("admin",), desk.now)
    assert all((one.kind, one.targets) == ("ops", ("admin",)) for one in alerts)
    return [line for one in alerts for line in one.lines if "disk" not in line]


def feels(desk: Desk, **state: object) -> None:
    """The gazette's state after a poll."""
    (job,) = desk.archive.claim_sources(desk.owner, desk.now, LEASE, shard=WHOLE, limit=9, everything=True)
    now = replace(job.state, **state)  # type: ignore[arg-type]
    assert isinstance(now, FeedState)
    desk.archive.keep_poll(desk.owner, PollOutcome("gazette", desk.now, "not_modified", now))


def test_a_source_falls_silent_once_and_comes_back_once(desk: Desk) -> None:
    assert reviews(desk) == []
    feels(desk, health="silent", message="nothing new for 9 days")
    assert reviews(desk) == ["Gazette has fallen silent: nothing new for 9 days."]
    feels(desk.later(HOUR), health="silent", message="nothing new for 10 days")
    assert reviews(desk) == []
    feels(desk.later(HOUR), health="ok", message=None)
    assert reviews(desk) == ["All clear: Gazette has fallen silent: nothing new for 9 days."]
    assert reviews(desk) == []


def test_a_target_that_keeps_refusing_is_an_incident_until_it_takes_a_message(desk: Desk) -> None:
    desk.works("gazette", entry("summit"), entry("treaty"))
    for _ in range(5):
        for one in desk.archive.claim_deliveries(desk.owner, desk.now, LEASE, targets=["ann"], limit=1):
            retry = SendOutcome("retry", "451 later")
            desk.archive.keep_delivery(desk.owner, one.id, retry, desk.now + MINUTE, desk.now)
        desk.later(MINUTE)
    assert reviews(desk) == ["The target mailto://ann keeps refusing: 451 later."]
    assert reviews(desk) == []
    for one in desk.archive.claim_deliveries(desk.owner, desk.now, LEASE, targets=["ann"], limit=9):
        desk.archive.keep_delivery(desk.owner, one.id, SendOutcome("sent"), None, desk.now)
    assert reviews(desk) == ["All clear: The target mailto://ann keeps refusing: 451 later."]


def test_articles_that_nobody_gets_to_are_a_queue_that_grows(desk: Desk) -> None:
    desk.polls("gazette", *(entry(f"page{number}") for number in range(25)))
    assert reviews(desk) == []
    assert reviews(desk.later(timedelta(hours=5))) == ["The queue grows: 25 articles wait, the oldest for 5 hours."]
    desk.reads()
    desk.judges()
    assert reviews(desk) == ["All clear: The queue grows: 25 articles wait, the oldest for 5 hours."]


def test_a_source_that_is_no_longer_watched_is_no_incident(desk: Desk) -> None:
    feels(desk, health="silent", message="nothing new for 9 days")
    assert len(reviews(desk)) == 1
    desk.knows(source("harbour"))
    assert reviews(desk) == ["All clear: Gazette has fallen silent: nothing new for 9 days."]
