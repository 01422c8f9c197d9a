"""The tables. Names and columns are meant to be pleasant for whoever queries the archive with other tools.

    sources -> entries -> articles -> verdicts, mentions, article_topics -> stories -> alerts -> deliveries

`work` holds what is still to be done for an article; a row goes when its work is done, so claims stay quick however
large the archive grows, and an article's row, with its text, is not rewritten by a lease. The full-text index
(`article_words`) is made by the migration: it is a virtual table on SQLite and a tsvector table on PostgreSQL.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Dialect,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from storage.times import UtcDateTime

NAMING = {  # so that a migration can name what it changes
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

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


class Base(DeclarativeBase):
    """All tables share one MetaData with named constraints."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - read once by SQLAlchemy while the class is made
        datetime: UtcDateTime,
        str: Text,
        int: Integer,
        float: Float,
        bool: Boolean,
        bytes: LargeBinary,
    }


def _id() -> Mapped[int]:
    return mapped_column(Id, Identity(), primary_key=True)


def _refers(column: str, **options: Any) -> Mapped[Any]:
    return mapped_column(Id, ForeignKey(column, ondelete="CASCADE"), **options)


class SourceRow(Base):
    """A source, what is remembered of it between polls, and who is polling it now."""

    __tablename__ = "sources"
    __table_args__ = (Index(None, "next_at"), Index(None, "owner"))

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    url: Mapped[str]
    publisher: Mapped[str]
    country: Mapped[str | None]
    language: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(Json)
    every_seconds: Mapped[int]
    full_text: Mapped[bool]
    active: Mapped[bool]
    added: Mapped[datetime]
    host: Mapped[str]
    host_hash: Mapped[int]

    etag: Mapped[str | None]
    last_modified: Mapped[str | None]
    validators_url: Mapped[str | None]
    body_hash: Mapped[str | None]
    next_at: Mapped[datetime | None]
    first_answer: Mapped[datetime | None]
    last_answer: Mapped[datetime | None]
    last_new: Mapped[datetime | None]
    last_unconditional: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[datetime | None]
    moved_to: Mapped[str | None]
    moved_seen: Mapped[int] = mapped_column(default=0)
    moved_since: Mapped[datetime | None]
    gap_seconds: Mapped[int | None]
    wait_seconds: Mapped[int | None]
    closed_hours: Mapped[int] = mapped_column(default=0, server_default="0")
    closed_days: Mapped[int] = mapped_column(default=0, server_default="0")
    gone: Mapped[bool] = mapped_column(default=False)
    health: Mapped[str] = mapped_column(default="new")
    message: Mapped[str | None]

    owner: Mapped[str | None]
    until: Mapped[datetime | None]


class HostRow(Base):
    """A host that asked us to wait."""

    __tablename__ = "hosts"

    host: Mapped[str] = mapped_column(primary_key=True)
    not_before: Mapped[datetime]


class ArticleRow(Base):
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
        Index(None, "first_seen"),
        Index(None, "dated"),
        Index(None, "story_id"),
        Index(None, "url"),
        Index(
            None,
            "duplicate_of",
            sqlite_where=text("duplicate_of IS NOT NULL"),
            postgresql_where=text("duplicate_of IS NOT NULL"),
        ),
    )

    id: Mapped[int] = _id()
    key: Mapped[str]
    source_id: Mapped[str] = mapped_column(ForeignKey("sources.id"))
    title: Mapped[str]
    url: Mapped[str | None]
    canonical_url: Mapped[str | None]
    authors: Mapped[list[str]] = mapped_column(Json)
    language: Mapped[str | None]
    published: Mapped[datetime | None]
    first_seen: Mapped[datetime]
    dated: Mapped[datetime]
    fetched_at: Mapped[datetime | None]
    grade: Mapped[str]
    text_from: Mapped[str]
    status: Mapped[int | None]
    error: Mapped[str | None]
    baseline: Mapped[bool]
    old_news: Mapped[bool]
    duplicate_of: Mapped[int | None] = mapped_column(Id, ForeignKey("articles.id"))
    story_id: Mapped[int | None] = mapped_column(Id, ForeignKey("stories.id"))
    word_key: Mapped[int | None] = mapped_column(BigInteger)
    pruned: Mapped[datetime | None]
    page_sha256: Mapped[str | None]
    text: Mapped[str]


