from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from watchfloor.alerting import (
    ATTEMPTS,
    blind_spots,
    digest,
    digest_due,
    idle_since,
    message_id,
    next_attempt,
    quiet_until,
    resting,
    sum_up,
    tell,
    tell_baseline,
)
from watchfloor.model import Alert, Article, Brief, Coverage, Grade, SendOutcome
from watchfloor.ports import StoryState, Target
from watchfloor.query import parse
from watchfloor.routes import Flood, Quiet, Route, everything_to

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
ALL = Route("all", targets=("mail-1", "slack-2"))
HOUR = timedelta(hours=1)


def article(number: int, title: str = "Fleet returns", *, publisher: str = "One", official: bool = False) -> Article:
    return Article(
        id=number,
        source_id=publisher.lower(),
        publisher=publisher,
        title=title,
        text=f"{title}. The ministry confirmed it.",
        grade=Grade.FULL,
        text_from="page",
        first_seen=NOON,
        official=official,
    )


def story(number: int = 1, *articles: Article, **changes: object) -> StoryState:
    """A story that this batch brought, of one article unless others are given."""
    articles = articles or (article(number * 100),)
    publishers = tuple(dict.fromkeys(one.publisher for one in articles))
    brief = Brief(
        story_id=number,
        headline=articles[0].title,
        url=None,
        publisher=publishers[0],
        others=publishers[1:],
        published=NOON,
        first_seen=NOON,
        sentence="The ministry confirmed it.",
        marks=(),
        topics=("naval",),
        entities=("NATO",),
        grade=Grade.FULL,
        score=5.0 + number,
        articles=len(articles),
        official=any(one.official for one in articles),
        source_ids=tuple(one.source_id for one in articles),
    )
    state = StoryState(brief, articles, False, True, tuple(one.id for one in articles), {}, {})
    return replace(state, **changes)  # type: ignore[arg-type]


def later(first: StoryState, *more: Article, after: timedelta = 4 * HOUR, **changes: object) -> StoryState:
    """The story of `first`, told on `all`, when these articles have joined it."""
    grown = story(first.brief.story_id, *first.articles, *more)
    return replace(
        grown,
        brief=replace(grown.brief, **changes),  # type: ignore[arg-type]
        new=False,
        fresh_ids=tuple(one.id for one in more),
        told={"all": NOON - after},
        told_brief={"all": first.brief},
    )


def keys(alerts: list[Alert]) -> list[str]:
    return [alert.key for alert in alerts]


# -- one alert per story and route ------------------------------------------------------------------------------------


def test_a_new_story_is_told_once_on_each_route_with_all_that_the_message_says() -> None:
    state = story()
    assert tell([state], [ALL], NOON) == [
        Alert(
            key="story:1:all",
            kind="story",
            route="all",
            created=NOON,
            subject="naval (1 publisher)",
            briefs=(state.brief,),
            targets=("mail-1", "slack-2"),
        )
    ]
    assert keys(tell([state], [ALL, replace(ALL, name="two")], NOON)) == ["story:1:all", "story:1:two"]


@pytest.mark.parametrize(
    "silent",
    [story(muted=True), story(baseline=True), later(story(), article(2, publisher="Two"))],
    ids=["muted", "baseline", "told, and nothing material is new"],
)
def test_nothing_is_told_of(silent: StoryState) -> None:
    assert tell([silent], [ALL], NOON) == []


def test_without_a_target_alerts_are_still_created() -> None:
    assert [alert.targets for alert in tell([story()], everything_to([]), NOON)] == [()]
    target = Target("mail-1", "mailto://x", ())
    assert everything_to([target]) == (Route("all", ("mail-1",)),)


@pytest.mark.parametrize(
    ("route", "taken"),
    [
        (replace(ALL, topics=("Naval", "air")), True),
        (replace(ALL, topics=("air",)), False),
        (replace(ALL, entities=("nato",)), True),
        (replace(ALL, entities=("NATO",), sources=("two",)), False),
        (replace(ALL, sources=("one",)), True),
        (replace(ALL, score=6.0), True),
        (replace(ALL, score=6.1), False),
        (replace(ALL, query=parse("title:fleet topic:naval")), True),
        (replace(ALL, query=parse("submarine")), False),
    ],
)
def test_a_route_takes_what_meets_all_its_conditions(route: Route, taken: bool) -> None:
    assert bool(tell([story()], [route], NOON)) is taken


