"""Questions to the archive: a query and filters -> a page of hits, newest or most relevant first.

One look-up in the full-text index answers words and filters alike (`storage.words` says how); only then are the
articles of the page read. Newest first is the index's own order, so a page of a common word costs no more than one of
a rare one. A query that asks for capitals is checked against the texts, candidate by candidate.

Relevance is where the words stand: all of them in the title, else in title and lead, else anywhere; the newest of each
first. So it is the index's order three times over, the same on both databases, and anybody can see why a hit is where
it is. Ranking by how often a word is said in all would count each of its entries in the index, at each question anew.

For phrases and NEAR the index has candidates only. They are looked at in slices of the archive, newest first, until the
page is full: relevance is then within a slice, and the total is "at least".
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError

from storage import compiling, words
from storage.dialects import chunks, plain, typed
from storage.engine import Database
from storage.names import GIVEN, given, names_of
from storage.schema import ArticleRow, ArticleTopicRow, MentionRow, SourceRow, VerdictRow
from storage.snippets import snippets
from watchfloor.errors import ArchiveError, QueryError
from watchfloor.model import Filters, Hit, Hits
from watchfloor.query import Document, Node, evaluate

SECONDS = 2.0  # a query may take; the slowest honest one at a million articles takes a tenth
COUNTED = 10_000  # matches; beyond, a search says "at least"
FEW = 300  # matches of a slice that are all looked for at once, and then put in order
# Articles of the newest slice, of which there is a page even of two words that half of the articles have: 10 ms on
# SQLite, 50 on PostgreSQL, which reads each vector from beside its table.
SLICES = {"sqlite": 50_000, "postgresql": 5_000}
CHECKED = 10_000  # candidates whose text is read because of capitals
CHECKED_AT_ONCE = 100
LIMIT = 1_000  # hits of one page
LAST = words.LAST

# SQLite numbers rows from the newest on (`words.row_of_key`). On PostgreSQL key + 0 keeps the planner from the
# index of keys where it is to look for words; each text runs under one plan only, since PostgreSQL keeps the plan of a
# text that it has seen often.
_WANTED = {
    "sqlite": """article_words MATCH :match
        AND rowid > 9223372036854775807 - :high AND rowid <= 9223372036854775807 - :low""",
    "postgresql": "words @@ CAST(:match AS tsquery) AND key + 0 >= :low AND key + 0 < :high",
    "a slice": "words @@ CAST(:match AS tsquery) AND key >= :low AND key < :high",
    "many": "words @@ CAST(:match AS tsquery) AND :low <= key AND key < :high",
}
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM article_words WHERE {} LIMIT :limit) AS matches"
_ROWS = "SELECT 9223372036854775807 - rowid AS key FROM article_words WHERE {} ORDER BY rowid LIMIT :limit"
_KEYS = "SELECT key FROM article_words WHERE {} ORDER BY key DESC LIMIT :limit"
STATEMENTS = {
    "sqlite": {
        "count": _COUNT.format(_WANTED["sqlite"]),
        "newest": _ROWS.format(_WANTED["sqlite"]),
    },
    "postgresql": {
        "count": _COUNT.format(_WANTED["postgresql"]),
        "count a slice": _COUNT.format(_WANTED["a slice"]),
        "newest": _KEYS.format(_WANTED["postgresql"]),
        "newest of a slice": _KEYS.format(_WANTED["a slice"]),
        "newest of many": _KEYS.format(_WANTED["many"]),
        "among": """SELECT key FROM article_words
            WHERE words @@ CAST(:match AS tsquery) AND key = ANY(CAST(:keys AS bigint[]))""",
    },
}


CAME = "SELECT first_seen FROM articles WHERE id IN "


@dataclass(frozen=True, slots=True)
class Found:
    """A match: its key in the index, and in which of the question's tiers it is."""

    key: int
    tier: int = 0

    @property
    def after(self) -> str:
        """The opaque key of the page that begins behind this match."""
        return f"{self.key:x}.{self.tier:x}"


