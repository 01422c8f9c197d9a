"""Questions to the archive: a query and filters -> a page of hits, newest or most relevant first.

One look-up in the full-text index answers words and filters alike (`storage.words` says how); only then are the
articles of the page read. Newest first is the index's own order, so a page of a common word costs no more than one of
a rare one. A query that asks for capitals is checked against the texts, candidate by candidate.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from sqlalchemy import Connection, Row, select, text
from sqlalchemy.exc import OperationalError

from storage import compiling, words
from storage.engine import Database
from storage.names import names_of
from storage.schema import ArticleRow, ArticleTopicRow, MentionRow, SourceRow, VerdictRow
from storage.snippets import snippet
from watchfloor.errors import ArchiveError, QueryError
from watchfloor.model import Filters, Hit, Hits
from watchfloor.query import Document, Node, evaluate

SECONDS = 2.0  # a query may take; the slowest honest one at a million articles takes a tenth
COUNTED = 10_000  # matches; beyond, a search says "at least", and ranks the newest so many: .7 us each on SQLite
CHECKED = 2_000  # candidates whose text is read because of capitals
CHECKED_AT_ONCE = 100
LIMIT = 1_000  # hits of one page

# In both, what comes first has the smallest rank. Title, lead, text, tags: a word in a title says most, a tag nothing.
SQLITE_DATE = """SELECT rowid AS key, 0.0 AS rank FROM article_words
    WHERE article_words MATCH :match AND rowid >= :low AND rowid < :high
    ORDER BY rowid DESC LIMIT :limit"""
STATEMENTS = {
    "sqlite": {
        "count": """SELECT count(*) FROM (SELECT 1 FROM article_words
            WHERE article_words MATCH :match AND rowid >= :low AND rowid < :high LIMIT :counted)""",
        "date": SQLITE_DATE,
        "dense date": SQLITE_DATE,
        "relevance": """SELECT key, rank FROM (SELECT rowid AS key, bm25(article_words, 4.0, 2.0, 1.0, 0.0) AS rank
                FROM article_words WHERE article_words MATCH :match AND rowid >= :low AND rowid < :high)
            WHERE rank > :after_rank OR (rank = :after_rank AND key < :after_key)
            ORDER BY rank, key DESC LIMIT :limit""",
        "dense relevance": """SELECT key, rank FROM (
                SELECT rowid AS key, bm25(article_words, 4.0, 2.0, 1.0, 0.0) AS rank FROM article_words
                WHERE article_words MATCH :match AND rowid < :high AND rowid >= (
                    SELECT rowid FROM article_words
                    WHERE article_words MATCH :match AND rowid >= :low AND rowid < :high
                    ORDER BY rowid DESC LIMIT 1 OFFSET :ranked - 1))
            WHERE rank > :after_rank OR (rank = :after_rank AND key < :after_key)
            ORDER BY rank, key DESC LIMIT :limit""",
    },
    # key + 0 keeps the planner from the index of keys where few match; each text runs under one plan only, since
    # PostgreSQL keeps the plan of a text that it has seen often.
    "postgresql": {
        "count": """SELECT count(*) FROM (SELECT 1 FROM article_words
            WHERE words @@ CAST(:match AS tsquery) AND key + 0 >= :low AND key + 0 < :high
            LIMIT :counted) AS matches""",
        "date": """SELECT key, CAST(0 AS float8) AS rank FROM article_words
            WHERE words @@ CAST(:match AS tsquery) AND key + 0 >= :low AND key + 0 < :high
            ORDER BY key DESC LIMIT :limit""",
        "dense date": """SELECT key, CAST(0 AS float8) AS rank FROM article_words
            WHERE words @@ CAST(:match AS tsquery) AND key >= :low AND key < :high
            ORDER BY key DESC LIMIT :limit""",
        "relevance": """SELECT key, rank FROM (
                SELECT key,
                    -CAST(ts_rank(ARRAY[0.1, 0.0, 0.2, 1.0], words, CAST(:ranking AS tsquery)) AS float8) AS rank
                FROM article_words
                WHERE words @@ CAST(:match AS tsquery) AND key + 0 >= :low AND key + 0 < :high) AS ranked
            WHERE rank > :after_rank OR (rank = :after_rank AND key < :after_key)
            ORDER BY rank, key DESC LIMIT :limit""",
        "dense relevance": """SELECT key, rank FROM (
                SELECT key,
                    -CAST(ts_rank(ARRAY[0.1, 0.0, 0.2, 1.0], words, CAST(:ranking AS tsquery)) AS float8) AS rank
                FROM (SELECT key, words FROM article_words
                    WHERE words @@ CAST(:match AS tsquery) AND key >= :low AND key < :high
                    ORDER BY key DESC LIMIT :ranked) AS newest) AS ranked
            WHERE rank > :after_rank OR (rank = :after_rank AND key < :after_key)
            ORDER BY rank, key DESC LIMIT :limit""",
    },
}
FIRST = float("-1e308")  # before every rank
LAST = (1 << 63) - 1  # behind every key: both databases keep 64 bits


@dataclass(frozen=True, slots=True)
class Found:
    """A match: its key in the index and, by relevance, its rank."""

    key: int
    rank: float

    @property
    def after(self) -> str:
        """The opaque key of the page that begins behind this match."""
        return f"{self.key:x}.{self.rank.hex()}"


@dataclass(frozen=True, slots=True)
class Question:
    """A query in the index's terms: its expressions, bounds of the key (`high` excluded), order, and where to go on."""

    match: str
    ranking: str
    low: int
    high: int
    by: str
    start: Found | None

    def behind(self, found: Found) -> Question:
        """The same question, behind this match."""
        return Question(self.match, self.ranking, self.low, self.high, self.by, found)


