"""The shipped sources.yaml is data, and data is tested."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from watchfloor import sources
from watchfloor.model import Source
from watchfloor.settings import shipped

SHIPPED = sources.load(shipped("sources.yaml"))
KINDS = {"outlet", "official", "analysis", "think-tank", "arms-control", "wire", "world"}


def test_there_are_feeds_of_every_kind() -> None:
    kinds = Counter(tag for source in SHIPPED for tag in source.tags)
    assert len(SHIPPED) >= 60
    assert {kind: kinds[kind] >= 5 for kind in KINDS} == dict.fromkeys(KINDS, True)
    assert {"en", "de", "fr", "es", "pl", "uk", "ru"} <= {source.language for source in SHIPPED}


@pytest.mark.parametrize("source", SHIPPED, ids=[source.id for source in SHIPPED])
def test_each_says_whose_voice_it_is_and_what_kind(source: Source) -> None:
    assert source.country
    assert source.language
    assert KINDS & set(source.tags)
    assert urlsplit(source.url).scheme == "https"
    assert not urlsplit(source.url).fragment


def test_feeds_of_one_site_are_one_voice() -> None:
    voices = defaultdict(set)
    for source in SHIPPED:
        voices[(urlsplit(source.url).hostname or "").removeprefix("www.")].add(source.publisher)
    assert [site for site, publishers in voices.items() if len(publishers) > 1] == []


def test_no_publisher_is_spelled_in_two_ways() -> None:
    spellings = defaultdict(set)
    for source in SHIPPED:
        spellings[sources.made_id(source.publisher).removeprefix("the-")].add(source.publisher)
    assert [names for names in spellings.values() if len(names) > 1] == []


def test_officials_are_no_press() -> None:
    official = [source for source in SHIPPED if "official" in source.tags]
    assert len(official) >= 8
    assert not [source.name for source in official if {"outlet", "wire"} & set(source.tags)]


def test_what_is_known_to_be_dead_or_stale_is_left_out(real_data: Path) -> None:
    listed = (real_data / "sources" / "defence_feeds.jsonl").read_text(encoding="utf-8")
    known = [json.loads(line) for line in listed.splitlines()]
    dead = {
        sources.same_url(feed["feed_url"]) for feed in known if feed["status"].startswith(("stale", "probably dead"))
    }
    assert dead
    assert not dead & {sources.same_url(source.url) for source in SHIPPED}
