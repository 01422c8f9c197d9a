"""Archives as earlier versions kept them: one JSON file for each migration, with a row or more in every table.

Before you add a migration, `python -m tests.earlier` writes what the present version keeps; test_migrations.py brings
each of them to the new one. The full-text index is left out: it is filled anew from the tables.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, select

from storage.archive import SqlArchive
from storage.engine import HEAD, open_archive
from storage.moving import restart_numbers
from tests.archives import DAY, HOUR, LEASE, WHOLE, Desk, entry, group_by_first_word, judge, source
from watchfloor.model import Change, PollOutcome, SavedSearch, SendOutcome, Trouble
from watchfloor.ports import Grouping, Sketched

FOLDER = Path(__file__).parent
INDEX = ("article_words", "facets", "alembic_version")

Rows = dict[str, list[dict[str, Any]]]


def known_versions() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))


# -- a life -----------------------------------------------------------------------------------------------------------


def live(archive: SqlArchive) -> Desk:
    """A week of a desk: every table gets a row, every stage is left with something to do."""
    desk = Desk(archive).knows(source(), source("courier", country="FR"))
    desk.works("gazette", entry("parade-of-old"), entry("dull-beginning"))
    desk.polls("courier")
    desk.later(HOUR)
    desk.works("gazette", entry("summit-opens"), entry("dull-day"), entry("carrier-leaves"))
    desk.polls(
        "courier", entry("summit-opens", "courier", title="summit opens, says the courier"), entry("no-link", url=None)
    )
    desk.reads("Ça va: 2,000 troops at the summit. Київ!")
    desk.judges()
    deliver(desk)
    archive.label(desk.finds("carrier").hits[0].id, True, desk.now)
    archive.label(desk.finds("dull beginning", everything=True).hits[0].id, False, desk.now)
    archive.save_search(SavedSearch("summits", "summit OR parade", topics=("alliances",)), desk.now)
    archive.keep_cycle(desk.now, desk.now + HOUR, {"entries": {"new": 5}})
    relate(desk.later(DAY))
    archive.split_article(desk.finds("courier").hits[0].id)
    archive.prune(desk.now + 200 * DAY, raw=400 * DAY, text=180 * DAY)
    fail(desk.later(HOUR))
    desk.polls("gazette", entry("summit-closes"), entry("waits-for-its-page"))
    archive.claim_pages(desk.owner, desk.now, LEASE, shard=WHOLE, limit=1)
    silent = Trouble("source:courier", "Courier has fallen silent.")
    archive.review_incidents(lambda known: Change((silent,), (), None), desk.now)
    return desk


def deliver(desk: Desk) -> None:
    """One delivery arrives, the others wait."""
    one = desk.archive.claim_deliveries(desk.owner, desk.now, LEASE, targets=("ann",), limit=1)[0]
    desk.archive.keep_delivery(desk.owner, one.id, SendOutcome("sent", "accepted"), None, desk.now)


def relate(desk: Desk) -> None:
    """Two articles that may be about one event, and one that comes twice."""

    def group(new: Sequence[tuple[int, bytes]], known: Sequence[Sketched]) -> Grouping:
        grouped = group_by_first_word(new, known)
        return Grouping(grouped.story_of, grouped.merged, ((known[-1].article_id, new[0][0]),))

    desk.polls("gazette", entry("frigate-sails"), entry("frigate-again", title="frigate sails"))
    desk.reads(url="https://gazette.example/frigate-sails")
    articles = desk.takes()
    desk.archive.settle(desk.owner, [judge(article) for article in articles], group, desk.tell, desk.now)


def fail(desk: Desk) -> None:
    """The courier asks us to wait."""
    jobs = desk.archive.claim_sources(desk.owner, desk.now, LEASE, shard=WHOLE, limit=10, everything=True)
    state = replace(next(job.state for job in jobs if job.source.id == "courier"), failures=1, health="failing")
    failed = PollOutcome("courier", desk.now, "failed", state, (), 429, "slow down", "courier.example", desk.now + HOUR)
    desk.archive.keep_poll(desk.owner, failed)
    desk.archive.release_sources(desk.owner, [job.source.id for job in jobs])


# -- rows and JSON ----------------------------------------------------------------------------------------------------


def dump(connection: Connection) -> Rows:
    """All rows of all tables but the index, in an order in which they may be inserted."""
    tables = _tables(connection)
    return {
        table.name: [dict(row._mapping) for row in connection.execute(select(table).order_by(*table.primary_key))]
        for table in tables.sorted_tables
        if not table.name.startswith(INDEX)
    }


def load(connection: Connection, version: str) -> Rows:
    """Put the rows of that version into tables of that version."""
    rows: Rows = json.loads((FOLDER / f"{version}.json").read_text(encoding="utf-8"), object_hook=_from_json)
    tables = _tables(connection)
    for name, some in rows.items():
        if some:
            connection.execute(tables.tables[name].insert(), some)
    restart_numbers(connection)
    return rows


def _tables(connection: Connection) -> MetaData:
    metadata = MetaData()
    metadata.reflect(connection, only=lambda name, _: not name.startswith("article_words"))
    return metadata


def _to_json(value: object) -> object:
    if isinstance(value, datetime):
        return {"time": value.replace(tzinfo=UTC).isoformat()}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    raise TypeError(type(value))


def _from_json(value: dict[str, Any]) -> object:
    if value.keys() == {"time"}:
        return datetime.fromisoformat(value["time"])
    if value.keys() == {"bytes"}:
        return bytes.fromhex(value["bytes"])
    return value


def _lines(rows: Rows) -> Iterator[str]:
    """A row a line, so that a diff can be read."""
    for name, some in rows.items():
        body = ",\n".join(json.dumps(row, default=_to_json, ensure_ascii=False) for row in some)
        yield f'"{name}": [\n{body}\n]'


def write() -> Path:
    """Write what the present version keeps."""
    path = FOLDER / f"{HEAD}.json"
    with tempfile.TemporaryDirectory() as folder:
        archive = open_archive(f"sqlite:///{folder}/archive.db")
        live(archive)
        with archive._database.read() as connection:
            rows = dump(connection)
        archive.close()
    del rows["notes"]  # of the index
    path.write_text("{\n" + ",\n".join(_lines(rows)) + "\n}\n", encoding="utf-8")
    return path
