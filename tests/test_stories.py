"""Stories: whose voice, what is remembered of an article, and how articles find together."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from watchfloor.likeness import compare
from watchfloor.ports import Grouping, Sketched
from watchfloor.sketches import sketch, unpack
from watchfloor.stories import group, group_records
from watchfloor.voices import plain_title, voice, without_dateline

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
BRIDGE = (
    "Saboteurs blew up a rail bridge over the Telda river early on Monday, halting the trains that carry tanks to the "
    "garrison at Mostek, the transport ministry said. Nobody was hurt in the blast, which tore away two spans. "
    "Engineers need ten days for a pontoon crossing. No group has claimed the attack."
)


def article(title: str, text: str = "", *, by: str = "Daily Lantern", hours: float = 0, **more: Any) -> bytes:
    at = NOON + timedelta(hours=hours)
    return sketch(title=title, text=text, publisher=by, published=at, first_seen=at, **more)


def bridge(**more: Any) -> bytes:
    return article("Telda rail bridge blown up, tank trains to Mostek halted", BRIDGE, **more)


def bridge_retold(**more: Any) -> bytes:
    text = "Tank trains to Mostek stand still: the Telda rail bridge was destroyed by saboteurs before dawn."
    return article("Saboteurs destroy Telda rail bridge on line to Mostek", text, by="Harbour Post", hours=2, **more)


def jet(**more: Any) -> bytes:
    text = "A Griffon fighter crashed into the sea off Sable Point, and a trawler saved the pilot."
    return article("Griffon fighter crashes off Sable Point", text, by="Coast Gazette", **more)


# -- voices -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("publisher", "title", "text", "expected"),
    [
        ("Harbour Post", "Bridge blown up", BRIDGE, "Harbour Post"),
        ("Harbour Post", "Bridge blown up", f"ORVENA, May 4 (Reuters) - {BRIDGE}", "Reuters"),
        ("Harbour Post", "Bridge blown up", f"By Ann Writer\n\nORVENA (AP) — {BRIDGE}", "AP"),
        ("Harbour Post", "Bridge blown up", f"AFP - {BRIDGE}", "AFP"),
        ("Harbour Post", "Bridge blown up", f"MOSCOW, May 4. (TASS) {BRIDGE}", "TASS"),
        ("Harbour Post", "Bridge blown up", f"Berlin (dpa) - {BRIDGE}", "dpa"),
        ("Harbour Post", "Bridge blown up (AFP)", BRIDGE, "AFP"),
        ("Harbour Post", "Bridge blown up - Reuters", "", "Reuters"),
        ("Associated Press", "Bridge blown up", BRIDGE, "AP"),
        ("Harbour Post", "Bridge blown up", f"{BRIDGE}\nHe told the agency (Reuters) so.", "Harbour Post"),
        ("Harbour Post", "AP classes begin", "AP courses are popular.", "Harbour Post"),
    ],
)
def test_a_wire_that_is_credited_is_the_voice(publisher: str, title: str, text: str, expected: str) -> None:
    assert voice(publisher, title, text) == expected


@pytest.mark.parametrize(
    ("title", "publisher", "expected"),
    [
        ("Bridge over Telda blown up - Reuters", "", "Bridge over Telda blown up"),
        ("Bridge over Telda blown up - reuters.com", "", "Bridge over Telda blown up"),
        ("Bridge over Telda blown up | AP News", "", "Bridge over Telda blown up"),
        ("Bridge over Telda blown up – Harbour Post", "Harbour Post", "Bridge over Telda blown up"),
        ("UPDATE 3-Bridge over Telda blown up (AFP)", "", "Bridge over Telda blown up"),
        ("<b>Bridge</b> over Telda blown up", "", "Bridge over Telda blown up"),
        ("Telda bridge: what we know - and what not", "Harbour Post", "Telda bridge: what we know - and what not"),
        ("Inside - Reuters", "", "Inside - Reuters"),
    ],
)
def test_a_title_is_told_without_its_publisher(title: str, publisher: str, expected: str) -> None:
    assert plain_title(title, publisher) == expected


def test_a_dateline_is_no_part_of_the_text() -> None:
    assert without_dateline(f"By Ann Writer\n\nORVENA, May 4 (Reuters) - {BRIDGE}") == BRIDGE


# -- sketches ---------------------------------------------------------------------------------------------------------


def test_a_sketch_is_small_and_the_same_for_the_same_article() -> None:
    long = " ".join(f"{BRIDGE} Paragraph {number}." for number in range(200))
    entities = {"Karvian Army": "service", "Mostek": "region"}
    backwards = dict(reversed(entities.items()))
    assert article("Long read", long, entities=entities) == article("Long read", long, entities=backwards)
    assert len(article("Long read", long)) < 2_048


@pytest.mark.parametrize(
    "packed", [b"", b"{}", zlib.compress(b'{"v": 0}'), zlib.compress(b"[")], ids=["nothing", "bare", "older", "broken"]
)
def test_what_no_version_wrote_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="sketch"):
        unpack(packed)


@pytest.mark.parametrize("text", ["", "\x00", "東京で防衛相が会見した。", "🚀" * 500, "a" * 100_000, "\ud800"])
def test_any_text_can_be_sketched_and_compared(text: str) -> None:
    odd = unpack(article(text[:300], text))
    assert compare(odd, unpack(bridge())).event < 0.5


def test_entities_of_the_watchlist_speak_for_one_event() -> None:
    plain, named = (
        compare(unpack(bridge(entities=names)), unpack(bridge_retold(entities=names))).event
        for names in ({}, {"Karvian Railway Troops": "service"})
    )
    assert named > plain


def test_a_country_says_less_than_a_weapon() -> None:
    """Each article names one entity that the other does not; what both name is a place, or something rarer."""

    def likely(kind: str) -> float:
        ours = bridge(entities={"Karvia": kind, "Telda": "base"})
        theirs = bridge_retold(entities={"Karvia": kind, "Perrin": "base"})
        return compare(unpack(ours), unpack(theirs)).event

    assert likely("country") < likely("weapon")


def test_sketches_that_know_no_entities_are_still_read() -> None:
    """Those of the last three days that an earlier version made."""
    data = json.loads(zlib.decompress(bridge(entities={"Karvian Army": "service"})))
    del data["entities"]
    assert unpack(zlib.compress(json.dumps(data).encode())).entities == {}


def test_comparing_is_the_same_both_ways() -> None:
    a, b = unpack(bridge()), unpack(bridge_retold())
    assert compare(a, b) == compare(b, a)


# -- grouping ---------------------------------------------------------------------------------------------------------


def stories(new: Iterable[bytes], known: Iterable[Sketched] = ()) -> Grouping:
    return group(list(enumerate(new, 100)), list(known))


@pytest.mark.parametrize(
    "copy",
    [
        article("Telda rail bridge blown up, tank trains to Mostek halted - Harbour Post", BRIDGE, by="Harbour Post"),
        article("Blast in the night", f"By a reporter\n\nPERRIN, May 5 (AFP) - {BRIDGE}", by="Harbour Post", hours=30),
        article("Blast in the night", BRIDGE[:190], by="Harbour Post"),
        article("Blast in the night", BRIDGE.replace("bridge", "brigde").replace("Nobody", "Nobdy"), hours=40),
    ],
    ids=["suffix", "byline and title", "cut", "typos"],
)
def test_a_copy_joins_for_certain(copy: bytes) -> None:
    assert compare(unpack(bridge()), unpack(copy)).copy
    assert stories([bridge(), copy]) == Grouping(story_of={100: "100", 101: "100"}, merged={})


def test_the_same_wording_of_another_place_is_other_news() -> None:
    here, there = (
        article(f"Drones hit fuel depot in {town}", f"Drones hit a fuel depot in {town} on Monday, the governor said.")
        for town in ("Mostek", "Zelin")
    )
    found = stories([here, there])
    assert found.story_of == {100: "100", 101: "101"}


def test_another_text_on_the_event_joins_and_another_event_does_not() -> None:
    assert stories([bridge(), jet(), bridge_retold()]).story_of == {100: "100", 101: "101", 102: "100"}


def test_a_story_keeps_its_id() -> None:
    known = [Sketched(1, 7, bridge())]
    assert stories([bridge_retold(), jet()], known) == Grouping(story_of={100: 7, 101: "101"}, merged={})


def test_two_stories_that_turn_out_one_are_the_older() -> None:
    cut = article("Night blast", BRIDGE[:210], by="A")
    rest = article("Crossing planned", BRIDGE[150:], by="B")
    assert stories([cut, rest]).story_of == {100: "100", 101: "101"}
    known = [Sketched(1, 9, cut), Sketched(2, 4, rest)]
    assert stories([bridge()], known) == Grouping(story_of={100: 4}, merged={9: 4})


def test_two_stories_that_were_parted_by_hand_stay_two() -> None:
    first, second = Sketched(1, 7, bridge(), frozenset({9})), Sketched(2, 9, article("Blast", BRIDGE), frozenset({7}))
    found = stories([bridge_retold(), article("Night blast", BRIDGE)], [first, second])
    assert found.merged == {}
    assert set(found.story_of.values()) <= {7, 9}


def test_what_is_older_than_the_window_is_another_story() -> None:
    assert stories([bridge(hours=24 * 4)], [Sketched(1, 7, bridge())]).story_of == {100: "100"}


def test_in_doubt_they_stay_apart_and_are_named_related() -> None:
    named = {"Telda Line": "region"}
    title = "Pontoon crossing planned after Telda rail bridge attack"
    repair = article(title, "Trains will run again.", hours=30, entities=named)
    found = stories([repair, jet()], [Sketched(1, 7, bridge(entities=named))])
    assert found == Grouping(story_of={100: "100", 101: "101"}, merged={}, related=((1, 100),))


def test_nothing_new_changes_nothing() -> None:
    assert stories([], [Sketched(1, 7, bridge())]) == Grouping(story_of={}, merged={})


def test_the_order_of_a_batch_does_not_matter() -> None:
    batch = list(enumerate([bridge(), jet(), bridge_retold(), article("Blast", BRIDGE[:200]), jet(hours=1)], 100))
    first = group(batch, [])
    for seed in range(5):
        random.Random(seed).shuffle(batch)
        assert group(batch, []) == first


# -- group, the command -----------------------------------------------------------------------------------------------


def record(title: str, text: str = "", **more: Any) -> dict[str, Any]:
    return {"title": title, "text": text, **more}


def test_records_are_known_by_id_or_number_and_stories_by_their_oldest() -> None:
    records = [
        record("Saboteurs destroy Telda rail bridge near Mostek", BRIDGE, id="late", published="2026-05-04T09:00:00Z"),
        record("Griffon fighter crashes off Sable Point", published="Mon, 04 May 2026 08:00:00 GMT"),
        record("Telda rail bridge destroyed", BRIDGE, id="early", published="2026-05-04"),
    ]
    assert list(group_records(records)) == [("late", "early"), (2, 2), ("early", "early")]


@pytest.mark.parametrize("published", [None, "", "soon", "2004", 17])
def test_a_record_without_a_date_is_grouped_all_the_same(published: object) -> None:
    records = [record("Telda rail bridge blown up", BRIDGE, published=published), record("Blast in the night", BRIDGE)]
    assert list(group_records(records)) == [(1, 1), (2, 1)] or list(group_records(records)) == [(1, 2), (2, 2)]


def test_no_records_no_stories() -> None:
    assert list(group_records([])) == []


def test_names_are_asked_of_title_and_text() -> None:
    asked = []

    def names(title: str, text: str) -> dict[str, str]:
        asked.append((title, text))
        return {"Karvian Army": "service"}

    assert list(group_records([record("Title", "Text")], names=names)) == [(1, 1)]
    assert asked == [("Title", "Text")]
