"""Floors under the filter's quality. Raising one is welcome; lowering one is said in the changelog."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.eval.filter_report import (
    Judged,
    background,
    entity_recall,
    flagged,
    gold_stories,
    is_general,
    is_soft,
    judged,
    own_stories,
    score,
    shipped_matcher,
)
from watchfloor.match import Matcher


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return shipped_matcher()


@pytest.fixture(scope="module")
def gold(real_data: Path, matcher: Matcher) -> list[Judged]:
    return judged(gold_stories(real_data), matcher)


def test_our_own_stories(matcher: Matcher) -> None:
    stories = own_stories()
    assert len(stories) >= 150
    results = judged(stories, matcher)
    assert score(results).f1 >= OWN_F1, [one.story.title for one in results if one.wrong]


def test_real_stories(gold: list[Judged]) -> None:
    result = score(gold)
    assert result.f1 >= 0.95
    assert result.false_positives <= 0.015


@pytest.mark.parametrize("kind", ["lead", "headline-only"])
def test_recall_where_there_is_little_text(gold: list[Judged], kind: str) -> None:
    assert score(one for one in gold if one.story.kind == kind).recall >= 0.90


def test_recall_on_leads_and_headlines_together(gold: list[Judged]) -> None:
    assert score(one for one in gold if one.story.kind in ("lead", "headline-only")).recall >= 0.92


def test_names_in_real_leads(gold: list[Judged]) -> None:
    found, expected, _ = entity_recall(gold)
    assert found / expected >= 0.92


def test_every_reason_on_real_stories_stands_in_its_text(gold: list[Judged]) -> None:
    for one in gold:
        texts = {"title": one.story.title, "text": one.story.text}
        for evidence in one.verdict.evidence:
            assert texts[evidence.field][evidence.start : evidence.end].strip()
            assert evidence.sentence in texts[evidence.field]
        assert one.verdict.score == round(sum(evidence.weight for evidence in one.verdict.evidence), 2)


def test_soft_sections_stay_quiet_and_general_news_is_sifted(real_data: Path, matcher: Matcher) -> None:
    records = background(real_data)
    soft = [record for record in records if is_soft(record)]
    general = [record for record in records if is_general(record)]
    assert len(flagged(soft, matcher)) / len(soft) <= 0.003
    assert 0.03 <= len(flagged(general, matcher)) / len(general) <= 0.09


OWN_F1 = 0.93
