"""A cycle asks every source once, however many there are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.archives import NOON
from tests.armour.corpus import rss, xml
from tests.armour.floors import open_floor
from tests.servers import Server, on_loop
from watchfloor import pipeline
from watchfloor.feeds import read_feed
from watchfloor.model import Source


@on_loop
async def test_run_now_asks_all_of_many_sources_in_every_cycle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "SOURCES_AT_ONCE", 4)
    async with Server({f"/{number}": xml(rss()) for number in range(1, 11)}, host="0.0.0.0") as server:
        sources = [Source(f"s{n}", f"s{n}", server.url(f"/{n}", f"127.0.1.{n}"), f"s{n}") for n in range(1, 11)]
        async with open_floor(f"sqlite:///{tmp_path}/a.db", sources) as floor:
            for cycle in (1, 2, 3):
                assert (await pipeline.cycle(floor, everything=True)).asked == 10
                assert Counter(server.targets) == {f"/{n}": cycle for n in range(1, 11)}


@pytest.mark.parametrize("guid", ["4711", "item-4711", "4711.html", "a/b"])
def test_a_guid_that_is_no_address_names_no_page(guid: str) -> None:
    feed = read_feed(rss(f"<guid>{guid}</guid>", link=""), content_type="", url="https://a.example/feed", now=NOON)
    assert [entry.url for entry in feed.entries] == [None]


def test_a_guid_that_is_an_address_does() -> None:
    body = rss("<guid>https://a.example/4711</guid>").replace(b"<link>https://paper.example/a</link>", b"")
    feed = read_feed(body, content_type="", url="https://a.example/feed", now=NOON)
    assert [entry.url for entry in feed.entries] == ["https://a.example/4711"]