def search(database: Database, node: Node | None, filters: Filters, *, limit: int, after: str | None, by: str) -> Hits:
    """See `storage.archive.SqlArchive.search`."""
    start, limit = _read_after(after), max(1, min(limit, LIMIT))
    with in_words(), database.read() as connection, limited(connection):
        question = ask(connection, node, filters, start=start, by=by)
        if node is not None and compiling.minds_capitals(node):
            return _checked_page(connection, question, node, limit)
        total = count(connection, question)
        found = page_of(connection, question, limit + 1, dense=total > COUNTED)
        page = found[:limit]
        return Hits(
            total=min(total, COUNTED),
            hits=_hits(connection, page, node),
            after=page[-1].after if len(found) > limit else None,
            total_exact=total <= COUNTED,
        )


def _read_after(after: str | None) -> Found | None:
    if after is None:
        return None
    key, _, rank = after.partition(".")
    try:
        found = Found(int(key, 16), float.fromhex(rank))
    except (ValueError, OverflowError):
        found = Found(-1, 0.0)
    if 0 <= found.key <= LAST:
        return found
    raise QueryError("--after is not a key that a search gave", hint="leave it out for the first page")


# -- the question -----------------------------------------------------------------------------------------------------


def ask(
    connection: Connection, node: Node | None, filters: Filters, *, start: Found | None, by: str, sample: int = 1
) -> Question:
    """The question that stands for a query and filters; `sample`: put to one document in so many (`words.SAMPLES`)."""
    compiled = compiling.tsquery if connection.dialect.name == "postgresql" else compiling.fts5
    relaxed = compiling.relaxed(node) if node is not None else None
    tags = _tags(filters, _sources(connection, filters))
    return Question(
        match=compiled(relaxed, [*tags, [words.sample_tag(sample)]] if sample > 1 else tags),
        ranking=compiled(relaxed, ()),
        low=_bound(filters.since, 0),
        high=_bound(filters.until, LAST),
        by=by if node is not None else "date",
        start=start,
    )


