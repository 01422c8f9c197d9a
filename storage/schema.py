"""The tables. Names and columns are meant to be pleasant for whoever queries the archive with other tools.

    sources -> entries -> articles -> verdicts, mentions, article_topics -> stories -> alerts -> deliveries

`work` holds what is still to be done for an article; a row goes when its work is done, so claims stay quick however
large the archive grows, and an article's row, with its text, is not rewritten by a lease. The full-text index
(`article_words`) is made by the migration: it is a virtual table on SQLite and a tsvector table on PostgreSQL.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.types import TypeEngine

from storage.times import UtcDateTime

T = TypeVar("T")
METADATA = MetaData(
    naming_convention={  # so that a migration can name what it changes
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only in a column that is declared INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")


class Json(TypeDecorator[Any]):
    """`jsonb` on PostgreSQL, JSON as text on SQLite. PostgreSQL's dialect, slow to import, is left to who uses it."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """The type that the database has."""
        if dialect.name != "postgresql":
            return dialect.type_descriptor(JSON())
        from sqlalchemy.dialects.postgresql import JSONB

        return dialect.type_descriptor(JSONB())


class Rows:
    """A table and, as attributes, its columns; a statement takes the class itself for the table.

    SQLAlchemy's own classes for this map objects as well, which nobody here asks for: importing `sqlalchemy.orm` and
    mapping 23 tables was a quarter of what `watchfloor search` takes to start.
    """

    __tablename__: ClassVar[str]
    __table_args__: ClassVar[tuple[Any, ...]] = ()
    __table__: ClassVar[Table]

    def __init_subclass__(cls) -> None:
        """Make the table of the columns, each named as its attribute is."""
        columns = {name: value for name, value in vars(cls).items() if isinstance(value, Column)}
        for name, one in columns.items():
            one.name = one.key = name
        cls.__table__ = Table(cls.__tablename__, METADATA, *columns.values(), *cls.__table_args__)

    @classmethod
    def __clause_element__(cls) -> Table:
        return cls.__table__


def column(kind: type[TypeEngine[T]] | TypeEngine[T], *more: ForeignKey, **options: Any) -> Column[T]:
    """A column that always has a value."""
    return Column(kind, *more, nullable=False, **options)


def maybe(kind: type[TypeEngine[T]] | TypeEngine[T], *more: ForeignKey) -> Column[T | None]:
    """A column that may be empty."""
    return cast("Column[T | None]", Column(kind, *more, nullable=True))


def _id() -> Column[int]:
    return Column(Id, Identity(), primary_key=True)


def _refers(other: str, **options: Any) -> Column[int]:
    return column(Id, ForeignKey(other, ondelete="CASCADE"), **options)


class SourceRow(Rows):
    """A source, what is remembered of it between polls, and who is polling it now."""

    __tablename__ = "sources"
    __table_args__ = (Index(None, "next_at"), Index(None, "owner"))

    id = column(Text, primary_key=True)
    name = column(Text)
    url = column(Text)
    publisher = column(Text)
    country = maybe(Text)
    language = maybe(Text)
    tags = column(Json)
    every_seconds = column(Integer)
    full_text = column(Boolean)
    active = column(Boolean)
    added = column(UtcDateTime)
    host = column(Text)
    host_hash = column(Integer)

    etag = maybe(Text)
    last_modified = maybe(Text)
    validators_url = maybe(Text)
    body_hash = maybe(Text)
    next_at = maybe(UtcDateTime)
    first_answer = maybe(UtcDateTime)
    last_answer = maybe(UtcDateTime)
    last_new = maybe(UtcDateTime)
    last_unconditional = maybe(UtcDateTime)
    failures = column(Integer, default=0)
    failing_since = maybe(UtcDateTime)
    moved_to = maybe(Text)
    moved_seen = column(Integer, default=0)
    moved_since = maybe(UtcDateTime)
    gap_seconds = maybe(Integer)
    wait_seconds = maybe(Integer)
    closed_hours = column(Integer, default=0, server_default="0")
    closed_days = column(Integer, default=0, server_default="0")
    gone = column(Boolean, default=False)
    health = column(Text, default="new")
    message = maybe(Text)

    owner = maybe(Text)
    until = maybe(UtcDateTime)


class HostRow(Rows):
    """A host that asked us to wait."""

    __tablename__ = "hosts"

    host = column(Text, primary_key=True)
    not_before = column(UtcDateTime)


