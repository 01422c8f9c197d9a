"""The way through the house. This module only calls the others in order; what is decided is decided elsewhere.

    sources.yaml
      | archive.claim_sources                              poll
      |   door.get | archive.known_entries | parsers.feed | rhythm.after_...
      | archive.keep_polls           entries + articles
      v
      | archive.claim_pages                                collect
      |   door.get | parsers.page | articles.compose
      | archive.keep_pages           texts + grades
      v
      | archive.claim_unjudged                             judge, group, alert
      |   matcher.judge | stories.sketch | namer | gists
      | archive.settle(stories.group, alerting.tell)       verdicts + stories + alerts + deliveries, one transaction
      v
      | archive.release_held(alerting.sum_up)              deliver
      | archive.claim_deliveries
      |   sender.send | alerting.next_attempt
      | archive.keep_delivery

Every arrow is rows that the stage before committed. The first three stages stream: a page is asked for as soon as its
entry is kept, and judged as soon as it is read. Killed anywhere, the next cycle goes on from the rows; run twice at
once, the leases share the work out.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from watchfloor import alerting, articles, incidents, leases, logs, memory, prescan, rhythm, stories
from watchfloor.articles import Asked
from watchfloor.errors import ArchiveError, FetchError, RowRefused, WatchfloorError
from watchfloor.fetch import cache_lifetime
from watchfloor.gathering import Gathering
from watchfloor.match import Matcher
from watchfloor.model import Alert, Article, Collected, Delivery, Grade, Page, PageJob, PollJob, PollOutcome, Verdict
from watchfloor.ports import (
    Answer,
    Archive,
    Clock,
    Door,
    Gists,
    Judged,
    Namer,
    Parsers,
    Recent,
    Sender,
    Shard,
    StoryState,
    Target,
    Tell,
)
from watchfloor.report import Report
from watchfloor.routes import Route
from watchfloor.timing import Times
from watchfloor.weighing import named, weigh, with_gists

SOURCES_AT_ONCE = 500  # held at the same time; the door says how many are asked
PAGES_AT_ONCE = 500  # held at the same time: many, so that one slow host does not starve the others
TOGETHER = 3  # a third of them is claimed at a time: a look-up for each would cost more
GATE = 0.4  # of the threshold: a rough look at 1,000 pages gave each relevant one .9 of it at least
LOOKED_AT = 20_000  # characters, more than most articles have: the loop waits meanwhile, some milliseconds
JUDGED_EVERY = 3.0  # seconds: copies that come together are told together, with all who carry them
JUDGED_AT_ONCE = 200  # a transaction of some tenths of a second
SENT_AT_ONCE = 8
LOOK_BACK = 2  # so many times the length of its feed: of a source's entries those that the feed may still name
WHOLE = Shard()

Name = TypeVar("Name", str, int)


class Watcher:
    """Is told what happens while it happens, and does nothing. The terminal's progress display overrides it."""

    def polled(self, job: PollJob, outcome: PollOutcome, new: int) -> None:
        """One source was polled and kept; `new` entries were not known."""

    def collected(self, job: PageJob, collected: Collected) -> None:
        """One page was read, or not, and kept."""

    def alerted(self, alert: Alert) -> None:
        """An alert was created."""


@dataclass(frozen=True, slots=True)
class Floor:
    """All that a cycle works with. `watchfloor.wiring` makes one."""

    owner: str
    archive: Archive
    door: Door
    parsers: Parsers
    sender: Sender
    matcher: Callable[[], Matcher]  # a second's work, and not needed where nothing is new
    routes: Sequence[Route]
    clock: Clock
    ops: Sequence[str] = ()  # ids of the targets that hear of the monitor itself
    jitter: Callable[[], float] = random.random  # 0..1, upward only
    watcher: Watcher = field(default_factory=Watcher)
    namer: Callable[[], Namer | None] = lambda: None  # adds the names that are not on the list
    gists: Callable[[], Gists | None] = lambda: None  # what articles are about, for grouping
    times: Times = field(default_factory=Times)
    files: str = ""  # a digest of the user's files, as they were read
    gate: bool = False  # whether pages are read in full only where a rough look finds something
    judging: asyncio.Lock = field(default_factory=asyncio.Lock)  # shards' judges would share one core and one writer
    polls: Gathering[PollOutcome, int] = field(init=False)  # keeps what was polled, of all shards together
    pages: Gathering[Collected, None] = field(init=False)

    def __post_init__(self) -> None:
        keep_polls = self.times.timed("keep polls", partial(self.archive.keep_polls, self.owner))
        keep_pages = self.times.timed("keep pages", partial(self.archive.keep_pages, self.owner))
        object.__setattr__(self, "polls", Gathering(keep_polls))
        object.__setattr__(self, "pages", Gathering(keep_pages))