class EntryRow(Base):
    """An item of a feed, as the feed gave it."""

    __tablename__ = "entries"
    __table_args__ = (Index(None, "article_id"), Index(None, "source_id"))

    id: Mapped[int] = _id()
    source_id: Mapped[str] = mapped_column(ForeignKey("sources.id"))
    article_id: Mapped[int] = _refers("articles.id")
    title: Mapped[str]
    url: Mapped[str | None]
    authors: Mapped[list[str]] = mapped_column(Json)
    published: Mapped[datetime | None]
    language: Mapped[str | None]
    first_seen: Mapped[datetime]
    summary: Mapped[str]
    content: Mapped[str]


class EntryKeyRow(Base):
    """A key by which a source's entry is known; `position` 0 is the strongest."""

    __tablename__ = "entry_keys"
    __table_args__ = (Index(None, "entry_id"),)

    source_id: Mapped[str] = mapped_column(ForeignKey("sources.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    entry_id: Mapped[int] = _refers("entries.id")
    position: Mapped[int]


class WorkRow(Base):
    """Something that is still to be done for an article, and who is doing it.

    Stages: `collect` (ask for the page), `judge`, `sum up` (tell of it in the message about a new source's old items).
    """

    __tablename__ = "work"
    __table_args__ = (Index(None, "stage", "due_at"), Index(None, "owner"))

    article_id: Mapped[int] = _refers("articles.id", primary_key=True)
    stage: Mapped[str] = mapped_column(String(10), primary_key=True)
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    host: Mapped[str] = mapped_column(default="")
    host_hash: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str | None]
    until: Mapped[datetime | None]


class RawPageRow(Base):
    """A page as it came, compressed with zlib; `digest` is the SHA-256 of the page itself."""

    __tablename__ = "raw_pages"
    __table_args__ = (Index(None, "fetched_at"),)

    article_id: Mapped[int] = _refers("articles.id", primary_key=True, autoincrement=False)
    fetched_at: Mapped[datetime]
    size: Mapped[int]
    digest: Mapped[str]
    html: Mapped[bytes]


class VerdictRow(Base):
    """The last verdict on an article. `evidence` is a list of objects with the fields of `model.Evidence`."""

    __tablename__ = "verdicts"
    __table_args__ = (Index(None, "relevant", "article_id"),)

    article_id: Mapped[int] = _refers("articles.id", primary_key=True, autoincrement=False)
    judged: Mapped[bool]
    language: Mapped[str | None]
    relevant: Mapped[bool]
    score: Mapped[float]
    threshold: Mapped[float]
    watchlist: Mapped[str]
    judged_at: Mapped[datetime]
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    sketch: Mapped[bytes | None]


class MentionRow(Base):
    """An entity that an article names. `places` is a list of [field, start, end, text], `mentions` its length."""

    __tablename__ = "mentions"
    __table_args__ = (Index(None, "entity", "article_id"),)

    article_id: Mapped[int] = _refers("articles.id", primary_key=True, autoincrement=False)
    entity: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    by: Mapped[str]
    position: Mapped[int]
    mentions: Mapped[int]
    places: Mapped[list[Any]] = mapped_column(Json)


class ArticleTopicRow(Base):
    """A topic of the watchlist that an article is about; `position` 0 is the verdict's first."""

    __tablename__ = "article_topics"
    __table_args__ = (Index(None, "topic", "article_id"),)

    article_id: Mapped[int] = _refers("articles.id", primary_key=True, autoincrement=False)
    topic: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]


class FacetRow(Base):
    """What a search counts its matches by, besides topics and entities: small rows in the index's own order."""

    __tablename__ = "facets"

    word_key: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    source_id: Mapped[str]
    language: Mapped[str | None]


