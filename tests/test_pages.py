"""The desk's pages: what they show, what they change, and what hostile text cannot do to them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from storage.archive import SqlArchive
from storage.desk import Narrowing
from storage.engine import open_archive
from tests.archives import DAY, HOUR, LEASE, MINUTE, NOON, Desk, desk_with_news, entry, source
from tests.browsing import Clock, Outline, Reader, page_over
from tests.postgres import fresh_database
from watchfloor.errors import WatchlistError
from watchfloor.explaining import reasons
from watchfloor.model import Evidence, SendOutcome
from watchfloor.watchlist import Watchlist
from watchfloor.web import shows


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Two sources that tell of a summit, and one dull article. Shared by the tests that only look."""
    url = fresh_database() if request.param == "postgresql" else f"sqlite:///{tmp_path_factory.mktemp('desk')}/a.db"
    archive = open_archive(url)
    yield with_a_summit(archive)
    archive.close()


@pytest.fixture
def own_desk(tmp_path: Path) -> Iterator[Desk]:
    """The same, for a test that changes something."""
    archive = open_archive(f"sqlite:///{tmp_path}/archive.db")
    yield with_a_summit(archive)
    archive.close()


def with_a_summit(archive: SqlArchive) -> Desk:
    made = Desk(archive).knows(source(), source("herald", tags=("outlet", "official")))
    made.polls("gazette")
    made.polls("herald")
    made.later(HOUR)
    made.polls("gazette", entry("summit-in-brussels"), entry("dull-football"))
    made.polls("herald", entry("summit-ends", "herald"))
    made.reads("Troops will leave.\n\nThe alliance agreed on it.")
    made.judges()
    return made


@pytest.fixture
def reader(desk: Desk) -> Reader:
    return reader_of(desk)


def reader_of(desk: Desk) -> Reader:
    return Reader(page_over(desk.archive, Clock(desk.now + HOUR)))


def number_of(desk: Desk, name: str = "summit-in-brussels") -> int:
    """The article of that name in the gazette."""
    record = desk.archive.find_article(f"https://gazette.example/{name}")
    assert record is not None
    return record.article.id


def story_of(desk: Desk, name: str = "summit-in-brussels") -> int:
    record = desk.archive.find_article(number_of(desk, name))
    assert record is not None
    assert record.story is not None
    return record.story.story_id


def test_today_shows_stories_with_their_reasons(desk: Desk, reader: Reader) -> None:
    page = reader.opens("/")
    assert page.status_code == 200
    outline = Outline(page.text)
    assert "summit in brussels" in outline.text
    assert "dull football" not in outline.text
    assert "Gazette House" in outline.text
    assert "Herald House" in outline.text
    assert "2.5 of 1.0" in " ".join(outline.text.split())
    assert f"/story/{story_of(desk)}" in outline.hrefs()
    assert "/entity?name=NATO" in outline.hrefs()
    assert ("mark", {}) in outline.elements


@pytest.mark.parametrize(
    ("question", "shown"),
    [
        ("topic=alliances", True),
        ("topic=none", False),
        ("entity=NATO&topic=budgets", True),
        ("entity=nobody", False),
        ("source=herald", True),
        ("source=other", False),
        ("within=7d&by=newest", True),
        ("within=nonsense&by=nonsense&after=nonsense", True),
    ],
)
def test_today_is_narrowed_by_its_address(reader: Reader, question: str, shown: bool) -> None:
    assert ("summit in brussels" in reader.opens(f"/?{question}").text) is shown


def test_today_can_be_narrowed_to_a_topic_and_survives_a_broken_watchlist(desk: Desk) -> None:
    page = Outline(reader_of(desk).opens("/?topic=operations&within=7d").text)
    chosen = [attributes for tag, attributes in page.elements if tag == "option" and "selected" in attributes]
    assert [one["value"] for one in chosen] == ["operations"]

    def broken() -> Watchlist:
        raise WatchlistError("is not UTF-8 text", path="watchlist.yaml")

    reader = Reader(page_over(desk.archive, Clock(desk.now), watchlist=broken))
    assert "summit in brussels" in reader.opens("/").text
    answer = reader.opens("/watchlist")
    assert answer.status_code == 503
    assert "watchlist.yaml: is not UTF-8 text" in answer.text


