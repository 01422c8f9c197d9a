"""The nouns of the house, one frozen type per stage.

    Source -> Entry -> Article -> Verdict -> Story -> Alert -> Delivery        (and Query -> Hit, over what was kept)

All times are aware and UTC. All texts have been through `watchfloor.clean` before they get in here. Offsets count code
points of the title or text they belong to; `end` is exclusive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, NamedTuple

Field = Literal["title", "text"]


# -- Source: a feed that we watch -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """A feed that we watch, as sources.yaml names it. `publisher` is whose voice it is: all its feeds are one voice."""

    id: str
    name: str
    url: str
    publisher: str
    country: str | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    every: timedelta = timedelta(minutes=30)
    full_text: bool = False


@dataclass(frozen=True, slots=True)
class FeedState:
    """What we remember of a source between polls. Validators belong to `validators_url`, sent to no other URL."""

    etag: str | None = None
    last_modified: str | None = None
    validators_url: str | None = None
    body_hash: str | None = None
    next_at: datetime | None = None  # None: never polled, due now
    first_answer: datetime | None = None  # None: no answer yet, so the next one is the baseline
    last_answer: datetime | None = None
    last_new: datetime | None = None  # when it last brought an entry we did not know
    gap_seconds: int | None = None  # its own rhythm: the median time between its items
    wait_seconds: int | None = None  # what the document asks us to wait (ttl and the like); a 304 does not repeat it
    closed_hours: int = 0  # bit 0 to 23: in these hours, UTC, the document asks not to be read (skipHours)
    closed_days: int = 0  # bit 0 to 6, Monday first: on these days it asks the same (skipDays)
    last_unconditional: datetime | None = None
    failures: int = 0  # in a row
    failing_since: datetime | None = None
    moved_to: str | None = None  # a permanent redirect, seen `moved_seen` times since `moved_since`
    moved_seen: int = 0
    moved_since: datetime | None = None
    gone: bool = False  # 410
    health: str = "new"  # one word: new, ok, failing, gone, silent, not-a-feed, undated, churning
    message: str | None = None  # the same in words


@dataclass(frozen=True, slots=True)
class PollJob:
    """A source claimed for polling, with what is remembered of it."""

    source: Source
    state: FeedState


# -- Entry: an item of a feed -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of one feed document. `keys` identify it in its source, strongest first; any known one makes it known.

    `url` is the link, canonical, None where the feed gives none that may be followed. `summary` and `content` are plain
    text with paragraphs as blank lines. `published` is what the publisher says, if it can be true.
    """

    keys: tuple[str, ...]
    title: str
    url: str | None = None
    summary: str = ""
    content: str = ""
    authors: tuple[str, ...] = ()
    published: datetime | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed document that was read. `minimum_wait`: ttl and sy:updatePeriod, as one duration.

    `closed_hours`, `closed_days`: when it asks not to be read, as in FeedState.
    `left_out`: the dates of further entries, which were known before and not read again.
    """

    entries: tuple[Entry, ...]
    title: str = ""
    dialect: str = ""  # rss20, atom10, rdf, json ...
    language: str | None = None
    minimum_wait: timedelta | None = None
    closed_hours: int = 0
    closed_days: int = 0
    encoding: str | None = None
    complaint: str | None = None  # what the parser did not like, in words
    undated: int = 0  # entries whose date is missing or cannot be true, those left out included
    left_out: tuple[datetime | None, ...] = ()

    @property
    def size(self) -> int:
        """How many entries the document has, those left out included."""
        return len(self.entries) + len(self.left_out)


@dataclass(frozen=True, slots=True)
class PollOutcome:
    """What one poll of one source led to; kept in one transaction, validators after entries."""

    source_id: str
    at: datetime
    # not_modified: a 304, or a body we have read already; put_off: it asks not to be read now, and was not
    result: Literal["read", "not_modified", "failed", "put_off"]
    state: FeedState
    entries: tuple[Entry, ...] = ()
    status: int | None = None
    error: str | None = None
    host: str | None = None
    host_not_before: datetime | None = None  # Retry-After holds for the whole host


# -- Article: an entry with its text ----------------------------------------------------------------------------------


class Grade(StrEnum):
    """What the page gave, honestly. Only FULL means that we have the article."""

    FULL = "full"
    ROUGH = "rough"  # the gate's own text: nothing in it spoke for the story, so the page was not read in full
    TEASER = "teaser"
    CONSENT = "consent wall"
    CHALLENGE = "challenge"
    EMPTY = "empty"
    FAILED = "failed"


TextFrom = Literal["page", "content", "summary", "title"]


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says, by itself: the result of extraction, before the feed is asked."""

    grade: Grade
    text: str = ""
    title: str | None = None
    authors: tuple[str, ...] = ()
    language: str | None = None
    published: datetime | None = None
    canonical_url: str | None = None


