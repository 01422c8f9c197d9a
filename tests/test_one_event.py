"""One event from forty feeds: twelve tellings in their own words, and copies of them, over six hours."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.engine import open_archive
from tests.archives import LEASE, MINUTE, Desk, entry, source
from watchfloor import alerting, stories, watchlist
from watchfloor.match import Matcher
from watchfloor.model import Alert
from watchfloor.ports import Recent, StoryState
from watchfloor.routes import Route
from watchfloor.settings import shipped
from watchfloor.weighing import named_early, weigh

START = datetime(2026, 5, 4, 6, tzinfo=UTC)
ROUTE = Route("desk", targets=("ann",))

TELLINGS = [
    (
        "Sea drone hits frigate Sorrel off Port Halden",
        "A sea drone struck the navy frigate Sorrel off Port Halden before dawn on Monday, the defence ministry "
        "said. The warship is afloat and under tow. Eleven sailors were hurt, two of them badly.",
    ),
    (
        "Frigate Sorrel damaged by sea drone near Port Halden, eleven hurt",
        "The frigate Sorrel was damaged by an explosive sea drone near Port Halden early on Monday. The navy said "
        "eleven sailors were injured and that tugs were bringing the ship to harbour.",
    ),
    (
        "Navy frigate struck by drone boat off Port Halden",
        "An unmanned boat packed with explosives rammed the frigate Sorrel off Port Halden on Monday morning, "
        "according to the defence ministry. Eleven crew members are being treated; the frigate is being towed.",
    ),
    (
        "Eleven sailors injured as drone strikes frigate Sorrel",
        "Eleven sailors of the frigate Sorrel were injured when a sea drone exploded against its side off Port "
        "Halden, the navy said on Monday. Two are in a serious condition.",
    ),
    (
        "Sorrel under tow to Port Halden after sea drone attack",
        "Tugs are towing the frigate Sorrel into Port Halden after a sea drone attack before dawn. The defence "
        "ministry said the hull was holed above the waterline and eleven sailors had been wounded.",
    ),
    (
        "Defence ministry: sea drone attacked frigate Sorrel off Port Halden",
        "The defence ministry confirmed that the frigate Sorrel was attacked by a sea drone off Port Halden on "
        "Monday. It said the crew had fought a fire in the engine room and eleven were hurt.",
    ),
    (
        "Drone attack on frigate Sorrel: fire out, ship being towed to Port Halden",
        "Crew of the frigate Sorrel put out a fire in the engine room after a sea drone hit the warship off Port "
        "Halden. The navy said it was being towed to harbour with eleven wounded.",
    ),
    (
        "Warship Sorrel hit by naval drone outside Port Halden",
        "A naval drone hit the warship Sorrel outside Port Halden before dawn on Monday, wounding eleven sailors. "
        "The frigate had been on patrol for the navy since March, the defence ministry said.",
    ),
    (
        "Frigate Sorrel holed in sea drone attack off Port Halden",
        "A sea drone tore a hole in the side of the frigate Sorrel off Port Halden on Monday. Eleven of its "
        "sailors were hurt, and the navy has closed the approach to the port to shipping.",
    ),
    (
        "Port Halden closed to ships after drone attack on frigate Sorrel",
        "The approach to Port Halden was closed on Monday after a sea drone hit the frigate Sorrel. The defence "
        "ministry said eleven sailors were injured and minehunters were searching for more drones.",
    ),
    (
        "Sea drone attack on frigate Sorrel: what the navy says",
        "The navy says a sea drone approached the frigate Sorrel from seaward off Port Halden before dawn on "
        "Monday and exploded amidships. Eleven sailors are in hospital, and the ship is under tow.",
    ),
    (
        "Explosive drone boat cripples frigate Sorrel near Port Halden",
        "An explosive drone boat crippled the frigate Sorrel near Port Halden on Monday, the defence ministry "
        "said. The engine room burned for two hours and eleven sailors were wounded.",
    ),
]


@pytest.mark.parametrize("seed", range(3))
def test_one_event_from_forty_feeds_is_one_alert_and_at_most_one_update(tmp_path: Path, seed: int) -> None:
    archive, chance = open_archive(f"sqlite:///{tmp_path}/archive.db"), random.Random(seed)
    matcher = Matcher(watchlist.load(shipped("watchlist.yaml")))
    names = [f"paper{number}" for number in range(40)]
    desk = Desk(archive, now=START).knows(*(source(name) for name in names))
    for name in names:
        desk.polls(name)
    desk.later(10 * MINUTE)
    told: list[Alert] = []

    def tell(states: list[StoryState], recent: Recent) -> list[Alert]:
        return alerting.tell(states, [ROUTE], desk.now, recent=recent)

    tellings = TELLINGS + [chance.choice(TELLINGS) for _ in range(28)]
    chance.shuffle(tellings)
    for name, (title, text) in zip(names, tellings, strict=True):
        desk.polls(name, entry("sorrel", name, title=title, published=desk.now - 5 * MINUTE))
        desk.reads(text)
        articles = archive.claim_unjudged(desk.owner, desk.now, LEASE, limit=9)
        judged = [weigh(matcher, article) for article in articles]
        assert all(one.verdict.relevant for one in judged)
        told += archive.settle(desk.owner, judged, stories.group, tell, desk.now).alerts  # type: ignore[arg-type]
        desk.later(timedelta(minutes=9))
    kinds = Counter(alert.kind for alert in told)
    assert kinds["story"] == 1, [alert.briefs[0].headline for alert in told]
    assert kinds["update"] <= 1, [alert.briefs[0].news for alert in told]
    archive.close()


def test_what_an_article_is_about_is_named_early() -> None:
    aside = "Years before, the talks in Geneva had spoken of Poland."
    text = "The alliance met. NATO will send more troops to Latvia. " + "It rained on all of them. " * 30 + aside
    verdict = Matcher(watchlist.load(shipped("watchlist.yaml"))).judge("Pentagon chief flies to Riga", text)
    named = named_early(verdict, text)
    assert {name: named.get(name) for name in ("NATO", "Latvia", "Poland")} == {
        "NATO": "alliance",
        "Latvia": "country",
        "Poland": None,
    }
    assert "Poland" in {entity.name for entity in verdict.entities}