def test_what_is_old_or_muted_is_not_of_today(own_desk: Desk) -> None:
    desk = own_desk
    later = Reader(page_over(desk.archive, Clock(desk.now + 2 * DAY)))
    assert "summit in brussels" not in later.opens("/").text
    assert "summit in brussels" in later.opens("/?within=3d").text
    with desk.archive._database.write() as connection:
        connection.exec_driver_sql("UPDATE stories SET muted = true")
    assert "summit in brussels" not in later.opens("/?within=3d").text
    assert "summit in brussels" in later.opens("/?within=3d&muted=1").text


def test_pages_of_today_hold_every_story_once(tmp_path: Path) -> None:
    archive = open_archive(f"sqlite:///{tmp_path}/archive.db")
    desk = desk_with_news(archive)
    desk.works("gazette", *(entry(f"event{number}-happens") for number in range(60)))
    for by in ("important", "newest"):
        reader = Reader(page_over(archive, Clock(desk.now)))
        path, seen = f"/?by={by}", []
        while path:
            hrefs = Outline(reader.opens(path).text).hrefs()
            seen += [href for href in hrefs if href.startswith("/story/")]
            path = next((href for href in hrefs if "after=" in href), "")
        assert len(seen) == len(set(seen)) == 60
    archive.close()


def test_a_story_shows_its_articles_with_the_copies_folded(desk: Desk, reader: Reader) -> None:
    page = reader.opens(f"/story/{story_of(desk)}")
    outline = Outline(page.text)
    assert "The same text in Herald House" in " ".join(outline.text.split())
    assert "word for word" in outline.text
    assert outline.text.index("summit in brussels") < outline.text.index("summit ends")
    assert {f"/article/{number_of(desk)}", "https://gazette.example/summit-in-brussels"} <= set(outline.hrefs())
    links = [attributes for tag, attributes in outline.elements if str(attributes.get("href")).startswith("http")]
    assert {attributes["rel"] for attributes in links} == {"noopener noreferrer nofollow"}


def test_an_article_is_shown_stage_by_stage(desk: Desk, reader: Reader) -> None:
    text = Outline(reader.opens(f"/article/{number_of(desk)}").text).text
    assert "Troops will leave." in text
    assert "score 2.50, threshold 1.00" in text


def test_what_is_not_there_is_not_found(reader: Reader) -> None:
    for path in ("/story/999", "/article/999", "/nothing", "/story/99999999999999999999", "/article/x"):
        page = reader.opens(path)
        assert page.status_code == 404
        assert "Watchfloor" in page.text


def test_a_label_is_kept_and_shown(own_desk: Desk) -> None:
    desk, reader = own_desk, reader_of(own_desk)
    reader.opens("/article/1")
    answer = reader.submits("/article/1/label", relevant="no", back="/article/1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/article/1")
    record = desk.archive.find_article(1)
    assert record is not None
    assert record.label is False
    pressed = [a["value"] for tag, a in Outline(reader.opens("/article/1").text).elements if "aria-pressed" in a]
    assert pressed == ["no"]
    assert reader.submits("/article/1/label", relevant="perhaps").status_code == 400
    assert reader.submits("/article/999/label", relevant="yes").status_code == 404


def test_search_finds_marks_filters_and_pages(desk: Desk, reader: Reader) -> None:
    page = reader.opens("/search?q=summit")
    text = " ".join(Outline(page.text).text.split())
    assert "2 found" in text
    assert "dull football" not in text
    assert "dull football" in reader.opens("/search?all=1&by=date").text
    assert "1 found" in " ".join(Outline(reader.opens("/search?q=summit&source=herald").text).text.split())
    assert reader.opens("/search?since=yesterdayish").status_code == 400
    assert reader.opens("/search?after=zz").status_code == 400