# -- material news ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "news"),
    [
        (
            later(story(), article(2, publisher="Ministry", official=True)),
            "An official source joins: Ministry.",
        ),
        (
            later(story(), article(2, publisher="Two"), article(3, publisher="Three")),
            "Now 3 publishers carry it.",
        ),
        (later(story(), article(2, "Fleet returns with 12 ships")), "New figures in a headline: 12."),
        (
            later(story(), article(2), entities=("NATO", "Kiel", "Ann"), watched=("NATO", "Kiel")),
            "In later articles also: Kiel.",
        ),
    ],
    ids=["official", "publishers", "figure", "entity"],
)
def test_material_news_is_an_update_that_says_what_is_new(state: StoryState, news: str) -> None:
    (alert,) = tell([state], [ALL], NOON)
    assert alert == Alert(
        key=f"update:1:all:{len(state.articles)}",
        kind="update",
        route="all",
        created=NOON,
        subject=f"Update: naval ({1 + len(state.brief.others)} publisher{'s' if state.brief.others else ''}"
        f"{', an official source' if state.brief.official else ''})",
        briefs=(replace(state.brief, news=news),),
        targets=ALL.targets,
        lines=("Goes on from the message of 24 November, 08:00.",),
    )


@pytest.mark.parametrize(
    "joins",
    [
        article(2, "Fleet returns in 2026"),
        article(2, publisher="Two"),
        article(2, "Fleet returns"),
    ],
    ids=["a year is no figure", "two publishers pass no mark", "the same again"],
)
def test_what_is_not_material_is_no_update(joins: Article) -> None:
    assert tell([later(story(), joins)], [ALL], NOON) == []


def test_a_figure_that_an_earlier_text_had_is_not_new() -> None:
    first = story(1, replace(article(100), text="Some 12 ships came."))
    assert tell([later(first, article(2, "12 ships return"))], [ALL], NOON) == []


def test_updates_rest_for_hours_but_an_official_source_does_not_wait() -> None:
    crowd = [article(n, publisher=f"P{n}") for n in range(2, 5)]
    ministry = article(9, publisher="Ministry", official=True)
    assert tell([later(story(), *crowd, after=HOUR)], [ALL], NOON) == []
    assert keys(tell([later(story(), *crowd, after=4 * HOUR)], [ALL], NOON)) == ["update:1:all:4"]
    assert keys(tell([later(story(), ministry, after=HOUR)], [ALL], NOON)) == ["update:1:all:2"]


def test_what_came_while_a_story_rested_is_told_afterwards() -> None:
    grown = later(story(), article(2, "Fleet returns with 12 ships"))
    resting_still = replace(grown, told={"all": NOON - 2 * HOUR}, fresh_ids=())
    rested = replace(grown, fresh_ids=())
    assert tell([resting_still], [ALL], NOON, again=True) == []
    (alert,) = tell([rested], [ALL, replace(ALL, name="two")], NOON, again=True)
    assert (alert.key, alert.briefs[0].news) == ("update:1:all:2", "New figures in a headline: 12.")
    with_another = replace(rested, articles=(*rested.articles, article(3)), fresh_ids=(3,))
    assert [one.briefs[0].news for one in tell([with_another], [ALL], NOON)] == ["New figures in a headline: 12."]


def test_of_a_story_that_is_followed_every_further_article_is_told_at_once() -> None:
    plain = later(story(), article(2, "Fleet at anchor", publisher="Two"), after=timedelta(minutes=1))
    assert tell([plain], [ALL], NOON) == []
    (alert,) = tell([replace(plain, followed=True)], [ALL], NOON)
    assert (alert.key, alert.kind) == ("update:1:all:2", "update")
    assert alert.briefs[0].news == 'Also: Two, "Fleet at anchor".'
    assert tell([replace(plain, followed=True, muted=True)], [ALL], NOON) == []


def test_topics_are_called_by_their_names_and_copies_are_counted_apart() -> None:
    copied = story()
    copied = replace(copied, brief=replace(copied.brief, copies=("Two", "Three")))
    (alert,) = tell([copied], [ALL], NOON, names={"naval": "Ships and fleets"})
    assert alert.subject == "Ships and fleets (1 publisher, 2 copies)"


def test_forty_feeds_on_one_event_are_one_alert_and_at_most_one_update() -> None:
    first = story()
    told = tell([first], [ALL], NOON)
    joined: list[Article] = []
    last_told, last_brief = NOON, first.brief
    for number in range(2, 42):  # a feed every two minutes
        joined.append(article(number, publisher=f"Paper {number}"))
        now = NOON + timedelta(minutes=2 * number)
        state = replace(later(first, *joined), told={"all": last_told}, told_brief={"all": last_brief})
        for alert in tell([replace(state, fresh_ids=(number,))], [ALL], now):
            told.append(alert)
            last_told, last_brief = now, alert.briefs[0]
    assert 1 <= len(told) <= 2


