"""The contract of `watchfloor.ports.Archive`, on a SQLite file and on a real PostgreSQL."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from storage import care, pages, polling
from storage.archive import SqlArchive
from storage.engine import open_archive
from storage.leases import LONGEST_LEASE
from storage.quiet import is_quiet
from storage.schema import METADATA, ArticleRow, EntryRow, RawPageRow, Rows
from tests.archives import (
    DAY,
    HOUR,
    LEASE,
    MINUTE,
    NOON,
    WHOLE,
    Desk,
    desk_with_news,
    entry,
    judge,
    source,
    tell_each,
    tell_sum,
)
from watchfloor.errors import ArchiveError
from watchfloor.model import (
    Alert,
    Collected,
    Delivery,
    FeedState,
    Grade,
    PageJob,
    PollJob,
    PollOutcome,
    Seen,
    SendOutcome,
)
from watchfloor.ports import Archive, Grouping, Recent, Settled, Shard, StoryState, Tell

T = TypeVar("T")
SENT, RETRY, REFUSED, UNKNOWN = (
    SendOutcome("sent"),
    SendOutcome("retry", "busy"),
    SendOutcome("refused", "550 no such user"),
    SendOutcome("unknown", "cut off"),
)


@pytest.fixture
def desk(archive: SqlArchive) -> Desk:
    return desk_with_news(archive)


def rows(archive: SqlArchive, table: type[Rows]) -> int:
    with archive._database.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def at_once(*calls: Callable[[], T]) -> list[T]:
    """Let all of them begin together, each in a thread of its own."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        start.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(60) for future in [pool.submit(run, call) for call in calls]]


def test_it_is_what_the_pipeline_asks_for(archive: SqlArchive) -> None:
    asked: Archive = archive
    assert asked.pending_deliveries() == {}


def listen(heard: list[StoryState]) -> Tell:
    """Note what alerting is given, and tell nobody."""

    def tell(states: Sequence[StoryState], recent: Recent) -> Sequence[Alert]:
        heard.extend(states)
        return []

    return tell


# -- sources ----------------------------------------------------------------------------------------------------------


def claim(archive: SqlArchive, owner: str = "here:1:1", now: datetime = NOON, **options: object) -> list[PollJob]:
    asked: dict[str, object] = {"shard": WHOLE, "limit": 100} | options
    return archive.claim_sources(owner, now, LEASE, **asked)  # type: ignore[arg-type]


def outcome(state: FeedState = FeedState(), at: datetime = NOON, **changes: object) -> PollOutcome:  # noqa: B008 - frozen
    return replace(PollOutcome("gazette", at, "read", state), **changes)  # type: ignore[arg-type]


def test_registering_what_is_known_keeps_nobody_from_claiming_it(archive: SqlArchive) -> None:
    """Two processes start at once: on PostgreSQL the claims of one pass over rows that the other has touched."""
    listed = [source(), source("courier")]
    archive.register(listed, NOON)
    with archive._database.read() as connection:  # one that stays open, as that of a slow starter does
        polling.register(connection, listed, NOON)
        claimed = archive.claim_sources("here:1:1", NOON, LEASE, shard=WHOLE, limit=9, everything=True)
    assert {job.source.id for job in claimed} == {"gazette", "courier"}


def test_what_is_registered_is_claimed_as_it_was(archive: SqlArchive) -> None:
    full = source(tags=("outlet", "official"), every=45 * MINUTE, full_text=True)
    bare = replace(source("bare"), country=None, language=None, tags=())
    archive.register([full, bare], NOON)
    assert claim(archive) == [PollJob(bare, FeedState()), PollJob(full, FeedState())]


def test_a_source_with_another_name_and_url_is_the_same_source(archive: SqlArchive) -> None:
    archive.register([source()], NOON)
    claim(archive)
    remembered = FeedState(etag="e", next_at=NOON + DAY, first_answer=NOON, gone=True, moved_to="https://x.example/")
    archive.keep_poll("here:1:1", outcome(remembered))
    moved = replace(source(), name="The Gazette", url="https://new.example/feed")
    archive.register([moved], NOON + HOUR)
    asked_anew = replace(remembered, next_at=None, gone=False, moved_to=None)
    assert claim(archive) == [PollJob(moved, asked_anew)]


def test_a_source_that_is_not_named_any_more_rests_and_comes_back(archive: SqlArchive) -> None:
    archive.register([source(), source("courier")], NOON)
    claim(archive)
    archive.keep_poll("here:1:1", outcome(FeedState(etag="e")))
    archive.register([source("courier")], NOON)
    archive.release_sources("here:1:1", ["courier"])
    assert [job.source.id for job in claim(archive)] == ["courier"]
    archive.register([source()], NOON)
    assert claim(archive) == [PollJob(source(), FeedState(etag="e"))]