async def cycle(floor: Floor, *, shard: Shard = WHOLE, everything: bool = False) -> Report:
    """One whole cycle: what is due is polled, what is new is read and judged, what matters is told.

    `everything` polls every source, due or not. Failures of single feeds, pages and targets are rows in the archive;
    what is raised is a fault of the house (the archive is gone, the disk is full).
    """
    began = floor.clock()
    report = Report()
    await watch(floor, report, shard=shard, everything=everything)
    await finish(floor, report, began)
    floor.archive.rest()
    memory.give_back()
    return report


async def finish(floor: Floor, report: Report, began: datetime) -> None:
    """What comes after all shards: the sum of what is new, the outbox, and a row that says that the cycle ended."""
    tell_rested(floor, report)
    tell_baseline(floor, report)
    write_digests(floor, report)
    _note_alerts(floor, report, review_incidents(floor.archive, floor.sender.targets, floor.ops, floor.clock()))
    await deliver(floor, report)
    ended = floor.clock()
    report.seconds = (ended - began).total_seconds()
    floor.archive.keep_cycle(began, ended, report.as_json())
    floor.archive.keep_quiet(floor.files, alerting.next_digest(floor.routes, began))
    logs.say("cycle", seconds=report.seconds, detail=json.dumps(report.as_json()))


async def watch(floor: Floor, report: Report, *, shard: Shard = WHOLE, everything: bool = False) -> None:
    """Poll, collect and judge one shard, streaming."""
    floor.archive.free_dead_leases(leases.host_name(), leases.is_alive, floor.clock())
    entries, texts = Stage(), Stage()
    async with asyncio.TaskGroup() as stages:
        stages.create_task(entries.run(poll(floor, report, entries, shard=shard, everything=everything)))
        stages.create_task(texts.run(collect(floor, report, entries, texts, shard=shard)))
        stages.create_task(judge(floor, report, texts))
    report.spend(floor.times.take())


