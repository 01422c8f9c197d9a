"""All that a search finds, oldest first, as a stream: one cursor over the index, some hundred articles at a time.

One transaction that only reads: articles that come meanwhile are not in it, and nobody waits. Memory does not grow with
what is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from storage import compiling, search, words
from storage.dialects import chunks, typed
from storage.engine import Database
from storage.names import GIVEN, given, names_of
from storage.schema import ArticleRow, ArticleTopicRow, MentionRow, SourceRow, VerdictRow
from storage.search import LAST, Found
from watchfloor.model import Clipping, Filters
from watchfloor.query import Node

AT_ONCE = 500  # articles; twice as many are no faster
SLICE = 20_000  # articles whose keys are in memory at a time

ARTICLES = """SELECT a.id, a.title, a.url, a.source_id, s.publisher, s.country, v.language, a.authors, a.published,
        a.first_seen, a.grade, v.relevant, v.score, a.story_id, a.page_sha256, a.text
    FROM articles a JOIN sources s ON s.id = a.source_id JOIN verdicts v ON v.article_id = a.id
    WHERE a.id IN """
COLUMNS = (
    ArticleRow.id,
    ArticleRow.title,
    ArticleRow.url,
    ArticleRow.source_id,
    SourceRow.publisher,
    SourceRow.country,
    VerdictRow.language,
    ArticleRow.authors,
    ArticleRow.published,
    ArticleRow.first_seen,
    ArticleRow.grade,
    VerdictRow.relevant,
    VerdictRow.score,
    ArticleRow.story_id,
    ArticleRow.page_sha256,
    ArticleRow.text,
)


def export(database: Database, node: Node | None, filters: Filters) -> Iterator[Clipping]:
    """See `storage.archive.SqlArchive.export`."""
    with search.in_words(), database.read() as connection:
        for keys in chunks(_keys(connection, node, filters), AT_ONCE):
            true = _true(connection, keys, node) if node and compiling.minds_texts(node) else keys
            yield from _clippings(connection, [words.article_of_key(key) for key in true])


def _true(connection: Connection, keys: Sequence[int], node: Node) -> list[int]:
    return [one.key for one in search.true_of(connection, [Found(key) for key in keys], node)]


def _keys(connection: Connection, node: Node | None, filters: Filters) -> Iterator[int]:
    """Slice by slice, since the index gives the newest first."""
    question = replace(search.ask(connection, node, filters, start=None, by="date"), sliced=SLICE)
    for part in reversed(list(search.slices(connection, question, growth=1))):
        yield from reversed(search.newest(connection, part, part.match, LAST))


def _clippings(connection: Connection, ids: Sequence[int]) -> Iterator[Clipping]:
    topics = names_of(connection, ArticleTopicRow.topic, ids)
    entities = names_of(connection, MentionRow.entity, ids)
    statement = typed(ARTICLES + GIVEN[connection.dialect.name], *COLUMNS)
    rows = {row[0]: row for row in connection.execute(statement, given(connection, ids)).all()}
    for id in ids:
        if row := rows.get(id):
            yield Clipping._make((*row[:13], topics.get(id, ()), entities.get(id, ()), *row[13:]))