def test_the_whole_state_is_remembered(archive: SqlArchive) -> None:
    archive.register([source()], NOON)
    claim(archive)
    state = FeedState(
        etag='W/"a"',
        last_modified="Tue, 24 Nov 2026 11:00:00 GMT",
        validators_url="https://gazette.example/feed?x",
        body_hash="00",
        next_at=NOON + HOUR,
        first_answer=NOON - DAY,
        last_answer=NOON,
        last_new=NOON - HOUR,
        last_unconditional=NOON - 2 * HOUR,
        failures=3,
        failing_since=NOON - HOUR,
        moved_to="https://other.example/",
        moved_seen=2,
        moved_since=NOON - DAY,
        gap_seconds=1800,
        wait_seconds=3600,
        closed_hours=1 << 23,
        closed_days=0b1100000,
        gone=False,
        health="failing",
        message="HTTP 500",
    )
    archive.keep_poll("here:1:1", outcome(state))
    assert archive.states() == {"gazette": state}
    assert archive.sources_overview()[0].state == state


def test_only_what_is_due_is_claimed_oldest_first(archive: SqlArchive) -> None:
    names = ("never", "late", "due", "later", "gone")
    archive.register([source(name) for name in names], NOON)
    claim(archive)
    for name, next_at in (("late", NOON - HOUR), ("due", NOON), ("later", NOON + HOUR), ("gone", NOON)):
        archive.keep_poll("here:1:1", outcome(FeedState(next_at=next_at, gone=name == "gone"), source_id=name))
    archive.release_sources("here:1:1", ["never"])
    assert [job.source.id for job in claim(archive, limit=2)] == ["never", "late"]
    assert [job.source.id for job in claim(archive)] == ["due"]
    archive.release_sources("here:1:1", names)
    assert [job.source.id for job in claim(archive, everything=True)] == ["never", "late", "due", "later"]


def test_no_source_of_a_host_that_asked_us_to_wait(archive: SqlArchive) -> None:
    sibling = source("sibling", url="https://gazette.example/other")
    archive.register([source(), sibling, source("courier")], NOON)
    claim(archive)
    asked = outcome(FeedState(next_at=NOON), host="gazette.example", host_not_before=NOON + HOUR)
    archive.keep_poll("here:1:1", asked)
    archive.release_sources("here:1:1", ["sibling", "courier"])
    assert [job.source.id for job in claim(archive, everything=True)] == ["courier"]
    archive.release_sources("here:1:1", ["courier"])
    assert len(claim(archive, now=NOON + HOUR)) == 3


def test_shards_share_the_hosts_out(archive: SqlArchive) -> None:
    archive.register([source(f"s{n}", url=f"https://host{n % 20}.example/{n}") for n in range(60)], NOON)
    parts = [claim(archive, shard=Shard(index, 3), everything=True) for index in range(3)]
    hosts = [{job.source.url.split("/")[2] for job in part} for part in parts]
    assert sum(map(len, parts)) == 60
    assert all(hosts)
    assert sum(map(len, hosts)) == 20


# -- leases -----------------------------------------------------------------------------------------------------------


def test_a_lease_keeps_others_out_until_it_ends(archive: SqlArchive) -> None:
    archive.register([source()], NOON)
    assert len(claim(archive, "one:1:1")) == 1
    assert claim(archive, "two:1:1") == []
    assert claim(archive, "one:1:1") == []
    assert len(claim(archive, "two:1:1", NOON + LEASE)) == 1


def test_who_lost_the_lease_writes_nothing(archive: SqlArchive) -> None:
    archive.register([source()], NOON)
    claim(archive, "slow:1:1")
    claim(archive, "quick:1:1", NOON + LEASE)
    assert archive.keep_poll("slow:1:1", outcome(FeedState(etag="old"), entries=(entry("one"),))) == 0
    assert archive.keep_poll("quick:1:1", outcome(FeedState(etag="new"), entries=(entry("one"),))) == 1
    assert archive.keep_poll("quick:1:1", outcome(FeedState(etag="late"), entries=(entry("two"),))) == 0
    assert archive.states()["gazette"].etag == "new"


def test_polls_kept_together_are_as_if_each_was_kept_alone(archive: SqlArchive) -> None:
    archive.register([source(), source("courier"), source("herald")], NOON)
    claim(archive, "here:1:1")
    archive.release_sources("here:1:1", ["herald"])
    read = outcome(FeedState(etag="read", last_answer=NOON), entries=(entry("one"),))
    quiet = replace(outcome(FeedState(etag="quiet", wait_seconds=60)), source_id="courier", result="not_modified")
    late = replace(quiet, source_id="herald")
    assert list(archive.keep_polls("here:1:1", [quiet, read, late])) == [0, 1, 0]
    states = archive.states()
    assert (states["gazette"].etag, states["courier"], states["herald"].etag) == ("read", quiet.state, None)
    archive.keep_polls("here:1:1", [quiet, read])
    assert {job.source.id for job in claim(archive, "there:1:1")} == {"gazette", "courier", "herald"}


