"""Routes that take their stories from a saved search."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from storage.engine import open_archive
from tests.archives import NOON, source
from tests.watching import environment_for, paper_in_a_thread
from watchfloor import wiring
from watchfloor.errors import AlertsError
from watchfloor.model import SavedSearch
from watchfloor.query import parse
from watchfloor.routes import Route
from watchfloor.searched import with_searches
from watchfloor.settings import Settings

SOURCES = [source(), source("herald"), source("courier", country="PL", publisher="Herald House")]


def test_a_route_takes_what_the_search_asks() -> None:
    routes = [Route("all", ("ann",)), Route("kept", ("bob",), score=3.0, search="bases")]
    search = SavedSearch("bases", "base OR camp", topics=("posture",), entities=("NATO",), everything=True)
    made = with_searches(routes, [search], SOURCES)
    assert made[0] == routes[0]
    assert made[1] == Route(
        "kept", ("bob",), ("posture",), ("NATO",), score=3.0, query=parse("base OR camp"), search="bases"
    )


@pytest.mark.parametrize(
    ("narrowed", "ids"),
    [
        ({"sources": ("gazette", "gone")}, ("gazette",)),
        ({"publishers": ("Herald House",)}, ("herald", "courier")),
        ({"publishers": ("Herald House",), "countries": ("PL",)}, ("courier",)),
        ({}, ()),
    ],
)
def test_publishers_and_countries_become_sources(narrowed: dict[str, tuple[str, ...]], ids: tuple[str, ...]) -> None:
    made = with_searches([Route("kept", search="x")], [SavedSearch("x", **narrowed)], SOURCES)  # type: ignore[arg-type]
    assert made[0].sources == ids


@pytest.mark.parametrize(
    ("search", "said"),
    [
        (SavedSearch("other"), "no search is kept as 'x'.*kept are other"),
        (SavedSearch("x", languages=("de",)), "cannot ask for a language"),
        (SavedSearch("x", countries=("FR",)), "no source is one"),
    ],
)
def test_what_a_route_cannot_take_is_said(search: SavedSearch, said: str) -> None:
    with pytest.raises(AlertsError, match=said):
        with_searches([Route("kept", search="x")], [search], SOURCES)


def test_a_search_stands_for_the_conditions_of_a_route(tmp_path: Path) -> None:
    alerts = tmp_path / "alerts.yaml"
    alerts.write_text(
        "urls:\n  - json://127.0.0.1:9/:\n      - tag: desk\nroutes:\n"
        "  - name: kept\n    tags: desk\n    search: bases\n    topics: [budgets]\n"
    )
    with pytest.raises(AlertsError, match=r"alerts.yaml:7.*in place of topics"):
        wiring.load_policy(Settings(alerts=alerts))


def test_a_cycle_tells_by_the_search_as_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with paper_in_a_thread() as paper:
        for name, value in environment_for(paper, tmp_path).items():
            monkeypatch.setenv(name, value)
        alerts = tmp_path / "alerts.yaml"
        alerts.write_text(
            "urls:\n  - json://127.0.0.1:9/:\n      - tag: desk\nroutes:\n  - {name: kept, tags: desk, search: bases}\n"
        )
        settings = Settings(alerts=alerts)
        assert wiring.routed_searches(settings) == {"bases"}

        async def routes() -> tuple[Route, ...]:
            async with wiring.open_floor(settings) as floor:
                return tuple(floor.routes)

        with pytest.raises(AlertsError, match="no search is kept as 'bases'"):
            asyncio.run(routes())
        archive = open_archive(settings.database_url.get_secret_value())
        archive.save_search(SavedSearch("bases", "base"), NOON)
        archive.close()
        assert [route.query for route in asyncio.run(routes())] == [parse("base")]