@pytest.mark.parametrize("words", ["C++", "O'Brien", "AT&T", '"', "a" * 20_000, "NOT", "((((", "%00", "topic:", "🙂"])
def test_search_takes_whatever_is_typed(reader: Reader, words: str) -> None:
    assert reader.asks("GET", "/search", params={"q": words}).status_code == 200


def test_search_says_what_its_matches_have_in_common(reader: Reader) -> None:
    outline = Outline(reader.opens("/search?q=summit").text)
    assert "/search?q=summit&publisher=Herald+House" in outline.hrefs()
    narrowed = reader.opens("/search?q=summit&publisher=Herald+House&country=DE&language=en").text
    assert "1 found" in " ".join(Outline(narrowed).text.split())
    assert any("since=2026-11-01" in href and "until=2026-12-01" in href for href in outline.hrefs())


def test_what_a_search_finds_is_exported_whole(reader: Reader) -> None:
    links = [href for href in Outline(reader.opens("/search?q=summit").text).hrefs() if href.startswith("/export")]
    assert [link.rpartition("=")[2] for link in links] == ["csv", "jsonl", "bibtex", "ris", "csl-json"]
    for link in links:
        answer = reader.opens(link)
        assert answer.text.count("summit in brussels") == 1
        assert "attachment" in answer.headers["content-disposition"]
    assert len(reader.opens("/export?format=jsonl&all=1").text.splitlines()) == 3
    assert reader.opens("/export?format=exe").status_code == 404
    assert reader.opens("/export?format=csv&since=x").status_code == 400


def test_a_name_has_a_page_with_its_days_and_company(desk: Desk, reader: Reader) -> None:
    for path in ("/entity?name=NATO", "/topic?name=alliances"):
        page = reader.opens(path)
        outline = Outline(page.text)
        text = " ".join(outline.text.split())
        assert "2 relevant articles" in text
        assert "2026-11-24 2" in text
        assert "Budgets 2" in text
        assert f"/story/{story_of(desk)}" in outline.hrefs()
        picture = next(attributes["src"] for tag, attributes in outline.elements if tag == "img")
        drawn = reader.opens(str(picture))
        assert drawn.headers["content-type"] == "image/svg+xml"
        assert "<script" not in drawn.text
    assert "None." in reader.opens("/entity?name=%3Cnobody%3E/..%2F").text
    assert reader.opens("/entity").status_code == 404


