"""A day of feeds that behave in every way, with default settings, on a clock that is ours: how often is each asked?"""

from __future__ import annotations

import os
from asyncio import StreamWriter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from tests.armour.floors import open_floor
from tests.servers import Seen, Server, on_loop, reply
from watchfloor import pipeline
from watchfloor.model import Source
from watchfloor.parsers import ParserPool

ALL = os.environ.get("WATCHFLOOR_ARMOUR") == "all"
EACH = 3 if ALL else 1  # feeds of each kind
TICK = timedelta(minutes=5 if ALL else 45)  # between two cycles
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MORNING = datetime(2026, 11, 24, 6, tzinfo=UTC)


@dataclass
class Clock:
    now: datetime = MORNING

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Feed:
    """A feed on a simulated clock. `gap`: between its items; `answers`: what it says instead of a feed."""

    kind: str
    clock: Clock
    gap: timedelta = HOUR
    most: int = 48
    validators: bool = True
    dated: bool = True
    churns: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    channel: str = ""  # what its head says besides
    closed: Callable[[datetime], bool] = lambda now: False  # once it has said so: must it not be asked?
    answers: Callable[[datetime], bytes | None] = lambda now: None
    window: timedelta = timedelta(0)  # after each answer in which it must not be asked
    asked: list[datetime] = field(default_factory=list)

    async def __call__(self, seen: Seen, writer: StreamWriter) -> None:
        now = self.clock()
        self.asked.append(now)
        writer.write(self.answers(now) or self._document(seen, now))
        await writer.drain()

    def _document(self, seen: Seen, now: datetime) -> bytes:
        last = int((now - MORNING) / self.gap) if self.gap < 99 * DAY else 0
        tag = f'"{last}"'
        if self.validators and seen.header("If-None-Match") == tag.encode():
            return reply(304, ETag=tag)
        items = "".join(self._item(number, now) for number in range(max(0, last - 10), last + 1))
        body = f'<rss version="2.0"><channel><title>{self.kind}</title>{self.channel}{items}</channel></rss>'.encode()
        tags = {"ETag": tag} if self.validators else {}
        return reply(200, body, Content_Type="application/rss+xml", **tags, **self.headers)

    def _item(self, number: int, now: datetime) -> str:
        at = MORNING + number * self.gap if self.gap < 99 * DAY else MORNING - 40 * DAY
        guid = f"{number} {now}" if self.churns else str(number)
        date = f"<pubDate>{format_datetime(at)}</pubDate>" if self.dated else ""
        return f"<item><title>Item {number} of {self.kind}</title><guid isPermaLink='false'>{guid}</guid>{date}</item>"

    @property
    def too_soon(self) -> int:
        pairs = zip(self.asked, self.asked[1:], strict=False)
        return sum(later - earlier < self.window or self.closed(later) for earlier, later in pairs)


def busy(status: int, wait: str) -> bytes:
    return reply(status, b"", Retry_After=wait)


HALF_DAILY = (
    '<sy:updatePeriod xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">daily</sy:updatePeriod>'
    '<sy:updateFrequency xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">2</sy:updateFrequency>'
)
EVENING = "<skipHours>" + "".join(f"<hour>{hour}</hour>" for hour in range(18, 24)) + "</skipHours>"
TUESDAYS = "<skipDays><day>Tuesday</day></skipDays>"


