"""`watchlist tune`: which numbers to change, how much that helps on the unseen, and a file left readable."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.archives import HOUR, desk_with_news, entry
from watchfloor import tuning
from watchfloor.cli import run as run_command
from watchfloor.errors import ConfigurationError
from watchfloor.match import Matcher
from watchfloor.scores import Score
from watchfloor.settings import shipped
from watchfloor.tuning import Example, Tuning, tune
from watchfloor.watchlist import parse

# The threshold is too high for ships alone, and a parade weighs as much as a ship.
LIST = """\
# The desk's list. Keep this line.
threshold: 6   # too high?

topics:
  - id: posture
    name: Posture          # ships and the like
    weight: 2
    keywords:
      - {term: frigate, weight: 4}       # a ship
      - {weight: 4.0, terms: [parade,
           drill hall]}
      - garrison
  - id: buying
    name: Buying
    keywords:
      - {lang: de, weight: 3, terms: [Fregatte]}
      - {weight: 3, terms: [shipyard]}
contexts:
  - {id: sport, weight: -1.5, keywords: [regatta]}
rules:
  - {query: frigate AND shipyard, weight: 1, topic: buying, name: ship from yard}
entities:
  - {name: Port Ellery, kind: base, weight: 0.5}
"""
FILLERS = "harbour morning council weather market village teacher orchard bridge evening garden railway".split()


def stories(count: int = 60, *, by_chance: bool = False) -> list[Example]:
    """Half tell of a frigate, half of a parade; the desk wants the first half, or any with `by_chance`."""
    chance = random.Random(4)
    made = []
    for number in range(count):
        yes = number % 2 == 0
        words, last = " ".join(chance.choices(FILLERS, k=30)), chance.choice(FILLERS)
        text = f"The {'frigate' if yes else 'parade'} was seen in the {words} on the way to the {last}."
        made.append(Example(f"News of the {last}", text, number % 4 < 2 if by_chance else yes, "en"))
    return made


@pytest.fixture(scope="module")
def tuned() -> Tuning:
    return tune(LIST, stories())


def test_it_helps_on_stories_that_the_fit_did_not_see(tuned: Tuning) -> None:
    assert tuned.before == Score(misses=30, quiet=30)
    assert tuned.after == Score(hits=30, quiet=30)
    assert (tuned.righted, tuned.wronged, len(tuned.folds)) == (30, 0, 5)
    assert tuned.helps


def test_what_it_changes_is_named_by_line_and_stays_within_bounds(tuned: Tuning) -> None:
    changes = {change.knob.place.line: change for change in tuned.changes}
    assert set(changes) == {2, 9, 10}
    assert (changes[9].knob.speaks_for, changes[9].knob.value, changes[9].stories) == ("posture: frigate", 4.0, 30)
    assert 4 < changes[9].new <= 8
    assert 2 <= changes[10].new < 4
    assert 6 / 1.3 <= changes[2].new < 6


def test_the_file_keeps_comments_layout_and_all_other_numbers(tuned: Tuning) -> None:
    before, after = LIST.splitlines(), tuned.content.splitlines()
    assert len(before) == len(after)
    differing = [number for number, (old, new) in enumerate(zip(before, after, strict=True), 1) if old != new]
    assert differing == [2, 9, 10]
    assert after[1].endswith("   # too high?")
    assert after[8].startswith("      - {term: frigate, weight: ")
    assert after[8].endswith("}       # a ship")
    made = parse(tuned.content)
    assert made.threshold == tuned.changes[0].new
    assert {word.weight for word in made.keywords if word.spelling.text in ("parade", "drill hall")} == {
        tuned.changes[2].new
    }


def test_signs_stay_and_nothing_becomes_nothing() -> None:
    assert tuning._readable(-0.01) == -0.05
    assert tuning._readable(0.01) == 0.05
    assert tuning._readable(-1.23) == -1.2
    for knob in tuning._Knobs(LIST, "x").knobs.values():
        assert knob.value != 0


def test_labels_that_say_nothing_of_the_list_change_nothing_for_the_better() -> None:
    made = tune(LIST, stories(by_chance=True))
    assert not made.helps
    assert all(change.new * change.knob.value > 0 for change in made.changes)


def test_a_list_that_is_right_already_is_left_alone() -> None:
    right = LIST.replace("threshold: 6 ", "threshold: 3 ").replace("weight: 4.0, terms", "weight: 1, terms")
    made = tune(right, stories())
    assert made.before.f1 == 1.0
    assert not made.helps


def test_every_number_of_the_shipped_list_finds_what_it_speaks_for() -> None:
    """Tracing covers every keyword, context, rule and entity whose weight the file names."""
    content = shipped("watchlist.yaml").read_text(encoding="utf-8")
    knobs = tuning._Knobs(content, "watchlist.yaml")
    lines = content.split("\n")
    for knob in knobs.knobs.values():
        place = knob.place
        assert lines[place.line - 1][place.column - 1 :].startswith(place.text)
    matcher = Matcher(parse(content))
    verdict = matcher.judge("Frigate fires Tomahawk missiles", "The frigate struck an air base; NATO troops were hurt.")
    named = sum(knobs.parts(verdict).values())
    assert named == pytest.approx(sum(evidence.weight for evidence in verdict.evidence), abs=1.5)


def test_it_reads_languages_apart() -> None:
    knobs = tuning._Knobs(LIST, "x")
    verdict = Matcher(parse(LIST)).judge(
        "Fregatte im Hafen", "Die Fregatte liegt seit gestern im Hafen der Stadt.", "de"
    )
    assert [knob.speaks_for for knob in knobs.parts(verdict)] == ["buying: Fregatte"]


def test_crlf_and_quoted_numbers_survive() -> None:
    content = LIST.replace("weight: 3, terms: [shipyard]", 'weight: "3", terms: [shipyard]').replace("\n", "\r\n")
    made = tune(content, stories())
    assert made.content.count("\r\n") == content.count("\r\n")
    assert 'weight: "3"' in made.content


def test_copies_of_a_story_stay_in_one_fold() -> None:
    judged = [
        tuning._Judged(Example("", str(n), n % 2 == 0, group=f"g{n // 6}"), Matcher(parse(LIST)).judge("", "x"))
        for n in range(60)
    ]
    for seen, unseen in tuning._folds(judged, 5):
        assert not {one.example.group for one in seen} & {one.example.group for one in unseen}


@pytest.mark.parametrize("examples", [[], stories(30), [one for one in stories(200) if one.label]])
def test_too_few_labels_are_refused(examples: Sequence[Example]) -> None:
    with pytest.raises(ConfigurationError, match="too few labels"):
        tune(LIST, examples)


def test_without_the_library_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'watchfloor\[tune\]'"):
        tune(LIST, stories())


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def desk_files(tmp_path: Path) -> tuple[Path, Path]:
    own, labels = tmp_path / "own.yaml", tmp_path / "labels.jsonl"
    own.write_text(LIST, encoding="utf-8")
    rows = [{"title": one.title, "text": one.text, "label": "yes" if one.label else "no"} for one in stories()]
    rows.append({"title": "A doubt", "text": "Neither nor.", "label": "borderline"})
    labels.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return own, labels


def test_nothing_is_written_unless_told(desk_files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    own, labels = desk_files
    asked = ["watchlist", "tune", "--labels", str(labels), "--watchlist", str(own)]
    assert run_command(asked) == 0
    printed = capsys.readouterr().out
    assert "30 yes, 30 no" in printed
    assert "posture: frigate" in printed
    assert "Not written" in printed
    assert own.read_text(encoding="utf-8") == LIST
    assert run_command([*asked, "--write", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["helps"], said["written"], said["after"]["f1"]) == (True, True, 1.0)
    assert parse(own.read_text(encoding="utf-8")).threshold == said["changes"][0]["new"]
    assert [path.name for path in own.parent.iterdir() if path.name.startswith(".")] == []


def test_what_does_not_help_is_not_written(desk_files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    own, labels = desk_files
    rows = [{"text": one.text, "label": one.label} for one in stories(by_chance=True)]
    labels.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    asked = ["watchlist", "tune", "--labels", str(labels), "--watchlist", str(own), "--write"]
    assert run_command(asked) == 1
    assert "no help on unseen stories" in capsys.readouterr().out
    assert own.read_text(encoding="utf-8") == LIST


def test_the_shipped_list_is_not_written_to(
    desk_files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["watchlist", "tune", "--labels", str(desk_files[1]), "--write"]) == 2
    assert "watchfloor init" in capsys.readouterr().err


def test_labels_of_the_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from storage.engine import open_archive

    own = tmp_path / "own.yaml"
    own.write_text(LIST, encoding="utf-8")
    url = f"sqlite:///{tmp_path}/archive.db"
    archive = open_archive(url)
    desk = desk_with_news(archive).later(HOUR)
    examples = {f"https://gazette.example/story-{number}": one for number, one in enumerate(stories())}
    desk.polls("gazette", *(entry(f"story-{number}") for number in range(len(examples))))
    desk.reads_each({address: one.text for address, one in examples.items()})
    for address, one in examples.items():
        record = archive.find_article(address)
        assert record is not None
        archive.label(record.article.id, one.label, desk.now)
    archive.close()
    asked = ["watchlist", "tune", "--watchlist", str(own), "--database-url", url, "--folds", "3", "--format", "json"]
    assert run_command(asked) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["labels"], len(said["folds"]), said["helps"]) == (60, 3, True)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [("{", "not JSON"), ("[1]", "not a JSON object"), ('{"title": "x"}', "a record without a label")],
)
def test_a_faulty_label_names_its_line(
    desk_files: tuple[Path, Path], capsys: pytest.CaptureFixture[str], line: str, complaint: str
) -> None:
    own, labels = desk_files
    labels.write_text(labels.read_text() + line + "\n", encoding="utf-8")
    assert run_command(["watchlist", "tune", "--labels", str(labels), "--watchlist", str(own)]) == 2
    assert f"{labels}:62: {complaint}" in capsys.readouterr().err