def test_a_clock_that_was_set_back_strands_nothing(desk: Desk) -> None:
    desk.polls("gazette", entry("summit"))
    ahead = replace(desk, owner="ahead:1:1", now=desk.now + 20 * DAY)
    assert len(ahead.archive.claim_pages(ahead.owner, ahead.now, LEASE, shard=WHOLE, limit=9)) == 1
    assert len(desk.archive.claim_pages("here:1:1", desk.now, LEASE, shard=WHOLE, limit=9)) == 1


def test_a_lease_longer_than_any_may_be_is_refused(archive: SqlArchive) -> None:
    with pytest.raises(ValueError, match="a lease of"):
        archive.claim_unjudged("here:1:1", NOON, LONGEST_LEASE + MINUTE, limit=1)


def test_what_the_dead_held_is_free_at_once(desk: Desk) -> None:
    desk.works("gazette", entry("summit"))
    desk.polls("gazette", entry("page"))
    archive, now = desk.archive, desk.now
    claim(archive, "here:7:7", now, everything=True)
    archive.claim_pages("here:7:7", now, LEASE, shard=WHOLE, limit=9)
    archive.claim_deliveries("here:8:8", now, LEASE, targets=["ann"], limit=9)
    archive.claim_deliveries("away:7:7", now, LEASE, targets=["bob"], limit=9)
    assert archive.free_dead_leases("here", lambda owner: owner == "here:8:8", now) == 2
    assert archive.pending_deliveries() == {"sending": 2}
    assert archive.free_dead_leases("here", lambda owner: False, now) == 1
    assert archive.pending_deliveries() == {"sending": 1, "pending": 1}
    assert len(archive.claim_pages("here:9:9", now, LEASE, shard=WHOLE, limit=9)) == 1


# -- entries ----------------------------------------------------------------------------------------------------------


def test_an_entry_is_new_once_whatever_of_its_keys_changes(desk: Desk) -> None:
    first = entry("summit")
    assert desk.polls("gazette", first, entry("other"), first) == 2
    assert desk.polls("gazette", first, entry("other")) == 0
    assert desk.polls("gazette", replace(first, keys=("guid:fresh", first.keys[1]))) == 0
    assert desk.polls("gazette", replace(first, keys=(first.keys[0], "link:moved"), url="https://moved.example/")) == 0
    assert rows(desk.archive, ArticleRow) == 2


def test_a_link_of_two_sources_is_one_article_fetched_once(desk: Desk) -> None:
    desk.knows(source(), source("courier"))
    assert desk.polls("gazette", entry("summit")) == 1
    assert desk.polls("courier", entry("summit"), entry("own", "courier")) == 2
    assert sorted(page.title for page in desk.reads()) == ["own", "summit"]
    record = desk.archive.find_article("https://gazette.example/summit")
    assert record is not None
    assert record.seen == (
        Seen("gazette", desk.now, entry("summit")),
        Seen("courier", desk.now, entry("summit")),
    )


def test_entries_without_a_link_are_articles_of_their_own(desk: Desk) -> None:
    bare = replace(entry("bare"), url=None, keys=("title:bare",))
    desk.knows(source(), source("courier"))
    assert (desk.polls("gazette", bare), desk.polls("courier", bare)) == (1, 1)
    assert len(desk.reads()) == 2


def test_two_sources_that_bring_the_same_links_at_once_share_the_articles(desk: Desk) -> None:
    desk.knows(source(), source("courier"))
    claim(desk.archive, "a:1:1", desk.now, everything=True)
    entries = [entry(f"summit-{n}") for n in range(60)]
    polls = [
        PollOutcome("gazette", desk.now, "read", FeedState(), tuple(entries)),
        PollOutcome("courier", desk.now, "read", FeedState(), tuple(reversed(entries))),
    ]
    assert at_once(*(lambda poll=poll: desk.archive.keep_poll("a:1:1", poll) for poll in polls)) == [60, 60]
    assert (rows(desk.archive, ArticleRow), rows(desk.archive, EntryRow)) == (60, 120)


def test_the_same_poll_kept_twice_at_once_is_kept_once(desk: Desk) -> None:
    claim(desk.archive, "a:1:1", desk.now, everything=True)
    poll = PollOutcome("gazette", desk.now, "read", FeedState(), tuple(entry(f"n{n}") for n in range(30)))
    assert sorted(at_once(*[lambda: desk.archive.keep_poll("a:1:1", poll)] * 3)) == [0, 0, 30]
    assert rows(desk.archive, EntryRow) == 30


