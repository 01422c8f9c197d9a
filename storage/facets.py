"""What the matches of a search have in common: topics, entities, publishers, countries, languages, months.

Up to FACETED matches are counted one by one. Where there are more, those of a sample are: documents are tagged by lot,
one in 8, 64 and 512, so that a sample is one more word of the query and is spread evenly over the years; the finest one
that is not too large is taken. So a word that is in most of a million articles costs what a rare one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from sqlalchemy import Connection, TextClause, text

from storage import compiling, search, words
from storage.engine import Database
from storage.search import Question
from watchfloor.model import Facet, Facets, Filters
from watchfloor.query import Node

KINDS = ("topics", "entities", "publishers", "countries", "languages", "months")
FACETED = 5_000  # matches; each takes 7 us on SQLite, three look-ups in indexes of a million articles
ENOUGH = 50  # matches of a phrase, for which the archive is looked through slice by slice
MOST = 20  # values of one kind that a list shows

KEYS = {
    "sqlite": "SELECT value AS key FROM json_each(:keys)",
    "postgresql": "SELECT key FROM unnest(CAST(:keys AS bigint[])) AS given(key)",
}
MONTH = {
    "sqlite": "strftime('%Y-%m', key >> {bits}, 'unixepoch')",
    "postgresql": "to_char(to_timestamp(key >> {bits}) AT TIME ZONE 'UTC', 'YYYY-MM')",
}
FOUND = """WITH found AS MATERIALIZED ({keys}),
    filed AS MATERIALIZED (
        SELECT f.source_id, f.language, count(*) AS hits
        FROM found JOIN facets f ON f.word_key = found.key GROUP BY 1, 2)"""
OFTEN = """SELECT * FROM (
    SELECT '{kind}', {value}, {hits} FROM {rows} GROUP BY 2 ORDER BY 3 DESC, {first} LIMIT :most) AS {kind}"""
MONTHS = "SELECT 'months', {month}, count(*) FROM found GROUP BY 2"
VALUES = {  # of each kind: what has the value, what counts it, and where both are
    "topics": ("t.topic", "count(*)", "found JOIN article_topics t ON t.article_id = (key & {mask})"),
    "entities": ("m.entity", "count(*)", "found JOIN mentions m ON m.article_id = (key & {mask})"),
    "publishers": ("s.publisher", "sum(hits)", "filed JOIN sources s ON s.id = source_id"),
    "countries": ("s.country", "sum(hits)", "filed JOIN sources s ON s.id = source_id WHERE s.country IS NOT NULL"),
    "languages": ("language", "sum(hits)", "filed WHERE language IS NOT NULL"),
}
FIRST = {"sqlite": "{value}", "postgresql": '{value} COLLATE "C"'}  # of values that are as frequent


def facets(database: Database, node: Node | None, filters: Filters, *, most: int) -> Facets:
    """See `storage.archive.SqlArchive.facets`."""
    with search.in_words(), database.read() as connection, search.limited(connection):
        if node is not None and compiling.minds_texts(node):
            return _checked(connection, node, filters, most)
        question = search.ask(connection, node, filters, start=None, by="date")
        if question.sliced:
            return _newest(connection, question, most)
        total = search.count(connection, question)
        if total > FACETED:
            return _sampled(connection, node, filters, most, known=total if total <= search.COUNTED else None)
        return _facets_of(connection, search.newest(connection, question, question.match, FACETED), most=most)


def _newest(connection: Connection, question: Question, most: int) -> Facets:
    """The facets of the newest matches where the index only has candidates: as many slices as say something."""
    keys: list[int] = []
    for part in search.slices(connection, question):
        keys += search.newest(connection, part, part.match, FACETED - len(keys))
        if len(keys) >= ENOUGH:
            return _facets_of(connection, keys, most=most, partly=len(keys) == FACETED or part.low > question.low)
    return _facets_of(connection, keys, most=most)


def _sampled(connection: Connection, node: Node | None, filters: Filters, most: int, *, known: int | None) -> Facets:
    """The facets of more than FACETED matches: estimates by the finest sample that has no more than that. `known`: how
    many matches there are, if that was found out."""

    def sample(one_in: int) -> Question:
        return search.ask(connection, node, filters, start=None, by="date", sample=one_in)

    *finer, coarsest = words.SAMPLES
    about = known or coarsest * search.count_each(connection, sample(coarsest))
    one_in = next((one_in for one_in in finer if about <= FACETED * one_in), coarsest)
    few = sample(one_in)
    keys = search.newest(connection, few, few.match, 2 * FACETED)  # twice: a sample's size is by chance
    return replace(_facets_of(connection, keys, most=most, one_in=one_in), total=known or len(keys) * one_in)


def _checked(connection: Connection, node: Node, filters: Filters, most: int) -> Facets:
    """The facets of a query that asks for capitals: of the newest candidates those whose texts have them."""
    question = search.ask(connection, node, filters, start=None, by="date")
    true, go_on = search.true_matches(connection, question, node, search.CHECKED)
    return _facets_of(connection, [one.key for one in true], most=most, partly=go_on is not None)


def _facets_of(
    connection: Connection, keys: Sequence[int], *, most: int, one_in: int = 1, partly: bool = False
) -> Facets:
    found: dict[str, list[Facet]] = {kind: [] for kind in KINDS}
    for kind, value, count in connection.execute(_tally(connection.dialect.name), _given(connection, keys, most)).all():
        found[kind].append(Facet(value, int(count) * one_in))
    return Facets(
        total=len(keys) * one_in,
        one_in=one_in,
        partly=partly,
        months=tuple(sorted(found.pop("months"), key=lambda one: one.value, reverse=True)),
        **{kind: tuple(sorted(values, key=lambda one: (-one.count, one.value))) for kind, values in found.items()},
    )


@cache
def _tally(dialect: str) -> TextClause:
    """The most frequent values of each kind among the keys, and all months."""
    tallies = [
        OFTEN.format(kind=kind, value=value, hits=hits, rows=rows, first=FIRST[dialect].format(value=value))
        for kind, (value, hits, rows) in VALUES.items()
    ]
    tallies.append(MONTHS.format(month=MONTH[dialect].format(bits=words.ID_BITS)))
    mask = (1 << words.ID_BITS) - 1
    return text(f"{FOUND.format(keys=KEYS[dialect])} {' UNION ALL '.join(tallies).format(mask=mask)}")


def _given(connection: Connection, keys: Sequence[int], most: int) -> dict[str, object]:
    given = list(keys) if connection.dialect.name == "postgresql" else f"[{','.join(map(str, keys))}]"
    return {"keys": given, "most": most}
