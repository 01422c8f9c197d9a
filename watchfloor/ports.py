"""What the pipeline needs of others: Protocols that belong to the caller. `watchfloor.wiring` says who fills them.

Times are aware UTC. `owner` is a lease's owner, "host:pid:start" (see `watchfloor.leases`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, Protocol

from watchfloor.model import (
    Alert,
    Article,
    Brief,
    Change,
    Collected,
    Coverage,
    Delivery,
    Feed,
    FeedState,
    Filters,
    Hits,
    Page,
    PageJob,
    PollJob,
    PollOutcome,
    SendOutcome,
    Source,
    Trouble,
    Verdict,
    Vitals,
)
from watchfloor.query import Node

Clock = Callable[[], datetime]
NOTHING_KNOWN: Mapping[str, datetime | None] = {}


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of the work: the hosts whose hash is `index` modulo `count`, so that a host is in one shard only."""

    index: int = 0
    count: int = 1


# -- the door ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """A usable answer. `headers` has lower-case names. `permanent_url`: where 301/308 alone led, None without one.

    `status` is 200 (any 2xx) with a body, or 304 without; everything else is raised.
    """

    url: str
    final_url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    permanent_url: str | None = None

    @property
    def content_type(self) -> str:
        """The Content-Type header as it came, or ''."""
        return self.headers.get("content-type", "")


class Door(Protocol):
    """The only way out: guarded, polite, conditional. Raises errors of the FetchError branch only."""

    async def get(
        self,
        url: str,
        *,
        want: Literal["feed", "page", "any"] = "any",
        etag: str | None = None,
        last_modified: str | None = None,
        robots: bool = False,
        named_by_user: bool = False,
    ) -> Answer:
        """Ask once. Validators go to `url` only, never to where it redirects. `robots`: obey robots.txt (pages).
        `named_by_user`: the URL is a source's own, so any port it names is meant."""
        ...


class Parsers(Protocol):
    """Foreign bytes -> Feed or Page, in processes that are killed when they outrun time or memory. Raise ParseError."""

    async def feed(
        self,
        body: bytes,
        *,
        content_type: str,
        url: str,
        now: datetime,
        known: Mapping[str, datetime | None] = NOTHING_KNOWN,
    ) -> Feed:
        """`url`: where the body came from, against which relative links are resolved. `known`: keys of entries that
        need not be read again, with their dates."""
        ...

    async def page(self, body: bytes, *, content_type: str, url: str, now: datetime) -> Page: ...

    async def rough(self, body: bytes, *, content_type: str, url: str, now: datetime) -> Page:
        """The same at a fifth of the cost, with a rougher text: grade ROUGH, or EMPTY where there is too little."""
        ...

    async def feed_links(self, body: bytes, *, url: str) -> tuple[str, ...]:
        """The addresses of feeds that a page names, likeliest first."""
        ...


# -- the archive ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judged:
    """An article with its verdict and, if it is relevant, its sketch for grouping (`watchfloor.stories`)."""

    article: Article
    verdict: Verdict
    sketch: bytes | None = None


@dataclass(frozen=True, slots=True)
class Sketched:
    """An article that already has a story, as grouping needs it."""

    article_id: int
    story_id: int
    sketch: bytes
    parted: frozenset[int] = frozenset()  # stories that an analyst has parted this article's story from


@dataclass(frozen=True, slots=True)
class StoryState:
    """A story as it stands after grouping, with what was told of it: what alerting decides upon."""

    brief: Brief
    articles: tuple[Article, ...]  # oldest first
    baseline: bool  # all of its relevant articles came with a source's first answer
    new: bool  # it did not exist before this batch
    fresh_ids: tuple[int, ...]  # articles that joined in this batch
    told: Mapping[str, datetime]  # route -> when it was last told there
    told_brief: Mapping[str, Brief]  # route -> what was told last
    muted: bool = False
    followed: bool = False  # an analyst wants to hear of every further article


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which story each article belongs to. Equal `label`s are one new story; a known story is named by its id.

    `merged`: younger story id -> older one that it turned out to be. `related`: pairs of article ids, possibly related.
    """

    story_of: Mapping[int, int | str]
    merged: Mapping[int, int]
    related: tuple[tuple[int, int], ...] = ()


class Digested(NamedTuple):
    """How far a route's digests have come: `until` is None before the first, `known` when the route was first seen."""

    until: datetime | None
    known: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """What settling a batch led to, counted, with the alerts that it created."""

    relevant: int
    stories_new: int
    stories_updated: int
    alerts: tuple[Alert, ...]


