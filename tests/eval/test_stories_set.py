"""The labelled stories of our own writing: large enough, balanced, broad, each line usable."""

from __future__ import annotations

import json
from collections import Counter

from tests.eval.filter_report import STORIES

RECORDS = [json.loads(line) for line in STORIES.read_text(encoding="utf-8").splitlines()]
KEYS = ["id", "title", "text", "label", "kind", "note"]


def test_each_line_has_the_same_keys_and_says_something() -> None:
    assert [record["id"] for record in RECORDS if list(record) != KEYS] == []
    assert [record["id"] for record in RECORDS if not record["title"].strip()] == []
    assert [record["id"] for record in RECORDS if (record["note"] == "headline only") != (not record["text"])] == []


def test_ids_and_titles_are_unique() -> None:
    assert [name for name, times in Counter(record["id"] for record in RECORDS).items() if times > 1] == []
    assert [name for name, times in Counter(record["title"] for record in RECORDS).items() if times > 1] == []


def test_there_are_enough_of_both_labels() -> None:
    labels = Counter(record["label"] for record in RECORDS)
    assert set(labels) == {"yes", "no"}
    assert len(RECORDS) >= 150
    assert min(labels.values()) >= 0.45 * len(RECORDS)


def test_hard_kinds_are_there() -> None:
    notes = Counter(record["note"] for record in RECORDS)
    assert notes["headline only"] >= 40
    assert notes["no obvious word"] >= 10
    assert notes["poor translation"] >= 3
    assert {"German", "French", "Spanish", "Polish", "Ukrainian", "Russian"} <= notes.keys()