def kinds(clock: Clock) -> list[Feed]:
    never = timedelta(days=1000)

    def always(answer: bytes) -> Callable[[datetime], bytes]:
        return lambda now: answer

    def every_other_hour(answer: bytes) -> Callable[[datetime], bytes | None]:
        return lambda now: answer if now.hour % 2 else None

    return [
        Feed("changes all day", clock, 10 * MINUTE, 48),
        Feed("changes all day without validators", clock, 10 * MINUTE, 48, validators=False),
        Feed("changes all day without dates", clock, 10 * MINUTE, 48, dated=False),
        Feed("changes its ids", clock, 10 * MINUTE, 48, churns=True, validators=False),
        Feed("seldom changes", clock, 6 * HOUR, 24),
        Feed("never changes", clock, never, 24),
        Feed("never changes and has no validators", clock, never, 2, validators=False),
        Feed("is fresh for three hours", clock, 10 * MINUTE, 8, headers={"Cache_Control": "max-age=10800"}),
        Feed("has a ttl of four hours", clock, 10 * MINUTE, 6, channel="<ttl>240</ttl>"),
        Feed("is updated twice a day", clock, 10 * MINUTE, 2, channel=HALF_DAILY),
        Feed("closes in the evening", clock, 10 * MINUTE, 36, channel=EVENING, closed=lambda at: at.hour >= 18),
        Feed("closes on Tuesdays", clock, 10 * MINUTE, 13, channel=TUESDAYS, closed=lambda at: at.day == 24),
        Feed("asks for 3 hours (429)", clock, most=9, answers=always(busy(429, "10800")), window=3 * HOUR),
        Feed("asks for 2 hours (503)", clock, most=13, answers=always(busy(503, "7200")), window=2 * HOUR),
        Feed("is busy every other hour", clock, 10 * MINUTE, 48, answers=every_other_hour(reply(429, b""))),
        Feed("is broken (500)", clock, most=24, answers=always(reply(500))),
        Feed("is not found (404)", clock, most=24, answers=always(reply(404))),
        Feed("is gone (410)", clock, most=1, answers=always(reply(410)), window=DAY),
        Feed("refuses (403)", clock, most=24, answers=always(reply(403))),
        Feed("is a page", clock, most=24, answers=always(reply(200, b"<!doctype html><html><p>moved</p></html>"))),
        Feed("hangs up", clock, most=24, answers=always(b"\r\n")),
        Feed("is cut off", clock, most=24, answers=always(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n<rss>")),
        Feed("says 304 to all", clock, most=48, answers=always(reply(304))),
        Feed("is down every other hour", clock, 10 * MINUTE, 48, answers=every_other_hour(b"x\r\n")),
    ]  # fmt: skip


async def lives(
    server: Server, feeds: list[Feed], clock: Clock, folder: Path, span: timedelta, tick: timedelta
) -> None:
    """Cycle after cycle, each with a door of its own, as each scheduled run is a process of its own."""
    sources = []
    for number, feed in enumerate(feeds):
        path, name = f"/feed/{number}", f"{feed.kind} {number}"
        server.answers[path] = feed
        sources.append(Source(f"s{number}", name, server.url(path, f"127.5.0.{number + 1}"), name))
    ends = clock.now + span
    async with ParserPool(workers=2) as parsers:
        while clock.now < ends:
            async with open_floor(f"sqlite:///{folder}/archive.db", sources, clock=clock, parsers=parsers) as floor:
                await pipeline.cycle(floor)
            clock.now += tick


@on_loop
async def test_a_day_of_every_kind(tmp_path: Path) -> None:
    clock = Clock()
    feeds = [feed for _ in range(EACH) for feed in kinds(clock)]
    async with Server(host="0.0.0.0") as server:
        await lives(server, feeds, clock, tmp_path, DAY, TICK)
    print(f"\na day of {len(feeds)} feeds:")
    for feed in feeds[: len(feeds) // EACH]:
        print(f"  {len(feed.asked):3} of {feed.most:2}  {feed.kind}")
    assert {feed.kind: len(feed.asked) for feed in feeds if not 1 <= len(feed.asked) <= feed.most} == {}
    assert {feed.kind: feed.too_soon for feed in feeds if feed.too_soon} == {}


@on_loop
async def test_twenty_restarts_in_an_hour_ask_once(tmp_path: Path) -> None:
    clock = Clock()
    feeds = [Feed("seldom changes", clock, 6 * HOUR), Feed("never changes", clock, 1000 * DAY, validators=False)]
    async with Server(host="0.0.0.0") as server:
        await lives(server, feeds, clock, tmp_path, HOUR, 3 * MINUTE)
    assert [len(feed.asked) for feed in feeds] == [1, 1]


@on_loop
async def test_a_sibling_on_a_busy_host_waits_as_well(tmp_path: Path) -> None:
    clock = Clock()
    shut = Feed("busy", clock, answers=lambda now: reply(503, b"", Retry_After="14400"), window=4 * HOUR)
    sibling = Feed("sibling", clock, 10 * MINUTE)
    server = Server({"/a": shut, "/b": sibling})
    async with server, ParserPool(workers=1) as parsers:
        sources = [Source(name, name, server.url(f"/{name}"), name) for name in ("a", "b")]
        for _ in range(14):
            async with open_floor(f"sqlite:///{tmp_path}/a.db", sources, clock=clock, parsers=parsers) as floor:
                await pipeline.cycle(floor, everything=True)
            clock.now += 65 * MINUTE
    closed = [(at, at + 4 * HOUR) for at in shut.asked]
    assert len(closed) >= 3
    assert not [at for at in sibling.asked for begins, ends in closed if begins < at < ends]


@on_loop
async def test_a_feed_that_was_due_and_has_closed_is_put_off_but_not_by_run_now(tmp_path: Path) -> None:
    clock = Clock()
    feed = Feed("closes in the evening", clock, 10 * MINUTE, channel=EVENING)
    async with Server({"/feed": feed}) as server, ParserPool(workers=1) as parsers:
        sources = [Source("a", "a", server.url("/feed"), "a")]
        for hour, everything in ((6, False), (19, False), (20, False), (21, True), (22, False), (23, False)):
            clock.now = MORNING.replace(hour=hour)
            async with open_floor(f"sqlite:///{tmp_path}/a.db", sources, clock=clock, parsers=parsers) as floor:
                report = await pipeline.cycle(floor, everything=everything)
            assert report.asked == (hour in (6, 21))
    assert [at.hour for at in feed.asked] == [6, 21]
