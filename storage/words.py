"""The full-text index: one document for each judged article, of folded words (`watchfloor.tokens`) and of tags.

The same words are given to SQLite and to PostgreSQL, so that both find what the evaluator in memory finds, in every
script. Tags say what the verdict says (relevant, topic, entity) and where the article is from: a search with filters is
one look-up in one index. An article's key in the index begins with its date, so that newest first, and from-to, are the
index's own order; the article's id is the key's lower half.

SQLite: an FTS5 table without content (the text is in `articles` already): to take a document out, the very words that
were put in have to be given again. Its rows are numbered from the newest on, see `row_of_key`.
PostgreSQL: `title` weighs A, the lead B, the rest of the text D, and tags have no place. A word of the title stands
there once more under a mark, a word of title or lead under another, since its index knows of no weights.
VERSION says by which rule the index was filled; another rule means filling it anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2s

from sqlalchemy import Connection, bindparam, delete, insert, select, text, update
from sqlalchemy import column as sql_column
from sqlalchemy import table as sql_table

from storage.dialects import chunks, one_of, plain, put
from storage.names import names_of
from storage.schema import ArticleRow, ArticleTopicRow, FacetRow, MentionRow, NoteRow, VerdictRow
from watchfloor.query import LEAD_WORDS, QueryField
from watchfloor.tokens import search_tokens

VERSION = "3"  # raise it when the words, the tags or the key of a document change
MOST_WORDS = 15_900  # of a text: PostgreSQL counts places up to 16,383, title and gap included
LONGEST_WORD = 100  # characters; longer ones are data, and a lexeme of PostgreSQL ends at 2,046 bytes
MOST_BYTES = 800_000  # of a text's lexemes on PostgreSQL, whose tsvector ends at 1,048,575 with lead, title and tags
TITLE_ROOM = 300  # places kept for a title on PostgreSQL (at most 250 words), so that no phrase runs into the text
ID_BITS = 30
LAST = (1 << 63) - 1  # behind every key: both databases keep 64 bits
MARKS: dict[QueryField | None, str] = {None: "", "title": "^", "lead": "~"}  # of lexemes; no word begins so
SAMPLES = (8, 64, 512)  # one document in so many is tagged, so that many matches can be counted by a few of them

WORDS = sql_table("article_words", sql_column("key"), sql_column("words"))  # on PostgreSQL


@dataclass(frozen=True, slots=True)
class Document:
    """What the index holds of one article."""

    key: int
    title: tuple[str, ...]
    text: tuple[str, ...]
    tags: tuple[str, ...]
    source_id: str
    language: str | None

    @property
    def lead(self) -> tuple[str, ...]:
        """The first words of the text."""
        return self.text[:LEAD_WORDS]


def key_of(dated: datetime, article_id: int) -> int:
    """Seconds since 1970 in the upper half, the article in the lower; both databases keep 64 bits."""
    return int(dated.timestamp()) << ID_BITS | article_id


def article_of_key(key: int) -> int:
    """The article's id."""
    return key & (1 << ID_BITS) - 1


def moment_of_key(key: int) -> datetime:
    """The article's date, to the second."""
    return datetime.fromtimestamp(key >> ID_BITS, UTC)


def row_of_key(key: int) -> int:
    """The row on SQLite: the newest comes first. Walking backwards is no way out, since there FTS5 loses matches of
    phrases and of NOT where a word has a long list (SQLite 3.40; two in 3,500 at a million articles)."""
    return LAST - key


def fold_words(words: str) -> tuple[str, ...]:
    """The words of a text or a query, as the index has them."""
    return tuple(word[:LONGEST_WORD] for word in search_tokens(words)[:MOST_WORDS])


@lru_cache(maxsize=10_000)
def tag(kind: str, name: str = "") -> str:
    """A tag as one word that no text holds and no tokenizer divides; names are folded as words are."""
    said = f"{kind} {' '.join(search_tokens(name))}"
    return f"tag{blake2s(said.encode(), digest_size=8).hexdigest()}"


ANY = tag("any")  # every document has it, so that NOT has something to take away from
RELEVANT = tag("relevant")
NOWHERE = tag("nowhere")  # no document has it


