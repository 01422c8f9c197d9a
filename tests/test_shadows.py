"""What a watchlist allows but can never show: named with its line and with what takes its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from watchfloor.cli import run
from watchfloor.match import Matcher
from watchfloor.shadows import findings
from watchfloor.watchlist import parse

LIST = """\
threshold: 4
topics:
  - id: missiles
    name: Missiles
    keywords: {missiles}
  - id: budgets
    name: Budgets
    keywords: {budgets}
harmless: {harmless}
entities:
  - {{name: Arrow 3, kind: weapon, aliases: {aliases}}}
  - {{name: Arrow 4, kind: weapon, aliases: {others}}}
  - {{name: Jordania, kind: region, weight: 0}}
"""


def written(
    missiles: str = "[missile]",
    budgets: str = "[budget]",
    harmless: str = "[]",
    aliases: str = "[third Arrow]",
    others: str = "[fourth Arrow]",
) -> str:
    return LIST.format(missiles=missiles, budgets=budgets, harmless=harmless, aliases=aliases, others=others)


def vain(content: str) -> list[tuple[int, str]]:
    return [(one.line, one.reason) for one in findings(parse(content))]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (
            written(budgets="[missiles]"),
            8,
            "'missiles' is in budgets, but always counts as 'missile' of missiles, in line 5",
        ),
        (
            written(missiles="[defence pact, defense pact]"),
            5,
            "'defense pact' says nothing new: 'defence pact' in line 5 covers it",
        ),
        (written(missiles='["missil*", missile]'), 5, "'missile' says nothing new: 'missil*' in line 5 covers it"),
        (
            written(missiles="[missile pass]", harmless="[missile pass]"),
            5,
            "'missile pass' can never count: the harmless phrase 'missile pass' in line 9 takes its words",
        ),
        (
            written(budgets="[arrow 3]"),
            8,
            "'arrow 3' can never count: it is a name of Arrow 3, in line 11",
        ),
        (
            written(missiles="[{term: pass, needs: [goal], not: [goal, team]}]"),
            5,
            "'pass' can never count: each word that it needs is one of its `not`",
        ),
        (written(missiles="[{term: pass, weight: 0}]"), 5, "'pass' has weight 0: it says nothing"),
    ],
)
def test_a_term_in_vain_is_named(content: str, line: int, reason: str) -> None:
    assert vain(content) == [(line, reason)]


@pytest.mark.parametrize(
    "content",
    [
        written(),
        written(missiles="[{term: draft, needs: [army]}]", budgets="[draft]"),  # the second is seen without an army
        written(missiles="[{term: START, case: true}]", budgets="[start]"),
        written(missiles="[{term: Rakete, lang: de}]", budgets="[rakete]"),
        written(budgets="[jordania]"),  # names of no weight leave their words to keywords
        written(missiles="[missile pass]", budgets="[missile pass defence]"),
        written(missiles='["missil*"]', budgets="[missile defence]"),
    ],
)
def test_a_term_that_is_seen_somewhere_is_not_in_vain(content: str) -> None:
    assert vain(content) == []


def test_the_alias_of_two_entities_is_named_and_the_first_is_tagged() -> None:
    content = written(aliases="[Arrow interceptor]", others="[{alias: arrow interceptor, exact: true}]")
    assert vain(content) == [
        (12, "'arrow interceptor' names Arrow 4, but always counts as Arrow 3, in line 11"),
    ]
    verdict = Matcher(parse(content)).judge("Arrow interceptor tested", "")
    assert [entity.name for entity in verdict.entities] == ["Arrow 3"]


def test_the_check_prints_both_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(written(budgets="[missiles]"), encoding="utf-8")
    assert run(["watchlist", "check", "--watchlist", str(path)]) == 0
    assert f"{path}:8: 'missiles' is in budgets" in capsys.readouterr().out
    assert run(["watchlist", "check", "--watchlist", str(path), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["faults"], told["in_vain"][0]["line"], told["counts"]["topics"]) == ([], 8, 2)
    path.write_text(written(missiles="[{trem: a}]", budgets="[{term: a, case: maybe}]"), encoding="utf-8")
    assert run(["watchlist", "check", "--watchlist", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 3
    assert run(["watchlist", "check", "--watchlist", str(path), "--format", "json"]) == 2
    assert [one["line"] for one in json.loads(capsys.readouterr().out)["faults"]] == [5, 5, 8]