def test_when_it_last_brought_something_new_is_remembered(desk: Desk) -> None:
    desk.polls("gazette", entry("one"))
    assert desk.archive.states()["gazette"].last_new == desk.now
    desk.later(HOUR).polls("gazette", entry("one"))
    assert desk.archive.states()["gazette"].last_new == desk.now - HOUR


# -- pages ------------------------------------------------------------------------------------------------------------


def test_a_page_job_has_all_that_collecting_needs(desk: Desk) -> None:
    full = entry("summit", content="The content.", authors=("A. Uthor",), language="en")
    desk.polls("gazette", full)
    jobs = desk.archive.claim_pages("here:1:1", desk.now, LEASE, shard=WHOLE, limit=9)
    assert jobs == [PageJob(1, full, source(), 0)]


def test_a_page_that_is_to_be_asked_again_is_judged_as_it_is_meanwhile(desk: Desk) -> None:
    desk.polls("gazette", entry("summit"))
    desk.reads("A teaser.", grade=Grade.TEASER, retry_at=desk.now + HOUR)
    assert [article.text for article in desk.takes()] == ["A teaser."]
    assert desk.reads() == []
    desk.later(HOUR)
    jobs = desk.archive.claim_pages("other:1:1", desk.now, LEASE, shard=WHOLE, limit=9)
    assert [job.attempts for job in jobs] == [1]


def test_a_retry_that_brings_the_same_text_is_not_judged_again(desk: Desk) -> None:
    desk.polls("gazette", entry("summit"))
    desk.reads("The text.", retry_at=desk.now + HOUR)
    desk.judges()
    desk.later(HOUR).reads("The text.")
    assert desk.takes() == []
    assert desk.archive.work_left(desk.now) == {"collect": 0, "judge": 0, "sum up": 0}
    assert desk.finds("text").total == 1


def test_one_text_under_two_links_of_a_source_is_folded(desk: Desk) -> None:
    same = {"url": "https://gazette.example/canonical", "title": "One title"}
    desk.polls("gazette", entry("a"), entry("b"))
    desk.reads(**same)
    articles = desk.takes()
    assert [article.title for article in articles] == ["One title"]
    record = desk.archive.find_article("https://gazette.example/b")
    assert record is not None
    assert (record.article.id, record.duplicate_of) == (articles[0].id, None)


def test_the_raw_page_is_kept(desk: Desk) -> None:
    desk.polls("gazette", entry("summit"))
    desk.reads(raw=b"<html>" * 1000)
    record = desk.archive.find_article(1)
    assert record is not None
    assert (record.raw_bytes, len(record.raw_sha256 or "")) == (6000, 64)


def test_pages_of_a_host_that_asked_us_to_wait_are_left_alone(desk: Desk) -> None:
    desk.polls("gazette", entry("here"), entry("there", "elsewhere"))
    claim(desk.archive, now=desk.now, everything=True)
    asked = outcome(FeedState(), desk.now, host="gazette.example", host_not_before=desk.now + HOUR)
    desk.archive.keep_poll("here:1:1", asked)
    assert [page.title for page in desk.reads()] == ["there"]
    assert [page.title for page in desk.later(HOUR).reads()] == ["here"]


# -- judging, stories, alerts -----------------------------------------------------------------------------------------


def test_a_record_says_all_that_is_known(desk: Desk) -> None:
    settled = desk.works("gazette", entry("summit-one"), entry("dull-two"))
    assert (settled.relevant, settled.stories_new, settled.stories_updated) == (1, 1, 0)
    record = desk.archive.find_article("https://gazette.example/summit-one")
    assert record is not None
    assert record.verdict == judge(record.article).verdict
    assert record.judged_at == desk.now
    assert record.waits_for == ()
    assert record.source == source()
    assert record.seen == (Seen("gazette", desk.now, entry("summit-one")),)
    assert record.story == settled.alerts[0].briefs[0]
    assert [(one.target, one.state, one.alert) for one in record.deliveries] == [
        ("ann", "pending", settled.alerts[0]),
        ("bob", "pending", settled.alerts[0]),
    ]
    assert desk.archive.find_article(str(record.article.id)) == record
    assert desk.archive.find_article("https://nowhere.example/") is None
    assert desk.archive.find_article("9" * 30) is None


def test_articles_join_the_story_they_belong_to(desk: Desk) -> None:
    desk.works("gazette", entry("summit-one"))
    settled = desk.later(HOUR).works("gazette", entry("summit-two"), entry("treaty-one"))
    assert (settled.stories_new, settled.stories_updated) == (1, 1)
    assert [alert.key for alert in settled.alerts] == ["story:2"]
    briefs = desk.archive.stories_between(desk.now, desk.now + MINUTE)
    assert [(brief.story_id, brief.articles, brief.headline) for brief in briefs] == [
        (2, 1, "treaty one"),
        (1, 2, "summit one"),
    ]


