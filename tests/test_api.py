"""The JSON API and the feeds: what they answer, what they refuse, and whatever the API's own document allows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from storage.archive import SqlArchive
from storage.engine import open_archive
from tests.archives import DAY, HOUR, NOON, Desk
from tests.browsing import Clock, Reader, page_over
from tests.test_guard import LOCKED, TOKEN
from tests.test_pages import ATTACKS, number_of, story_of, with_a_summit
from watchfloor import feeds
from watchfloor.model import Feed, Hit, SavedSearch
from watchfloor.web import syndication


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    archive = open_archive(f"sqlite:///{tmp_path}/archive.db")
    yield with_a_summit(archive)
    archive.close()


@pytest.fixture
def machine(desk: Desk) -> Reader:
    """A program with a token."""
    app = page_over(desk.archive, Clock(desk.now + HOUR), LOCKED, routed=lambda: frozenset({"routed"}))
    return Reader(app, Authorization=f"Bearer {TOKEN}")


def test_stories_carry_their_reasons(desk: Desk, machine: Reader) -> None:
    answer = machine.opens("/api/stories").json()
    assert answer["total"] == 1
    story = answer["stories"][0]
    assert (story["id"], story["story"]["headline"]) == (story_of(desk), "summit in brussels")
    assert story["reasons"] == [{"term": "summit", "kind": "entity", "weight": 2.5}]
    assert list(story["told"]) == ["desk"]
    assert machine.opens("/api/stories?topic=none").json()["total"] == 0
    assert machine.opens("/api/stories?within=2d").status_code == 422


def test_a_story_and_an_article_are_told_whole(desk: Desk, machine: Reader) -> None:
    story = machine.opens(f"/api/stories/{story_of(desk)}").json()
    assert [one["publisher"] for one in story["articles"]] == ["Gazette House", "Herald House"]
    assert story["alerts"][0]["deliveries"][0]["target"] == "ann"
    article = machine.opens(f"/api/articles/{number_of(desk)}").json()
    assert article["verdict"]["evidence"][0]["term"] == "summit"
    for path in ("/api/stories/999", "/api/articles/999"):
        assert machine.opens(path).status_code == 404


def test_search_facets_and_pages(desk: Desk, machine: Reader) -> None:
    first = machine.opens("/api/search?q=summit&limit=1").json()
    assert (first["total"], len(first["hits"])) == (2, 1)
    second = machine.asks("GET", "/api/search", params={"q": "summit", "limit": 1, "after": first["after"]}).json()
    assert second["hits"][0]["id"] != first["hits"][0]["id"]
    assert machine.opens("/api/facets?q=summit").json()["publishers"] == [
        {"value": "Gazette House", "count": 1},
        {"value": "Herald House", "count": 1},
    ]
    for question in ("since=x", "after=x", "saved=nothing"):
        assert machine.opens(f"/api/search?{question}").status_code == 400


def test_the_rest_of_the_pages_is_there_too(desk: Desk, machine: Reader) -> None:
    subject = machine.opens("/api/subject?kind=entity&name=NATO&days=2").json()
    assert subject["days"] == {"2026-11-23": 0, "2026-11-24": 2}
    assert [one["name"] for one in subject["company"]["entities"]] == ["NATO", "summit"]
    assert [one["source"]["id"] for one in machine.opens("/api/sources").json()] == ["gazette", "herald"]
    assert machine.opens("/api/deliveries?state=pending").json()[0]["kind"] == "story"
    assert {"hits", "silent", "noisy"} <= set(machine.opens("/api/watchlist").json())


def test_a_machine_decides_as_an_analyst_does(desk: Desk, machine: Reader) -> None:
    story, article = story_of(desk), number_of(desk)
    assert machine.asks("PUT", f"/api/articles/{article}/label", json={"relevant": True}).status_code == 204
    assert desk.archive.labels_of([article]) == {article: True}
    assert machine.asks("PUT", f"/api/articles/{article}/label", json={"relevant": None}).status_code == 204
    assert desk.archive.labels_of([article]) == {}
    assert machine.asks("PATCH", f"/api/stories/{story}", json={"muted": True}).status_code == 204
    record = desk.archive.find_story(story)
    assert record is not None
    assert (record.muted, record.followed) == (True, False)
    made = machine.asks("POST", f"/api/articles/{article}/split").json()["story"]
    assert machine.asks("POST", f"/api/stories/{story}/join", json={"other": made}).json() == {"story": story}
    assert machine.asks("POST", f"/api/stories/{story}/join", json={"other": made}).status_code == 409
    assert machine.asks("POST", "/api/deliveries/retry", json={"ids": [1]}).json() == {"count": 0}


def test_without_a_token_nothing_is_told_or_done(desk: Desk) -> None:
    stranger = Reader(page_over(desk.archive, Clock(desk.now), LOCKED))
    for method, path in (("GET", "/api/stories"), ("GET", "/api/openapi.json"), ("POST", "/api/deliveries/retry")):
        answer = stranger.asks(method, path)
        assert answer.status_code == 401
        assert "Basic" in answer.headers["www-authenticate"]
    assert stranger.opens("/feed.atom").status_code == 401


def test_a_foreign_page_changes_nothing_through_the_api(desk: Desk) -> None:
    reader = Reader(page_over(desk.archive, Clock(desk.now)))
    path = f"/api/articles/{number_of(desk)}/split"
    assert reader.asks("POST", path, headers={"Origin": "http://evil.example"}).status_code == 403
    assert reader.asks("POST", path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert reader.asks("POST", path, headers={"Origin": "null"}).status_code == 403


# -- saved searches ---------------------------------------------------------------------------------------------------


def test_a_search_is_kept_found_and_let_go(desk: Desk, machine: Reader) -> None:
    asked = {"words": "summit", "publishers": ["Herald House"]}
    assert machine.asks("PUT", "/api/searches/my-summit", json=asked).status_code == 204
    assert desk.archive.saved_searches() == [SavedSearch("my-summit", "summit", publishers=("Herald House",))]
    assert machine.opens("/api/searches").json()[0]["publishers"] == ["Herald House"]
    assert machine.opens("/api/search?saved=my-summit").json()["total"] == 1
    assert machine.asks("DELETE", "/api/searches/my-summit").status_code == 204
    assert machine.asks("DELETE", "/api/searches/my-summit").status_code == 404
    assert machine.asks("PUT", "/api/searches/No%20Name", json=asked).status_code == 422


def test_a_search_that_a_route_needs_stays(desk: Desk, machine: Reader) -> None:
    machine.asks("PUT", "/api/searches/routed", json={"words": "summit"})
    assert machine.asks("DELETE", "/api/searches/routed").status_code == 409
    assert [one.name for one in desk.archive.saved_searches()] == ["routed"]


def test_the_page_keeps_a_search_with_its_filters(desk: Desk) -> None:
    reader = Reader(page_over(desk.archive, Clock(desk.now), routed=lambda: frozenset({"routed"})))
    reader.opens("/search?q=summit")
    answer = reader.submits("/search/keep", name="My Summit", question="/search?q=summit&topic=budgets&all=1&after=x")
    assert desk.archive.saved_searches() == [
        SavedSearch("my-summit", "summit", topics=("budgets",), everything=True),
    ]
    assert answer.headers["location"] == "/search?kept=my-summit&q=summit&topic=budgets&all=1"
    assert reader.opens("/search?saved=my-summit").headers["location"] == answer.headers["location"]
    page = reader.opens(answer.headers["location"]).text
    assert "Forget my-summit" in page
    assert "/feed.atom?saved=my-summit" in page
    assert reader.submits("/search/forget", name="routed").status_code == 400
    assert reader.submits("/search/forget", name="my-summit").status_code == 303
    assert desk.archive.saved_searches() == []
    assert reader.submits("/search/keep", name="<x>", question="/search?q=summit").status_code == 400


def test_saved_searches_are_kept_on_both_databases(archive: SqlArchive) -> None:
    search = SavedSearch("x", 'a "b"', topics=("t",), languages=("de", "en"))
    archive.save_search(SavedSearch("x", "old", everything=True), NOON)
    archive.save_search(search, NOON)
    assert archive.saved_searches() == [search]
    assert archive.forget_search("x")
    assert not archive.forget_search("x")


# -- feeds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "kind"), [("/feed.atom", "atom10"), ("/feed.json", "json")])
def test_any_reader_can_subscribe(desk: Desk, machine: Reader, path: str, kind: str) -> None:
    answer = machine.opens(f"{path}?topic=alliances")
    read = _read(answer.content, answer.headers["content-type"], str(answer.url))
    assert (read.dialect, len(read.entries)) == (kind, 1)  # one item for the story of two articles
    one = read.entries[0]
    assert one.title.startswith("summit")
    assert one.url is not None
    assert one.url.startswith("https://")
    again = machine.opens(f"{path}?topic=alliances")
    assert again.content == answer.content
    known = {"If-None-Match": answer.headers["etag"]}
    assert machine.asks("GET", f"{path}?topic=alliances", headers=known).status_code == 304
    assert machine.opens(f"{path}?saved=nothing").status_code == 400


def _read(body: bytes, content_type: str, url: str) -> Feed:
    return feeds.read_feed(body, content_type=content_type, url=url, now=NOON + DAY)


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_text_is_text_in_feeds(attack: str) -> None:
    hit = Hit(1, attack, "javascript:x", "s", attack, None, NOON, 1.0, (attack,), (attack,), attack, (), 1)
    items = list(syndication.items_of([hit], "http://desk.example"))
    body = syndication.atom(attack, items, here="http://desk.example/f", page="http://desk.example/", now=NOON)
    read = _read(body, "application/atom+xml", "http://desk.example/f")
    assert read.entries[0].url == "http://desk.example/story/1"
    data: dict[str, Any] = json.loads(syndication.json_feed(attack, items, here="http://desk/f", page="http://desk/"))
    assert data["items"][0]["url"] == "http://desk.example/story/1"


# -- whatever the document allows --------------------------------------------------------------------------------------


def test_the_api_keeps_to_its_document(desk: Desk) -> None:
    """Schemathesis asks each operation what its own document allows, and some of what it does not."""
    app = page_over(desk.archive, Clock(desk.now))
    host = {"Host": "127.0.0.1"}
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app, headers=host)
    asked = Counter[str]()
    for found in schema.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy())
        @settings(max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def keeps(case: schemathesis.Case) -> None:
            # a time or a key may be well-formed and still be none: 400 is documented for that
            case.call_and_validate(headers=host, excluded_checks=[positive_data_acceptance])
            asked[case.method] += 1

        keeps()
    assert set(asked) == {"GET", "PUT", "POST", "PATCH", "DELETE"}