@dataclass(frozen=True, slots=True)
class Question:
    """A query in the index's terms. `tiers`: expressions from the most relevant to all matches, each without those
    before; by date the last alone. `high` is excluded. `sliced`: articles to which it is put at a time, 0 for all."""

    match: str
    tiers: tuple[str, ...]
    low: int
    high: int
    sliced: int
    start: Found | None

    def behind(self, found: Found) -> Question:
        """The same question, behind this match."""
        return replace(self, start=found)


def search(database: Database, node: Node | None, filters: Filters, *, limit: int, after: str | None, by: str) -> Hits:
    """See `storage.archive.SqlArchive.search`."""
    start, limit = _read_after(after), max(1, min(limit, LIMIT))
    with in_words(), database.read() as connection, limited(connection):
        question = ask(connection, node, filters, start=start, by=by)
        if node is not None and compiling.minds_texts(node):
            return _checked_page(connection, question, node, limit)
        found, total, reached = page(connection, question, limit + 1)
        shown = found[:limit]
        return Hits(
            total=min(total, COUNTED),
            hits=_hits(connection, shown, node),
            after=shown[-1].after if len(found) > limit else None,
            total_exact=total <= COUNTED and reached is None,
            reached=words.moment_of_key(reached) if reached else None,
        )


def _read_after(after: str | None) -> Found | None:
    if after is None:
        return None
    key, _, tier = after.partition(".")
    try:
        found = Found(int(key, 16), int(tier, 16))
    except ValueError:
        found = Found(-1)
    if 0 <= found.key <= LAST and 0 <= found.tier < len(compiling.TIERS):
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
    if sample > 1:
        tags.append([words.sample_tag(sample)])
    tiers = compiling.tiers(relaxed) if relaxed is not None and by == "relevance" else (relaxed,)
    return Question(
        match=compiled(relaxed, tags),
        tiers=tuple(compiled(tier, tags) for tier in tiers),
        low=_bound(filters.since, 0),
        high=_bound(filters.until, LAST),
        sliced=SLICES[connection.dialect.name] if relaxed is not None and compiling.minds_places(relaxed) else 0,
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
    """The first key of a moment; of one that no key reaches (before 1970, after 2242), the nearest there is."""
    return otherwise if moment is None else min(max(ceil(moment.timestamp()) << words.ID_BITS, 0), LAST)


# -- slices of the archive --------------------------------------------------------------------------------------------


def slices(connection: Connection, question: Question, *, growth: int = 2) -> Iterator[Question]:
    """The question for one slice of the archive after the other, newest first, each so many times as large as the one
    before; as it is if it need not be sliced."""
    high = question.high
    for cut in _cuts(connection, question.sliced, growth) if question.sliced else ():
        if question.low < cut < high:
            yield replace(question, low=cut, high=high)
            high = cut
    yield replace(question, high=high)


def _cuts(connection: Connection, every: int, growth: int) -> list[int]:
    """Keys that cut the archive, newest first: those of the moments at which each so many-th article came, so that they
    stay where they are until there is another slice."""
    last = connection.execute(plain("SELECT max(id) FROM articles")).scalar() or 0
    ids, at, step = [], last // every * every, every
    while at > 0:
        ids.append(at)
        at, step = at - step, step * growth
    came = typed(CAME + GIVEN[connection.dialect.name], ArticleRow.first_seen)
    moments = [moment for some in chunks(ids) for moment in connection.execute(came, given(connection, some)).scalars()]
    return sorted((words.key_of(moment, 0) for moment in moments), reverse=True)


def page(connection: Connection, question: Question, limit: int) -> tuple[list[Found], int, int | None]:
    """The next matches, how many there are in the slices that were looked at, and the key at which that ended; None if
    it was the end of the archive."""
    found: list[Found] = []
    total, start = 0, question.start
    for part in slices(connection, question):
        few = _few(connection, part)
        there = count(connection, part) if few is None else len(few)
        total += there
        if there and (start is None or start.key >= part.low):
            found += _next_of(connection, part, limit - len(found), there, few)
        if len(found) >= limit:
            return found, total, part.low if part.low > question.low else None
    return found, total, None


# -- the index --------------------------------------------------------------------------------------------------------


def _run(connection: Connection, statement: str, match: str, **values: object) -> Sequence[int]:
    asked = plain(STATEMENTS[connection.dialect.name][statement])
    return connection.execute(asked, {"match": match, **values}).scalars().all()


def count(connection: Connection, question: Question) -> int:
    """How many match, COUNTED + 1 for more than COUNTED; the same on every page."""
    if connection.dialect.name == "postgresql" and not question.sliced:
        # It reads all places of a word before it counts the first; where there are very many a sample says so.
        sample = f"({question.match}) & {words.lexeme_of_tag(words.sample_tag(words.SAMPLES[-1]))}"
        if count_each(connection, replace(question, match=sample)) * words.SAMPLES[-1] > 3 * COUNTED:
            return COUNTED + 1
    return count_each(connection, question)


def count_each(connection: Connection, question: Question) -> int:
    """The same, by no sample: for what is one."""
    statement = "count"
    if connection.dialect.name == "postgresql":
        _plan(connection, by_key=False)
        statement = "count a slice" if question.sliced else statement
    return _run(connection, statement, question.match, low=question.low, high=question.high, limit=COUNTED + 1)[0]


def _plan(connection: Connection, *, by_key: bool) -> None:
    """Say which index PostgreSQL takes: words, or keys from the newest on.

    The planner does not count the vectors that it would have to read, since they lie beside the table, and so likes to
    read them all: 600 ms for an absent word at 100,000 articles, where the index of words takes one.
    """
    off, on = ("bitmapscan", "indexscan") if by_key else ("indexscan", "bitmapscan")
    connection.execute(
        plain(f"SET LOCAL enable_seqscan = off; SET LOCAL enable_{off} = off; SET LOCAL enable_{on} = on")
    )


def newest(connection: Connection, question: Question, match: str, limit: int, *, many: bool = False) -> Sequence[int]:
    """The keys of the newest that match this expression within the question's bounds; `many`: most of them do."""
    statement = "newest"
    if connection.dialect.name == "postgresql":
        _plan(connection, by_key=many)
        statement = "newest of many" if many else "newest of a slice" if question.sliced else statement
    return _run(connection, statement, match, low=question.low, high=question.high, limit=limit)


def _few(connection: Connection, part: Question) -> Sequence[int] | None:
    """All that match in a slice, if those are few: then they need not be looked for again."""
    keys = newest(connection, part, part.match, FEW + 1) if part.sliced else []
    return keys if part.sliced and len(keys) <= FEW else None


def _next_of(connection: Connection, part: Question, limit: int, there: int, few: Sequence[int] | None) -> list[Found]:
    """The next matches of a slice in which so many are; `few`: these."""
    if few is None and there <= FEW and len(part.tiers) > 1:
        few = newest(connection, part, part.match, FEW)
    if few is not None:
        return [one for one in _in_tiers(connection, part, few) if _is_behind(one, part)][:limit]
    found: list[Found] = []
    for tier, match in enumerate(part.tiers):
        rest = _rest_of(part, tier)
        if rest is not None and len(found) < limit:
            many = there > COUNTED and tier == len(part.tiers) - 1
            keys = newest(connection, rest, match, limit - len(found), many=many)
            found += [Found(key, tier) for key in keys]
    return found


def _rest_of(part: Question, tier: int) -> Question | None:
    """What of a tier is still to come, None if nothing is."""
    start = part.start
    if start is None or start.key >= part.high or start.tier < tier:
        return part
    return replace(part, high=start.key) if start.tier == tier else None


def _is_behind(found: Found, part: Question) -> bool:
    rest = _rest_of(part, found.tier)
    return rest is not None and found.key < rest.high


def _in_tiers(connection: Connection, part: Question, keys: Sequence[int]) -> list[Found]:
    """All matches of a slice that has few, each in the first tier that has it."""
    tiers = dict.fromkeys(keys, len(part.tiers) - 1)
    for tier in range(len(part.tiers) - 2, -1, -1):
        tiers.update(dict.fromkeys(_among(connection, part, keys, part.tiers[tier]), tier))
    return sorted((Found(key, tier) for key, tier in tiers.items()), key=lambda one: (one.tier, -one.key))


def _among(connection: Connection, part: Question, keys: Sequence[int], match: str) -> Iterable[int]:
    """Those of the keys, which are all matches of a slice, whose documents match this tier. FTS5 would walk there from
    its first match for each of them; to walk through the slice once takes a hundredth."""
    if connection.dialect.name == "sqlite":
        return newest(connection, replace(part, low=min(keys), high=max(keys) + 1), match, FEW)
    return _run(connection, "among", match, keys=list(keys))


@contextmanager
def limited(connection: Connection) -> Iterator[None]:
    """Stop what takes too long: SQLite asks us now and then, PostgreSQL looks at the clock itself."""
    if connection.dialect.name == "postgresql":
        # To compile what runs for tens of milliseconds takes PostgreSQL as long again.
        connection.execute(plain(f"SET LOCAL statement_timeout = {int(SECONDS * 1000)}; SET LOCAL jit = off"))
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
        if "too big in tsquery" in reason:
            raise QueryError("the query is too large") from error
        raise


# -- capitals ---------------------------------------------------------------------------------------------------------


def _checked_page(connection: Connection, question: Question, node: Node, limit: int) -> Hits:
    """A page of a query that asks for capitals: candidates in order, each one's text looked at."""
    true, go_on = true_matches(connection, question, node, limit + 1)
    return _checked_hits(connection, true, node, limit, go_on=go_on)


def true_matches(
    connection: Connection, question: Question, node: Node, wanted: int
) -> tuple[list[Found], Found | None]:
    """The next matches whose texts have the capitals; and the last candidate looked at, None if there was no other.

    It ends when there are as many as wanted, CHECKED candidates were looked at, or half of the time is over.
    """
    true: list[Found] = []
    checked, end = 0, time.monotonic() + SECONDS / 2
    while len(true) < wanted and checked < CHECKED and time.monotonic() < end:
        at_once = min(CHECKED_AT_ONCE, CHECKED - checked)
        candidates, _, _ = page(connection, question, at_once)
        true += true_of(connection, candidates, node)
        if len(candidates) < at_once:
            return true, None
        checked += at_once
        question = question.behind(candidates[-1])
    return true, question.start


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
    asked = select(ArticleRow.id, ArticleRow.title, ArticleRow.text).where(ArticleRow.id.in_(ids))
    wanted = compiling.capitals(node)  # to look for them takes a hundredth of what the evaluator takes
    rows = [row for row in connection.execute(asked) if all(word in row.title or word in row.text for word in wanted)]
    topics = names_of(connection, ArticleTopicRow.topic, [row.id for row in rows])
    entities = names_of(connection, MentionRow.entity, [row.id for row in rows])
    true = {
        row.id
        for row in rows
        if evaluate(node, Document(row.title, row.text, entities.get(row.id, ()), topics.get(row.id, ())))
    }
    return [one for one in candidates if words.article_of_key(one.key) in true]


# -- the articles -----------------------------------------------------------------------------------------------------


# Plain SQL for the same reason as in `storage.names`; COLUMNS say how its values are read.
ARTICLES = """SELECT a.id, a.title, a.url, a.source_id, s.publisher, a.published, a.first_seen, a.story_id, a.text,
        v.score
    FROM articles a JOIN sources s ON s.id = a.source_id JOIN verdicts v ON v.article_id = a.id WHERE a.id IN """
COLUMNS = (
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


def _hits(connection: Connection, page: Sequence[Found], node: Node | None) -> tuple[Hit, ...]:
    ids = [words.article_of_key(one.key) for one in page]
    topics = names_of(connection, ArticleTopicRow.topic, ids)
    entities = names_of(connection, MentionRow.entity, ids)
    statement = typed(ARTICLES + GIVEN[connection.dialect.name], *COLUMNS)
    rows = connection.execute(statement, given(connection, ids)).all()
    snippet = snippets(node)
    hits = {
        id: Hit(
            id=id,
            title=title,
            url=url,
            source=source,
            publisher=publisher,
            published=published,
            first_seen=first_seen,
            score=score,
            topics=tuple(topics.get(id, ())),
            entities=tuple(entities.get(id, ())),
            snippet=passage,
            marks=marks,
            story=story,
        )
        for id, title, url, source, publisher, published, first_seen, story, body, score in rows  # ARTICLES' order
        for passage, marks in [snippet(title, body)]
    }
    return tuple(hits[id] for id in ids if id in hits)