class Stage:
    """A stage seen from the one behind it: whether it brought something, and whether it may bring more."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._end = asyncio.Event()
        self._over_was_seen = False

    def brought(self) -> None:
        """Say that there is something to take."""
        self._news.set()

    async def run(self, work: Awaitable[None]) -> None:
        """Do the stage's work, then say that nothing more will come."""
        try:
            await work
        finally:
            self._end.set()
            self._news.set()

    async def more(self) -> bool:
        """Wait until a look may find something. After its end True once, for what came last, then False."""
        await self._news.wait()
        if self._end.is_set():
            last_look, self._over_was_seen = not self._over_was_seen, True
            return last_look
        self._news.clear()
        return True

    async def gather(self, seconds: float) -> None:
        """Let more come together, for a while or until there is no more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._end.wait()


# -- poll -------------------------------------------------------------------------------------------------------------


async def poll(floor: Floor, report: Report, out: Stage, *, shard: Shard, everything: bool) -> None:
    """Ask what is due until nothing is. A source is asked once a cycle, whatever its schedule says afterwards."""
    done: set[str] = set()
    window = Window[str](SOURCES_AT_ONCE)
    async with asyncio.TaskGroup() as asking:
        while jobs := _claim_sources(floor, shard, everything, done, await window.room()):
            done.update(job.source.id for job in jobs)
            until = _most_of(leases.SOURCE_LEASE)
            for job in jobs:
                asked = _poll_one(floor, report, out, job, until, in_turn=not everything)
                window.hold(job.source.id, asking.create_task(asked))
    floor.archive.release_sources(floor.owner, window.late)


class Window(Generic[Name]):
    """So many tasks at a time: what ends makes room, nobody waits for the slowest. `late`: whose result is False."""

    def __init__(self, size: int) -> None:
        self.late: list[Name] = []
        self._size, self._held, self._ended = size, 0, asyncio.Event()

    def hold(self, name: Name, task: asyncio.Task[bool]) -> None:
        """The task counts until it ends."""
        self._held += 1
        task.add_done_callback(partial(self._let_go, name))

    async def room(self) -> int:
        """Wait until many can be taken; how many."""
        while self._size - self._held < self._size / TOGETHER:
            self._ended.clear()
            await self._ended.wait()
        return self._size - self._held

    def _let_go(self, name: Name, task: asyncio.Task[bool]) -> None:
        self._held -= 1
        if not task.cancelled() and not task.exception() and not task.result():
            self.late.append(name)
        self._ended.set()


def _most_of(lease: timedelta) -> float:
    """Until when, in loop time, work may go on under a lease taken now: so many of one slow host that the lease would
    end before their turn are given back, for the next cycle to ask.
    """
    return asyncio.get_running_loop().time() + 0.9 * lease.total_seconds()


def _claim_sources(floor: Floor, shard: Shard, everything: bool, done: set[str], limit: int) -> list[PollJob]:
    return floor.archive.claim_sources(
        floor.owner,
        floor.clock(),
        leases.SOURCE_LEASE,
        shard=shard,
        limit=limit,
        everything=everything,
        but_not=done,
    )


async def _poll_one(floor: Floor, report: Report, out: Stage, job: PollJob, until: float, *, in_turn: bool) -> bool:
    """Whether it was asked before its time was over. `in_turn`: not in hours in which it asks not to be."""
    now = floor.clock()
    if in_turn and (later := rhythm.put_off(job.state, now, floor.jitter())):
        await floor.polls.keep(PollOutcome(job.source.id, now, "put_off", later))
        return True
    try:
        async with asyncio.timeout_at(until):
            outcome = await ask_feed(floor, job)
    except TimeoutError:
        return False
    try:
        new = await floor.polls.keep(outcome)
    except RowRefused as error:
        outcome = replace(_failed_poll(floor, job, error, None), status=outcome.status)  # it did answer
        new = await floor.polls.keep(outcome)
    report.asked += 1
    report.entries += new
    report.not_modified += outcome.result == "not_modified"
    report.failed += outcome.result == "failed"
    report.unreachable += outcome.result == "failed" and outcome.status is None
    logs.say("polled", source=job.source.id, status=outcome.status, detail=outcome.error or outcome.result)
    floor.watcher.polled(job, outcome, new)
    if new:
        out.brought()
    return True


async def ask_feed(floor: Floor, job: PollJob) -> PollOutcome:
    """One conditional request and what it leads to. What goes wrong with the feed is an outcome, not an exception."""
    validators = rhythm.validators(job.source, job.state, floor.clock())
    answer: Answer | None = None
    try:
        answer = await floor.door.get(
            rhythm.effective_url(job.source, job.state),
            want="feed",
            etag=validators.etag,
            last_modified=validators.last_modified,
            named_by_user=True,
        )
        return await _read_answer(floor, job, answer)
    except ArchiveError:
        raise  # a fault of the house, not of the feed
    except WatchfloorError as error:
        return _failed_poll(floor, job, error, answer)
    except Exception as error:
        return _failed_poll(floor, job, _fault_of_ours("polling", error, source=job.source.id), answer)


def _fault_of_ours(doing: str, error: Exception, **about: object) -> WatchfloorError:
    """What nobody foresaw costs one item, is loud in the log, and is a row like any other failure."""
    logs.warn(f"{doing} failed by a fault of Watchfloor's own", trace=error, **about)
    return WatchfloorError(f"a fault of Watchfloor's own ({type(error).__name__}); please report it")


async def _read_answer(floor: Floor, job: PollJob, answer: Answer) -> PollOutcome:
    now, jitter = floor.clock(), floor.jitter()
    digest = hashlib.sha256(answer.body).hexdigest() if answer.status != 304 else job.state.body_hash
    if digest == job.state.body_hash:
        state = rhythm.after_not_modified(
            job.source, job.state, answer, lifetime=cache_lifetime(answer.headers, now), now=now, jitter=jitter
        )
        return PollOutcome(job.source.id, now, "not_modified", state, status=answer.status)
    look_back = LOOK_BACK * prescan.at_most(answer.body)
    known = await asyncio.to_thread(floor.archive.known_entries, job.source.id, look_back)
    feed = await floor.parsers.feed(
        answer.body, content_type=answer.content_type, url=answer.final_url, now=now, known=known
    )
    state = rhythm.after_answer(
        job.source,
        job.state,
        answer,
        feed=feed,
        body_hash=digest,
        lifetime=cache_lifetime(answer.headers, now),
        now=now,
        jitter=jitter,
    )
    return PollOutcome(job.source.id, now, "read", state, entries=feed.entries, status=answer.status)


def _failed_poll(floor: Floor, job: PollJob, error: WatchfloorError, answer: Answer | None) -> PollOutcome:
    now = floor.clock()
    wait = error.retry_after if isinstance(error, FetchError) else None
    busy_host = error.busy_host if isinstance(error, FetchError) else None
    return PollOutcome(
        source_id=job.source.id,
        at=now,
        result="failed",
        state=rhythm.after_failure(job.source, job.state, error, now=now, jitter=floor.jitter()),
        status=answer.status if answer else articles.status_of(error),
        error=articles.in_words(error),
        host=busy_host or urlsplit(rhythm.effective_url(job.source, job.state)).hostname,
        host_not_before=now + wait if wait else None,
    )


# -- collect ----------------------------------------------------------------------------------------------------------


async def collect(floor: Floor, report: Report, entries: Stage, out: Stage, *, shard: Shard) -> None:
    """Ask for the page of every entry that waits for it, also of those that an earlier cycle left."""
    window, more = Window[int](PAGES_AT_ONCE), True
    async with asyncio.TaskGroup() as asking:
        while more and not window.late:
            room = await window.room()
            jobs = floor.archive.claim_pages(floor.owner, floor.clock(), leases.PAGE_LEASE, shard=shard, limit=room)
            until = _most_of(leases.PAGE_LEASE)
            for job in jobs:
                read = _collect_one(floor, report, out, job, until)
                window.hold(job.article_id, asking.create_task(read))
            if len(jobs) < room:
                more = await entries.more()
    floor.archive.release_pages(floor.owner, window.late)


async def _collect_one(floor: Floor, report: Report, out: Stage, job: PageJob, until: float) -> bool:
    """Whether it was asked for before its time was over."""
    try:
        async with asyncio.timeout_at(until):
            asked = await ask_page(floor, job)
    except TimeoutError:
        return False
    collected = articles.compose(job, asked, floor.clock())
    try:
        await floor.pages.keep(collected)
    except RowRefused as error:  # what the feed says stands
        collected = articles.compose(job, Asked(error=error, status=asked.status), floor.clock())
        await floor.pages.keep(collected)
    report.grades[collected.grade.value] += 1
    detail = collected.error or collected.grade.value
    logs.say("read", source=job.source.id, article=job.article_id, status=collected.status, detail=detail)
    floor.watcher.collected(job, collected)
    out.brought()
    return True


async def ask_page(floor: Floor, job: PageJob) -> Asked:
    """One request for one page, and its text. A full-text source, or an entry without a link, is not asked for."""
    if job.entry.url is None or (job.source.full_text and job.entry.content):
        return Asked()
    answer: Answer | None = None
    try:
        answer = await floor.door.get(job.entry.url, want="page", robots=True)
        page = await _read_page(floor, job, answer)
    except WatchfloorError as error:
        return Asked(error=error, status=answer.status if answer else articles.status_of(error))
    except Exception as error:
        fault = _fault_of_ours("reading a page", error, article=job.article_id, url=job.entry.url)
        return Asked(error=fault, status=answer.status if answer else None)
    return Asked(page=page, final_url=answer.final_url, status=answer.status, raw=answer.body)


async def _read_page(floor: Floor, job: PageJob, answer: Answer) -> Page:
    """The page in full; behind the gate only if what the feed says, or a rough look at it, speaks for the story."""
    how: dict[str, Any] = {"content_type": answer.content_type, "url": answer.final_url, "now": floor.clock()}
    if floor.gate:
        matcher = await asyncio.to_thread(floor.matcher)
        if not _glance(matcher, job, Page(Grade.EMPTY)).relevant:
            rough = await floor.parsers.rough(answer.body, **how)
            if rough.grade is Grade.ROUGH:
                verdict = _glance(matcher, job, rough)
                if verdict.score < GATE * verdict.threshold:
                    return rough
    return await floor.parsers.page(answer.body, **how)


def _glance(matcher: Matcher, job: PageJob, page: Page) -> Verdict:
    """What the story looks like by the feed, and by what of its page is known."""
    text = f"{page.text[:LOOKED_AT]}\n\n{job.entry.summary}".strip()
    language = page.language or job.entry.language or job.source.language
    return matcher.judge(job.entry.title or page.title or "", text, language=language)


# -- judge, group, alert ----------------------------------------------------------------------------------------------


async def judge(floor: Floor, report: Report, texts: Stage) -> None:
    """Judge what was read, in batches; verdicts, stories and alerts of a batch are one transaction."""
    more = True
    while more:
        async with floor.judging:
            batch = floor.archive.claim_unjudged(floor.owner, floor.clock(), leases.JUDGE_LEASE, limit=JUDGED_AT_ONCE)
            if batch:
                await asyncio.to_thread(_settle, floor, report, batch)
        if not batch:
            await asyncio.to_thread(memory.give_back)  # else the holes that pages leave grow to 50 MB in a long cycle
            more = await texts.more()
            await texts.gather(JUDGED_EVERY)


def _settle(floor: Floor, report: Report, batch: Sequence[Article]) -> None:
    with floor.times.spent("judge"):
        judged = _name_safely(floor.namer(), [_weigh_safely(floor.matcher(), article) for article in batch])
        judged = _read_safely(floor.gists(), judged)
    now = floor.clock()
    with floor.times.spent("settle"):
        try:
            settled = floor.archive.settle(floor.owner, judged, stories.group, _teller(floor, now), now)
        except RowRefused as error:
            if len(batch) > 1:
                for one in batch:
                    _settle(floor, report, [one])
                return
            _fault_of_ours("settling", error, article=batch[0].id, url=batch[0].url)
            judged = [_unjudged(replace(batch[0], title="", text=""))]  # not indexed; the article keeps its words
            settled = floor.archive.settle(floor.owner, judged, stories.group, _teller(floor, now), now)
    report.judged += sum(one.verdict.judged for one in judged)
    report.not_judged += sum(not one.verdict.judged for one in judged)
    report.relevant += settled.relevant
    report.stories_new += settled.stories_new
    report.stories_updated += settled.stories_updated
    _note_alerts(floor, report, settled.alerts)


def _weigh_safely(matcher: Matcher, article: Article) -> Judged:
    """A text that our own rules choke on is kept as not judged: it must not hold up those behind it for ever."""
    try:
        return weigh(matcher, article)
    except Exception as error:
        _fault_of_ours("judging", error, article=article.id, url=article.url)
        return _unjudged(article)


def _unjudged(article: Article) -> Judged:
    return Judged(article, Verdict(judged=False, language=article.language, relevant=False, score=0, threshold=0))


def _name_safely(namer: Namer | None, judged: list[Judged]) -> list[Judged]:
    """What a model finds besides is welcome; if it fails, the verdicts stand without."""
    if namer is None:
        return judged
    try:
        return named(judged, namer)
    except Exception as error:
        _fault_of_ours("naming", error)
        return judged


def _read_safely(gists: Gists | None, judged: list[Judged]) -> list[Judged]:
    """So is what a model says they are about; if it fails, they are grouped by their words."""
    if gists is None:
        return judged
    try:
        return with_gists(judged, gists)
    except Exception as error:
        _fault_of_ours("reading for grouping", error)
        return judged


def _teller(floor: Floor, now: datetime) -> Tell:
    idle = alerting.idle_since(floor.archive.last_cycle(), now)
    return lambda states, recent: alerting.tell(
        states, floor.routes, now, recent=recent, names=floor.matcher().watchlist.topics, idle_since=idle
    )


def tell_rested(floor: Floor, report: Report) -> None:
    """What stories brought while their last message was too fresh for another."""
    now = floor.clock()
    idle = alerting.idle_since(floor.archive.last_cycle(), now)

    def tell(states: Sequence[StoryState], recent: Recent) -> list[Alert]:
        said = partial(alerting.tell, states, floor.routes, now, recent=recent, idle_since=idle, again=True)
        return said(names=floor.matcher().watchlist.topics) if said() else []  # the list is read where it is needed

    _note_alerts(floor, report, floor.archive.settle_rested(tell, alerting.UPDATE_REST, now))


def tell_baseline(floor: Floor, report: Report) -> None:
    """At most one message on each route sums up all that new sources brought with their first answer."""
    now = floor.clock()
    alerts = floor.archive.settle_baseline(lambda states, _: alerting.tell_baseline(states, floor.routes, now), now)
    _note_alerts(floor, report, alerts)


def write_digests(floor: Floor, report: Report) -> None:
    """The digests whose hour has come, by each route's own clock; after downtime one for all of the missed time."""
    now = floor.clock()
    for route in floor.routes:
        if route.digest is None:
            continue
        until, known = floor.archive.digested(route.name, now)
        period = alerting.digest_due(route, until, known, now)
        if period is None:
            continue
        alert = digest_of(floor.archive, route, period, now)
        if floor.archive.raise_alert(alert):
            _note_alerts(floor, report, [alert])