def _tags(filters: Filters, sources: Sequence[str] | None) -> list[list[str]]:
    """Of each group a document has at least one. `sources`: the only ones it may be from."""
    groups = [
        [] if filters.everything else [words.RELEVANT],
        [words.tag("topic", topic) for topic in filters.topics],
        [words.tag("entity", entity) for entity in filters.entities],
        [words.tag("language", language) for language in filters.languages],
        [] if sources is None else [words.source_tag(source) for source in sources] or [words.NOWHERE],
    ]
    return [group for group in groups if group]


def _sources(connection: Connection, filters: Filters) -> list[str] | None:
    """The ids of the sources that the filters let pass, None for all. They are looked up and not in the index, where
    they would be wrong as soon as a source changes hands."""
    if not (filters.publishers or filters.countries):
        return list(filters.sources) or None
    publishers, countries = _folded(filters.publishers), _folded(filters.countries)
    rows = connection.execute(select(SourceRow.id, SourceRow.publisher, SourceRow.country).order_by(SourceRow.id))
    return [
        row.id
        for row in rows
        if (not filters.sources or row.id in filters.sources)
        and (not publishers or row.publisher.casefold() in publishers)
        and (not countries or (row.country or "").casefold() in countries)
    ]


def _folded(names: Sequence[str]) -> set[str]:
    return {name.casefold() for name in names}


def _bound(moment: datetime | None, otherwise: int) -> int:
    return otherwise if moment is None else ceil(moment.timestamp()) << words.ID_BITS


# -- the index --------------------------------------------------------------------------------------------------------


def _run(connection: Connection, statement: str, question: Question, limit: int) -> Sequence[Row[Any]]:
    start = question.start
    by_date = question.by == "date"
    values = {
        "match": question.match,
        "low": question.low,
        "high": min(question.high, start.key) if start and by_date else question.high,
        "limit": limit,
        "counted": COUNTED + 1,
        "ranked": COUNTED,
        "ranking": question.ranking,
        "after_rank": start.rank if start else FIRST,
        "after_key": start.key if start else 0,
    }
    return connection.execute(text(STATEMENTS[connection.dialect.name][statement]), values).all()


def count(connection: Connection, question: Question) -> int:
    """How many match, COUNTED + 1 for more than COUNTED; the same on every page."""
    whole = Question(question.match, question.ranking, question.low, question.high, "count", None)
    if connection.dialect.name == "postgresql":
        _plan(connection, by_key=False)
    return int(_run(connection, "count", whole, 0)[0][0])


def _plan(connection: Connection, *, by_key: bool) -> None:
    """Say which index PostgreSQL takes: words, or keys from the newest on.

    The planner does not count the vectors that it would have to read, since they lie beside the table, and so likes to
    read them all: 600 ms for an absent word at 100,000 articles, where the index of words takes one.
    """
    off, on = ("bitmapscan", "indexscan") if by_key else ("indexscan", "bitmapscan")
    connection.execute(
        text(f"SET LOCAL enable_seqscan = off; SET LOCAL enable_{off} = off; SET LOCAL enable_{on} = on")
    )


def page_of(connection: Connection, question: Question, limit: int, *, dense: bool) -> list[Found]:
    """The next matches. `dense`: more than COUNTED are known to match."""
    if connection.dialect.name == "postgresql":
        _plan(connection, by_key=dense)
    statement = f"dense {question.by}" if dense else question.by
    return [Found(row.key, row.rank) for row in _run(connection, statement, question, limit)]