Told = tuple[str, str, Verdict]  # title, text, and the verdict on them
Namer = Callable[[Sequence[Told]], list[Verdict]]  # the verdicts with further names, in order
Gists = Callable[[Sequence[tuple[str, str]]], list[bytes]]  # titles and texts -> what they are about, `watchfloor.gist`
Group = Callable[[Sequence[tuple[int, bytes]], Sequence[Sketched]], Grouping]
Recent = Mapping[str, Sequence[datetime]]  # route -> when its messages of the last day went out, oldest first
Tell = Callable[[Sequence[StoryState], Recent], Sequence[Alert]]
SumUp = Callable[[Sequence[Alert]], Alert]
Decide = Callable[[Sequence[Trouble]], Change]  # open incidents -> what is newly wrong, and what is over


class Archive(Protocol):
    """The truth. Every method is one short transaction; every claim is a lease; every write is safe to repeat."""

    # sources and polling
    def register(self, sources: Iterable[Source], now: datetime) -> None:
        """Make the archive know these and only these; what is remembered of a known id stays."""
        ...

    def claim_sources(
        self,
        owner: str,
        now: datetime,
        lease: timedelta,
        *,
        shard: Shard,
        limit: int,
        everything: bool = False,
        but_not: Collection[str] = (),
    ) -> list[PollJob]:
        """Due sources (all with `everything`, but none whose host is inside a Retry-After), oldest due first.
        `but_not`: ids of sources that this cycle has asked already."""
        ...

    def known_entries(self, source_id: str, limit: int) -> Mapping[str, datetime | None]:
        """Keys of the newest `limit` entries of a source, each with its entry's date: a hint for the parser."""
        ...

    def keep_polls(self, owner: str, outcomes: Sequence[PollOutcome]) -> Sequence[int]:
        """For each insert the entries that are not known, each with an article to collect (or joined to the article
        that has its link already), then state and validators; free the lease. Returns the numbers of new entries."""
        ...

    def release_sources(self, owner: str, ids: Iterable[str]) -> None:
        """Give claimed sources back unpolled."""
        ...

    # pages
    def claim_pages(self, owner: str, now: datetime, lease: timedelta, *, shard: Shard, limit: int) -> list[PageJob]:
        """Articles whose page is to be asked for, first time or again, none whose host is inside a Retry-After."""
        ...

    def keep_pages(self, owner: str, pages: Sequence[Collected]) -> Sequence[None]:
        """For each store text and grade, fold it into another article of the same source with the same canonical link
        and title, queue it for judging; free the lease."""
        ...

    def release_pages(self, owner: str, article_ids: Iterable[int]) -> None:
        """Give claimed pages back unasked; it counts as no attempt."""
        ...

    # judging, grouping, alerting
    def claim_unjudged(self, owner: str, now: datetime, lease: timedelta, *, limit: int) -> list[Article]: ...

    def settle(self, owner: str, judged: Sequence[Judged], group: Group, tell: Tell, now: datetime) -> Settled:
        """Verdicts, stories, alerts and delivery rows of one batch, in one transaction that excludes other settlers.
        `group` and `tell` are pure and run inside it, so that what went out lately is what others committed.
        An article that was judged before keeps its story."""
        ...

    def settle_rested(self, tell: Tell, rest: timedelta, now: datetime) -> tuple[Alert, ...]:
        """Give `tell` the stories that got news since a message of them that was sent `rest` ago or some hours more,
        and store the alerts it makes, in one transaction."""
        ...

    def settle_baseline(self, tell: Tell, now: datetime) -> tuple[Alert, ...]:
        """Give `tell` all stories of quiet articles that were never summed up, store the alerts it makes, and mark
        the articles as summed up, in one transaction. Quiet: they came with a source's first answer, or were read
        before and match only now."""
        ...

    def release_held(self, sum_up: SumUp, now: datetime) -> int:
        """Let go what was held until now: where several alerts of a route waited for a target, `sum_up` makes one of
        them, in one transaction. Returns how many alerts were let go."""
        ...

    def raise_alert(self, alert: Alert) -> bool:
        """Store an alert that comes from no batch (ops, digest, test). False if its key is known."""
        ...

    # digests
    def digested(self, route: str, now: datetime) -> Digested:
        """Up to when the route's latest digest goes. A route that is asked for the first time is known from `now`."""
        ...

    def states_between(self, since: datetime, until: datetime) -> Sequence[StoryState]:
        """Stories that were new or changed in this time (`until` excluded), latest change first."""
        ...

    def coverage(self, since: datetime, until: datetime) -> Coverage:
        """What the picture of this time rests on."""
        ...

    # deliveries
    def claim_deliveries(
        self,
        owner: str,
        now: datetime,
        lease: timedelta,
        *,
        targets: Sequence[str],
        limit: int,
        resting: Collection[str] = (),
    ) -> list[Delivery]:
        """Deliveries that are due to these targets, oldest first; none of routes that are `resting`."""
        ...

    def keep_delivery(
        self, owner: str, delivery_id: int, outcome: SendOutcome, next_at: datetime | None, now: datetime
    ) -> None:
        """Write down what became of it; `next_at` None ends it (sent, dead, unknown), else it is pending again."""
        ...

    def pending_deliveries(self) -> Mapping[str, int]:
        """How many deliveries are in each state."""
        ...

    # incidents
    def vitals(self, targets: Sequence[Target], now: datetime) -> Vitals:
        """How the monitor itself does, and how these targets do."""
        ...

    def review_incidents(self, decide: Decide, now: datetime) -> tuple[Alert, ...]:
        """Give `decide` the open incidents, keep those it opens, forget those it closes and store its alert, in one
        transaction."""
        ...

    # cycles
    def keep_cycle(self, began: datetime, ended: datetime, report: Mapping[str, Any]) -> None:
        """Write down that a cycle ended well, and what it did."""
        ...

    def rest(self) -> None:
        """Give back what is held for speed alone, until somebody asks again."""
        ...

    def keep_quiet(self, files: str, until: datetime | None) -> None:
        """Write down that all was done with these files of the user's, and when the next digest is to be written."""
        ...

    def last_cycle(self) -> datetime | None:
        """When the last cycle ended well."""
        ...

    # leases
    def free_dead_leases(self, host: str, alive: Callable[[str], bool], now: datetime) -> int:
        """Free what dead processes of `host` hold, and what is leased further ahead than any lease may be.

        Where the clock was set back, feeds that wait by the old time are due.
        """
        ...

    # reading
    def search(self, query: Node | None, filters: Filters, *, limit: int, after: str | None, by: str) -> Hits: ...

    def states(self) -> Mapping[str, FeedState]:
        """What is remembered of each source."""
        ...


# -- sending ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """Where alerts go: one recipient or channel. `id` is stable and no secret, `name` is safe to show."""

    id: str
    name: str
    tags: tuple[str, ...]


class Sender(Protocol):
    """Sends one alert to one target, in a process that can be killed; never raises for what the target does."""

    @property
    def targets(self) -> Sequence[Target]: ...

    @property
    def hard_limit(self) -> timedelta:
        """After this a send has been killed. A delivery's lease is longer."""
        ...

    def send(self, delivery: Delivery) -> SendOutcome: ...