@dataclass(frozen=True, slots=True)
class PageJob:
    """An article claimed for collecting: its entry, its source, and how often it was tried."""

    article_id: int
    entry: Entry
    source: Source
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Collected:
    """What collecting one article led to. With `retry_at` the page is asked again then; until then this text stands."""

    article_id: int
    at: datetime
    title: str
    text: str
    text_from: TextFrom
    grade: Grade
    url: str | None = None
    authors: tuple[str, ...] = ()
    language: str | None = None
    published: datetime | None = None
    raw: bytes | None = None  # the page as it came, uncompressed
    status: int | None = None
    error: str | None = None
    retry_at: datetime | None = None
    busy_host: str | None = None  # a host that asked us to wait until `host_not_before`
    host_not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Article:
    """A row of the archive: what is judged, grouped, searched and shown."""

    id: int
    source_id: str
    publisher: str
    title: str
    text: str
    grade: Grade
    text_from: TextFrom
    first_seen: datetime
    url: str | None = None
    country: str | None = None
    authors: tuple[str, ...] = ()
    language: str | None = None
    published: datetime | None = None
    baseline: bool = False  # came with the first answer of its source
    official: bool = False  # its source is tagged `official`


# -- Verdict: does the desk care, and why -----------------------------------------------------------------------------


class Mention(NamedTuple):  # like EntityHit and Evidence: dozens a story, and made in a third of the time
    """A place where an entity is named."""

    field: Field
    start: int
    end: int
    text: str


class EntityHit(NamedTuple):
    """An entity of the watchlist that a text names. `by`: "list", or "model" for a name a statistical model found."""

    name: str
    kind: str
    mentions: tuple[Mention, ...]
    by: str = "list"

    def as_json(self) -> dict[str, object]:
        """An object, mentions included."""
        return {**self._asdict(), "mentions": [mention._asdict() for mention in self.mentions]}


class Evidence(NamedTuple):
    """One reason. `weight` is what it adds to the score (negative: what it takes away), after field and repetition."""

    term: str
    field: Field
    start: int
    end: int
    weight: float
    sentence: str
    topic: str | None = None
    kind: str = "keyword"  # keyword, entity, context, rule