def test_what_was_told_is_known_to_the_next_decision(desk: Desk) -> None:
    told = desk.works("gazette", entry("summit-one")).alerts[0]
    states: list[StoryState] = []
    desk.tell = listen(states)
    desk.later(HOUR).works("gazette", entry("summit-two"))
    assert [(state.told, state.told_brief, state.new, state.baseline) for state in states] == [
        ({"desk": told.created}, {"desk": told.briefs[0]}, False, False)
    ]
    assert [[article.title for article in state.articles] for state in states] == [["summit one", "summit two"]]
    assert states[0].fresh_ids == (2,)


def test_stories_that_turn_out_to_be_one_keep_the_older_id(desk: Desk) -> None:
    desk.works("gazette", entry("summit-one"), entry("treaty-one"))

    def all_one(new: Sequence[tuple[int, bytes]], known: Sequence[object]) -> Grouping:
        return Grouping({id: 1 for id, _ in new}, {2: 1}, ((3, 1),))

    states: list[StoryState] = []
    desk.polls("gazette", entry("summit-two"))
    desk.reads()
    judged = [judge(article) for article in desk.takes()]
    desk.archive.settle(desk.owner, judged, all_one, listen(states), desk.now)
    assert [(state.brief.story_id, state.brief.articles, list(state.told)) for state in states] == [(1, 3, ["desk"])]
    stories = [desk.archive.find_article(id) for id in (1, 2, 3)]
    assert [record.story.story_id for record in stories if record and record.story] == [1, 1, 1]
    assert {len(record.deliveries) for record in stories if record} == {4}


def test_an_article_judged_again_keeps_its_story_and_is_not_told_again(desk: Desk) -> None:
    desk.polls("gazette", entry("summit-one"))
    desk.reads("A teaser.", retry_at=desk.now + HOUR)
    assert len(desk.judges().alerts) == 1
    desk.later(HOUR).reads("The whole.")
    again = desk.judges()
    assert again == Settled(1, 0, 0, ())
    record = desk.archive.find_article(1)
    assert record is not None
    assert record.story is not None
    assert (record.story.story_id, record.article.text) == (1, "The whole.")


def test_an_alert_is_stored_once_under_its_key(archive: SqlArchive) -> None:
    alert = Alert("digest:2026-11-24", "digest", "desk", NOON, "Today", targets=("ann",), lines=("One line.",))
    assert archive.raise_alert(alert)
    assert not archive.raise_alert(replace(alert, subject="Another"))
    assert sum(at_once(*[lambda: archive.raise_alert(replace(alert, key="race"))] * 4)) == 1
    assert [delivery.alert.key for delivery in archive.list_deliveries()] == ["race", "digest:2026-11-24"]
    assert archive.list_deliveries()[1].alert == alert


def test_a_batch_that_was_taken_over_is_not_settled_twice(desk: Desk) -> None:
    desk.polls("gazette", entry("summit"))
    desk.reads()
    mine = desk.takes()
    other = replace(desk, owner="other:1:1", now=desk.now + LEASE)
    assert other.judges().relevant == 1
    assert desk.settles(mine) == Settled(0, 0, 0, ())
    assert desk.archive.pending_deliveries() == {"pending": 2}


def test_a_text_that_came_while_it_was_judged_is_judged_again(desk: Desk) -> None:
    desk.polls("gazette", entry("summit"))
    desk.reads("A teaser.", retry_at=desk.now)
    judged = desk.takes()
    desk.reads("The whole.")
    assert desk.settles(judged).relevant == 0
    assert [article.text for article in desk.takes()] == ["The whole."]


def test_two_who_settle_at_once_do_not_make_two_stories_of_one(desk: Desk) -> None:
    desk.polls("gazette", *(entry(f"summit-{n}") for n in range(8)))
    desk.reads()
    desks = [replace(desk, owner=f"here:{n}:1") for n in range(4)]
    batches = [one.archive.claim_unjudged(one.owner, one.now, LEASE, limit=2) for one in desks]
    pairs = list(zip(desks, batches, strict=True))
    settled = at_once(*(lambda one=one, batch=batch: one.settles(batch) for one, batch in pairs))
    assert sum(one.stories_new for one in settled) == 1
    assert sum(len(one.alerts) for one in settled) == 1
    assert desk.archive.pending_deliveries() == {"pending": 2}


# -- baseline ---------------------------------------------------------------------------------------------------------


def test_what_comes_with_the_first_answer_is_summed_up_once(archive: SqlArchive) -> None:
    desk = Desk(archive).knows(source())
    old = entry("treaty-old", published=NOON - 3 * DAY)
    assert desk.works("gazette", entry("summit-one"), entry("summit-two"), old).alerts == ()
    assert archive.work_left(desk.now)["sum up"] == 2
    told = archive.settle_baseline(tell_sum, desk.now)
    assert [(alert.kind, [brief.headline for brief in alert.briefs]) for alert in told] == [
        ("baseline", ["summit one"])
    ]
    assert archive.settle_baseline(tell_sum, desk.now) == ()
    assert archive.pending_deliveries() == {"pending": 1}