def test_without_the_extra_there_is_the_table_alone(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    outline = Outline(reader.opens("/entity?name=NATO").text)
    assert "img" not in [tag for tag, _ in outline.elements]
    assert [attributes for tag, attributes in outline.elements if tag == "details"] == [{"open": None}]
    assert reader.opens("/days.svg?name=NATO").status_code == 404


def test_a_story_can_be_muted_followed_joined_and_split(own_desk: Desk) -> None:
    desk, reader = own_desk, reader_of(own_desk)
    story = story_of(desk)
    page = reader.opens(f"/story/{story}")
    assert "desk" in Outline(page.text).text  # the route on which it was told
    for wish, muted, followed in (
        ("mute", True, False), ("follow", True, True), ("unmute", False, True), ("unfollow", False, False)
    ):  # fmt: skip
        assert reader.submits(f"/story/{story}/mark", wish=wish).headers["location"] == f"/story/{story}"
        record = desk.archive.find_story(story)
        assert record is not None
        assert (record.muted, record.followed) == (muted, followed)
    made = reader.submits(f"/article/{number_of(desk)}/split").headers["location"]
    assert made != f"/story/{story}"
    other = made.removeprefix("/story/")
    assert reader.submits(f"/story/{story}/join", other=other).headers["location"] == f"/story/{story}"
    assert reader.opens(made).headers["location"] == f"/story/{story}"
    for path, fields in (
        (f"/story/{story}/join", {"other": str(story)}),
        (f"/story/{story}/join", {"other": "x"}),
        (f"/story/{story}/join", {"other": "9" * 30}),
        (f"/story/{story}/mark", {"wish": "sing"}),
        ("/story/999/mark", {"wish": "mute"}),
        ("/article/999/split", {}),
        ("/deliveries/retry", {"delivery": "x"}),
    ):
        assert reader.submits(path, **fields).status_code == 400


def test_deliveries_say_what_went_where_and_can_be_tried_again(own_desk: Desk) -> None:
    desk, reader = own_desk, reader_of(own_desk)
    jobs = desk.archive.claim_deliveries(desk.owner, desk.now, LEASE, targets=["ann"], limit=9)
    desk.archive.keep_delivery(desk.owner, jobs[0].id, SendOutcome("refused", "no <such> box"), None, desk.now)
    text = " ".join(Outline(reader.opens("/deliveries").text).text.split())
    assert "ann: dead" in text
    assert "no <such> box" in text
    assert "bob: pending" in text
    assert "dead 1" in text
    assert "Nothing here." in reader.opens("/deliveries?state=sent").text
    assert "Nothing here." not in reader.opens("/deliveries?state=dead").text
    assert reader.submits("/deliveries/retry", delivery=str(jobs[0].id)).status_code == 303
    assert desk.archive.pending_deliveries() == {"pending": 2}
    assert reader.submits("/deliveries/retry", back="https://evil.example").headers["location"] == "/"


def test_the_watchlist_says_which_terms_hit_which_never_do_and_which_are_noise(own_desk: Desk) -> None:
    desk, reader = own_desk, reader_of(own_desk)
    text = Outline(reader.opens("/watchlist").text).text
    assert "summit" in text
    assert "None: no term stands only" in text
    assert "Force posture and deployments: " in text
    assert "foreign forces" not in text
    assert "foreign forces" in Outline(reader.opens("/watchlist?never=Force+posture+and+deployments").text).text
    desk.archive.label(number_of(desk, "dull-football"), False, desk.now)
    page = " ".join(Outline(reader.opens("/watchlist").text).text.split())
    assert "dull entity 1" in page
    desk.archive.label(number_of(desk), True, desk.now)
    uses = {use.term: (use.relevant, use.other) for use in desk.archive.term_labels()}
    assert uses == {"dull": (0, 1), "summit": (1, 0)}


def test_terms_are_counted_once_an_article_and_only_lately(desk: Desk) -> None:
    uses = {use.term: (use.relevant, use.other) for use in desk.archive.term_uses(NOON)}
    assert uses == {"summit": (2, 0), "dull": (0, 1)}
    assert desk.archive.term_uses(NOON + DAY) == []


def test_sources_say_how_they_do(desk: Desk, reader: Reader) -> None:
    text = Outline(reader.opens("/sources").text).text
    assert "Gazette" in text
    assert "2 full" in text
    assert "with the next cycle" in text


# -- hostile text -----------------------------------------------------------------------------------------------------

ATTACKS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</style></title></textarea><svg onload=alert(1)>",
    '" onmouseover="alert(1)',
    "{{ 7919*7907 }} {% raw %} ${7919*7907}",
    "\u202egnp.exe\u2066 \u200bhidden\u0000",
    "<!--><script>alert(1)</script>-->",
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_text_stays_text(tmp_path: Path, attack: str) -> None:
    archive = open_archive(f"sqlite:///{tmp_path}/archive.db")
    hostile = attack.replace("\u0000", "")  # no database takes it
    desk = Desk(archive).knows(source(name="gazette", publisher=f"P {hostile}", country=hostile))
    desk.polls("gazette")
    desk.later(HOUR)
    desk.polls("gazette", entry("one", title=f"Kyiv {hostile}"), entry("two", title=f"Kyiv again {hostile}"))
    desk.reads(f"Kyiv says {hostile}.\n\nMore {hostile} of it.", authors=(hostile,))
    names = ((hostile, f"x{hostile}"), (hostile,))
    desk.judges_as(dict.fromkeys(("https://gazette.example/one", "https://gazette.example/two"), names))
    with archive._database.write() as connection:  # past the cleaning at the door
        connection.exec_driver_sql(
            "UPDATE articles SET url = 'javascript:alert(1)' WHERE url = 'https://gazette.example/two'"
        )
    reader = Reader(page_over(archive, Clock(desk.now)))
    for path in (
        "/",
        f"/story/{story_of(desk, 'one')}",
        f"/article/{number_of(desk, 'one')}",
        "/search?q=kyiv",
        "/sources",
        "/deliveries",
        "/watchlist",
        f"/entity?name={hostile}",
        f"/topic?name={hostile}",
        f"/?topic={hostile}&entity={hostile}&source={hostile}",
        f"/search?q={hostile}&since={hostile}&topic={hostile}",
    ):
        page = reader.asks("GET", path.partition("?")[0], params=_pairs(path.partition("?")[2]))
        outline = Outline(page.text)
        tags = [tag for tag, _ in outline.elements]
        assert tags.count("script") == 1  # ours
        assert not {"svg", "style", "iframe", "textarea"} & set(tags)
        assert not [name for _, attributes in outline.elements for name in attributes if name.startswith("on")]
        assert all(str(a["src"]).startswith("/days.svg?") for tag, a in outline.elements if tag == "img")
        assert not [href for href in outline.hrefs() if not href.startswith(("/", "http://", "https://", "#"))]
        assert not set(page.text) & set("\u202e\u2066\u200b\u0000")
        assert "62615533" not in page.text
    archive.close()


def _pairs(question: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (part.partition("=") for part in question.split("&")) if name]


# -- what a page shows, without one ------------------------------------------------------------------------------------


def test_pieces_keep_the_text_whatever_the_marks() -> None:
    text = "one two three"
    marks = ((4, 7), (0, 3), (5, 9), (12, 99), (7, 7))
    assert "".join(piece.text for piece in shows.pieces(text, marks)) == text
    assert [piece.text for piece in shows.pieces(text, marks) if piece.mark] == ["one", "two", " t", "e"]
    assert "".join(piece.text for piece in shows.pieces(text, marks, 5)) == "one t…"


def test_paragraphs_mark_what_spoke_for_and_against() -> None:
    text = "War games.\n\nReal war."
    evidence = [Evidence("war games", "text", 0, 9, -2.0, ""), Evidence("war", "text", 17, 20, 1.0, "")]
    found = shows.paragraphs(text, evidence)
    assert [[tuple(piece) for piece in paragraph] for paragraph in found] == [
        [("War games", "against"), (".", "")],
        [("Real ", ""), ("war", "for"), (".", "")],
    ]


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (0 * HOUR, "now"),
        (5 * MINUTE, "5 min ago"),
        (90 * MINUTE, "2 h ago"),
        (30 * HOUR, "30 h ago"),
        (-3 * DAY, "in 3 d"),
    ],
)
def test_ages_are_said_in_one_unit(age: timedelta, said: str) -> None:
    assert shows.ago(NOON - age, NOON) == said
    assert shows.ago(None, NOON) == "never"


