"""The query language: what it finds, how it prints, what it refuses and what it forgives."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.query_cases import CASES, DOCUMENTS, Case
from watchfloor.errors import QueryError
from watchfloor.query import (
    And,
    Document,
    In,
    Near,
    Node,
    Not,
    Or,
    Phrase,
    Place,
    Reading,
    Tagged,
    Term,
    evaluate,
    find,
    parse,
    parse_lenient,
    read_leniently,
    show,
)

FILED = {name: Document(*filed) for name, filed in DOCUMENTS.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.query[:60])
def test_finds_what_the_table_says(case: Case) -> None:
    node = parse(case.query)
    assert {name for name, document in FILED.items() if evaluate(node, document)} == case.finds


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.query[:60])
def test_prints_so_that_it_reads_back(case: Case) -> None:
    assert parse(show(parse(case.query))) == parse(case.query)


words = st.sampled_from(["troops", "iraq", "and", "near", "not", "у2", "f126"])
terms = st.builds(Term, words, st.booleans(), st.booleans())
phrases = st.tuples(words, words, st.booleans(), st.booleans()).map(
    lambda made: Phrase((Term(made[0], case=made[3]), Term(made[1], prefix=made[2], case=made[3])))
)
nears = st.builds(Near, terms | phrases, terms | phrases, st.integers(0, 100))
plain = st.recursive(
    terms | phrases | nears,
    lambda inner: (
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts)))
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts)))
        | st.builds(Not, inner)
    ),
    max_leaves=6,
)
trees = st.recursive(
    plain
    | st.builds(In, st.sampled_from(["title", "lead"]), plain)
    | st.builds(Tagged, st.sampled_from(["entity", "topic"]), st.sampled_from(["New START", "arms-control"])),
    lambda inner: st.builds(Not, inner) | st.lists(inner, min_size=2, max_size=3).map(lambda p: Or(tuple(p))),
    max_leaves=4,
)


@given(trees)
def test_every_tree_prints_so_that_it_reads_back(node: Node) -> None:
    assert parse(show(node)) == node


@pytest.mark.parametrize(
    ("query", "column", "reason"),
    [
        ("", 1, "the query is empty"),
        ("   ", 1, "the query is empty"),
        ("(troops OR forces", 1, "this parenthesis is never closed"),
        ("troops) forces", 7, "this parenthesis was never opened"),
        ('troops "arms control', 8, "this quotation mark is never closed"),
        ("troops AND", 11, "a word is missing at the end"),
        ("OR troops", 1, "a word is missing before OR"),
        ("troops AND OR forces", 12, "a word is missing before OR"),
        ("troops NEAR/5", 14, "a word is missing at the end"),
        ("troops NEAR/500 iraq", 8, "NEAR/500 is too far"),
        ("troops NEAR/99999999999999999999 iraq", 8, "NEAR/999999999 is too far"),
        ("a NEAR/2 b NEAR/2 c", 12, "NEAR joins two"),
        ("title:a NEAR/3 b", 1, "NEAR joins words and phrases"),
        ("a NEAR/3 (b AND c)", 10, "NEAR joins words and phrases"),
        ("subject:nato", 1, "there is no field subject:"),
        ("title: nato", 1, "nothing follows title:"),
        ("title:(lead:nato)", 7, "a field within a field"),
        ("entity:(a OR b)", 8, "entity: takes a word or a phrase in quotes"),
        ("troops ++ iraq", 8, "++ has neither letter nor digit"),
        ("nuc*ar", 1, "* may only stand at the end"),
        ("a*", 1, "too short before *"),
        ("troops ()", 8, "an empty group"),
        ("()", 1, "an empty group"),
        ("title:()", 7, "an empty group"),
        ("(NOT)", 5, "a word is missing before )"),
        ('""', 1, '"" has neither letter nor digit'),
        ('case:""', 6, '"" has neither letter nor digit'),
        ('entity:" "', 8, "entity: names nothing"),
        ('title:"new start', 7, "this quotation mark is never closed"),
        ('troops "', 8, "this quotation mark is never closed"),
        ("title:-start", 7, "a - within title:"),
        ("title:NOT start", 7, "a word is missing before NOT"),
        ("case:(new start)", 6, "case: takes a word or a phrase in quotes"),
        ("NEAR/5 troops", 1, "a word is missing before NEAR/5"),
        ("troops NEAR/ iraq", 8, "NEAR/ joins nothing"),
        ("troops NEAR/-1 iraq", 8, "NEAR/-1 joins nothing"),
        ("troops near/5 iraq", 8, "near/5 joins nothing"),
        (f"({'aa OR ' * 101}aa) NEAR ({'bb OR ' * 100}bb)", 612, "too many alternatives beside NEAR"),
        ("troops - iraq", 8, "a lone - says nothing"),
        ("(" * 60 + "a" + ")" * 60, 52, "too many groups within groups"),
        ("NOT " * 60 + "a", 205, "too many groups within groups"),
        ("a " * 20_000, 20_001, "the query is too long"),
    ],
)
def test_refuses_with_the_column(query: str, column: int, reason: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(query)
    assert (caught.value.column, caught.value.reason) == (column, reason)


def test_an_error_names_the_file_and_line_it_was_given() -> None:
    with pytest.raises(QueryError) as caught:
        parse("troops AND", path=Path("watchlist.yaml"), line=12)
    assert str(caught.value).startswith("watchlist.yaml:12:11: a word is missing at the end")


def test_finds_the_places_in_the_original() -> None:
    document = Document("Ołeh’s  Air-Defence", "The “air defence” of Kyiv.")
    places = find(parse('"air defence" -missing'), document)
    assert places == (Place("title", 8, 19), Place("text", 5, 16))
    assert [getattr(document, place.field)[place.start : place.end] for place in places] == [
        "Air-Defence",
        "air defence",
    ]


def test_a_word_that_stands_everywhere_is_near_its_neighbours_alone() -> None:
    document = Document("", "north south " * 20_000)
    assert len(find(parse("north NEAR/0 south"), document) or ()) == 39_999


def test_what_is_only_excluded_has_no_place() -> None:
    assert find(parse("NOT troops"), Document("Bulletin", "")) == ()


@pytest.mark.parametrize(
    ("typed", "node"),
    [
        ("C++", Term("c")),
        ("O'Brien", Phrase((Term("o"), Term("brien")))),
        ("AT&T", Phrase((Term("at"), Term("t")))),
        ("nato iraq", And((Term("nato"), Term("iraq")))),
        ('"', None),
        ("  ", None),
        ('"arms control', And((Term("arms"), Term("control")))),
        ("Re: iraq", And((Term("re"), Term("iraq")))),
        ("(((", None),
    ],
)
def test_a_persons_search_is_never_refused(typed: str, node: Node | None) -> None:
    assert parse_lenient(typed) == node


def test_what_was_not_understood_is_said() -> None:
    assert read_leniently("troops AND") == Reading(
        And((Term("troops"), Term("and"))), "read as plain words: a word is missing at the end"
    )


def test_a_long_search_is_cut_and_says_so() -> None:
    reading = read_leniently("troops " * 3_000)
    assert reading == Reading(And((Term("troops"),) * 20), "only the first 20 words were looked for")
    assert read_leniently("x" * 20_000) == Reading(Term("x" * 200), "only the first 1 words were looked for")


@given(st.text(max_size=300))
def test_nothing_that_people_type_raises(typed: str) -> None:
    reading = read_leniently(typed)
    if reading.node is not None:
        evaluate(reading.node, FILED["treaty"])