def test_nothing_is_summed_up_while_another_has_more_of_a_first_answer_in_hand(archive: SqlArchive) -> None:
    desk = Desk(archive).knows(source(), source("herald"))
    desk.works("gazette", entry("summit-one"))
    archive.claim_sources("there:2:2", desk.now, LEASE, shard=Shard(), limit=10, everything=True)
    assert archive.settle_baseline(tell_sum, desk.now) == ()
    assert len(archive.settle_baseline(tell_sum, desk.now + 2 * LEASE)) == 1


def test_a_story_of_the_first_answer_that_goes_on_is_told(archive: SqlArchive) -> None:
    desk = Desk(archive).knows(source())
    desk.works("gazette", entry("summit-one"))
    settled = desk.later(HOUR).works("gazette", entry("summit-two"))
    assert [alert.briefs[0].articles for alert in settled.alerts] == [2]


def test_old_news_is_archived_quietly(desk: Desk) -> None:
    settled = desk.works("gazette", entry("summit-old", published=NOON - 3 * DAY), entry("treaty-new"))
    assert [alert.briefs[0].headline for alert in settled.alerts] == ["treaty new"]
    assert desk.finds("summit").total == 1
    record = desk.archive.find_article("https://gazette.example/summit-old")
    assert record is not None
    assert record.old_news


# -- deliveries -------------------------------------------------------------------------------------------------------


def deliveries(desk: Desk, target: str = "ann", owner: str = "here:1:1") -> list[Delivery]:
    return desk.archive.claim_deliveries(owner, desk.now, LEASE, targets=[target], limit=9)


def test_each_target_has_its_own_delivery_and_message_id(desk: Desk) -> None:
    alert = desk.works("gazette", entry("summit")).alerts[0]
    ann, bob = deliveries(desk)[0], deliveries(desk, "bob")[0]
    assert (ann.alert, ann.target, ann.state, ann.attempts) == (alert, "ann", "sending", 1)
    assert ann.message_id != bob.message_id
    assert ann.message_id.endswith("@watchfloor")
    assert deliveries(desk) == []


def test_a_delivery_goes_from_attempt_to_attempt_to_its_end(desk: Desk) -> None:
    desk.works("gazette", entry("summit"))
    archive, first = desk.archive, deliveries(desk)[0]
    archive.keep_delivery("here:1:1", first.id, RETRY, desk.now + MINUTE, desk.now)
    assert deliveries(desk) == []
    second = deliveries(desk.later(MINUTE))[0]
    assert (second.attempts, second.error, second.message_id) == (2, "busy", first.message_id)
    archive.keep_delivery("here:1:1", second.id, SENT, None, desk.now)
    ended = archive.list_deliveries("sent")[0]
    assert (ended.id, ended.attempts, ended.sent_at, ended.error) == (first.id, 2, desk.now, None)
    assert deliveries(desk.later(DAY)) == []


@pytest.mark.parametrize(("result", "state"), [(REFUSED, "dead"), (RETRY, "dead"), (UNKNOWN, "unknown")])
def test_an_end_that_is_none_may_be_tried_again_by_hand(desk: Desk, result: SendOutcome, state: str) -> None:
    desk.works("gazette", entry("summit"))
    archive, first = desk.archive, deliveries(desk)[0]
    archive.keep_delivery("here:1:1", first.id, result, None, desk.now)
    assert archive.pending_deliveries() == {"pending": 1, state: 1}
    assert archive.retry_deliveries([first.id], desk.now) == 1
    assert archive.retry_deliveries(None, desk.now) == 0
    again = deliveries(desk)[0]
    assert (again.attempts, again.error, again.message_id) == (1, result.detail, first.message_id)


def test_quiet_hours_hold_a_delivery(desk: Desk) -> None:
    desk.archive.raise_alert(
        Alert("quiet", "ops", "desk", NOON, "Later", targets=("ann",), not_before=desk.now + 7 * HOUR)
    )
    assert deliveries(desk.later(6 * HOUR)) == []
    assert len(deliveries(desk.later(HOUR))) == 1


def test_a_sender_that_hangs_loses_its_delivery_to_another(desk: Desk) -> None:
    desk.works("gazette", entry("summit"))
    first = deliveries(desk)[0]
    second = deliveries(desk.later(LEASE), owner="other:1:1")[0]
    assert (second.id, second.attempts) == (first.id, 2)
    desk.archive.keep_delivery("here:1:1", first.id, SENT, None, desk.now)
    assert desk.archive.pending_deliveries() == {"pending": 1, "sending": 1}