def test_many_voices_come_before_a_high_score(desk: Desk) -> None:
    standing = desk.archive.standings(NOON - DAY, NOON + DAY, Narrowing())[0]
    alone = replace(standing, story_id=7, voices=1, score=4.0)
    many = replace(standing, story_id=8, voices=8, score=3.0)
    old = replace(many, story_id=9, updated=many.updated - 20 * DAY)
    assert shows.ranked([alone, many, old], "important", NOON) == [8, 7, 9]
    assert shows.ranked([alone, many, old], "newest", NOON) == [7, 8, 9]


def test_reasons_add_up_to_the_score(desk: Desk) -> None:
    record = desk.archive.find_article(number_of(desk))
    assert record is not None
    assert record.verdict is not None
    assert sum(reason.weight for reason in reasons(record.verdict)) == record.verdict.score


@pytest.mark.parametrize(
    "url",
    [None, "", "javascript:alert(1)", "data:text/html,x", " JavaScript:alert(1)", "//x.example", "http://", "http://["],
)
def test_what_is_no_link_to_the_web_is_no_link(url: str | None) -> None:
    assert shows.web_link(url) is None


def test_differences_are_sentences() -> None:
    before, after = shows.sentences("One. Two. Three.\n\nFour."), shows.sentences("One. Two, changed. Three. Five.")
    assert shows.differences(before, after) == (("Two, changed.", "Five."), ("Two.", "Four."))
