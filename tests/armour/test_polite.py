"""A polite reader, through the whole pipeline, against a server that logs: what single tests of the door leave open.

The sixteen points, and where each is tested besides here (h):
 1 conditional, byte for byte       test_rhythm, test_fetch     9 410, 404                  test_day, test_rhythm
 2 validators per address           test_politeness            10 robots.txt                test_politeness
 3 validators after the entries     h                          11 one by one, none double   test_politeness, h
 4 how often in a day               test_day                   12 who we are                test_politeness
 5 restarts                         test_day                   13 what is accepted          test_politeness
 6 Retry-After                      test_politeness, test_day  14 one request               test_politeness, h
 7 wishes of the server             h, test_day, test_rhythm   15 a page once               h
 8 moves                            h, test_rhythm             16 a 304                     h, test_rhythm
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.archives import LEASE, WHOLE
from tests.armour.corpus import page, xml
from tests.armour.floors import a_door, open_floor
from tests.servers import Script, Server, by_validator, on_loop, redirect, reply
from watchfloor import discovery, pipeline
from watchfloor.model import FeedState, Source
from watchfloor.parsers import ParserPool

MORNING = datetime(2026, 11, 24, 6, tzinfo=UTC)  # a Tuesday
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LONG = "<p>The ministers met and talked of missiles and of frigates at length, and agreed on nothing at all.</p>" * 9
SY = 'xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"'


@pytest.fixture(scope="module")
def parsers() -> Iterator[ParserPool]:
    """One reader for all."""
    pool = ParserPool(workers=1)
    yield pool
    pool.close()


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = MORNING

    def __call__(self) -> datetime:
        return self.now


def feed(channel: str = "", *, link: str = "https://paper.example/a", inside: str = "") -> bytes:
    """A feed with an item every ten minutes, the newest just before the morning."""
    items = "".join(
        f"<item><title>Item {number}</title><guid isPermaLink='false'>{number}</guid><link>{link}?{number}</link>"
        f"<pubDate>{format_datetime(MORNING - (number + 1) * 10 * MINUTE)}</pubDate>{inside}</item>"
        for number in range(6)
    )
    return f'<rss version="2.0"><channel><title>x</title>{channel}{items}</channel></rss>'.encode()


async def lives(
    server: Server, folder: Path, clock: Clock, parsers: ParserPool, times: Sequence[timedelta]
) -> FeedState:
    """Cycles at these times after the morning, due or not; the state in the end."""
    watched = Source("a", "a", server.url("/feed"), "a")
    for since in times:
        clock.now = MORNING + since
        async with open_floor(f"sqlite:///{folder}/a.db", [watched], clock=clock, parsers=parsers) as floor:
            await pipeline.cycle(floor, everything=True)
            state = floor.archive.states()["a"]
    return state


@on_loop
async def test_validators_are_remembered_with_the_entries_or_not_at_all(tmp_path: Path, parsers: ParserPool) -> None:
    """3: who dies between the answer and the commit asks for the whole again."""
    async with Server({"/feed": by_validator('"1"', feed())}) as server:
        sources = [Source("a", "a", server.url("/feed"), "a")]
        async with open_floor(f"sqlite:///{tmp_path}/a.db", sources, parsers=parsers) as floor:
            (job,) = floor.archive.claim_sources(
                "dead:1:1", floor.clock(), LEASE, shard=WHOLE, limit=1, everything=True
            )
            assert (await pipeline.ask_feed(floor, job)).result == "read"  # and its process is killed
            floor.archive.release_sources("dead:1:1", ["a"])
            assert (await pipeline.cycle(floor, everything=True)).entries == 6
            assert (await pipeline.cycle(floor, everything=True)).not_modified == 1
        sent = [seen.header("If-None-Match") for seen in server.asked("/feed")]
        assert sent == [None, None, b'"1"']


@pytest.mark.parametrize(
    ("channel", "headers", "next_at"),
    [
        ("", {}, MORNING + 30 * MINUTE),
        ("", {"Cache_Control": "max-age=10800"}, MORNING + 3 * HOUR),
        ("", {"Cache_Control": "max-age=10800", "Age": "3600"}, MORNING + 2 * HOUR),
        ("", {"Cache_Control": "max-age=315360000"}, MORNING + DAY),
        ("", {"Expires": format_datetime(MORNING + 5 * HOUR, usegmt=True)}, MORNING + 5 * HOUR),
        ("", {"Cache_Control": "no-cache", "Expires": "0"}, MORNING + 30 * MINUTE),
        ("<ttl>240</ttl>", {"Cache_Control": "max-age=10800"}, MORNING + 4 * HOUR),
        ("<ttl>5</ttl>", {}, MORNING + 30 * MINUTE),
        (f"<sy:updatePeriod {SY}>daily</sy:updatePeriod>", {}, MORNING + DAY),
        (
            f"<sy:updatePeriod {SY}>daily</sy:updatePeriod><sy:updateFrequency {SY}>4</sy:updateFrequency>",
            {},
            MORNING + 6 * HOUR,
        ),
        ("<skipHours><hour>6</hour><hour>7</hour></skipHours>", {}, MORNING + 2 * HOUR),
        ("<skipDays><day>Tuesday</day><day>Wednesday</day></skipDays>", {}, MORNING + 42 * HOUR),
        ("<ttl>1080</ttl><skipHours><hour>0</hour></skipHours>", {}, MORNING + 19 * HOUR),
    ],
)
@on_loop
async def test_the_longest_wish_of_a_server_is_kept(
    tmp_path: Path, parsers: ParserPool, channel: str, headers: dict[str, str], next_at: datetime
) -> None:
    """7."""
    clock = Clock()
    async with Server({"/feed": xml(feed(channel), ETag='"1"', **headers)}) as server:
        state = await lives(server, tmp_path, clock, parsers, [timedelta(0)])
    assert state.next_at
    assert next_at <= state.next_at <= next_at + 0.1 * (next_at - MORNING) + 6 * MINUTE  # jitter goes upward


@pytest.mark.parametrize(("status", "asked_at_last"), [(301, "/new"), (308, "/new"), (302, "/feed"), (307, "/feed")])
@on_loop
async def test_a_move_for_good_is_believed_after_a_day(
    tmp_path: Path, parsers: ParserPool, status: int, asked_at_last: str
) -> None:
    """8."""
    times = [timedelta(0), HOUR, 2 * HOUR, 25 * HOUR, 26 * HOUR]
    async with Server({"/feed": redirect("/new", status), "/new": xml(feed())}) as server:
        await lives(server, tmp_path, Clock(), parsers, times)
        firsts = [a for a, b in zip(server.targets, ["", *server.targets], strict=False) if (b, a) != ("/feed", "/new")]
        assert firsts == ["/feed"] * 4 + [asked_at_last]


@on_loop
async def test_a_move_to_a_page_is_never_believed(tmp_path: Path, parsers: ParserPool) -> None:
    """8: a parked domain, a log-in."""
    times = [timedelta(0), HOUR, 2 * HOUR, 25 * HOUR, 26 * HOUR]
    async with Server({"/feed": redirect("/login", 301), "/login": reply(200, page())}) as server:
        await lives(server, tmp_path, Clock(), parsers, times)
        assert server.targets == ["/feed", "/login"] * 5


@on_loop
async def test_who_subscribes_asks_for_the_feed_once(parsers: ParserPool) -> None:
    """14: `sources add` with the address of a feed."""
    async with Server({"/feed": xml(feed())}) as server, a_door() as door:
        found = await discovery.discover(server.url("/feed"), door, parsers, MORNING)
        assert [candidate.url for candidate in found] == [server.url("/feed")]
        assert [(seen.method, seen.target) for seen in server.log] == [("GET", "/feed")]


@pytest.mark.parametrize("full_text", [False, True])
@on_loop
async def test_a_page_is_asked_for_once_or_not_at_all(tmp_path: Path, parsers: ParserPool, full_text: bool) -> None:
    """15, and 11: an article that two feeds name has one page."""
    content = f"<content:encoded xmlns:content='http://purl.org/rss/1.0/modules/content/'><![CDATA[{LONG}]]></content:encoded>"
    answers: dict[str, bytes | Script] = {
        f"/page?{n}": reply(200, page(LONG), Content_Type="text/html") for n in range(6)
    }
    async with Server(answers) as server:
        body = feed(link=server.url("/page"), inside=content if full_text else "")
        answers["/feed"] = answers["/other"] = xml(body)
        sources = [Source(name, name, server.url(f"/{name}"), name, full_text=full_text) for name in ("feed", "other")]
        async with open_floor(f"sqlite:///{tmp_path}/a.db", sources, parsers=parsers) as floor:
            for _ in range(3):
                await pipeline.cycle(floor, everything=True)
        asked = [target for target in server.targets if target.startswith("/page")]
        assert sorted(asked) == ([] if full_text else [f"/page?{n}" for n in range(6)])


@on_loop
async def test_a_304_keeps_the_schedule_and_forgets_failures(tmp_path: Path, parsers: ParserPool) -> None:
    """16."""
    clock = Clock()
    answers: dict[str, bytes | Script] = {"/feed": by_validator('"1"', feed("<ttl>240</ttl>"))}
    async with Server(answers) as server:
        await lives(server, tmp_path, clock, parsers, [timedelta(0)])
        good, answers["/feed"] = answers["/feed"], reply(500)
        failing = await lives(server, tmp_path, clock, parsers, [5 * HOUR, 6 * HOUR])
        assert (failing.failures, failing.health) == (2, "failing")
        answers["/feed"] = good
        well = await lives(server, tmp_path, clock, parsers, [7 * HOUR])
    assert (well.failures, well.health, well.failing_since) == (0, "ok", None)
    assert well.next_at
    assert timedelta(0) <= well.next_at - (MORNING + 11 * HOUR) <= 24 * MINUTE