def test_nobody_gets_what_another_has_claimed(desk: Desk) -> None:
    desk.tell = tell_each
    desk.works("gazette", *(entry(f"story{n}-x") for n in range(60)))
    desk.polls("gazette", *(entry(f"page{n}") for n in range(60)))

    def all_deliveries(owner: str) -> list[int]:
        found: list[int] = []
        targets = ["ann", "bob"]
        while batch := desk.archive.claim_deliveries(owner, desk.now, LEASE, targets=targets, limit=7):
            found += [one.id for one in batch]
        return found

    def all_pages(owner: str) -> list[int]:
        found: list[int] = []
        while batch := desk.archive.claim_pages(owner, desk.now, LEASE, shard=WHOLE, limit=7):
            found += [one.article_id for one in batch]
        return found

    claimed = list(chain(*at_once(*(lambda n=n: all_deliveries(f"here:{n}:1") for n in range(4)))))
    assert (len(claimed), len(set(claimed))) == (120, 120)
    claimed = list(chain(*at_once(*(lambda n=n: all_pages(f"here:{n}:1") for n in range(4)))))
    assert (len(claimed), len(set(claimed))) == (60, 60)


# -- kill -9 ----------------------------------------------------------------------------------------------------------

CHILD = """
import sys, time
from storage.engine import open_archive
from tests.archives import LEASE, NOON, HOUR, Desk, group_by_first_word, judge
desk = Desk(open_archive(sys.argv[1]), owner="dead:1:1", now=NOON + HOUR)
def hang(states, recent):
    print("in the middle", flush=True)
    time.sleep(60)
desk.tell = hang
desk.judges()
"""


def test_killed_in_the_middle_nothing_is_half_done(desk: Desk, archive_url: str) -> None:
    desk.polls("gazette", entry("summit"), entry("dull"))
    desk.reads()
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, archive_url], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    )
    assert child.stdout is not None
    with child:
        assert child.stdout.readline() == "in the middle\n"
        os.kill(child.pid, signal.SIGKILL)
    assert desk.takes() == []  # the claim was committed, nothing after it
    assert desk.finds(everything=True).total == 0
    assert desk.archive.free_dead_leases("dead", lambda owner: False, desk.now) == 2
    assert (desk.judges().relevant, desk.archive.pending_deliveries()) == (1, {"pending": 2})
    if desk.archive._database.is_sqlite:
        with desk.archive._database.read() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


# -- care -------------------------------------------------------------------------------------------------------------


def test_retention_lets_go_what_its_rules_say_and_no_more(desk: Desk) -> None:
    desk.works("gazette", entry("summit", content="c"), entry("dull-one", content="c"), entry("dull-two"))
    labelled = desk.archive.find_article("https://gazette.example/dull-two")
    assert labelled is not None
    desk.archive.label(labelled.article.id, relevant=False, now=desk.now)
    desk.later(31 * DAY)
    assert desk.archive.prune(desk.now, raw=30 * DAY, text=180 * DAY) == {"raw pages": 3, "texts": 0}
    assert rows(desk.archive, RawPageRow) == 0
    desk.later(150 * DAY)
    assert desk.archive.prune(desk.now, raw=30 * DAY, text=180 * DAY) == {"raw pages": 0, "texts": 1}
    records = {name: desk.archive.find_article(f"https://gazette.example/{name}") for name in ("summit", "dull-one")}
    assert records["summit"] is not None
    assert records["dull-one"] is not None
    assert (records["summit"].article.text, records["dull-one"].article.text) == ("The text.", "")
    assert records["dull-one"].pruned == desk.now
    assert desk.finds("text", everything=True).total == 2
    assert desk.finds("title:dull", everything=True).total == 2
    assert desk.polls("gazette", entry("dull-one")) == 0
    assert desk.archive.prune(desk.now, raw=30 * DAY, text=180 * DAY) == {"raw pages": 0, "texts": 0}


def test_a_label_is_kept_and_may_be_changed(desk: Desk) -> None:
    desk.works("gazette", entry("summit"))
    for judgement in (True, False):
        desk.archive.label(1, judgement, desk.now)
        record = desk.archive.find_article(1)
        assert record is not None
        assert record.label is judgement


def test_stats_count_rows_and_bytes(desk: Desk) -> None:
    desk.works("gazette", entry("summit"), entry("dull"))
    sizes = {size.table: size for size in desk.archive.stats()}
    assert sizes["articles"].rows == sizes["article_words"].rows == 2
    assert all((size.bytes or 0) > 0 for size in sizes.values())
    assert set(METADATA.tables) <= sizes.keys()


def test_the_last_cycle_is_remembered(archive: SqlArchive) -> None:
    assert archive.last_cycle() is None
    archive.keep_cycle(NOON, NOON + MINUTE, {"entries": {"new": 3}})
    assert archive.last_cycle() == NOON + MINUTE