@contextmanager
def limited(connection: Connection) -> Iterator[None]:
    """Stop what takes too long: SQLite asks us now and then, PostgreSQL looks at the clock itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL statement_timeout = {int(SECONDS * 1000)}"))
        yield
        return
    end = time.monotonic() + SECONDS
    driver: Any = connection.connection.dbapi_connection
    driver.set_progress_handler(lambda: time.monotonic() > end, 20_000)  # each millisecond or so
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)


@contextmanager
def in_words() -> Iterator[None]:
    """Say what stopped a search in words of the one who asked."""
    try:
        yield
    except ArchiveError as error:
        reason = str(error)
        if isinstance(error.__cause__, OperationalError) and ("interrupted" in reason or "timeout" in reason):
            raise ArchiveError(f"the search took longer than {SECONDS:g} s and was stopped; ask for less") from error
        if "fts5" in reason:
            raise QueryError("the query has too many groups within groups") from error
        raise


# -- capitals ---------------------------------------------------------------------------------------------------------


def _checked_page(connection: Connection, question: Question, node: Node, limit: int) -> Hits:
    """A page of a query that asks for capitals: candidates in order, each one's text looked at."""
    page: list[Found] = []
    checked = 0
    while checked < CHECKED and len(page) <= limit:
        candidates = page_of(connection, question, CHECKED_AT_ONCE, dense=False)
        page += true_of(connection, candidates, node)
        checked += len(candidates)
        if len(candidates) < CHECKED_AT_ONCE:
            return _checked_hits(connection, page, node, limit, go_on=None)
        question = question.behind(candidates[-1])
    return _checked_hits(connection, page, node, limit, go_on=question.start)


def _checked_hits(connection: Connection, found: list[Found], node: Node, limit: int, *, go_on: Found | None) -> Hits:
    """`go_on`: the last candidate looked at, None if there was no other behind it."""
    page = found[:limit]
    last = page[-1] if len(found) > limit else go_on
    return Hits(
        total=len(found),
        hits=_hits(connection, page, node),
        after=last.after if last else None,
        total_exact=go_on is None,
    )


def true_of(connection: Connection, candidates: Sequence[Found], node: Node) -> list[Found]:
    """Those of the candidates whose texts answer the query, capitals and all."""
    ids = [words.article_of_key(one.key) for one in candidates]
    topics = names_of(connection, ArticleTopicRow.topic, ids)
    entities = names_of(connection, MentionRow.entity, ids)
    rows = connection.execute(select(ArticleRow.id, ArticleRow.title, ArticleRow.text).where(ArticleRow.id.in_(ids)))
    true = {
        row.id
        for row in rows
        if evaluate(node, Document(row.title, row.text, entities.get(row.id, ()), topics.get(row.id, ())))
    }
    return [one for one in candidates if words.article_of_key(one.key) in true]


# -- the articles -----------------------------------------------------------------------------------------------------


def _hits(connection: Connection, page: Sequence[Found], node: Node | None) -> tuple[Hit, ...]:
    ids = [words.article_of_key(one.key) for one in page]
    topics = names_of(connection, ArticleTopicRow.topic, ids)
    entities = names_of(connection, MentionRow.entity, ids)
    rows = connection.execute(
        select(
            ArticleRow.id,
            ArticleRow.title,
            ArticleRow.url,
            ArticleRow.source_id,
            SourceRow.publisher,
            ArticleRow.published,
            ArticleRow.first_seen,
            ArticleRow.story_id,
            ArticleRow.text,
            VerdictRow.score,
        )
        .join(SourceRow, SourceRow.id == ArticleRow.source_id)
        .join(VerdictRow, VerdictRow.article_id == ArticleRow.id)
        .where(ArticleRow.id.in_(ids))
    )
    hits = {row.id: _hit(row, topics.get(row.id, ()), entities.get(row.id, ()), node) for row in rows}
    return tuple(hits[id] for id in ids if id in hits)


def _hit(row: Row[Any], topics: Sequence[str], entities: Sequence[str], node: Node | None) -> Hit:
    passage, marks = snippet(row.title, row.text, node)
    return Hit(
        id=row.id,
        title=row.title,
        url=row.url,
        source=row.source_id,
        publisher=row.publisher,
        published=row.published,
        first_seen=row.first_seen,
        score=row.score,
        topics=tuple(topics),
        entities=tuple(entities),
        snippet=passage,
        marks=marks,
        story=row.story_id,
    )
