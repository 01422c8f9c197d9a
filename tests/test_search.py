"""Search: SQLite and PostgreSQL find what the evaluator in memory finds; filters, order, pages, snippets, limits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage import facets as facets_room
from storage import search, words
from storage.archive import SqlArchive
from storage.engine import open_archive
from storage.snippets import snippets
from storage.words import MOST_WORDS, VERSION, compose, key_of
from tests.archives import DAY, HOUR, NOON, Desk, desk_with_news, entry, source
from tests.postgres import fresh_database
from tests.query_cases import CASES, DOCUMENTS, Case
from watchfloor.errors import ArchiveError, QueryError
from watchfloor.model import Facet, Facets, Filters, Hits
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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.query[:60])
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


def test_no_date_is_too_far_off(desk: Desk) -> None:
    desk.works("gazette", entry("summit"))
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    assert desk.finds("summit", since=first, until=last).total == 1
    assert desk.finds("summit", since=last).total == desk.finds("summit", until=first).total == 0


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


FAR = "filler " * 200  # what follows is behind the lead


@pytest.fixture
def press(desk: Desk) -> Desk:
    """Each article a day after the one before: where it says "grey wolves" is what its title says."""
    texts = {
        "grey-wolves-in-title": "Nothing.",
        "grey-in-title": "Of wolves, grey wolves.",
        "in-the-lead": "The grey wolves.",
        "far-down": f"{FAR} grey wolves.",
        "grey-wolves-again": "Nothing.",
        "apart": f"Wolves that are grey. {FAR} grey wolves",
        "denied": "The grey wolves howl.",
    }
    for name, text in texts.items():
        desk.later(DAY).polls("gazette", entry(name, published=desk.now))
        desk.reads(text)
        desk.judges_as({f"https://gazette.example/{name}": ((), ())})
    return desk


RANKED = ["grey wolves again", "grey wolves in title", "apart", "in the lead", "grey in title", "far down"]


@pytest.mark.parametrize("few", [0, 300], ids=["tier by tier", "each by itself"])
@pytest.mark.parametrize("limit", [2, 20])
def test_relevance_is_where_the_words_stand_and_then_the_date(
    press: Desk, monkeypatch: pytest.MonkeyPatch, few: int, limit: int
) -> None:
    monkeypatch.setattr(search, "FEW", few)
    assert pages(press, "grey wolves NOT howl", limit) == RANKED
    assert pages(press, "(grey OR absent) wolves NOT howl", limit) == RANKED
    assert pages(press, '"grey wolves" NOT howl', limit)[:2] == RANKED[:2]
    assert pages(press, "title:grey title:wolves", limit) == RANKED[:2]


@pytest.mark.parametrize("few", [0, 300], ids=["tier by tier", "each by itself"])
@pytest.mark.parametrize("limit", [1, 2, 3, 20])
def test_a_phrase_is_looked_for_slice_by_slice(
    press: Desk, monkeypatch: pytest.MonkeyPatch, few: int, limit: int
) -> None:
    monkeypatch.setattr(search, "FEW", few)
    monkeypatch.setattr(search, "SLICES", {"sqlite": 3, "postgresql": 3})
    sliced = [["denied", "apart"], [RANKED[0], "in the lead", "far down"], ["grey wolves in title", "grey in title"]]
    assert pages(press, '"grey wolves"', limit) == [title for part in sliced for title in part]
    newest = [
        "denied",
        "apart",
        "grey wolves again",
        "far down",
        "in the lead",
        "grey in title",
        "grey wolves in title",
    ]
    assert pages(press, '"grey wolves"', limit, by="date") == newest
    assert [clip.title for clip in press.archive.export(parse('"grey wolves"'), EVERYTHING)] == newest[::-1]


def test_what_was_not_looked_through_is_said(press: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SLICES", {"sqlite": 3, "postgresql": 3})
    monkeypatch.setattr(facets_room, "ENOUGH", 2)
    hits = press.archive.search(parse('"grey wolves"'), EVERYTHING, limit=1, after=None, by="relevance")
    assert (hits.total, hits.total_exact, hits.reached) == (2, False, NOON + HOUR + 6 * DAY)
    hits = press.archive.search(parse('"grey wolves"'), EVERYTHING, limit=7, after=None, by="relevance")
    assert (hits.total, hits.total_exact, hits.reached) == (7, True, None)
    facets = press.archive.facets(parse('"grey wolves"'), EVERYTHING)
    assert (facets.total, facets.partly) == (2, True)
    assert press.archive.facets(parse('"wolves wolves"'), EVERYTHING) == Facets(total=0)


def pages(desk: Desk, query: str, limit: int, by: str = "relevance") -> list[str]:
    """The titles of all hits, page after page."""
    after, seen = None, list[str]()
    while True:
        page = desk.archive.search(parse(query), EVERYTHING, limit=limit, after=after, by=by)
        seen += titles(page)
        after = page.after
        if after is None:
            return seen


@pytest.mark.parametrize("by", ["date", "relevance"])
@pytest.mark.parametrize("query", ["summit", '"summit"', "case:summit", None])
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


def test_very_many_are_counted_by_a_sample_on_postgresql_and_few_are_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "SAMPLES", (4,))
    desk.works("gazette", *(entry(f"summit-{n}") for n in range(60)))
    counted: list[str] = []
    count = search.count_each
    monkeypatch.setattr(search, "count_each", lambda *asked: counted.append(asked[-1].match) or count(*asked))
    sample = words.sample_tag(4)
    for most, total in ((10, 10), (50, 50), (100, 60)):
        monkeypatch.setattr(search, "COUNTED", most)
        counted.clear()
        hits = desk.archive.search(parse("summit"), Filters(), limit=2, after=None, by="date")
        assert (hits.total, hits.total_exact) == (total, most > 60)
        whole = [match for match in counted if sample not in match]
        assert bool(whole) is (desk.archive._database.is_sqlite or most > 10)


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


# -- facets -----------------------------------------------------------------------------------------------------------


def counts(facets: tuple[Facet, ...]) -> dict[str, int]:
    return {one.value: one.count for one in facets}


@pytest.fixture
def world(desk: Desk) -> Desk:
    """Four relevant articles and a dull one, from two publishers in two countries."""
    desk.knows(source(), source("courier", publisher="Courier & Sons", country="FR", language="fr"))
    desk.polls("courier")
    desk.works("gazette", entry("summit-now"), entry("summit-then", published=NOON - 40 * DAY), entry("dull-summit"))
    desk.works("courier", entry("summit-elsewhere", "courier"), entry("parade", "courier"))
    return desk


def test_facets_count_all_matches(world: Desk) -> None:
    facets = world.archive.facets(None, Filters())
    assert (facets.total, facets.exact, facets.one_in) == (4, True, 1)
    assert counts(facets.topics) == {"alliances": 4, "budgets": 4}
    assert facets.entities == (Facet("NATO", 4), Facet("summit", 3), Facet("parade", 1))
    assert facets.publishers == (Facet("Courier & Sons", 2), Facet("Gazette House", 2))
    assert counts(facets.countries) == {"DE": 2, "FR": 2}
    assert counts(facets.languages) == {"en": 4}
    assert facets.months == (Facet("2026-11", 3), Facet("2026-10", 1))
    assert counts(world.archive.facets(parse("summit"), Filters(everything=True)).publishers) == {
        "Gazette House": 3,
        "Courier & Sons": 1,
    }


def test_facets_of_nothing_are_empty(world: Desk) -> None:
    assert world.archive.facets(parse("absent"), Filters()) == Facets(total=0)


def test_a_list_of_facets_ends_after_the_most_frequent(world: Desk) -> None:
    assert world.archive.facets(None, Filters(), most=1).entities == (Facet("NATO", 4),)


def test_each_facet_is_a_filter(world: Desk) -> None:
    assert titles(world.finds(publishers=("courier & SONS",))) == ["summit elsewhere", "parade"]
    assert titles(world.finds(countries=("de",))) == ["summit now", "summit then"]
    assert titles(world.finds(countries=("de", "FR"), publishers=("Courier & Sons",), sources=("gazette",))) == []
    assert titles(world.finds(countries=("XX",))) == []
    assert len(world.finds(languages=("EN", "fr")).hits) == 4
    assert titles(world.finds(languages=("fr",))) == []


def test_a_source_that_changes_hands_is_found_under_its_new_publisher(world: Desk) -> None:
    world.knows(source(publisher="New House", country="AT"), source("courier"))
    assert titles(world.finds(publishers=("new house",))) == titles(world.finds(sources=("gazette",)))
    assert counts(world.archive.facets(None, Filters()).countries) == {"AT": 2, "DE": 2}


def test_only_texts_that_hold_the_capitals_are_read_closely(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ("The START treaty.", "They start.", "STARTING now.", "Start, START.", "A NATO start.", "NATO on START.")
    for number, text in enumerate(texts):
        desk.polls("gazette", entry(f"summit-{number}"))
        desk.reads(text)
    desk.judges()
    read: list[str] = []
    monkeypatch.setattr(search, "evaluate", lambda node, one: read.append(one.text) or evaluate(node, one))
    assert desk.finds("case:START", everything=True).total == 3
    assert sorted(read) == ["NATO on START.", "Start, START.", "The START treaty."]
    read.clear()
    assert desk.finds("case:NATO start", everything=True).total == 2
    assert len(read) == 2
    assert desk.finds("case:NATO OR case:START", everything=True).total == 4


def test_facets_of_capitals_are_those_of_the_texts_that_have_them(world: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.archive.facets(parse("case:Summit"), Filters()).total == 0
    facets = world.archive.facets(parse("case:summit"), Filters())
    assert (facets.total, facets.exact, counts(facets.publishers)) == (
        3,
        True,
        {"Gazette House": 2, "Courier & Sons": 1},
    )
    monkeypatch.setattr(search, "CHECKED", 1)
    facets = world.archive.facets(parse("case:summit"), Filters())
    assert (facets.total, facets.exact, facets.partly) == (1, False, True)


def test_facets_of_many_matches_are_estimates_and_say_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "SAMPLES", (2, 4, 8))
    desk.works("gazette", *(entry(f"summit-{n}") for n in range(200)))
    monkeypatch.setattr(facets_room, "FACETED", 60)
    facets = desk.archive.facets(None, Filters())
    assert (facets.one_in, facets.total) == (4, 200)
    assert 150 < sum(counts(facets.publishers).values()) < 250
    monkeypatch.setattr(search, "COUNTED", 100)
    facets = desk.archive.facets(None, Filters())
    assert facets.one_in == 4
    assert not facets.exact
    assert 150 < facets.total < 250
    assert counts(facets.publishers) == {"Gazette House": facets.total}
    monkeypatch.setattr(facets_room, "FACETED", 3)
    assert desk.archive.facets(None, Filters()).one_in == 8


@pytest.mark.parametrize("step", [1, 2, 7, 8, 12, 64, 100, 512, 1000])
def test_a_sample_has_its_share_of_any_row_of_ids(step: int) -> None:
    ids = range(1, 512 * 400 * step, step)
    for one_in in (8, 64, 512):
        drawn = sum(words._lot(id) % one_in == 0 for id in ids)
        assert 0.8 < drawn * one_in / len(ids) < 1.2, (step, one_in)


def test_facets_are_forgotten_with_the_document(world: Desk) -> None:
    assert world.archive.refresh_words() == 0
    world.archive.prune(world.now + 400 * DAY, raw=DAY, text=DAY)
    everything = world.archive.facets(None, Filters(everything=True))
    assert (everything.total, counts(everything.languages)) == (5, {"en": 5})
    with world.archive._database.write() as connection:
        words.remove(connection, [1, 2, 3])
    assert world.archive.facets(None, Filters(everything=True)).total == 2
    with world.archive._database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM facets").scalar_one() == 2


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


PINNED = (  # any, relevant, source, topic, entity, language
    "tagcc160b1f7ef5aaa0",
    "tag7d2588b4ff3d7200",
    "tagd5577b361a67985c",
    "tage25c3a48b991f1b7",
    "tag224220657e576b29",
    "tag1605cfb1bd9915ff",
)


@pytest.mark.parametrize("letter", ["x", "ж", "\U00020000"])
def test_a_text_of_data_is_no_more_than_postgresql_can_index(letter: str) -> None:
    """Its index holds a megabyte of words for one document, and would refuse the whole batch."""
    archive = open_archive(fresh_database())
    desk = desk_with_news(archive)
    data = " ".join(f"{number:06d}{letter * 93}" for number in range(9900))
    desk.polls("gazette", entry("data"))
    desk.reads(f"The summit. {data}")
    desk.judges()
    assert desk.finds("summit", everything=True).total == 1
    archive.close()


def test_the_rule_of_the_index_is_the_one_of_its_version() -> None:
    """If this fails the index of every archive has to be filled anew: raise VERSION, then put the new words here."""
    made = compose(
        article_id=7,
        dated=NOON,
        title="Kyiv’s A-50, Łódź",
        body="Ça va: 2,000 U.S. troops. Київ!",
        source_id="gazette",
        language="uk",
        relevant=True,
        topics=("arms-control",),
        entities=("New START",),
    )
    assert (VERSION, made.key) == ("3", key_of(NOON, 7))
    assert (made.title, made.text) == (
        ("kyiv", "s", "a", "50", "lodz"),
        ("ca", "va", "2", "000", "u", "s", "troops", "киів"),
    )
    assert made.tags == tuple(sorted(PINNED))
    assert {word for word in words.tsvector(made).split() if word[1] in "^~"} == {
        *("'^kyiv'", "'^s'", "'^a'", "'^50'", "'^lodz'"),
        *(
            "'~kyiv'",
            "'~s'",
            "'~a'",
            "'~50'",
            "'~lodz'",
            "'~ca'",
            "'~va'",
            "'~2'",
            "'~000'",
            "'~u'",
            "'~troops'",
            "'~киів'",
        ),
    }
    assert [words.sample_tag(one_in) for one_in in words.SAMPLES] == [
        "tage54873a4b6d0c073",
        "tagdf4f1a1b7bf6405f",
        "tag4ddeaf336320e75f",
    ]
    assert [id for id in range(1, 60) if words._lot(id) % 8 == 0] == [14, 15, 29, 30, 44, 45]


def test_a_text_of_any_length_is_indexed(desk: Desk) -> None:
    desk.polls("gazette", entry("summit"))
    desk.reads(" ".join(f"w{n}" for n in range(MOST_WORDS + 5)) + " " + "x" * 5000)
    desk.judges()
    last = MOST_WORDS - 1
    assert [desk.finds(f'"w{n - 1} w{n}"').total for n in (1, last, last + 1)] == [1, 1, 0]


# -- snippets ---------------------------------------------------------------------------------------------------------


def test_the_snippet_is_the_passage_around_the_first_place() -> None:
    text = "Nothing here. " * 40 + "Then the carrier left Norfolk. " + "And nothing. " * 40
    passage, marks = snippets(parse("carrier OR norfolk"))("Title", text)
    assert [passage[start:end] for start, end in marks] == ["carrier", "Norfolk"]
    assert len(passage) <= 244
    assert text.find(passage[2:-2]) > 0
    assert (passage[:3], passage[-2:]) == ("\N{HORIZONTAL ELLIPSIS} N", " \N{HORIZONTAL ELLIPSIS}")


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
    passage, marks = snippets(parse(query))("A title", "The Carrier’s crew; two U.S. carriers\nlater, in Kraków.")
    assert [passage[start:end] for start, end in marks] == marked


def test_without_a_place_in_the_text_the_snippet_is_its_beginning() -> None:
    text = "It left. " * 50
    beginning = f"{text[:240].rsplit(' ', 1)[0]} \N{HORIZONTAL ELLIPSIS}"
    assert snippets(parse("carrier"))("Carrier", text) == snippets(None)("Carrier", text) == (beginning, ())
    assert snippets(None)("Carrier", "") == ("", ())


def test_only_where_a_text_goes_on_has_the_snippet_an_ellipsis() -> None:
    short = snippets(parse("left"))
    assert short("", "It left.") == ("It left.", ((3, 7),))
    begins, _ = short("", f"It left. {'And so on. ' * 30}")
    assert (begins[:9], begins[-5:]) == ("It left. ", "on. \N{HORIZONTAL ELLIPSIS}")
    ends, _ = short("", f"{'And so on. ' * 30}It left.")
    assert (ends[:2], ends[-8:]) == ("\N{HORIZONTAL ELLIPSIS} ", "It left.")


def test_marks_lie_within_the_snippet() -> None:
    text = "x" * 239 + " carrier"
    passage, marks = snippets(parse("carrier"))("", text)
    assert [passage[start:end] for start, end in marks] == ["carrier"]
