"""When a feed is asked again: single decisions, and whole days on a simulated clock."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import servers
from watchfloor import rhythm
from watchfloor.errors import HttpStatus, NotAFeed, ParserKilled, Refused, Unreachable, WatchfloorError
from watchfloor.fetch import HttpDoor
from watchfloor.model import Entry, Feed, FeedState, Source
from watchfloor.ports import Answer
from watchfloor.rhythm import Validators

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
URL = "https://paper.example/feed"
ELSEWHERE = "https://paper.example/new-feed"
SOURCE = Source(id="paper", name="Paper", url=URL, publisher="Paper")


# -- a server with verbs, and a day in its life ------------------------------------------------------------------------


@dataclass
class Server:
    """A feed on a simulated clock. `publishes`: when its items appear; `fails`: what is raised instead of an answer."""

    publishes: list[datetime] = field(default_factory=list)
    dated: bool = True
    validators: bool = True
    ttl: timedelta | None = None
    closed_hours: int = 0
    closed_days: int = 0
    lifetime: timedelta | None = None
    stuck: bool = False  # says 304 to whoever sends validators, whatever it has
    moved_to: str | None = None
    fails: Callable[[datetime], WatchfloorError | None] = lambda now: None
    asked: list[tuple[datetime, str, Validators]] = field(default_factory=list)

    def items(self, now: datetime) -> list[datetime]:
        return [at for at in sorted(self.publishes, reverse=True) if at <= now][:30]

    def feed(self, now: datetime) -> Feed:
        dated = [at if self.dated else None for at in self.items(now)]
        entries = tuple(Entry((f"id {number}",), "An item", published=at) for number, at in enumerate(dated))
        return Feed(
            entries,
            minimum_wait=self.ttl,
            closed_hours=self.closed_hours,
            closed_days=self.closed_days,
            undated=0 if self.dated else len(entries),
        )

    def answer(self, now: datetime, url: str, sent: Validators) -> Answer:
        self.asked.append((now, url, sent))
        if error := self.fails(now):
            raise error
        body = repr(self.items(now))
        tag = '"always the same"' if self.stuck else f'"{body}"'
        headers = {"etag": tag} if self.validators else {}
        moved = self.moved_to if url == URL else None
        if sent and sent.etag == tag:
            return Answer(url, moved or url, 304, headers, permanent_url=moved)
        return Answer(url, moved or url, 200, headers, body.encode(), permanent_url=moved)


def poll(server: Server, state: FeedState, now: datetime, jitter: float = 0.0, source: Source = SOURCE) -> FeedState:
    """One poll, as the pipeline does it."""
    try:
        answer = server.answer(now, rhythm.effective_url(source, state), rhythm.validators(source, state, now))
    except WatchfloorError as error:
        return rhythm.after_failure(source, state, error, now=now, jitter=jitter)
    digest = answer.body.decode() if answer.status != 304 else state.body_hash
    if digest == state.body_hash:
        return rhythm.after_not_modified(source, state, answer, lifetime=server.lifetime, now=now, jitter=jitter)
    return rhythm.after_answer(
        source,
        state,
        answer,
        feed=server.feed(now),
        body_hash=digest,
        lifetime=server.lifetime,
        now=now,
        jitter=jitter,
    )


def live(
    server: Server, span: timedelta, *, since: datetime = NOON, state: FeedState | None = None, seed: int | None = 7
) -> FeedState:
    """Poll whenever it is due; with a seed, jitter as in life, without, none."""
    dice = random.Random(seed)
    state, now = state or FeedState(), since
    while now < since + span:
        state = poll(server, state, now, dice.random() if seed is not None else 0.0)
        assert state.next_at is not None
        now = state.next_at
        if state.gone:
            break
    return state


def every(gap: timedelta, *, back: timedelta = 2 * DAY, ahead: timedelta = 4 * DAY) -> list[datetime]:
    """Items at a steady pace, before and after noon."""
    start = NOON - back + gap / 3
    return list(
        itertools.takewhile(lambda at: at < NOON + ahead, (start + number * gap for number in itertools.count()))
    )


DAYS = {
    "changes all day": (Server(every(10 * MINUTE)), 48),
    "changes all day, undated": (Server(every(10 * MINUTE), dated=False), 48),
    "changes all day, no validators": (Server(every(10 * MINUTE), validators=False), 48),
    "an item in six hours": (Server(every(6 * HOUR)), 24),
    "an item in twelve hours, undated": (Server(every(12 * HOUR, back=9 * DAY), dated=False), 24),
    "an item a day": (Server(every(DAY, back=9 * DAY)), 24),
    "an item a week": (Server(every(7 * DAY, back=60 * DAY)), 12),
    "a few an hour, then nothing": (Server(every(20 * MINUTE, ahead=timedelta(0))), 24),
    "never changes, no validators, old items": (
        Server(every(DAY, back=90 * DAY, ahead=-30 * DAY), validators=False),
        2,
    ),
    "never changes, no validators, fresh items": (Server(every(HOUR, ahead=timedelta(0)), validators=False), 2),
    "never changes, no validators, undated": (
        Server(every(HOUR, ahead=timedelta(0)), validators=False, dated=False),
        2,
    ),
    "ttl of four hours": (Server(every(10 * MINUTE), ttl=4 * HOUR), 6),
    "closed for twelve hours": (Server(every(10 * MINUTE), closed_hours=0xFFF), 24),
    "closed on all days but this": (Server(every(10 * MINUTE), closed_days=0b1111101), 24),
    "max-age of ten years": (Server(every(10 * MINUTE), lifetime=3650 * DAY), 1),
    "seldom, no validators": (Server(every(6 * HOUR), validators=False), 24),
    "moved permanently": (Server(every(10 * MINUTE), moved_to=ELSEWHERE), 48),
    "404": (Server(fails=lambda now: HttpStatus(URL, 404)), 7),
    "503": (Server(fails=lambda now: HttpStatus(URL, 503)), 6),
    "no such host": (Server(fails=lambda now: Unreachable(URL, "no such host")), 14),
    "410": (Server(fails=lambda now: HttpStatus(URL, 410)), 1),
    "a page instead of a feed": (Server(fails=lambda now: NotAFeed("an HTML page where a feed was expected")), 7),
}


@pytest.mark.parametrize("name", DAYS)
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_a_simulated_day_asks_no_more_than_is_polite(name: str, seed: int | None) -> None:
    server, most = DAYS[name]
    fresh = replace(server, asked=[])
    live(fresh, DAY, seed=seed)
    print(f"{name}: {len(fresh.asked)} requests a day, at most {most}")
    assert 1 <= len(fresh.asked) <= most


def test_what_is_published_is_seen_soon() -> None:
    """Politeness may not cost the desk its news: worst delay by pace, with validators and without."""
    for gap, cheap, dear in [
        (10 * MINUTE, 33 * MINUTE, 33 * MINUTE),
        (HOUR, 72 * MINUTE, 72 * MINUTE),
        (6 * HOUR, 72 * MINUTE, 132 * MINUTE),
        (DAY, 72 * MINUTE, 132 * MINUTE),
    ]:
        assert worst_delay(Server(every(gap, back=9 * DAY))) <= cheap
        assert worst_delay(Server(every(gap, back=9 * DAY), validators=False)) <= dear


def worst_delay(server: Server) -> timedelta:
    """From publication to our seeing it, from the second day on: on the first we learn what feed it is."""
    live(server, 3 * DAY)
    return max(delay for published, delay in delays(server) if published >= NOON + DAY)


def delays(server: Server) -> Iterator[tuple[datetime, timedelta]]:
    asked = [at for at, _, _ in server.asked]
    for published in server.publishes:
        if NOON <= published <= asked[-1]:
            yield published, next(at for at in asked if at >= published) - published


def test_twenty_restarts_ask_once() -> None:
    server, state = Server(every(10 * MINUTE)), FeedState()
    for restart in range(20):
        now = NOON + restart * MINUTE
        if state.next_at is None or state.next_at <= now:
            state = poll(server, state, now)
    assert len(server.asked) == 1


# -- single decisions -------------------------------------------------------------------------------------------------


def at_noon(server: Server, jitter: float = 0.0, source: Source = SOURCE) -> FeedState:
    return poll(server, FeedState(), NOON, jitter, source)


def wait(state: FeedState, now: datetime = NOON) -> timedelta:
    assert state.next_at is not None
    return state.next_at - now


def test_the_first_answer_is_remembered_whole() -> None:
    server = Server([NOON - HOUR, NOON - 2 * HOUR, NOON - 4 * HOUR])
    state = at_noon(server)
    assert state == FeedState(
        etag=f'"{server.items(NOON)!r}"',
        validators_url=URL,
        body_hash=repr(server.items(NOON)),
        next_at=NOON + HOUR,
        first_answer=NOON,
        last_answer=NOON,
        last_new=NOON - HOUR,
        gap_seconds=5400,
        last_unconditional=NOON,
        health="ok",
    )


def test_jitter_only_ever_adds() -> None:
    server = Server(every(10 * MINUTE))
    assert [wait(at_noon(server, jitter)) for jitter in (0.0, 0.5, 1.0)] == [30 * MINUTE, 31.5 * MINUTE, 33 * MINUTE]


@pytest.mark.parametrize(
    ("floor", "ttl", "lifetime", "expected"),
    [
        (30 * MINUTE, None, None, 30 * MINUTE),
        (10 * MINUTE, None, None, 10 * MINUTE),
        (2 * HOUR, None, None, 2 * HOUR),
        (30 * MINUTE, 3 * HOUR, None, 3 * HOUR),
        (30 * MINUTE, None, 3 * HOUR, 3 * HOUR),
        (30 * MINUTE, 2 * HOUR, 5 * HOUR, 5 * HOUR),
        (30 * MINUTE, 5 * HOUR, 2 * HOUR, 5 * HOUR),
        (30 * MINUTE, 900 * DAY, None, DAY),
        (30 * MINUTE, None, 900 * DAY, DAY),
        (3 * DAY, HOUR, HOUR, 3 * DAY),
    ],
)
def test_the_longest_wish_wins_up_to_a_day(
    floor: timedelta, ttl: timedelta | None, lifetime: timedelta | None, expected: timedelta
) -> None:
    busy = Server(every(5 * MINUTE), ttl=ttl, lifetime=lifetime)
    assert wait(at_noon(busy, source=replace(SOURCE, every=floor))) == expected


NIGHT = sum(1 << hour for hour in (22, 23, 0, 1, 2, 3, 4, 5))
WEEKEND = 0b1100000
TUESDAY = NOON.replace(hour=0)


@pytest.mark.parametrize(
    ("hours", "days", "asked", "next_at"),
    [
        (NIGHT, 0, NOON, NOON + 30 * MINUTE),
        (NIGHT, 0, TUESDAY + 21.5 * HOUR, TUESDAY + DAY + 6 * HOUR),
        (NIGHT, 0, TUESDAY + 23.6 * HOUR, TUESDAY + DAY + 6 * HOUR),
        (0, WEEKEND, TUESDAY + 3 * DAY + 23.7 * HOUR, TUESDAY + 6 * DAY),
        (NIGHT, WEEKEND, TUESDAY + 3 * DAY + 23.7 * HOUR, TUESDAY + 6 * DAY + 6 * HOUR),
        (0, 0b1111101, TUESDAY + 23.7 * HOUR, TUESDAY + 7 * DAY),
        ((1 << 24) - 1, 0, NOON, NOON + 30 * MINUTE),
        (0, (1 << 7) - 1, NOON, NOON + 30 * MINUTE),
    ],
    ids=["by day", "at night", "already night", "weekend", "both", "a day a week", "no hour is open", "no day is open"],
)
def test_a_feed_is_not_asked_when_it_asks_not_to_be(hours: int, days: int, asked: datetime, next_at: datetime) -> None:
    server = Server(every(5 * MINUTE), closed_hours=hours, closed_days=days)
    state = poll(server, FeedState(), asked)
    assert state.next_at == next_at
    assert poll(server, state, asked).next_at == next_at  # a 304 does not repeat it, and it still holds
    server.fails = lambda now: HttpStatus(URL, 500)
    assert poll(server, state, asked).next_at == next_at


@pytest.mark.parametrize(
    ("now", "next_at"),
    [(NOON, None), (TUESDAY + 22 * HOUR, TUESDAY + DAY + 6 * HOUR), (TUESDAY + 4.2 * HOUR, TUESDAY + 6 * HOUR)],
)
def test_what_became_due_too_late_is_put_off(now: datetime, next_at: datetime | None) -> None:
    state = at_noon(Server(every(5 * MINUTE), closed_hours=NIGHT))
    assert rhythm.put_off(state, now, 0) == (replace(state, next_at=next_at) if next_at else None)


def test_who_waited_for_the_same_hour_does_not_come_at_the_same_moment() -> None:
    server = Server(every(5 * MINUTE), closed_hours=NIGHT)
    opens = TUESDAY + DAY + 6 * HOUR
    night = TUESDAY + 23 * HOUR
    assert [poll(server, FeedState(), night, jitter).next_at for jitter in (0.0, 1.0)] == [opens, opens + 6 * MINUTE]


def test_when_it_may_not_be_read_is_said() -> None:
    state = at_noon(Server([NOON - HOUR], closed_hours=0b11, closed_days=WEEKEND))
    assert state.message == "asks not to be read in the hours 0, 1 (UTC) and on Saturday, Sunday"


def test_a_304_repeats_the_schedule_and_forgets_failures() -> None:
    server = Server([NOON - HOUR, NOON - 2 * HOUR, NOON - 4 * HOUR], ttl=4 * HOUR)
    before = replace(at_noon(server), failures=3, failing_since=NOON - HOUR, health="failing", message="not found")
    later = NOON + 4 * HOUR
    after = poll(server, before, later)
    assert server.asked[-1] == (later, URL, Validators(etag=before.etag))
    assert after == replace(
        before, failures=0, failing_since=None, last_answer=later, next_at=later + 4 * HOUR, health="ok", message=None
    )


def test_validators_go_to_the_address_that_gave_them_only() -> None:
    redirected = Server([NOON - HOUR], moved_to=ELSEWHERE)
    state = at_noon(redirected)
    assert state.validators_url == ELSEWHERE
    assert not rhythm.validators(SOURCE, state, NOON + HOUR)


def test_once_a_day_is_asked_without_validators() -> None:
    server = Server([NOON - HOUR])
    live(server, 3 * DAY)
    probes = [at for at, _, sent in server.asked if not sent]
    assert len(probes) == 3
    assert all(DAY <= later - earlier <= 27 * HOUR for earlier, later in itertools.pairwise(probes))


def test_a_server_that_says_304_for_ever_is_caught_and_not_believed_again() -> None:
    server = Server(every(3 * HOUR, ahead=3 * DAY), stuck=True)
    caught = live(server, 2 * DAY)
    assert (caught.last_unconditional, caught.health) == (None, "ok")
    assert caught.message == "its validators stay the same while its items change; it is asked for in full each time"
    assert not any(sent for at, _, sent in server.asked if at > NOON + 27 * HOUR)
    server.stuck = False
    assert live(server, DAY, since=NOON + 2 * DAY, state=caught).last_unconditional is not None


def test_a_move_is_believed_after_three_equal_answers_in_more_than_a_day() -> None:
    server, state = Server(every(10 * MINUTE), moved_to=ELSEWHERE), FeedState()
    times = [timedelta(0), HOUR, 2 * HOUR, 23 * HOUR, 25 * HOUR, 26 * HOUR]
    for since in times:
        state = poll(server, state, NOON + since)
    assert [url for _, url, _ in server.asked] == [URL] * 5 + [ELSEWHERE]
    assert state.message == f"moved permanently to {ELSEWHERE}, which is asked instead; change its url in sources.yaml"


def test_three_slow_answers_are_as_good() -> None:
    server, state = Server(every(10 * MINUTE), moved_to=ELSEWHERE), FeedState()
    for day in range(4):
        state = poll(server, state, NOON + day * DAY)
    assert [url for _, url, _ in server.asked] == [URL] * 3 + [ELSEWHERE]


def test_a_move_that_is_taken_back_is_forgotten() -> None:
    server = Server(every(10 * MINUTE), moved_to=ELSEWHERE)
    state = poll(server, at_noon(server), NOON + DAY)
    server.moved_to = None
    state = poll(server, state, NOON + 2 * DAY)
    assert (state.moved_to, state.moved_seen, state.moved_since) == (None, 0, None)


def test_a_move_to_another_place_counts_anew() -> None:
    server = Server(every(10 * MINUTE), moved_to=ELSEWHERE)
    state = poll(server, at_noon(server), NOON + DAY)
    server.moved_to = "https://other.example/feed"
    state = poll(server, state, NOON + 2 * DAY)
    assert (state.moved_to, state.moved_seen) == ("https://other.example/feed", 1)


def test_a_move_from_https_to_http_is_never_believed() -> None:
    server, state = Server(every(10 * MINUTE), moved_to="http://paper.example/feed"), FeedState()
    for day in range(5):
        state = poll(server, state, NOON + day * DAY)
    assert {url for _, url, _ in server.asked} == {URL}


BELIEVED = FeedState(moved_to=ELSEWHERE, moved_seen=3, moved_since=NOON - 3 * DAY, last_answer=NOON - HOUR)


@pytest.mark.parametrize(
    ("error", "asked_next"),
    [
        (HttpStatus(ELSEWHERE, 404), URL),
        (NotAFeed("a log-in page"), URL),
        (HttpStatus(ELSEWHERE, 503), ELSEWHERE),
        (Unreachable(ELSEWHERE, "timed out"), ELSEWHERE),
    ],
)
def test_a_new_address_that_holds_no_feed_sends_us_back(error: WatchfloorError, asked_next: str) -> None:
    assert rhythm.effective_url(SOURCE, BELIEVED) == ELSEWHERE
    after = rhythm.after_failure(SOURCE, BELIEVED, error, now=NOON, jitter=0)
    assert rhythm.effective_url(SOURCE, after) == asked_next


# -- failures ---------------------------------------------------------------------------------------------------------


def failed(error: WatchfloorError, times: int = 1, source: Source = SOURCE) -> FeedState:
    state = FeedState()
    for _ in range(times):
        state = rhythm.after_failure(source, state, error, now=NOON, jitter=0)
    return state


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (HttpStatus(URL, 404), [0.5, 1, 2, 4, 8, 16, 24, 24]),
        (HttpStatus(URL, 503), [1, 2, 4, 8, 16, 24, 24, 24]),
        (HttpStatus(URL, 429), [1, 2, 4, 8, 16, 24, 24, 24]),
        (Unreachable(URL, "no such host"), [0.5, 1, 2, 2, 2, 2, 2, 2]),
        (NotAFeed("a page"), [0.5, 1, 2, 4, 8, 16, 24, 24]),
    ],
)
def test_failures_are_asked_less_and_less(error: WatchfloorError, waits: list[float]) -> None:
    assert [wait(failed(error, times)) / HOUR for times in range(1, 9)] == waits


def test_a_thousand_failures_still_wait_a_day() -> None:
    assert wait(failed(HttpStatus(URL, 500), 1000)) == DAY


def test_the_users_floor_holds_in_failure_too() -> None:
    assert wait(failed(Unreachable(URL, "refused"), 3, replace(SOURCE, every=6 * HOUR))) == 6 * HOUR


@pytest.mark.parametrize(
    ("wanted", "waited"), [(MINUTE, HOUR), (5 * HOUR, 5 * HOUR), (3 * DAY, 3 * DAY), (3650 * DAY, 7 * DAY)]
)
def test_retry_after_is_kept(wanted: timedelta, waited: timedelta) -> None:
    assert wait(failed(HttpStatus(URL, 429, retry_after=wanted))) == waited


@pytest.mark.parametrize(
    ("error", "health", "words"),
    [
        (HttpStatus(URL, 403), "failing", "refuses us (403)"),
        (HttpStatus(URL, 404), "failing", "not found (404)"),
        (HttpStatus(URL, 410), "gone", "gone for good (410)"),
        (HttpStatus(URL, 500), "failing", "answers with an error (HTTP 500)"),
        (Unreachable(URL, "no such host"), "failing", "cannot be reached: no such host"),
        (Refused(URL, "a private address"), "failing", "is not asked: a private address"),
        (NotAFeed("an HTML page where a feed was expected"), "not-a-feed", "an HTML page where a feed was expected"),
        (ParserKilled("reading it took longer than 10 s"), "failing", "reading it took longer than 10 s"),
    ],
)
def test_every_failure_has_its_words(error: WatchfloorError, health: str, words: str) -> None:
    state = failed(error)
    assert state.health == health
    assert state.message is not None
    assert state.message.startswith(words)
    assert (state.failures, state.failing_since, state.gone) == (1, NOON, health == "gone")


# -- health -----------------------------------------------------------------------------------------------------------


def test_an_undated_feed_is_said_to_be_one_until_it_is_read_again() -> None:
    server = Server([NOON - HOUR], dated=False)
    state = at_noon(server)
    assert (state.health, state.message) == ("undated", "none of its items has a date that can be true")
    assert poll(server, state, NOON + HOUR).health == "undated"


def test_an_empty_feed_says_so() -> None:
    assert (at_noon(Server()).health, at_noon(Server()).message) == ("ok", "the feed has no items")


@pytest.mark.parametrize(
    ("gap", "quiet", "health"),
    [
        (10 * MINUTE, 2 * DAY, "ok"),
        (10 * MINUTE, 4 * DAY, "silent"),
        (DAY, 11 * DAY, "ok"),
        (DAY, 13 * DAY, "silent"),
        (30 * DAY, 170 * DAY, "ok"),
        (30 * DAY, 200 * DAY, "silent"),
    ],
)
def test_silence_is_measured_by_the_feeds_own_rhythm(gap: timedelta, quiet: timedelta, health: str) -> None:
    server = Server([NOON - number * gap for number in range(5)])
    state = at_noon(server)
    later = poll(server, state, NOON + quiet)
    assert (state.health, later.health) == ("ok", health)


def test_silence_is_put_in_words_and_ends_with_the_next_item() -> None:
    server = Server([NOON - number * DAY for number in range(5)])
    silent = poll(server, at_noon(server), NOON + 20 * DAY)
    assert silent.message == "nothing new for 20 days; its items used to come 1 day apart"
    server.publishes.append(NOON + 20 * DAY)
    back = poll(server, silent, NOON + 21 * DAY)
    assert (back.health, back.message) == ("ok", None)


@pytest.mark.parametrize(
    ("unknown", "relinked", "health"), [(30, 30, "churning"), (30, 24, "ok"), (4, 4, "ok"), (30, 25, "churning")]
)
def test_churning_ids_are_noticed(unknown: int, relinked: int, health: str) -> None:
    state = rhythm.after_churn(FeedState(health="ok"), unknown_ids=unknown, known_links=relinked)
    assert state.health == health


def test_another_address_makes_a_feed_due_but_no_baseline() -> None:
    old = replace(at_noon(Server([NOON - HOUR])), gone=True, health="gone", failures=3)
    assert rhythm.after_new_address(old) == FeedState(first_answer=NOON, last_new=NOON - HOUR)


# -- over real HTTP ---------------------------------------------------------------------------------------------------

FEED = Feed((Entry(("1",), "An item", published=NOON - HOUR),))


async def asked_twice(server: servers.Server) -> list[FeedState]:
    """The states after two polls of /feed, an hour apart."""
    source, state, states = replace(SOURCE, url=server.url("/feed")), FeedState(), []
    async with HttpDoor(allow_addresses=servers.LOOPBACK, host_delay=0, deadline=2) as door:
        for now in (NOON, NOON + HOUR):
            sent = rhythm.validators(source, state, now)
            url = rhythm.effective_url(source, state)
            answer = await door.get(url, want="feed", etag=sent.etag, last_modified=sent.last_modified)
            if answer.status == 304:
                state = rhythm.after_not_modified(source, state, answer, lifetime=None, now=now, jitter=0)
            else:
                state = rhythm.after_answer(
                    source, state, answer, feed=FEED, body_hash="x", lifetime=None, now=now, jitter=0
                )
            states.append(state)
    return states


@servers.on_loop
async def test_the_second_request_carries_the_validators_byte_for_byte() -> None:
    tag = 'W/"odd, \\ tag"'
    async with servers.Server({"/feed": servers.by_validator(tag, b"<rss/>")}) as server:
        first, second = await asked_twice(server)
        assert [seen.header("If-None-Match") for seen in server.log] == [None, tag.encode()]
    assert second == replace(first, last_answer=NOON + HOUR, next_at=second.next_at)


@servers.on_loop
async def test_validators_of_a_redirects_target_are_sent_to_nobody() -> None:
    answers = {"/feed": servers.redirect("/new", 301), "/new": servers.reply(200, b"<rss/>", ETag='"1"')}
    async with servers.Server({**answers}) as server:
        _, second = await asked_twice(server)
        assert [(seen.target, seen.header("If-None-Match")) for seen in server.log] == [
            ("/feed", None),
            ("/new", None),
            ("/feed", None),
            ("/new", None),
        ]
        assert (second.moved_to, second.moved_seen) == (server.url("/new"), 2)


# -- whatever happens -------------------------------------------------------------------------------------------------

SPANS = st.timedeltas(min_value=timedelta(0), max_value=3650 * DAY)
ERRORS = st.one_of(
    st.builds(HttpStatus, st.just(URL), st.integers(400, 599), retry_after=st.none() | SPANS),
    st.just(Unreachable(URL, "no such host")),
    st.just(NotAFeed("a page")),
)
SERVERS = st.builds(
    Server,
    publishes=st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)), max_size=5),  # noqa: DTZ001 - bounds of a strategy are naive
    dated=st.booleans(),
    validators=st.booleans(),
    stuck=st.booleans(),
    ttl=st.none() | SPANS,
    lifetime=st.none() | SPANS,
    closed_hours=st.integers(0, (1 << 24) - 1),
    closed_days=st.integers(0, (1 << 7) - 1),
    moved_to=st.sampled_from([None, ELSEWHERE, "https://other.example/feed"]),
)


def failing_with(error: WatchfloorError | None) -> Callable[[datetime], WatchfloorError | None]:
    return lambda now: error


@given(
    st.lists(st.tuples(SERVERS, st.none() | ERRORS, SPANS, st.floats(0, 1)), max_size=6), st.sampled_from([1, 30, 9000])
)
def test_whatever_happens_the_floor_holds_and_the_wait_ends(
    days: list[tuple[Server, WatchfloorError | None, timedelta, float]], floor: int
) -> None:
    source, state, now = replace(SOURCE, every=floor * MINUTE), FeedState(), NOON
    for server, error, pause, jitter in days:
        state = poll(replace(server, fails=failing_with(error)), state, now, jitter, source)
        longest = max(source.every, rhythm.LONGEST_WAIT) * (1 + rhythm.JITTER) + 7 * DAY
        assert source.every <= wait(state, now) <= longest
        assert (state.failures > 0) == (error is not None)
        assert state.health != "new"
        now += pause