def test_a_backup_is_an_archive(desk: Desk, tmp_path: Path) -> None:
    desk.works("gazette", entry("summit"))
    copy = tmp_path / "copy.db"
    if not desk.archive._database.is_sqlite:
        with pytest.raises(ArchiveError, match="pg_dump"):
            desk.archive.backup(copy)
        return
    with desk.archive._database.write():  # somebody writes meanwhile
        desk.archive.backup(copy)
    restored = open_archive(f"sqlite:///{copy}")
    assert restored.find_article(1) == desk.archive.find_article(1)
    restored.close()
    with pytest.raises(ArchiveError, match="is there already"):
        desk.archive.backup(copy)


def test_a_backup_ends_though_somebody_writes_between_any_two_parts_of_it(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not desk.archive._database.is_sqlite:
        return
    desk.works("gazette", entry("summit"))
    parts: list[int] = []

    class Watched(sqlite3.Connection):
        def backup(self, target: sqlite3.Connection, *, pages: int) -> None:  # type: ignore[override]
            super().backup(target, pages=pages, progress=self.write)

        def write(self, _status: int, left: int, _total: int) -> None:
            parts.append(left)
            assert len(parts) < 500, "it begins anew each time"
            desk.archive.keep_cycle(NOON, NOON + MINUTE, {})

    monkeypatch.setattr(care, "COPIED", 1)
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Watched))
    desk.archive.backup(tmp_path / "copy.db")
    assert parts == sorted(parts, reverse=True)
    restored = open_archive(f"sqlite:///{tmp_path}/copy.db")
    assert restored.last_cycle() is None
    restored.close()


def test_a_time_without_a_zone_is_refused(desk: Desk) -> None:
    with pytest.raises(Exception, match="without a zone"):
        desk.archive.keep_cycle(NOON.replace(tzinfo=None), NOON, {})


def test_times_come_back_as_utc(desk: Desk) -> None:
    desk.archive.keep_cycle(NOON, NOON.astimezone(tz=ZoneInfo("Asia/Tokyo")), {})
    last = desk.archive.last_cycle()
    assert (last, last and last.utcoffset()) == (NOON, timedelta(0))


def test_several_may_make_the_same_archive_at_once(tmp_path: Path) -> None:
    for number in range(10):
        url = f"sqlite:///{tmp_path}/{number}.db"
        at_once(*[lambda url=url: open_archive(url).close()] * 4)
        opened = open_archive(url)
        assert opened.states() == {}
        opened.close()


def test_known_links_under_new_ids_are_noticed(archive: SqlArchive) -> None:
    desk = Desk(archive).knows(source())
    entries = [entry(f"item-{number}") for number in range(6)]
    desk.polls("gazette", *entries)
    assert archive.states()["gazette"].health != "churning"
    renamed = [replace(one, keys=(f"guid:new-{number}", *one.keys[1:])) for number, one in enumerate(entries)]
    assert desk.polls("gazette", *renamed) == 0
    state = archive.states()["gazette"]
    assert (state.health, (state.message or "").partition(";")[0]) == (
        "churning",
        "6 of 6 items came under a new id though their links are known",
    )


def test_what_a_first_answer_brings_is_as_old_as_it_says(archive: SqlArchive) -> None:
    archive.register([source()], NOON)
    (job,) = archive.claim_sources("here:1:1", NOON, LEASE, shard=WHOLE, limit=1)
    state = FeedState(first_answer=NOON, last_new=NOON - 90 * DAY)
    archive.keep_poll("here:1:1", PollOutcome(job.source.id, NOON, "read", state, (entry("old"),), 200))
    assert archive.states()["gazette"].last_new == NOON - 90 * DAY


@pytest.mark.parametrize(
    ("every", "ahead", "due"),
    [
        (timedelta(minutes=30), 15 * DAY, False),
        (timedelta(minutes=30), 17 * DAY, True),  # the clock was set back
        (30 * DAY, 33 * DAY, False),
        (365 * DAY, 400 * DAY, False),
        (365 * DAY, 999 * DAY, True),
    ],
)
def test_a_source_waits_as_long_as_it_may_and_no_longer(
    archive: SqlArchive, every: timedelta, ahead: timedelta, due: bool
) -> None:
    archive.register([source(every=every)], NOON)
    claim(archive)
    archive.keep_poll("here:1:1", outcome(FeedState(next_at=NOON + ahead), source_id="gazette"))
    with archive._database.read() as connection:
        assert is_quiet(connection, "", NOON) != due
    assert bool(claim(archive)) == due


def test_whatever_squeezes_a_page_zlib_reads_it() -> None:
    page = Collected(1, NOON, "Title", "Text", "page", Grade.FULL, raw=b"<p>frigate</p>" * 1000)
    [row] = pages.squeeze([page])
    assert zlib.decompress(row["html"]) == page.raw
    assert len(row["html"]) < row["size"] / 10