class StoryRow(Base):
    """Articles about one event. A story that turned out to be another's points to the older one.

    `muted`: nothing more is told of it. `followed`: every further article is told.
    """

    __tablename__ = "stories"
    __table_args__ = (Index(None, "updated"),)

    id: Mapped[int] = _id()
    title: Mapped[str]
    first_seen: Mapped[datetime]
    updated: Mapped[datetime]
    muted: Mapped[bool] = mapped_column(default=False)
    followed: Mapped[bool] = mapped_column(default=False, server_default=false())
    merged_into: Mapped[int | None] = mapped_column(Id, ForeignKey("stories.id"))


class PartedRow(Base):
    """Two stories that an analyst has parted: grouping does not join them again. The older id comes first."""

    __tablename__ = "parted"
    __table_args__ = (Index(None, "other_id"),)

    story_id: Mapped[int] = _refers("stories.id", primary_key=True, autoincrement=False)
    other_id: Mapped[int] = _refers("stories.id", primary_key=True, autoincrement=False)


class RelatedRow(Base):
    """Two articles that may be about one event; the older id comes first."""

    __tablename__ = "related"
    __table_args__ = (Index(None, "other_id"),)

    article_id: Mapped[int] = _refers("articles.id", primary_key=True, autoincrement=False)
    other_id: Mapped[int] = _refers("articles.id", primary_key=True, autoincrement=False)


class AlertRow(Base):
    """An intention to tell. `payload` is the whole `model.Alert` as JSON."""

    __tablename__ = "alerts"
    __table_args__ = (UniqueConstraint("key"), Index(None, "created"))

    id: Mapped[int] = _id()
    key: Mapped[str]
    kind: Mapped[str]
    route: Mapped[str]
    created: Mapped[datetime]
    subject: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(Json)


class AlertStoryRow(Base):
    """A story that an alert told on a route, and what was said of it."""

    __tablename__ = "alert_stories"
    __table_args__ = (Index(None, "story_id", "route"),)

    alert_id: Mapped[int] = _refers("alerts.id", primary_key=True, autoincrement=False)
    story_id: Mapped[int] = _refers("stories.id", primary_key=True, autoincrement=False)
    route: Mapped[str]
    told_at: Mapped[datetime]
    brief: Mapped[dict[str, Any]] = mapped_column(Json)


class DeliveryRow(Base):
    """One alert on its way to one target, and who is sending it now."""

    __tablename__ = "deliveries"
    __table_args__ = (UniqueConstraint("alert_id", "target"), Index(None, "state", "next_at"), Index(None, "owner"))

    id: Mapped[int] = _id()
    alert_id: Mapped[int] = _refers("alerts.id")
    target: Mapped[str]
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0)
    message_id: Mapped[str]
    next_at: Mapped[datetime]
    error: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    owner: Mapped[str | None]
    until: Mapped[datetime | None]


class LabelRow(Base):
    """An analyst's judgement of an article."""

    __tablename__ = "labels"

    article_id: Mapped[int] = _refers("articles.id", primary_key=True, autoincrement=False)
    relevant: Mapped[bool]
    at: Mapped[datetime]


class SavedSearchRow(Base):
    """A search that was given a name. `question` is an object with the fields of `model.SavedSearch` that ask for
    something."""

    __tablename__ = "saved_searches"

    name: Mapped[str] = mapped_column(primary_key=True)
    question: Mapped[dict[str, Any]] = mapped_column(Json)
    saved: Mapped[datetime]


class CycleRow(Base):
    """A cycle that ended well, and what it did."""

    __tablename__ = "cycles"
    __table_args__ = (Index(None, "ended"),)

    id: Mapped[int] = _id()
    began: Mapped[datetime]
    ended: Mapped[datetime]
    report: Mapped[dict[str, Any]] = mapped_column(Json)


class IncidentRow(Base):
    """Something that is wrong with the monitor itself, and that `ops` was told of; the row goes when it is over."""

    __tablename__ = "incidents"

    key: Mapped[str] = mapped_column(primary_key=True)
    said: Mapped[str]
    opened: Mapped[datetime]


class NoteRow(Base):
    """What the archive knows of itself, by name.

    `words`: the version of the rule by which `article_words` was filled; `quiet`: see `storage.quiet`; `route:NAME`:
    since when a route with digests is known.
    """

    __tablename__ = "notes"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