@dataclass(frozen=True, slots=True)
class Verdict:
    """Data, not an opinion: the sum and all that went into it. `judged` is False where the list has no words."""

    judged: bool
    language: str | None
    relevant: bool
    score: float
    threshold: float
    topics: tuple[str, ...] = ()
    entities: tuple[EntityHit, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    watchlist: str = ""  # version: a hash of what the list says

    def as_json(self) -> dict[str, object]:
        """What `judge` prints, without the id: the keys that docs/commands.md promises, then the rest."""
        return {
            "judged": self.judged,
            "language": self.language,
            "relevant": self.relevant,
            "score": self.score,
            "topics": self.topics,
            "entities": [entity.as_json() for entity in self.entities],
            "evidence": [evidence._asdict() for evidence in self.evidence],
            "threshold": self.threshold,
            "watchlist": self.watchlist,
        }


# -- Story: articles about one event ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Brief:
    """What a message or a page says of one story: its best article, and who else carries it."""

    story_id: int
    headline: str
    url: str | None
    publisher: str
    others: tuple[str, ...]  # publishers, wire credits resolved, without `publisher`
    published: datetime | None
    first_seen: datetime
    sentence: str  # the strongest evidence's sentence
    marks: tuple[tuple[int, int], ...]  # spans of the evidence within `sentence`
    topics: tuple[str, ...]
    entities: tuple[str, ...]  # canonical names, most mentioned first
    grade: Grade
    score: float
    articles: int = 1
    official: bool = False
    source_ids: tuple[str, ...] = ()
    wire: str = ""  # whose words `publisher` prints, if not its own
    copies: tuple[str, ...] = ()  # further publishers that print words already counted: carriers, not voices
    news: str = ""  # what is new, in an update
    watched: tuple[str, ...] = ()  # those of `entities` that are on the watchlist, the others a model found


# -- Alert and Delivery -----------------------------------------------------------------------------------------------

AlertKind = Literal["story", "update", "baseline", "digest", "flood", "ops", "test"]
Hold = Literal["quiet hours", "flood", "downtime"]  # why an alert waits, to be summed up with others that wait


@dataclass(frozen=True, slots=True)
class Alert:
    """An intention to tell, committed with the story. `key` is unique: the same thing is never meant twice.

    It carries all that the message says, so that the message, the page and the archive cannot differ.
    """

    key: str
    kind: AlertKind
    route: str
    created: datetime
    subject: str  # our own words only, never a publisher's
    briefs: tuple[Brief, ...] = ()
    targets: tuple[str, ...] = ()  # ids of targets; one delivery row each
    not_before: datetime | None = None
    held: Hold | None = None  # until `not_before`; what is held on one route then comes as one message
    lines: tuple[str, ...] = ()  # further sentences of our own (ops, flood, baseline, why it was held)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a period's picture rests on, and what it could not see."""

    sources: int
    answered: int
    silent: tuple[str, ...]  # names of sources that brought nothing for long against their own rhythm
    failing: tuple[str, ...]
    articles: int
    teasers: int  # of them, those of which we have a part only
    copies: int  # relevant articles that told of a story which another one told as well
    unjudged: tuple[tuple[str | None, int], ...]  # language -> articles for which the watchlist has no words


# held: waits for its hour; folded: went out in a message that summed up, or its story was muted meanwhile
DeliveryState = Literal["pending", "sending", "sent", "dead", "unknown", "held", "folded"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert on its way to one target."""

    id: int
    alert_id: int
    target: str
    state: DeliveryState
    attempts: int
    message_id: str  # stable over all attempts
    alert: Alert
    next_at: datetime | None = None
    error: str | None = None
    sent_at: datetime | None = None
    refers_to: str | None = None  # of an update that is claimed: the message that told this target of the story first


@dataclass(frozen=True, slots=True)
class Posting:
    """An alert with what became of it at each target; none where nobody is told."""

    id: int
    alert: Alert
    deliveries: tuple[Delivery, ...]

    def as_json(self) -> dict[str, object]:
        """What `alerts list --format json` prints of it."""
        alert = self.alert
        return {
            "id": self.id,
            "kind": alert.kind,
            "route": alert.route,
            "created": alert.created,
            "subject": alert.subject,
            "lines": alert.lines,
            "briefs": alert.briefs,
            "deliveries": [
                {
                    "id": one.id,
                    "target": one.target,
                    "state": one.state,
                    "attempts": one.attempts,
                    "next_at": one.next_at,
                    "sent_at": one.sent_at,
                    "error": one.error,
                }
                for one in self.deliveries
            ],
        }


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """What became of one attempt. unknown: the target may have taken it (time-out, cut after the data)."""

    result: Literal["sent", "retry", "refused", "unknown"]
    detail: str = ""
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class StoryRecord:
    """All that the archive knows of one story. `articles` are the relevant ones, oldest first."""

    brief: Brief
    articles: tuple[Article, ...]
    muted: bool
    followed: bool
    related: tuple[Brief, ...]  # other stories that may be about the same event
    postings: tuple[Posting, ...]  # what was told of it, newest first

    def as_json(self) -> dict[str, object]:
        """What `story show --format json` prints."""
        return {
            "id": self.brief.story_id,
            "muted": self.muted,
            "followed": self.followed,
            "story": self.brief,
            "articles": [
                {
                    "id": one.id,
                    "title": one.title,
                    "url": one.url,
                    "publisher": one.publisher,
                    "source": one.source_id,
                    "published": one.published,
                    "first_seen": one.first_seen,
                    "grade": one.grade,
                }
                for one in self.articles
            ],
            "related": [{"id": one.story_id, "headline": one.headline} for one in self.related],
            "alerts": [posting.as_json() for posting in self.postings],
        }


# -- Query and Hit ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows a search besides its words. `everything`: also what was judged irrelevant or not at all."""

    since: datetime | None = None
    until: datetime | None = None
    sources: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    everything: bool = False


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A search with a name, for feeds and routes. `words` is a query as it was typed, "" for none."""

    name: str
    words: str = ""
    sources: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    everything: bool = False

    @property
    def filters(self) -> Filters:
        """What narrows it, whenever the articles came."""
        return Filters(
            sources=self.sources,
            topics=self.topics,
            entities=self.entities,
            publishers=self.publishers,
            countries=self.countries,
            languages=self.languages,
            everything=self.everything,
        )


@dataclass(frozen=True, slots=True)
class Hit:
    """An article that a search found. `snippet` is plain text, an ellipsis where it is cut; `marks` are spans in it."""

    id: int
    title: str
    url: str | None
    source: str
    publisher: str
    published: datetime | None
    first_seen: datetime
    score: float | None
    topics: tuple[str, ...]
    entities: tuple[str, ...]
    snippet: str
    marks: tuple[tuple[int, int], ...]
    story: int | None


@dataclass(frozen=True, slots=True)
class Hits:
    """A page of hits. `after` is the key of the next page, None on the last; `total_exact` False: at least so many.

    `reached`: the page and the total are of what was published since then; what is older follows. None: of all.
    """

    total: int
    hits: tuple[Hit, ...] = field(default=())
    after: str | None = None
    total_exact: bool = True
    reached: datetime | None = None


@dataclass(frozen=True, slots=True)
class Facet:
    """A value that matches of a search have in common, and how many have it."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class Facets:
    """What the matches of a search are about and where they are from, the most frequent value first.

    `months` are those of UTC ("2026-11"), latest first, none left out. `one_in`: 1 if every match was counted; else one
    match in so many was, evenly spread over time, and every count, beyond 10,000 `total` too, is the estimate that
    follows. `partly`: only the newest matches were looked at, so there may be more of each (capitals were asked for).
    """

    total: int
    one_in: int = 1
    partly: bool = False
    topics: tuple[Facet, ...] = ()
    entities: tuple[Facet, ...] = ()
    publishers: tuple[Facet, ...] = ()
    countries: tuple[Facet, ...] = ()
    languages: tuple[Facet, ...] = ()
    months: tuple[Facet, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether the counts are the truth, and neither estimates nor lower bounds."""
        return self.one_in == 1 and not self.partly


class Clipping(NamedTuple):
    """An article as it leaves the archive. A tuple, because a million of them leave in one go.

    `language` is the one it was judged in, `page_sha256` the hash of the page as it came.
    """

    id: int
    title: str
    url: str | None
    source: str
    publisher: str
    country: str | None
    language: str | None
    authors: Sequence[str]
    published: datetime | None
    first_seen: datetime
    grade: str
    relevant: bool
    score: float
    topics: Sequence[str]
    entities: Sequence[str]
    story: int | None
    page_sha256: str | None
    text: str


# -- Vitals: how the monitor itself does ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """A source that is not well, in one word and in a sentence."""

    id: str
    name: str
    health: str
    message: str | None
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """How a target has behaved since it last took a message: tries of what waits, and messages lost to it."""

    target: str  # its id
    name: str
    attempts: int
    lost: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Vitals:
    """What an operator would look at. `late`: articles whose turn came hours ago; `disk`: bytes free and in all."""

    sources: tuple[SourceHealth, ...]
    targets: tuple[TargetHealth, ...]
    late: int
    late_since: datetime | None
    disk: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """An incident: something that is wrong with the monitor itself. `said` is a sentence of our own."""

    key: str
    said: str


@dataclass(frozen=True, slots=True)
class Change:
    """What is newly wrong, what is over, and the message that says so; None if neither."""

    opened: tuple[Trouble, ...]
    closed: tuple[Trouble, ...]
    alert: Alert | None


# -- Record: all that the archive knows of one article ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """An item of a feed that led to an article."""

    source_id: str
    first_seen: datetime
    entry: Entry


@dataclass(frozen=True, slots=True)
class Record:
    """One article, stage by stage. `waits_for`: the stages still to come (collect, judge, sum up), none when done."""

    article: Article
    source: Source
    seen: tuple[Seen, ...]
    waits_for: tuple[str, ...]
    attempts: int = 0
    fetched_at: datetime | None = None
    status: int | None = None
    error: str | None = None
    raw_bytes: int | None = None
    raw_sha256: str | None = None
    duplicate_of: int | None = None
    old_news: bool = False  # published long before its source was first seen
    pruned: datetime | None = None
    verdict: Verdict | None = None
    judged_at: datetime | None = None
    story: Brief | None = None
    deliveries: tuple[Delivery, ...] = ()
    label: bool | None = None  # an analyst's judgement

    def as_json(self) -> dict[str, object]:
        """What `show --format json` prints: the keys that docs/commands.md promises, then the rest."""
        article = self.article
        return {
            "id": article.id,
            "title": article.title,
            "url": article.url,
            "text": article.text,
            "grade": article.grade,
            "published": article.published,
            "first_seen": article.first_seen,
            "source": article.source_id,
            "verdict": self.verdict and self.verdict.as_json(),
            "story": self.story,
            "deliveries": self.deliveries,
            "publisher": article.publisher,
            "language": article.language,
            "authors": article.authors,
            "text_from": article.text_from,
            "baseline": article.baseline,
            "old_news": self.old_news,
            "seen": self.seen,
            "waits_for": self.waits_for,
            "fetched_at": self.fetched_at,
            "error": self.error,
            "raw_sha256": self.raw_sha256,
            "duplicate_of": self.duplicate_of,
            "label": self.label,
        }


@dataclass(frozen=True, slots=True)
class Labelled:
    """An analyst's judgement of an article, beside `relevant` and `score` of its verdict, None where there is none."""

    article: Article
    label: bool
    at: datetime
    relevant: bool | None = None
    score: float | None = None
    story: int | None = None

    def as_json(self) -> dict[str, object]:
        """What `label --list --format json` prints of it."""
        return {
            "id": self.article.id,
            "title": self.article.title,
            "url": self.article.url,
            "source": self.article.source_id,
            "label": self.label,
            "relevant": self.relevant,
            "score": self.score,
            "at": self.at,
        }


# -- Census: the archive in numbers -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Queue:
    """What is due at a stage: how many rows, and for how many seconds the oldest of them."""

    waiting: int = 0
    oldest: float = 0.0


@dataclass(frozen=True, slots=True)
class LastCycle:
    """The last cycle that ended well; `report` is what `run --format json` printed of it."""

    ended: datetime
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Census:
    """How much there is of everything, by kind, and what waits."""

    sources: Mapping[str, int]  # health -> how many
    entries: int
    articles: Mapping[str, int]  # grade -> how many
    verdicts: Mapping[str, int]
    stories: int
    alerts: Mapping[str, int]  # kind -> how many
    deliveries: Mapping[str, int]  # state -> how many
    queues: Mapping[str, Queue]  # poll, collect, judge, sum up, deliver
    last_cycle: LastCycle | None