# -- floods and quiet hours -------------------------------------------------------------------------------------------


FLOOD = replace(ALL, flood=Flood(3, timedelta(minutes=10)))


def minutes_ago(*minutes: float) -> dict[str, list[datetime]]:
    return {"all": sorted(NOON - timedelta(minutes=one) for one in minutes)}


@pytest.mark.parametrize(
    ("stories", "recent", "until"),
    [
        (3, minutes_ago(), None),
        (4, minutes_ago(), 0),  # too many at once: one message now
        (1, minutes_ago(1, 2), None),
        (2, minutes_ago(1, 2), 0),
        (1, minutes_ago(1, 2, 4), 6),  # three went out: the first of them is forgotten in six minutes
        (1, minutes_ago(1, 2, 4, 30), 6),
        (1, minutes_ago(0, 0, 0, 0, 0), 10),
        (1, minutes_ago(11, 12, 13, 14), None),
    ],
)
def test_there_are_never_more_messages_than_the_flood_mark(
    stories: int, recent: dict[str, list[datetime]], until: int | None
) -> None:
    told = tell([story(number) for number in range(1, stories + 1)], [FLOOD], NOON, recent=recent)
    held = {(one.held, one.not_before) for one in told}
    assert held == ({("flood", NOON + timedelta(minutes=until))} if until is not None else {(None, None)})
    assert len(told) == stories


def test_what_was_too_much_becomes_one_message_that_says_so() -> None:
    held = tell([story(number) for number in range(1, 5)], [FLOOD], NOON)
    one = sum_up(held, NOON)
    assert (one.kind, one.subject, one.targets, one.not_before) == ("flood", "4 stories at once", ALL.targets, None)
    assert one.lines == ("More than 3 alerts within 10 minutes: what was too much comes as one.",)
    assert [brief.story_id for brief in one.briefs] == [4, 3, 2, 1]


NIGHTLY = replace(ALL, quiet=Quiet(time(22), time(6)), timezone=BERLIN)
NIGHT = datetime(2026, 11, 24, 23, tzinfo=UTC)
MORNING = datetime(2026, 11, 25, 5, tzinfo=UTC)


def test_quiet_hours_hold_each_and_sum_up_in_the_morning() -> None:
    first = tell([story(1)], [NIGHTLY], NIGHT)
    second = tell([story(2)], [NIGHTLY], NIGHT + HOUR)
    assert [(one.kind, one.held, one.not_before) for one in (*first, *second)] == [
        ("story", "quiet hours", MORNING),
        ("story", "quiet hours", MORNING),
    ]
    one = sum_up([*first, *second], MORNING)
    assert (one.kind, one.subject) == ("digest", "2 stories of the quiet hours")
    assert one.lines == ("Held in the quiet hours, 22:00 to 06:00.",)
    assert [one.not_before for one in tell([story()], [NIGHTLY], NOON)] == [None]


def test_a_story_and_its_update_in_one_night_are_one_entry() -> None:
    grown = later(story(1), article(2, publisher="Ministry", official=True))
    held = [*tell([story(1)], [NIGHTLY], NIGHT), *tell([grown], [NIGHTLY], NIGHT + HOUR)]
    assert [brief.news for brief in sum_up(held, MORNING).briefs] == ["An official source joins: Ministry."]