class ArticleRow(Rows):
    """An article: one page of the press, whichever feeds named it. `text` is last: lists need not read past it.

    `key` is the canonical URL, or the entry's identity where there is none. `dated` is when it was published, else
    first seen: what search sorts and filters by. `old_news`: published long before its source was first seen.
    `word_key`: its key in `article_words`, empty while it is not indexed. `pruned`: when its text was let go.
    `page_sha256`: of the page as it came; stays when `raw_pages` lets the page go.
    """

    __tablename__ = "articles"
    __table_args__ = (
        UniqueConstraint("key"),
        Index(None, "canonical_url", "source_id"),
        Index(None, "first_seen", "source_id", "grade", "fetched_at"),
        Index(None, "dated"),
        Index(None, "story_id"),
        Index(None, "url"),
        Index(None, "duplicate_of"),  # of the few that are: the migration says so in each dialect's words
    )

    id = _id()
    key = column(Text)
    source_id = column(Text, ForeignKey("sources.id"))
    title = column(Text)
    url = maybe(Text)
    canonical_url = maybe(Text)
    authors = column(Json)
    language = maybe(Text)
    published = maybe(UtcDateTime)
    first_seen = column(UtcDateTime)
    dated = column(UtcDateTime)
    fetched_at = maybe(UtcDateTime)
    grade = column(Text)
    text_from = column(Text)
    status = maybe(Integer)
    error = maybe(Text)
    baseline = column(Boolean)
    old_news = column(Boolean)
    duplicate_of = maybe(Id, ForeignKey("articles.id"))
    story_id = maybe(Id, ForeignKey("stories.id"))
    word_key = maybe(BigInteger)
    pruned = maybe(UtcDateTime)
    page_sha256 = maybe(Text)
    text = column(Text)


class EntryRow(Rows):
    """An item of a feed, as the feed gave it."""

    __tablename__ = "entries"
    __table_args__ = (Index(None, "article_id"), Index(None, "source_id"))

    id = _id()
    source_id = column(Text, ForeignKey("sources.id"))
    article_id = _refers("articles.id")
    title = column(Text)
    url = maybe(Text)
    authors = column(Json)
    published = maybe(UtcDateTime)
    language = maybe(Text)
    first_seen = column(UtcDateTime)
    summary = column(Text)
    content = column(Text)


class EntryKeyRow(Rows):
    """A key by which a source's entry is known; `position` 0 is the strongest."""

    __tablename__ = "entry_keys"
    __table_args__ = (Index(None, "entry_id"),)

    source_id = column(Text, ForeignKey("sources.id"), primary_key=True)
    key = column(Text, primary_key=True)
    entry_id = _refers("entries.id")
    position = column(Integer)


class WorkRow(Rows):
    """Something that is still to be done for an article, and who is doing it.

    Stages: `collect` (ask for the page), `judge`, `sum up` (tell of it in the message about a new source's old items).
    """

    __tablename__ = "work"
    __table_args__ = (Index(None, "stage", "due_at"), Index(None, "owner"))

    article_id = _refers("articles.id", primary_key=True)
    stage = column(String(10), primary_key=True)
    due_at = column(UtcDateTime)
    attempts = column(Integer, default=0)
    host = column(Text, default="")
    host_hash = column(Integer, default=0)
    owner = maybe(Text)
    until = maybe(UtcDateTime)


class RawPageRow(Rows):
    """A page as it came, compressed with zlib; `digest` is the SHA-256 of the page itself."""

    __tablename__ = "raw_pages"
    __table_args__ = (Index(None, "fetched_at"),)

    article_id = _refers("articles.id", primary_key=True, autoincrement=False)
    fetched_at = column(UtcDateTime)
    size = column(Integer)
    digest = column(Text)
    html = column(LargeBinary)


class VerdictRow(Rows):
    """The last verdict on an article. `evidence` is a list of objects with the fields of `model.Evidence`."""

    __tablename__ = "verdicts"
    __table_args__ = (Index(None, "relevant", "article_id"),)

    article_id = _refers("articles.id", primary_key=True, autoincrement=False)
    judged = column(Boolean)
    language = maybe(Text)
    relevant = column(Boolean)
    score = column(Float)
    threshold = column(Float)
    watchlist = column(Text)
    judged_at = column(UtcDateTime)
    evidence = column(Json)
    sketch = maybe(LargeBinary)


class MentionRow(Rows):
    """An entity that an article names. `places` is a list of [field, start, end, text], `mentions` its length."""

    __tablename__ = "mentions"
    __table_args__ = (Index(None, "entity", "article_id"),)

    article_id = _refers("articles.id", primary_key=True, autoincrement=False)
    entity = column(Text, primary_key=True)
    kind = column(Text)
    by = column(Text)
    position = column(Integer)
    mentions = column(Integer)
    places = column(Json)


