"""Search: SQLite and PostgreSQL find what the evaluator in memory finds; filters, order, pages, snippets, limits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage import search
from storage.archive import SqlArchive
from storage.engine import open_archive
from storage.snippets import snippet
from storage.words import MOST_WORDS, VERSION, compose, key_of
from tests.archives import DAY, HOUR, NOON, Desk, desk_with_news, entry, source
from tests.postgres import fresh_database
from tests.query_cases import CASES, DOCUMENTS, Case
from watchfloor.errors import ArchiveError, QueryError
from watchfloor.model import Filters, Hits
from watchfloor.query import Document, Node, evaluate, parse, parse_lenient

EVERYTHING = Filters(everything=True)


# -- one table of cases for all ---------------------------------------------------------------------------------------


class Library:
    """The documents of the table, archived as relevant articles."""

    def __init__(self, url: str) -> None:
        self.archive = open_archive(url)
        desk = Desk(self.archive).knows(source())
        self.names = {f"https://gazette.example/{name}": name for name in DOCUMENTS}
        desk.polls("gazette", *(entry(name, title=filed.title) for name, filed in DOCUMENTS.items()))
        desk.reads_each({url: DOCUMENTS[name].text for url, name in self.names.items()})
        filed = {url: DOCUMENTS[name] for url, name in self.names.items()}
        desk.judges_as({url: (one.entities, one.topics) for url, one in filed.items()})

    def finds(self, node: Node, by: str = "relevance") -> set[str]:
        hits = self.archive.search(node, Filters(), limit=50, after=None, by=by)
        assert hits.total == len(hits.hits)
        return {self.names[str(hit.url)] for hit in hits.hits}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    file = f"sqlite:///{tmp_path_factory.mktemp('library')}/archive.db"
    made = Library(file if request.param == "sqlite" else fresh_database())
    yield made
    made.archive.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.query)
def test_finds_what_the_table_says(case: Case, library: Library) -> None:
    assert library.finds(parse(case.query)) == case.finds
    assert library.finds(parse(case.query), by="date") == case.finds


WORDS = st.sampled_from(
    ["carrier", "aircraft", "start", "extend*", "two", "nuclear", "gulf", "title:start", "lead:sixtieth", "case:START"]
)
LEAVES = WORDS | st.builds("{} NEAR/{} {}".format, WORDS.filter(str.isalpha), st.integers(0, 9), st.just("the"))
QUERIES = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds("({} {})".format, inner, inner)
        | st.builds("({} OR {})".format, inner, inner)
        | st.builds("(NOT {})".format, inner)
    ),
    max_leaves=6,
)


@given(query=QUERIES)
@settings(max_examples=60, deadline=None)
def test_finds_what_the_evaluator_finds(library: Library, query: str) -> None:
    node = parse(query)
    assert library.finds(node) == {name for name, filed in DOCUMENTS.items() if evaluate(node, Document(*filed))}


HOSTILE = (
    "C++",
    "O'Brien",
    "AT&T",
    '"',
    "'",
    "-",
    "*",
    "a\x00b",
    "NEAR(",
    "{title}:x",
    "\\",
    "%s :x",
    "troops " * 4000,
)


@pytest.mark.parametrize(
    "text", [*HOSTILE, "troops " * 4000, "(" * 60 + "a" + ")" * 60, "(" * 50 + "a" + ")" * 50, "ا*", "-a -b"]
)
def test_takes_whatever_is_typed(library: Library, text: str) -> None:
    hits = library.archive.search(parse_lenient(text), Filters(), limit=5, after=None, by="relevance")
    assert hits.total <= len(DOCUMENTS)


# -- filters, order, pages --------------------------------------------------------------------------------------------


@pytest.fixture
def desk(archive: SqlArchive) -> Desk:
    return desk_with_news(archive)


def titles(hits: Hits) -> list[str]:
    return [hit.title for hit in hits.hits]


def test_an_empty_query_lists_the_newest_relevant_ones(desk: Desk) -> None:
    days = {"one": 1, "two": 2, "dull": 3, "four": 4}
    desk.works("gazette", *(entry(name, published=NOON - days[name] * DAY) for name in days))
    assert titles(desk.finds()) == ["one", "two", "four"]
    assert titles(desk.finds(everything=True)) == ["one", "two", "dull", "four"]


def test_filters_narrow(desk: Desk) -> None:
    desk.knows(source(), source("courier"))
    desk.polls("courier")
    desk.works("gazette", entry("summit-now"), entry("summit-then", published=NOON - 3 * DAY), entry("dull-summit"))
    desk.works("courier", entry("summit-elsewhere", "courier", published=NOON - 2 * HOUR))
    assert titles(desk.finds("summit")) == ["summit now", "summit elsewhere", "summit then"]
    assert titles(desk.finds("summit", since=NOON - DAY)) == ["summit now", "summit elsewhere"]
    assert titles(desk.finds("summit", since=NOON - 2 * HOUR, until=NOON - HOUR)) == ["summit elsewhere"]
    assert titles(desk.finds("summit", sources=("courier", "nowhere"))) == ["summit elsewhere"]
    assert titles(desk.finds("summit", topics=("budgets",), entities=("nato",), sources=("courier",))) == [
        "summit elsewhere"
    ]
    assert titles(desk.finds("summit", topics=("missiles",))) == []
    assert titles(desk.finds("summit", entities=("dull",), everything=True)) == ["dull summit"]


def test_a_hit_says_all_that_a_list_shows(desk: Desk) -> None:
    desk.polls("gazette", entry("summit-ends"))
    desk.reads("Before.\n\nThe summit in Ankara ended.")
    desk.judges()
    hits = desk.finds("ankara OR ended")
    hit = hits.hits[0]
    assert (hit.source, hit.publisher, hit.score, hit.topics) == (
        "gazette",
        "Gazette House",
        2.5,
        ("alliances", "budgets"),
    )
    assert (hit.entities, hit.story, hit.first_seen) == (("NATO", "summit"), 1, NOON + HOUR)
    assert hit.snippet == "Before.  The summit in Ankara ended."
    assert [hit.snippet[start:end] for start, end in hit.marks] == ["Ankara", "ended"]


def test_a_word_in_the_title_counts_more(desk: Desk) -> None:
    desk.polls("gazette", entry("summit-in-the-title"), entry("other", title="another title"))
    desk.reads_each({"https://gazette.example/other": "One summit is named in this longer text."}, otherwise="Nothing.")
    desk.judges()
    assert titles(desk.archive.search(parse("summit"), Filters(), limit=2, after=None, by="relevance")) == [
        "summit in the title",
        "another title",
    ]


@pytest.mark.parametrize("by", ["date", "relevance"])
@pytest.mark.parametrize("query", ["summit", "case:summit", None])
def test_pages_follow_each_other_without_gap_or_repeat(desk: Desk, by: str, query: str | None) -> None:
    entries = [entry(f"summit-{n}", published=NOON - (n % 3) * HOUR) for n in range(7)]
    desk.works("gazette", *entries)
    node, after, seen = (parse(query) if query else None), None, list[int]()
    for _ in range(4):
        page = desk.archive.search(node, Filters(), limit=2, after=after, by=by)
        seen += [hit.id for hit in page.hits]
        after = page.after
    assert after is None
    assert sorted(seen) == list(range(1, 8))
    whole = desk.archive.search(node, Filters(), limit=20, after=None, by=by)
    assert seen == [hit.id for hit in whole.hits]


def test_a_made_up_page_key_is_refused(archive: SqlArchive) -> None:
    for key in ("x", "1", "ff.zz", "-.-", "-5.0x0p+0", "f" * 99 + ".0x0p+0"):
        with pytest.raises(QueryError, match="not a key"):
            archive.search(None, Filters(), limit=1, after=key, by="date")


def test_counting_ends_somewhere_and_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.works("gazette", *(entry(f"summit-{n}") for n in range(5)))
    monkeypatch.setattr(search, "COUNTED", 3)
    for by in ("date", "relevance"):
        hits = desk.archive.search(parse("summit"), Filters(), limit=2, after=None, by=by)
        assert (hits.total, hits.total_exact, len(hits.hits)) == (3, False, 2)


def test_a_search_that_takes_too_long_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.works("gazette", *(entry(f"summit-{n}") for n in range(3)))
    dialect = "sqlite" if desk.archive._database.is_sqlite else "postgresql"
    endless = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "postgresql": "SELECT count(*) FROM generate_series(1, 1000000000)",
    }
    monkeypatch.setitem(search.STATEMENTS[dialect], "count", endless[dialect])
    monkeypatch.setattr(search, "SECONDS", 0.05)
    with pytest.raises(ArchiveError, match=r"longer than 0\.05 s"):
        desk.finds("summit")
    monkeypatch.undo()
    assert desk.finds("summit").total == 3


# -- what the index holds ---------------------------------------------------------------------------------------------


def test_a_text_that_changed_is_found_by_its_new_words_only(desk: Desk) -> None:
    desk.polls("gazette", entry("summit"))
    desk.reads("Teasing words.", retry_at=desk.now + HOUR)
    desk.judges()
    assert desk.finds("teasing").total == 1
    desk.later(HOUR).reads("The whole matter.")
    desk.judges()
    assert (desk.finds("teasing").total, desk.finds("matter").total, desk.finds("summit").total) == (0, 1, 1)


def test_filling_the_index_anew_changes_no_answer(desk: Desk) -> None:
    desk.works("gazette", entry("summit-one"), entry("dull-two"))
    before = desk.finds("summit OR text", everything=True)
    with desk.archive._database.write() as connection:
        connection.exec_driver_sql("UPDATE notes SET value = 'an older rule'")
    assert desk.archive.refresh_words() == 2
    assert desk.archive.refresh_words() == 0
    assert desk.finds("summit OR text", everything=True) == before


PINNED = (  # any, relevant, source, topic, entity
    "tagcc160b1f7ef5aaa0",
    "tag7d2588b4ff3d7200",
    "tagd5577b361a67985c",
    "tage25c3a48b991f1b7",
    "tag224220657e576b29",
)


def test_the_rule_of_the_index_is_the_one_of_its_version() -> None:
    """If this fails the index of every archive has to be filled anew: raise VERSION, then put the new words here."""
    made = compose(
        article_id=7,
        dated=NOON,
        title="Kyiv’s A-50, Łódź",
        body="Ça va: 2,000 U.S. troops. Київ!",
        source_id="gazette",
        relevant=True,
        topics=("arms-control",),
        entities=("New START",),
    )
    assert (VERSION, made.key) == ("1", key_of(NOON, 7))
    assert (made.title, made.text) == (
        ("kyiv", "s", "a", "50", "lodz"),
        ("ca", "va", "2", "000", "u", "s", "troops", "киів"),
    )
    assert made.tags == tuple(sorted(PINNED))


def test_a_text_of_any_length_is_indexed(desk: Desk) -> None:
    desk.polls("gazette", entry("summit"))
    desk.reads(" ".join(f"w{n}" for n in range(MOST_WORDS + 5)) + " " + "x" * 5000)
    desk.judges()
    last = MOST_WORDS - 1
    assert [desk.finds(f'"w{n - 1} w{n}"').total for n in (1, last, last + 1)] == [1, 1, 0]


# -- snippets ---------------------------------------------------------------------------------------------------------


def test_the_snippet_is_the_passage_around_the_first_place() -> None:
    text = "Nothing here. " * 40 + "Then the carrier left Norfolk. " + "And nothing. " * 40
    passage, marks = snippet("Title", text, parse("carrier OR norfolk"))
    assert [passage[start:end] for start, end in marks] == ["carrier", "Norfolk"]
    assert len(passage) <= 240
    assert text.find(passage) > 0
    assert not passage.startswith(" ")


@pytest.mark.parametrize(
    ("query", "marked"),
    [
        ("carrier", ["Carrier"]),
        ("carrier*", ["Carrier", "carriers"]),
        ('"u.s. carriers"', ["U.S. carriers"]),
        ("krakow NEAR/3 carriers", ["carriers", "Kraków"]),
        ("title:carrier krakow", ["Kraków"]),
        ("lead:krakow OR lead:absent", ["Kraków"]),
        ("krakow -carrier", ["Kraków"]),
        ("case:U.S.", ["U.S"]),
        ("entity:NATO", []),
    ],
)
def test_the_marks_are_the_words_that_were_asked_for(query: str, marked: list[str]) -> None:
    passage, marks = snippet("A title", "The Carrier’s crew; two U.S. carriers\nlater, in Kraków.", parse(query))
    assert [passage[start:end] for start, end in marks] == marked


def test_without_a_place_in_the_text_the_snippet_is_its_beginning() -> None:
    assert snippet("Carrier", "It left. " * 50, parse("carrier")) == ((("It left. " * 50)[:240]).rsplit(" ", 1)[0], ())
    assert snippet("Carrier", "", None) == ("", ())


def test_marks_lie_within_the_snippet() -> None:
    text = "x" * 239 + " carrier"
    passage, marks = snippet("", text, parse("carrier"))
    assert [passage[start:end] for start, end in marks] == ["carrier"]
