"""The views for other tools, on both databases, and every SQL example of docs/archive.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from storage import views
from storage.archive import SqlArchive
from tests import earlier
from tests.archives import Desk, desk_with_news, entry, source

DOCUMENT = (Path(__file__).resolve().parent.parent / "docs" / "archive.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sql\n(.*?);\n```", DOCUMENT, re.DOTALL)
COMMANDS = re.findall(r'^(sqlite3|psql) .*"(SELECT .*)"$', DOCUMENT, re.MULTILINE)


@pytest.fixture
def desk(archive: SqlArchive) -> Desk:
    desk = desk_with_news(archive).knows(source(), source("courier", country="FR"))
    desk.polls("courier")
    desk.works("gazette", entry("summit-opens"), entry("dull-day"))
    desk.works("courier", entry("summit-again", "courier"))
    archive.label(desk.finds("opens").hits[0].id, True, desk.now)
    return desk


def ask(archive: SqlArchive, sql: str) -> list[dict[str, object]]:
    with archive._database.read() as connection:
        return [dict(row._mapping) for row in connection.exec_driver_sql(sql)]


def test_an_article_is_a_row_that_can_be_read(desk: Desk) -> None:
    dull, again, summit = ask(desk.archive, "SELECT * FROM v_articles ORDER BY title")
    expected = {
        "title": "summit opens",
        "source": "Gazette",
        "publisher": "Gazette House",
        "country": "DE",
        "language": "en",
        "topics": "alliances, budgets",
        "entities": "NATO, summit",
        "relevant": True,
        "label": True,
        "story_id": again["story_id"],
        "text": "The text.",
    }
    assert {name: summit[name] for name in expected} == expected
    assert str(summit["day"]) == "2026-11-24"
    assert (dull["relevant"], dull["topics"], dull["story_id"], dull["label"]) == (False, None, None, None)
    assert len(str(dull["page_sha256"])) == 64


def test_a_story_counts_articles_and_publishers(desk: Desk) -> None:
    (story,) = ask(desk.archive, "SELECT * FROM v_stories")
    assert (story["articles"], story["publishers"], story["countries"], story["score"]) == (2, 2, 2, 2.5)
    assert story["first_told"] is not None


def test_mentions_and_alerts_are_rows(desk: Desk) -> None:
    mentions = ask(desk.archive, "SELECT entity, count(*) AS articles FROM v_mentions WHERE relevant GROUP BY entity")
    assert {row["entity"]: row["articles"] for row in mentions} == {"NATO": 2, "summit": 2}
    alerts = ask(desk.archive, "SELECT kind, target, state, stories FROM v_alerts ORDER BY target")
    assert [tuple(row.values()) for row in alerts] == [("story", "ann", "pending", 1), ("story", "bob", "pending", 1)]


def test_the_document_names_every_column(archive: SqlArchive) -> None:
    for view in views.NAMES:
        listed = re.search(rf"^\| `{view}` \|[^|]*\| (.*) \|$", DOCUMENT, re.MULTILINE)
        assert listed, view
        with archive._database.read() as connection:
            columns = list(connection.exec_driver_sql(f"SELECT * FROM {view}").keys())
        assert re.findall(r"`(\w+)`", listed[1]) == columns


def test_the_document_has_examples() -> None:
    assert len(EXAMPLES) >= 5
    assert [tool for tool, _ in COMMANDS] == ["sqlite3", "psql"]


@pytest.mark.parametrize("sql", [*EXAMPLES, *(sql for _, sql in COMMANDS)])
def test_the_examples_of_the_document_run(archive: SqlArchive, sql: str) -> None:
    earlier.live(archive)
    rows = ask(archive, sql)
    assert rows or re.search("publishers >= 3|'dead'|label <>", sql), "what a desk of a week has is found"