def digest_of(archive: Archive, route: Route, period: alerting.Period, now: datetime) -> Alert:
    """The digest of a period on a route, not yet stored."""
    briefs = alerting.for_digest(archive.states_between(*period), route)
    return alerting.digest(briefs, alerting.blind_spots(archive.coverage(*period)), period, route, now)


def _note_alerts(floor: Floor, report: Report, alerts: Sequence[Alert]) -> None:
    report.alerts += len(alerts)
    for alert in alerts:
        logs.say("alert", detail=f"{alert.kind} on {alert.route}: {alert.key}")
        floor.watcher.alerted(alert)


def review_incidents(
    archive: Archive, targets: Sequence[Target], ops: Sequence[str], now: datetime
) -> tuple[Alert, ...]:
    """Tell `ops` what is newly wrong with the monitor itself, and what is over; of each incident once."""
    vitals = archive.vitals(targets, now)
    return archive.review_incidents(lambda known: incidents.change(known, vitals, ops, now), now)


# -- deliver ----------------------------------------------------------------------------------------------------------


async def deliver(floor: Floor, report: Report) -> None:
    """Send what is due. A refused mail waits or dies in its own row and holds up nobody else."""
    now = floor.clock()
    floor.archive.free_dead_leases(leases.host_name(), leases.is_alive, now)
    floor.archive.release_held(lambda alerts: alerting.sum_up(alerts, now), now)
    targets = [target.id for target in floor.sender.targets]
    while targets and (due := _claim_deliveries(floor, targets)):
        await asyncio.gather(*(_deliver_one(floor, report, delivery) for delivery in due))
    waiting = floor.archive.pending_deliveries()
    report.pending = waiting.get("pending", 0) + waiting.get("held", 0)


def _claim_deliveries(floor: Floor, targets: Sequence[str]) -> list[Delivery]:
    lease = floor.sender.hard_limit + timedelta(minutes=1)  # outlasts the kill, or two would send
    now = floor.clock()
    resting = alerting.resting(floor.routes, now)
    return floor.archive.claim_deliveries(floor.owner, now, lease, targets=targets, limit=SENT_AT_ONCE, resting=resting)


async def _deliver_one(floor: Floor, report: Report, delivery: Delivery) -> None:
    outcome = await asyncio.to_thread(floor.sender.send, delivery)
    now = floor.clock()
    next_at = alerting.next_attempt(delivery.attempts, outcome, now, floor.jitter())
    floor.archive.keep_delivery(floor.owner, delivery.id, outcome, next_at, now)
    logs.say("sent" if outcome.result == "sent" else "not sent", target=delivery.target, detail=outcome.detail)
    report.sent += outcome.result == "sent"
    report.unknown += outcome.result == "unknown" and next_at is None
    report.dead += outcome.result in ("retry", "refused") and next_at is None
