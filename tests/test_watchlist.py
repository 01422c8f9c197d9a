"""watchlist.yaml: what it says, what is refused, and that the shipped one is in order."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from watchfloor.countries import countries
from watchfloor.errors import WatchlistError, WatchlistErrors
from watchfloor.match import Matcher
from watchfloor.query import And, Not, Tagged, Term
from watchfloor.settings import shipped
from watchfloor.shadows import findings
from watchfloor.spelling import forms
from watchfloor.watchlist import Entity, Keyword, NearRule, Spelling, Watchlist, load, parse

SMALL = """\
threshold: 4
topics:
  - id: arms-control
    name: Arms control
    weight: 3
    keywords:
      - warhead
      - {term: draft, weight: 1.5, needs: ["@forces"], not: [beer]}
      - {terms: [Atomwaffe, Abrüstung], lang: de}
contexts:
  - {id: sport, weight: -1.5, keywords: [quarterback]}
harmless: [draft pick]
groups:
  forces: [troops, army]
  moves: [deploy*]
rules:
  - {near: [forces, moves], within: 4, weight: 1.5, topic: arms-control}
  - {query: "warhead AND -movie", topic: arms-control}
countries:
  Turkey: [{alias: Turkey, case: true, exact: true}, Ankara]
entities:
  - {name: New START, kind: treaty, topics: [arms-control], weight: 3, aliases: [START-3, {alias: START, case: true}]}
"""


def test_says_what_the_file_says() -> None:
    made = parse(SMALL)
    assert made.threshold == 4
    assert made.topics == {"arms-control": "Arms control"}
    assert made.keywords == (
        Keyword(Spelling("warhead"), 3, "arms-control"),
        Keyword(Spelling("draft", needs=("troops", "army"), excludes=("beer",)), 1.5, "arms-control"),
        Keyword(Spelling("Atomwaffe", language="de"), 3, "arms-control"),
        Keyword(Spelling("Abrüstung", language="de"), 3, "arms-control"),
    )
    assert made.contexts == (Keyword(Spelling("quarterback"), -1.5, "sport"),)
    assert made.harmless == (Spelling("draft pick"),)
    assert made.near_rules == (NearRule("forces near moves", ("forces", "moves"), 4, 1.5, "arms-control"),)
    assert [(rule.name, rule.query) for rule in made.query_rules] == [
        ("warhead AND NOT movie", And((Term("warhead"), Not(Term("movie")))))
    ]
    assert made.entities[-1] == Entity(
        "New START",
        "treaty",
        (Spelling("New START"), Spelling("START-3"), Spelling("START", case=True)),
        ("arms-control",),
        3,
    )


def test_what_the_list_says_of_a_country_replaces_its_plain_name() -> None:
    turkey = next(entity for entity in parse(SMALL).entities if entity.name == "Turkey")
    english = [spelling for spelling in turkey.spellings if spelling.language is None]
    assert english == [Spelling("Türkiye", exact=True), Spelling("Turkey", case=True, exact=True), Spelling("Ankara")]


def test_countries_are_known_in_every_language_of_the_list() -> None:
    germany = countries()["Germany"]
    assert germany["Germany"] is None
    assert {"Deutschland": "de", "Allemagne": "fr", "Alemania": "es"}.items() <= germany.items()
    assert {germany["Niemc*"], germany["Німеччин*"], germany["Германи*"]} == {"pl", "uk", "ru"}
    assert "Куба" in countries()["Cuba"]  # too short for a stem
    assert countries()["Myanmar"].keys() >= {"Myanmar", "Burma"}


def test_any_name_of_an_entity_leads_to_the_name_it_is_filed_under() -> None:
    made = parse(SMALL)
    assert [made.canonical(name) for name in ("new start", "start-3", "Ankara", "nobody")] == [
        "New START",
        "New START",
        "Turkey",
        None,
    ]
    query = And((Tagged("entity", "start 3"), Not(Tagged("entity", "nobody")), Term("x")))
    assert made.resolve(query) == And((Tagged("entity", "New START"), Not(Tagged("entity", "nobody")), Term("x")))


def test_the_version_is_that_of_what_is_said_not_of_how() -> None:
    assert parse(SMALL).version == parse("# a remark\n" + SMALL).version
    assert parse(SMALL).version != parse(SMALL.replace("weight: 3,", "weight: 2,")).version


def test_groups_are_made_of_groups_and_of_the_names_of_a_kind() -> None:
    more = "  all: ['@moves', troops, {kind: treaty}]\nrules:"
    assert [spelling.text for spelling in parse(SMALL.replace("rules:", more)).groups["all"]] == [
        "deploy*", "troops", "New START", "START-3", "START",
    ]  # fmt: skip


def test_several_entities_share_what_is_said_of_them() -> None:
    block = """\
  - kind: firm
    topics: [arms-control]
    weight: 2
    names: [Saab, {Thales: [Thales Group, {alias: HO, lang: fr}]}]
