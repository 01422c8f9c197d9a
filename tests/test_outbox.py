"""What is held, let go, summed up and referred to, on both databases, with an injected clock and the real decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert

from storage.archive import SqlArchive
from storage.engine import open_archive
from storage.schema import WorkRow
from tests.archives import DAY, HOUR, LEASE, MINUTE, Desk, desk_with_news, entry, group_by_first_word, judge, source
from watchfloor import alerting
from watchfloor.model import Alert, Delivery, SendOutcome
from watchfloor.ports import Recent, StoryState, Tell
from watchfloor.routes import Flood, Quiet, Route

SENT = SendOutcome("sent")
ROUTE = Route("desk", targets=("ann", "bob"), timezone=ZoneInfo("Europe/Berlin"))
BRAKED = replace(ROUTE, flood=Flood(3, timedelta(minutes=30)))


def telling(desk: Desk, *routes: Route, idle_since: datetime | None = None) -> Tell:
    """The house's own decision at the desk's time."""

    def tell(states: Sequence[StoryState], recent: Recent) -> list[Alert]:
        return alerting.tell(states, routes, desk.now, recent=recent, idle_since=idle_since)

    return tell


def sends(desk: Desk, target: str = "ann") -> list[Alert]:
    """Let go what was held, and send this target all that is due."""
    desk.archive.release_held(partial(alerting.sum_up, now=desk.now), desk.now)
    due = desk.archive.claim_deliveries(desk.owner, desk.now, LEASE, targets=[target], limit=99)
    for one in due:
        desk.archive.keep_delivery(desk.owner, one.id, SENT, None, desk.now)
    return [one.alert for one in due]


@pytest.fixture
def desk(archive: SqlArchive) -> Desk:
    return desk_with_news(archive)


def test_the_brake_counts_what_went_out_before_and_what_was_too_much_comes_as_one(desk: Desk) -> None:
    desk.tell = telling(desk, BRAKED)
    messages: list[tuple[datetime, Alert]] = []
    for cycle in range(12):  # two new stories every five minutes
        desk.works("gazette", entry(f"a{cycle}-x"), entry(f"b{cycle}-x"))
        messages += [(desk.now, alert) for alert in sends(desk)]
        desk.later(5 * MINUTE)
    desk.later(HOUR)
    messages += [(desk.now, alert) for alert in sends(desk)]
    for at, _ in messages:
        assert sum(at - timedelta(minutes=30) < other <= at for other, _ in messages) <= 3
    told = [brief.story_id for _, alert in messages for brief in alert.briefs]
    assert sorted(told) == list(range(1, 25))  # each once, none lost
    assert "flood" in [alert.kind for _, alert in messages]
    assert desk.archive.pending_deliveries().keys() <= {"sent", "folded", "pending"}


def test_what_the_night_held_comes_in_the_morning_as_one_message(desk: Desk) -> None:
    nightly = replace(ROUTE, quiet=Quiet(time(22), time(6)))
    desk.tell = telling(desk, nightly)
    desk.now = datetime(2026, 11, 24, 21, 30, tzinfo=UTC)  # 22:30 in Berlin
    for number in range(5):
        desk.works("gazette", entry(f"night{number}-x"))
        assert sends(desk) == []
        desk.later(HOUR)
    desk.now = datetime(2026, 11, 25, 4, 59, tzinfo=UTC)
    assert sends(desk) == []
    (one,) = sends(desk.later(MINUTE))
    assert (one.kind, one.subject, len(one.briefs)) == ("digest", "5 stories of the quiet hours", 5)
    assert [alert.key for alert in sends(desk, "bob")] == [one.key]
    assert sends(desk.later(DAY)) == []
    assert desk.archive.pending_deliveries() == {"folded": 10, "sent": 2}


def test_what_is_muted_in_the_night_is_not_told_in_the_morning(desk: Desk) -> None:
    desk.tell = telling(desk, replace(ROUTE, quiet=Quiet(time(22), time(6))))
    desk.now = datetime(2026, 11, 24, 23, tzinfo=UTC)
    desk.works("gazette", entry("summit"))
    desk.works("gazette", entry("treaty"))
    desk.archive.mute_story(1, True)
    assert [alert.briefs[0].headline for alert in sends(desk.later(7 * HOUR))] == ["treaty"]
    assert desk.archive.pending_deliveries() == {"folded": 2, "sent": 1, "pending": 1}


def test_one_story_of_the_night_comes_as_it_is(desk: Desk) -> None:
    desk.tell = telling(desk, replace(ROUTE, quiet=Quiet(time(22), time(6))))
    desk.now = datetime(2026, 11, 24, 23, tzinfo=UTC)
    desk.works("gazette", entry("summit"))
    assert [alert.kind for alert in sends(desk.later(7 * HOUR))] == ["story"]


def test_after_downtime_what_the_first_cycle_finds_is_one_message(desk: Desk) -> None:
    desk.later(20 * HOUR)
    desk.tell = telling(desk, ROUTE, idle_since=desk.now - 20 * HOUR)
    desk.works("gazette", entry("summit"), entry("treaty"))
    desk.works("gazette", entry("budget"))  # a second batch of the same cycle
    assert [(alert.kind, len(alert.briefs)) for alert in sends(desk)] == [("digest", 3)]


def test_a_night_that_is_let_go_by_two_at_once_is_let_go_once(desk: Desk) -> None:
    desk.tell = telling(desk, replace(ROUTE, quiet=Quiet(time(22), time(6))))
    desk.now = datetime(2026, 11, 24, 23, tzinfo=UTC)
    desk.works("gazette", entry("summit"), entry("treaty"))
    desk.later(7 * HOUR)
    sum_up = partial(alerting.sum_up, now=desk.now)
    assert [desk.archive.release_held(sum_up, desk.now) for _ in range(2)] == [2, 0]


def test_an_update_refers_to_the_message_that_the_target_got(desk: Desk) -> None:
    desk.tell = telling(desk, ROUTE)
    desk.works("gazette", entry("summit-one"))
    (first,) = claims(desk)
    desk.archive.follow_story(1, True)
    desk.later(HOUR).works("gazette", entry("summit-two"))
    (update,) = claims(desk)
    assert (update.alert.kind, update.refers_to) == ("update", first.message_id)


def test_on_a_route_that_rests_nothing_is_claimed(desk: Desk) -> None:
    desk.tell = telling(desk, ROUTE)
    desk.works("gazette", entry("summit"))

    def claimed(*resting: str) -> int:
        claim = partial(desk.archive.claim_deliveries, desk.owner, desk.now, LEASE, targets=["ann"], limit=9)
        return len(claim(resting=resting))

    assert (claimed("desk", "other"), claimed("other"), claimed()) == (0, 1, 0)


def test_a_route_with_digests_is_known_from_when_it_was_first_seen(desk: Desk) -> None:
    first = desk.now
    assert desk.archive.digested("morning", first) == (None, first)
    assert desk.archive.digested("morning", first + HOUR) == (None, first)
    desk.archive.raise_alert(Alert(alerting.digest_key("morning", first), "digest", "morning", first, "Digest"))
    assert desk.archive.digested("morning", first + HOUR) == (first, first)


def test_news_of_a_story_that_rests_is_told_when_it_has_rested(desk: Desk) -> None:
    desk.tell = telling(desk, ROUTE)
    desk.works("gazette", entry("summit-one"))
    assert [alert.kind for alert in sends(desk)] == ["story"]
    desk.later(HOUR).works("gazette", entry("summit-with-12-ships"), entry("treaty-one"))
    assert [alert.kind for alert in sends(desk)] == ["story"]

    def rested() -> list[Alert]:
        tell: Tell = lambda states, recent: alerting.tell(states, [ROUTE], desk.now, recent=recent, again=True)  # noqa: E731
        return list(desk.archive.settle_rested(tell, alerting.UPDATE_REST, desk.now))

    assert rested() == []
    (update,) = rested() if desk.later(2 * HOUR) else []
    assert (update.kind, update.briefs[0].news) == ("update", "New figures in a headline: 12.")
    assert [alert.key for alert in sends(desk)] == [update.key]
    assert rested() == rested() == []


def claims(desk: Desk) -> list[Delivery]:
    due = desk.archive.claim_deliveries(desk.owner, desk.now, LEASE, targets=["ann"], limit=9)
    for one in due:
        desk.archive.keep_delivery(desk.owner, one.id, SENT, None, desk.now)
    return due


def test_an_update_after_the_night_refers_to_the_sum_of_the_night(desk: Desk) -> None:
    desk.tell = telling(desk, replace(ROUTE, quiet=Quiet(time(22), time(6))))
    desk.now = datetime(2026, 11, 24, 23, tzinfo=UTC)
    desk.works("gazette", entry("summit-one"), entry("treaty-one"))
    desk.later(7 * HOUR).archive.release_held(partial(alerting.sum_up, now=desk.now), desk.now)
    (night,) = claims(desk)
    desk.archive.follow_story(1, True)
    desk.archive.follow_story(2, True)
    desk.later(HOUR).works("gazette", entry("summit-two"))
    assert [one.refers_to for one in claims(desk)] == [night.message_id]


def judged_again_as_relevant(desk: Desk) -> list[Alert]:
    """Everything that was read is judged anew, as after a change of the watchlist, and matches now."""
    with desk.archive._database.write() as connection:
        rows = [{"article_id": id, "stage": "judge", "due_at": desk.now} for id in range(1, 61)]
        connection.execute(insert(WorkRow), rows)
    judged = [judge(replace(article, title=f"topic{article.id}")) for article in desk.takes()]
    settled = desk.archive.settle(desk.owner, judged, group_by_first_word, desk.tell, desk.now)
    summed = desk.archive.settle_baseline(lambda states, _: alerting.tell_baseline(states, [ROUTE], desk.now), desk.now)
    return [*settled.alerts, *summed]


def test_a_new_topic_over_the_archive_is_one_message(desk: Desk) -> None:
    desk.works("gazette", *(entry(f"dull-{number}") for number in range(60)))
    desk.later(3 * DAY).tell = telling(desk, ROUTE)
    (one,) = judged_again_as_relevant(desk)
    assert (one.kind, one.subject) == ("baseline", "First look, 60 stories")
    assert len(sends(desk)) == 1


def test_a_new_source_with_five_hundred_old_items_is_one_message(tmp_path: Path) -> None:
    archive = open_archive(f"sqlite:///{tmp_path}/archive.db")
    desk = Desk(archive).knows(source())
    desk.tell = telling(desk, ROUTE)
    assert desk.works("gazette", *(entry(f"topic{number}-x") for number in range(500))).alerts == ()
    tell: Tell = lambda states, _: alerting.tell_baseline(states, [ROUTE], desk.now)  # noqa: E731
    assert len(desk.archive.settle_baseline(tell, desk.now)) == 1
    assert len(sends(desk)) == 1


def test_what_came_long_before_its_source_was_known_is_not_told_at_all(archive: SqlArchive) -> None:
    desk = Desk(archive).knows(source())
    desk.tell = telling(desk, ROUTE)
    desk.works("gazette", *(entry(f"topic{number}-x", published=desk.now - 3 * DAY) for number in range(60)))
    tell: Tell = lambda states, _: alerting.tell_baseline(states, [ROUTE], desk.now)  # noqa: E731
    assert desk.archive.settle_baseline(tell, desk.now) == ()
    assert sends(desk) == []