def test_after_downtime_the_missed_time_comes_as_one() -> None:
    assert idle_since(None, NOON) is None
    assert idle_since(NOON - 6 * HOUR, NOON) is None
    idle = idle_since(NOON - 20 * HOUR, NOON)
    held = tell([story(1), story(2)], [ALL], NOON, idle_since=idle)
    assert {(one.held, one.not_before) for one in held} == {("downtime", NOON)}
    one = sum_up(held, NOON)
    assert (one.kind, one.subject) == ("digest", "2 stories while nothing ran")
    assert one.lines == ("Nothing ran from 23 November, 16:00 to 24 November, 12:00: this came out meanwhile.",)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-24T20:59", None),
        ("2026-11-24T21:00", "2026-11-25T05:00"),
        ("2026-11-25T04:59", "2026-11-25T05:00"),
        ("2026-11-25T05:00", None),
        ("2026-03-28T22:00", "2026-03-29T04:00"),  # the clocks go forward in this night
        ("2026-10-24T21:00", "2026-10-25T05:00"),  # and back in this one
    ],
)
def test_quiet_hours_go_by_the_wall_clock(now: str, until: str | None) -> None:
    found = quiet_until(Quiet(time(22), time(6)), BERLIN, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert found == (datetime.fromisoformat(until).replace(tzinfo=UTC) if until else None)


def test_quiet_hours_that_end_within_the_hour_that_is_there_twice() -> None:
    quiet = Quiet(time(1), time(2, 30))
    second_time = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 02:10 in Berlin, after the clocks went back
    assert quiet_until(quiet, BERLIN, second_time) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


# -- the first look ---------------------------------------------------------------------------------------------------


def test_five_hundred_old_stories_are_one_message_with_all_counts() -> None:
    states = [story(number, baseline=True) for number in range(1, 501)]
    (alert,) = tell_baseline(states, [ALL], NOON)
    assert (alert.kind, alert.subject, len(alert.briefs)) == ("baseline", "First look, 500 stories", 10)
    assert [brief.story_id for brief in alert.briefs] == list(range(500, 490, -1))
    assert alert.lines == (
        "The first answers of 1 source held 500 stories in 500 articles; all are in the archive.",
        "The 10 with the highest scores:",
    )
    assert tell_baseline([], [ALL], NOON) == []


# -- digests ----------------------------------------------------------------------------------------------------------


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


DAILY = replace(ALL, digest="daily", at=time(7), timezone=BERLIN)
HOURLY = replace(DAILY, digest="hourly")
HALF_PAST = replace(HOURLY, at=time(0, 30))


@pytest.mark.parametrize(
    ("route", "last", "now", "due"),
    [
        (DAILY, "2026-11-23T06:00", "2026-11-24T12:00", ("2026-11-23T06:00", "2026-11-24T06:00")),
        (DAILY, "2026-11-24T06:00", "2026-11-25T05:59", None),
        (DAILY, "2026-11-24T06:00", "2026-11-25T06:00", ("2026-11-24T06:00", "2026-11-25T06:00")),
        (DAILY, "2026-11-20T06:00", "2026-11-24T08:00", ("2026-11-20T06:00", "2026-11-24T06:00")),  # after downtime
        (DAILY, "2026-03-28T06:00", "2026-03-29T05:00", ("2026-03-28T06:00", "2026-03-29T05:00")),  # a day of 23 hours
        (DAILY, "2026-10-24T05:00", "2026-10-25T06:00", ("2026-10-24T05:00", "2026-10-25T06:00")),  # and one of 25
        (HOURLY, "2026-11-24T11:00", "2026-11-24T12:30", ("2026-11-24T11:00", "2026-11-24T12:00")),
        (
            HOURLY,
            "2026-10-25T00:00",
            "2026-10-25T01:10",
            ("2026-10-25T00:00", "2026-10-25T01:00"),
        ),
        (
            HOURLY,
            "2026-03-29T01:00",
            "2026-03-29T02:10",
            ("2026-03-29T01:00", "2026-03-29T02:00"),
        ),
        (
            replace(HOURLY, at=time(0, 30)),
            "2026-03-28T23:30",
            "2026-03-29T01:10",
            ("2026-03-28T23:30", "2026-03-29T00:30"),
        ),
        (
            replace(DAILY, digest="weekly"),
            "2026-11-16T06:00",
            "2026-11-24T12:00",
            ("2026-11-16T06:00", "2026-11-23T06:00"),
        ),
        (ALL, "2026-11-23T06:00", "2026-11-24T12:00", None),
    ],
)
def test_when_a_digest_is_due(route: Route, last: str, now: str, due: tuple[str, str] | None) -> None:
    known = at("2026-01-01T00:00")
    assert digest_due(route, at(last), known, at(now)) == (due and (at(due[0]), at(due[1])))


def test_the_first_digest_of_a_route_waits_for_its_hour_and_holds_a_whole_period() -> None:
    known = at("2026-11-24T05:00")
    assert digest_due(DAILY, None, known, at("2026-11-24T05:59")) is None
    assert digest_due(DAILY, None, known, at("2026-11-24T06:00")) == (at("2026-11-23T06:00"), at("2026-11-24T06:00"))
    weekly = replace(DAILY, digest="weekly")
    assert digest_due(weekly, None, known, at("2026-11-29T06:00")) is None
    assert digest_due(weekly, None, known, at("2026-11-30T06:00")) == (at("2026-11-23T06:00"), at("2026-11-30T06:00"))


def test_in_its_quiet_hours_a_route_rests_and_a_flood_waits_for_the_morning() -> None:
    assert resting([NIGHTLY, ALL], NIGHT) == ["all"]
    assert resting([NIGHTLY, ALL], NOON) == []
    evening = datetime(2026, 11, 24, 20, 55, tzinfo=UTC)  # 21:55 in Berlin: the brake would let go at 22:03
    braked = replace(NIGHTLY, flood=Flood(1, timedelta(minutes=10)))
    recent = {"all": [evening - timedelta(minutes=2)]}
    assert [one.not_before for one in tell([story()], [braked], evening, recent=recent)] == [MORNING]


def test_what_matches_only_now_is_summed_up_as_a_first_look() -> None:
    (alert,) = tell_baseline([story(1), story(2)], [ALL], NOON)
    assert alert.lines == (
        "What was read before, and matches only now, held 2 stories in 2 articles; all are in the archive.",
    )


def test_digest_routes_are_told_nothing_at_once() -> None:
    assert tell([story()], [DAILY], NOON) == []


def test_a_digest_of_nothing_says_so() -> None:
    period = (at("2026-11-23T06:00"), at("2026-11-24T06:00"))
    assert digest([], [], period, DAILY, NOON).lines == (
        "From 23 November, 07:00 to 24 November 2026, 07:00 (Europe/Berlin). Nothing relevant came out.",
    )


def test_a_digest_puts_the_best_first_and_closes_with_its_blind_spots() -> None:
    briefs = [story(number).brief for number in (1, 2)]
    period = (at("2026-11-23T06:00"), at("2026-11-24T06:00"))
    assert digest(briefs, ["2 sources were silent."], period, DAILY, NOON) == Alert(
        key="digest:all:2026-11-24T06:00Z",
        kind="digest",
        route="all",
        created=NOON,
        subject="Daily digest, 24 November 2026, 2 stories",
        briefs=(briefs[1], briefs[0]),
        targets=ALL.targets,
        lines=("From 23 November, 07:00 to 24 November 2026, 07:00 (Europe/Berlin).", "2 sources were silent."),
    )


def test_blind_spots_say_what_there_is_and_nothing_of_what_there_is_not() -> None:
    whole = Coverage(5, 4, silent=(), failing=("Gazette",), articles=21, teasers=0, copies=3, unjudged=())
    assert blind_spots(whole) == ["4 of 5 sources answered; 21 articles read; 3 copies folded.", "Failing: Gazette."]
    in_part = replace(whole, failing=(), teasers=2, copies=1, unjudged=(("fi", 4), (None, 1)))
    assert blind_spots(in_part) == [
        "4 of 5 sources answered; 21 articles read, 2 of them only in part; 1 copy folded.",
        "Not judged, for want of words in the language: fi (4), unknown (1).",
    ]


# -- delivery ---------------------------------------------------------------------------------------------------------

RETRY, UNKNOWN = SendOutcome("retry"), SendOutcome("unknown")


@pytest.mark.parametrize(
    ("attempts", "outcome", "jitter", "wait"),
    [
        (1, SendOutcome("sent"), 0.0, None),
        (1, SendOutcome("refused", "550"), 0.0, None),
        (1, RETRY, 0.0, timedelta(minutes=1)),
        (1, RETRY, 1.0, timedelta(minutes=1.5)),
        (4, RETRY, 0.0, timedelta(minutes=8)),
        (4, UNKNOWN, 0.0, timedelta(minutes=8)),
        (ATTEMPTS - 1, RETRY, 0.0, timedelta(hours=4)),
        (ATTEMPTS, RETRY, 0.0, None),
        (ATTEMPTS, UNKNOWN, 0.0, None),
        (1, SendOutcome("retry", "429", timedelta(minutes=10)), 0.0, timedelta(minutes=10)),
        (1, SendOutcome("retry", "429", timedelta(seconds=7)), 0.0, timedelta(minutes=1)),
        (1, SendOutcome("retry", "429", timedelta(days=900)), 0.0, timedelta(days=1)),
    ],
)
def test_when_a_delivery_is_tried_again(
    attempts: int, outcome: SendOutcome, jitter: float, wait: timedelta | None
) -> None:
    assert next_attempt(attempts, outcome, NOON, jitter) == (wait and NOON + wait)


def test_retries_outlast_a_weekend() -> None:
    at_last = NOON
    for attempts in range(1, ATTEMPTS):
        at_last = next_attempt(attempts, RETRY, at_last, 0.0) or at_last
    assert timedelta(hours=60) < at_last - NOON < timedelta(days=5)


def test_a_message_id_is_the_same_for_the_same_alert_and_target_only() -> None:
    ids = {message_id(key, target) for key in ("story:1:all", "story:2:all") for target in ("a", "b")}
    assert len(ids) == 4
    assert message_id("story:1:all", "a") in ids