"""
    assert parse(SMALL + block).entities[-2:] == (
        Entity("Saab", "firm", (Spelling("Saab"),), ("arms-control",), 2),
        Entity(
            "Thales",
            "firm",
            (Spelling("Thales"), Spelling("Thales Group"), Spelling("HO", language="fr")),
            ("arms-control",),
            2,
        ),
    )


def change(old: str, new: str) -> str:
    assert old in SMALL
    return SMALL.replace(old, new, 1)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", "list.yaml: is empty (`watchfloor init` writes a list to begin with)"),
        ("threshold: [", "list.yaml:2:1: is not YAML: did not find expected node content"),
        ("- a", "list.yaml:1:1: expected key: value (indent the keys below, or write {key: value})"),
        ("threshold: 4", "list.yaml:1:1: topics is missing"),
        (change("threshold: 4", "threshold: four"), "list.yaml:1:12: expected a number, found 'four'"),
        (change("threshold: 4", "threshold: 0"), "list.yaml:1:12: the threshold must be above 0"),
        (change("threshold: 4", "threshold: .nan"), "list.yaml:1:12: expected a number, found '.nan'"),
        (change("threshold: 4", "threshold: nan"), "list.yaml:1:12: nan is out of range"),
        (change("contexts:", "context:"), "list.yaml:10:1: there is no key 'context' here (did you mean contexts?)"),
        (change("weight: 1.5, needs", "wieght: 1.5, needs"), "list.yaml:8:23: there is no key 'wieght' here"),
        (change("weight: 1.5, needs", "weight: 150, needs"), "list.yaml:8:31: 150 is out of range"),
        (change("- warhead", "- warhead\n      - Warhead"), "list.yaml:8:9: 'Warhead' is here twice (first in line 7)"),
        (change("- warhead", "- '...'"), "list.yaml:7:9: '...' has neither letter nor digit"),
        (change("- warhead", "- war*head"), "list.yaml:7:9: * may only stand at the end (as in invad*)"),
        (change("- warhead", "- warhead;bomb"), "list.yaml:7:9: 'warhead;bomb' holds a semicolon"),
        (change("- warhead", "- {weight: 2}"), "list.yaml:7:9: expected either term or terms"),
        (change("- warhead", "-"), "list.yaml:7:8: expected a text, found nothing"),
        (change('"@forces"', '"@force"'), "list.yaml:8:43: there is no group 'force'"),
        (change("lang: de", "lang: xx"), "list.yaml:9:47: there is no language 'xx'"),
        (change("near: [forces, moves]", "near: [forces, move]"), "did you mean moves?"),
        (change("near: [forces, moves]", "near: [forces]"), "list.yaml:17:12: near joins two groups"),
        (change("within: 4", "within: 400"), "400 is out of range"),
        (change('"warhead AND -movie"', '"warhead AND"'), "list.yaml:18:25: a word is missing at the end"),
        (change('"warhead AND -movie"', "(warhead"), "list.yaml:18:13: this parenthesis is never closed"),
        (change('"warhead AND -movie"', "NOT movie"), "list.yaml:18:13: a rule needs a word that must be there"),
        (change("topic: arms-control}", "topic: arm-control}"), "did you mean arms-control?"),
        (change("  Turkey:", "  Turky:"), "list.yaml:20:3: no country is called 'Turky' (did you mean Turkey?)"),
        (
            change("kind: treaty", "kind: treatise"),
            "list.yaml:22:29: there is no kind 'treatise' (did you mean treaty?)",
        ),
        (change("START-3,", "Ankara,"), "'Ankara' is here twice (first in line 20)"),
        (change("case: true}", "case: sometimes}"), "expected true or false, found 'sometimes'"),
        (SMALL + "  - {name: New START, kind: treaty}\n", "list.yaml:23:12: the entity 'New START' is here twice"),
        (SMALL + "  - {kind: firm}\n", "list.yaml:23:5: expected either name or names"),
        (SMALL + "  - {kind: firm, names: [Saab], aliases: [SAAB]}\n", "list.yaml:23:5: whose aliases?"),
        (SMALL + "  - {kind: firm, names: [New START]}\n", "list.yaml:23:26: the entity 'New START' is here twice"),
        (change("[deploy*]", "['@force']"), "there is no group 'force' (did you mean @forces?)"),
        (change("[troops, army]", "[{kind: firms}]"), "there is no kind 'firms' (did you mean firm?)"),
        (change("[troops, army]", "[{kind: firm}]"), "the group 'forces' has names of a kind"),
        (SMALL + "threshold: 5\n", "list.yaml:23:1: threshold is here twice (first in line 1)"),
    ],
)
def test_a_fault_is_named_with_its_place(content: str, error: str) -> None:
    with pytest.raises(WatchlistError) as caught:
        parse(content, path="list.yaml")
    assert error in str(caught.value)


def test_all_faults_are_said_at_once_in_the_order_of_the_file() -> None:
    slips = (
        ("weight: 3\n    keywords", "wieght: 3\n    keywords"),
        ("term: draft", "term: '?!'"),
        ("near: [forces, moves]", "near: [forces, movse]"),
        ("warhead AND -movie", "warhead AND"),
        ("kind: treaty", "kind: treatise"),
    )
    content = SMALL
    for right, wrong in slips:
        content = content.replace(right, wrong, 1)
    with pytest.raises(WatchlistErrors) as caught:
        parse(content)
    assert [(fault.line, fault.hint) for fault in caught.value.faults] == [
        (5, "did you mean weight?"),
        (8, None),
        (17, "did you mean moves?"),
        (18, "operators stand between words; quote a literal AND"),
        (22, "did you mean treaty?"),
    ]
    assert str(caught.value).splitlines()[0].startswith("watchlist.yaml:5:5: there is no key 'wieght' here")


def test_a_thousand_faults_are_not_printed_one_and_all() -> None:
    wrong = "".join(f"  - {{name: Firm {number}, kind: frim}}\n" for number in range(1_000))
    with pytest.raises(WatchlistErrors) as caught:
        parse(SMALL + wrong)
    assert len(caught.value.faults) == 1_000
    assert str(caught.value).endswith("\nand 980 more")


@pytest.mark.parametrize(
    ("content", "place", "hint"),
    [
        ("threshold: 4\ntopics:\n\t- id: a\n", (3, 1), "indent with blanks, not with tabs"),
        ('threshold: 4\ntopics: ["one, two]\n\nrules: []\n', (2, 10), "this quotation mark is never closed"),
        ("threshold: 4\ntopics:\n  - id: a\n   name: b\n", (4, 4), "look at the indentation"),
    ],
)
def test_what_is_not_yaml_is_named_where_it_begins(content: str, place: tuple[int, int], hint: str) -> None:
    with pytest.raises(WatchlistError) as caught:
        parse(content)
    assert (caught.value.line, caught.value.column) == place
    assert caught.value.hint
    assert caught.value.hint.startswith(hint)


def test_a_rule_in_a_block_names_the_column_of_the_query() -> None:
    content = change(
        '{query: "warhead AND -movie", topic: arms-control}', "query: |\n      (a OR b\n    topic: arms-control"
    )
    with pytest.raises(WatchlistError) as caught:
        parse(content)
    assert caught.value.reason == "this parenthesis is never closed"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(WatchlistError, match=r"none\.yaml: cannot be read: No such file"):
        load(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"threshold: \xff")
    with pytest.raises(WatchlistError, match=r"bad\.yaml:1: is not UTF-8 text \(save it as UTF-8\)"):
        load(tmp_path / "bad.yaml")


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("defence programme", {"defense programs", "defence programme", "defense program"}),
        ("cease-fire", {"cease fire", "ceasefire", "ceasefires"}),
        ("F-16", {"f 16", "f16", "f16s"}),
        ("US Army", {"us army", "u s  army", "us armies"}),
        ("chief of staff", {"chiefs of staff", "chief of staff"}),
        ("Obama's", {"obama s"}),
        ("serviceman", {"servicemen"}),
        ("demilitarise", {"demilitarize"}),
        ("arms sales", {"arms sale", "arms sales"}),
        ("missile", {"missiles"}),
    ],
)
def test_a_term_stands_for_its_other_spellings(term: str, expected: set[str]) -> None:
    assert expected <= forms(term)


def test_exact_and_foreign_terms_are_not_varied() -> None:
    assert forms("Marine", exact=True) == {"marine"}
    assert forms("Panzer", language="de") == {"panzer"}


@pytest.fixture(scope="module")
def shipped_list() -> Watchlist:
    return load(shipped("watchlist.yaml"))


def test_no_term_of_the_shipped_list_is_in_vain(shipped_list: Watchlist) -> None:
    assert [*findings(shipped_list)] == []


def test_the_shipped_list_is_in_order(shipped_list: Watchlist) -> None:
    assert list(shipped_list.topics) == [
        "force-posture",
        "operations",
        "alliances",
        "arms-control",
        "missiles",
        "procurement",
        "industry",
        "budgets",
        "legislation-leadership",
        "aid-sales",
        "personnel",
        "space-cyber",
    ]
    counts = shipped_list.counts()
    assert counts["keywords"] > 1_500
    assert {keyword.spelling.language or "en" for keyword in shipped_list.keywords} == {
        "en",
        "de",
        "fr",
        "es",
        "pl",
        "uk",
        "ru",
    }
    assert all(keyword.weight > 0 for keyword in shipped_list.keywords)
    assert all(context.weight < 0 for context in shipped_list.contexts)


def test_indentation_does_not_matter() -> None:
    assert parse(dedent("  " + SMALL.replace("\n", "\n  "))).version == parse(SMALL).version


def test_the_manual_gives_an_example_that_adds_up_as_it_says() -> None:
    manual = (Path(__file__).parents[1] / "docs" / "watchlist.md").read_text(encoding="utf-8")
    listed = manual.split("```yaml\n")[1].split("```")[0]
    title, text = (line[2:].strip(" *") for line in manual.replace(" <br>", "").splitlines() if line.startswith("> "))
    verdict = Matcher(parse(listed)).judge(title, text)
    rows = [
        row.strip("|").split("|")
        for row in manual.splitlines()
        if row.startswith(("| KNDS", "| arms", "| how", "| Pat"))
    ]
    told = [(cells[0].split("(")[0].strip(), float(cells[4])) for cells in rows]
    assert sorted(told) == sorted((one.term, one.weight) for one in verdict.evidence)
    assert f"**{verdict.score:.2f}**" in manual
    assert [entity.name for entity in verdict.entities] == ["KNDS", "Turkey", "Patriot"]


@pytest.mark.parametrize("term", ["Obama's", "James's", "U.S.", "the Seven's"])
def test_no_form_begins_or_ends_in_a_blank(term: str) -> None:
    assert all(form == form.strip() for form in forms(term))