class ArticleTopicRow(Rows):
    """A topic of the watchlist that an article is about; `position` 0 is the verdict's first."""

    __tablename__ = "article_topics"
    __table_args__ = (Index(None, "topic", "article_id"),)

    article_id = _refers("articles.id", primary_key=True, autoincrement=False)
    topic = column(Text, primary_key=True)
    position = column(Integer)


class FacetRow(Rows):
    """What a search counts its matches by, besides topics and entities: small rows in the index's own order."""

    __tablename__ = "facets"

    word_key = column(Id, primary_key=True, autoincrement=False)
    source_id = column(Text)
    language = maybe(Text)


class StoryRow(Rows):
    """Articles about one event. A story that turned out to be another's points to the older one.

    `muted`: nothing more is told of it. `followed`: every further article is told.
    """

    __tablename__ = "stories"
    __table_args__ = (Index(None, "updated"),)

    id = _id()
    title = column(Text)
    first_seen = column(UtcDateTime)
    updated = column(UtcDateTime)
    muted = column(Boolean, default=False)
    followed = column(Boolean, default=False, server_default=false())
    merged_into = maybe(Id, ForeignKey("stories.id"))


class PartedRow(Rows):
    """Two stories that an analyst has parted: grouping does not join them again. The older id comes first."""

    __tablename__ = "parted"
    __table_args__ = (Index(None, "other_id"),)

    story_id = _refers("stories.id", primary_key=True, autoincrement=False)
    other_id = _refers("stories.id", primary_key=True, autoincrement=False)


class RelatedRow(Rows):
    """Two articles that may be about one event; the older id comes first."""

    __tablename__ = "related"
    __table_args__ = (Index(None, "other_id"),)

    article_id = _refers("articles.id", primary_key=True, autoincrement=False)
    other_id = _refers("articles.id", primary_key=True, autoincrement=False)


class AlertRow(Rows):
    """An intention to tell. `payload` is the whole `model.Alert` as JSON."""

    __tablename__ = "alerts"
    __table_args__ = (UniqueConstraint("key"), Index(None, "created"))

    id = _id()
    key = column(Text)
    kind = column(Text)
    route = column(Text)
    created = column(UtcDateTime)
    subject = column(Text)
    payload = column(Json)


class AlertStoryRow(Rows):
    """A story that an alert told on a route, and what was said of it."""

    __tablename__ = "alert_stories"
    __table_args__ = (Index(None, "story_id", "route"),)

    alert_id = _refers("alerts.id", primary_key=True, autoincrement=False)
    story_id = _refers("stories.id", primary_key=True, autoincrement=False)
    route = column(Text)
    told_at = column(UtcDateTime)
    brief = column(Json)


class DeliveryRow(Rows):
    """One alert on its way to one target, and who is sending it now."""

    __tablename__ = "deliveries"
    __table_args__ = (UniqueConstraint("alert_id", "target"), Index(None, "state", "next_at"), Index(None, "owner"))

    id = _id()
    alert_id = _refers("alerts.id")
    target = column(Text)
    state = column(Text)
    attempts = column(Integer, default=0)
    message_id = column(Text)
    next_at = column(UtcDateTime)
    error = maybe(Text)
    sent_at = maybe(UtcDateTime)
    owner = maybe(Text)
    until = maybe(UtcDateTime)


class LabelRow(Rows):
    """An analyst's judgement of an article."""

    __tablename__ = "labels"

    article_id = _refers("articles.id", primary_key=True, autoincrement=False)
    relevant = column(Boolean)
    at = column(UtcDateTime)


class SavedSearchRow(Rows):
    """A search that was given a name. `question` is an object with the fields of `model.SavedSearch` that ask for
    something."""

    __tablename__ = "saved_searches"

    name = column(Text, primary_key=True)
    question = column(Json)
    saved = column(UtcDateTime)


class CycleRow(Rows):
    """A cycle that ended well, and what it did."""

    __tablename__ = "cycles"
    __table_args__ = (Index(None, "ended"),)

    id = _id()
    began = column(UtcDateTime)
    ended = column(UtcDateTime)
    report = column(Json)


class IncidentRow(Rows):
    """Something that is wrong with the monitor itself, and that `ops` was told of; the row goes when it is over."""

    __tablename__ = "incidents"

    key = column(Text, primary_key=True)
    said = column(Text)
    opened = column(UtcDateTime)


class NoteRow(Rows):
    """What the archive knows of itself, by name.

    `words`: the version of the rule by which `article_words` was filled; `quiet`: see `storage.quiet`; `route:NAME`:
    since when a route with digests is known.
    """

    __tablename__ = "notes"

    name = column(Text, primary_key=True)
    value = column(Text)