def source_tag(source_id: str) -> str:
    """The tag of a source; ids are compared as they are."""
    return tag("source", source_id.encode().hex())


def sample_tag(one_in: int) -> str:
    """The tag of the sample that has one document in so many; a coarser sample is part of a finer one."""
    return tag("sample", str(one_in))


def compose(
    *,
    article_id: int,
    dated: datetime,
    title: str,
    body: str,
    source_id: str,
    language: str | None,
    relevant: bool,
    topics: Iterable[str],
    entities: Iterable[str],
) -> Document:
    """The document of an article."""
    tags = {ANY, source_tag(source_id)}
    tags.update([RELEVANT] if relevant else [])
    tags.update([tag("language", language)] if language else [])
    tags.update(sample_tag(one_in) for one_in in SAMPLES if _lot(article_id) % one_in == 0)
    tags.update(tag("topic", topic) for topic in topics)
    tags.update(tag("entity", entity) for entity in entities)
    key = key_of(dated, article_id)
    return Document(key, fold_words(title), fold_words(body), tuple(sorted(tags)), source_id, language)


def _lot(article_id: int) -> int:
    """A number that has nothing to do with what else goes up with the id (Knuth's multiplicative hash)."""
    return (article_id * 2_654_435_761 & 0xFFFFFFFF) >> 16


# -- keeping it -------------------------------------------------------------------------------------------------------


def add(connection: Connection, documents: Sequence[Document]) -> None:
    """Put documents in that are not in, and note it with their articles."""
    insert_documents(connection, documents)
    keys = [{"article": article_of_key(one.key), "its_key": one.key} for one in documents]
    if keys:
        connection.execute(_SET_KEY, keys)


def insert_documents(connection: Connection, documents: Sequence[Document]) -> None:
    """Put documents in whose articles have their keys noted already."""
    # Newest first, as SQLite's rows: FTS5 writes a segment each time that the row steps back.
    ordered = sorted(documents, key=lambda one: one.key, reverse=True)
    if not ordered:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(plain(_SQLITE_INSERT), [_sqlite_row(one) for one in ordered])
    else:
        connection.execute(plain(_POSTGRES_INSERT), [{"key": one.key, "words": tsvector(one)} for one in ordered])
    rows = [{"word_key": one.key, "source_id": one.source_id, "language": one.language} for one in ordered]
    connection.execute(_FACET, rows)


def remove(connection: Connection, article_ids: Iterable[int]) -> None:
    """Take articles out, as they stand in the tables; to be called before text, date or verdict change."""
    indexed = [id for ids in chunks(article_ids) for id in connection.execute(_INDEXED, {"ids": ids}).scalars()]
    if not indexed:
        return  # as of everything that comes in for the first time
    documents = list(stored(connection, indexed, indexed=True))
    if connection.dialect.name == "sqlite":
        connection.execute(plain(_SQLITE_DELETE), [_sqlite_row(one) for one in documents])
    else:
        connection.execute(delete(WORDS).where(WORDS.c.key.in_([one.key for one in documents])))
    connection.execute(delete(FacetRow).where(FacetRow.word_key.in_([one.key for one in documents])))
    ids = [article_of_key(one.key) for one in documents]
    connection.execute(update(ArticleRow).where(ArticleRow.id.in_(ids)).values(word_key=None))


_INDEXED = select(ArticleRow.id).where(one_of(ArticleRow.id), ArticleRow.word_key.is_not(None))
_COLUMNS = "article_words (rowid, title, lead, text, tags) VALUES (:row, :title, :lead, :text, :tags)"
_SQLITE_INSERT = f"INSERT INTO {_COLUMNS}"
_SQLITE_DELETE = f"INSERT INTO {_COLUMNS}".replace("(rowid", "(article_words, rowid").replace(
    "(:row", "('delete', :row"
)
_FACET = insert(FacetRow)
_SET_KEY = update(ArticleRow).where(ArticleRow.id == bindparam("article")).values(word_key=bindparam("its_key"))
_POSTGRES_INSERT = "INSERT INTO article_words (key, words) VALUES (:key, CAST(:words AS tsvector))"


