"""`explain` as an analyst reads it: every stage, the whole sum, each sentence once with the terms marked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.archives import NOON, entry, source
from watchfloor.cli.printing import print_lines
from watchfloor.explaining import explanation, the_sum
from watchfloor.match import Matcher
from watchfloor.model import Article, Brief, EntityHit, Grade, Mention, Record, Seen, Verdict
from watchfloor.watchlist import parse

MATCHER = Matcher(
    parse("""\
threshold: 4
topics:
  - {id: posture, name: Posture, keywords: [{term: frigate, weight: 4}, {term: garrison, weight: 3}]}
contexts:
  - {id: sport, weight: -1.5, keywords: [regatta]}
""")
)
TITLE = "Frigate leaves for the strait"
TEXT = "The frigate sailed at dawn from Lowhaven.\nA regatta was put off. The garrison and the frigate stayed in touch."
ARTICLE = Article(
    7, "gazette", "Gazette House", TITLE, TEXT, Grade.FULL, "page", NOON, "https://gazette.example/frigate"
)
BERLIN = ZoneInfo("Europe/Berlin")


def record(title: str = TITLE, text: str = TEXT, **changes: object) -> Record:
    article = replace(ARTICLE, title=title, text=text)
    verdict = MATCHER.judge(title, text, "en")
    seen = (Seen("gazette", NOON, entry("frigate")),)
    made = Record(article, source(), seen, (), verdict=verdict, judged_at=NOON + timedelta(minutes=1))
    return replace(made, **changes)  # type: ignore[arg-type]


def told(given: Record) -> list[str]:
    return list(explanation(given, BERLIN))


def test_a_relevant_story_whole() -> None:
    version = MATCHER.watchlist.version
    assert told(record()) == [
        "Frigate leaves for the strait",
        "  https://gazette.example/frigate",
        "",
        "Seen      2026-11-24 13:00 in gazette, published 2026-11-24 12:00",
        "Read      grade full, 20 words from its page",
        f"Judged    relevant: score 10.50, threshold 4.00, on 2026-11-24 13:01 by watchlist {version}",
        "          topics: posture",
        "",
        "    +9.00  frigate   keyword, headline, 3 times",
        "    +3.00  garrison  keyword, text",
        "    -1.50  regatta   against: sport, text",
        "   +10.50  in all; the threshold of 4.00 is reached",
        "",
        "          headline: [Frigate] leaves for the strait",
        "          text: The [frigate] sailed at dawn from Lowhaven.",
        "          text: A [regatta] was put off.",
        "          text: The [garrison] and the [frigate] stayed in touch.",
    ]


def test_the_weights_shown_add_up_to_the_score() -> None:
    *terms, total = the_sum(MATCHER.judge(TITLE, TEXT, "en"))
    assert sum(float(line.split()[0]) for line in terms) == pytest.approx(float(total.split()[0]))


def test_an_irrelevant_story_says_that_the_threshold_is_not_reached() -> None:
    lines = told(record("Regatta opens", "Boats of all kinds and of every age were seen in the bay."))
    assert "    -2.25  in all; the threshold of 4.00 is not reached" in lines


def test_a_story_with_nothing_in_it_still_has_a_sum() -> None:
    lines = told(record("A cake", "A prize was won by a baker in the village."))
    assert "    +0.00  in all; the threshold of 4.00 is not reached" in lines


def test_a_language_without_words_is_not_judged_and_has_no_sum() -> None:
    lines = told(record(verdict=Verdict(False, "hu", False, 0.0, 4.0, watchlist="v1")))
    assert lines[5] == (
        "Judged    no: the watchlist has no words for its language (hu), on 2026-11-24 13:01 by watchlist v1"
    )
    assert not any("in all" in line for line in lines)


def test_a_copy_names_the_article_that_it_was_folded_into() -> None:
    lines = told(record(duplicate_of=3, verdict=None, judged_at=None))
    assert lines[4:] == ["Read      the same page as article 3: folded into it", "Judged    not yet"]


def test_a_model_s_name_is_marked_as_its() -> None:
    verdict = record().verdict
    assert verdict is not None
    hit = EntityHit("Lowhaven", "region", (Mention("text", 32, 40, "Lowhaven"),), "model")
    assert "          names: Lowhaven (region, by a model)" in told(record(verdict=replace(verdict, entities=(hit,))))


def test_a_text_that_was_let_go_leaves_the_sentences_unmarked() -> None:
    given = record()
    lines = told(replace(given, article=replace(given.article, text="")))
    assert "          text: A regatta was put off." in lines


def test_story_and_label_come_last() -> None:
    brief = Brief(
        4, "Frigate leaves", None, "Gazette House", ("Herald House",), None, NOON, "", (), (), (), Grade.FULL, 9.5, 2
    )
    lines = told(record(story=brief, label=True))
    assert lines[-4:] == [
        "",
        "Story     4, 2 articles: Frigate leaves (Gazette House, also in Herald House)",
        "Told      to no target",
        "Label     yes, by an analyst",
    ]


def test_a_pipe_gets_the_lines_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["A headline " * 20, "Judged    relevant: " + "word " * 40, ""]
    print_lines(lines)
    assert capsys.readouterr().out == "\n".join(lines) + "\n"


def test_a_terminal_wraps_them_under_themselves(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    print_lines(["A headline", "Judged    relevant: " + "word " * 10, "    +4.00  frigate [x]"])
    printed = capsys.readouterr().out
    plain = [line for line in printed.splitlines() if line]
    assert all(len(line) <= 80 for line in plain)
    assert plain[2].startswith(" " * 10 + "word")