def _sqlite_row(one: Document) -> dict[str, object]:
    return {
        "row": row_of_key(one.key),
        "title": " ".join(one.title),
        "lead": " ".join(one.lead),
        "text": " ".join(one.text),
        "tags": " ".join(one.tags),
    }


def tsvector(one: Document) -> str:
    """The document in PostgreSQL's own notation: 'word':1A,302B,377 '^word' '~word'."""
    places: dict[str, list[str]] = {}
    for place, word in enumerate(one.title, 1):
        places.setdefault(word, []).append(f"{min(place, TITLE_ROOM)}A")
    room = MOST_BYTES
    for place, word in enumerate(one.text):
        if (room := room - len(word.encode()) - 8) < 0:  # 8 bytes: its entry, a place, and what they are rounded up to
            break  # 9,000 words of 100 Russian letters each: data, and an honest text is a tenth of it
        weight = "B" if place < LEAD_WORDS else ""
        places.setdefault(word, []).append(f"{TITLE_ROOM + 101 + place}{weight}")
    words = [f"'{word}':{','.join(at)}" for word, at in places.items()]
    title = [f"'{MARKS['title']}{word}'" for word in set(one.title)]
    lead = [f"'{MARKS['lead']}{word}'" for word in {*one.title, *one.lead}]
    return " ".join([*words, *title, *lead, *map(lexeme_of_tag, one.tags)])


def lexeme_of_tag(tag: str) -> str:
    """A tag as a lexeme of PostgreSQL, where it stands among the words: # is in none of them, so none begins so."""
    return f"'#{tag}'"


# -- reading the tables back ------------------------------------------------------------------------------------------


def stored(connection: Connection, article_ids: Iterable[int], *, indexed: bool) -> Iterator[Document]:
    """The documents of these articles by what the tables say; `indexed`: only of those that are in, under that key."""
    for chunk in chunks(article_ids, 200):
        topics = names_of(connection, ArticleTopicRow.topic, chunk)
        entities = names_of(connection, MentionRow.entity, chunk)
        rows = connection.execute(
            select(
                ArticleRow.id,
                ArticleRow.dated,
                ArticleRow.title,
                ArticleRow.text,
                ArticleRow.source_id,
                ArticleRow.word_key,
                VerdictRow.relevant,
                VerdictRow.language,
            )
            .join(VerdictRow, VerdictRow.article_id == ArticleRow.id)
            .where(ArticleRow.id.in_(chunk), ArticleRow.duplicate_of.is_(None))
        )
        for row in rows:
            if not indexed or row.word_key is not None:
                yield compose(
                    article_id=row.id,
                    dated=row.dated,
                    title=row.title,
                    body=row.text,
                    source_id=row.source_id,
                    language=row.language,
                    relevant=row.relevant,
                    topics=topics.get(row.id, ()),
                    entities=entities.get(row.id, ()),
                )


def is_current(connection: Connection) -> bool:
    """Whether the index was filled by the rule of this program."""
    return connection.execute(select(NoteRow.value).where(NoteRow.name == "words")).scalar() == VERSION


def say_current(connection: Connection) -> None:
    """Note that the index was filled by the rule of this program."""
    put(connection, NoteRow, [{"name": "words", "value": VERSION}], key=["name"])


def fill(connection: Connection) -> int:
    """Empty the index and fill it from the tables; the number of documents."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("INSERT INTO article_words (article_words) VALUES ('delete-all')"))
    else:
        connection.execute(delete(WORDS))
    connection.execute(delete(FacetRow))
    connection.execute(update(ArticleRow).where(ArticleRow.word_key.is_not(None)).values(word_key=None))
    judged = connection.execute(
        select(VerdictRow.article_id)
        .join(ArticleRow, ArticleRow.id == VerdictRow.article_id)
        .order_by(ArticleRow.dated.desc())
    ).scalars()
    count = 0
    for chunk in chunks(judged.all(), 200):
        documents = list(stored(connection, chunk, indexed=False))
        add(connection, documents)
        count += len(documents)
    say_current(connection)
    return count
