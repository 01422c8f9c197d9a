"""What leaves the archive: all that a search finds, in every format, as a stream, on both databases."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet
import pytest

from storage import exporting
from storage.archive import SqlArchive
from tests.archives import DAY, HOUR, NOON, Desk, desk_with_news, entry, source
from watchfloor import cli, clippings, parquet
from watchfloor.model import Clipping, Filters
from watchfloor.query import parse

EVERYTHING = Filters(everything=True)
SUMMIT = Clipping(
    id=7,
    title="Ångström & 100% {sure} of_it #1 $2 \\ ~ ^",
    url="https://gazette.example/a_{b}",
    source="gazette",
    publisher="Gazette & Sons",
    country="DE",
    language="en",
    authors=("Ann Onymous", "Smith, John", "Bell and Co"),
    published=datetime(2026, 11, 24, 11, tzinfo=UTC),
    first_seen=datetime(2026, 11, 24, 12, 30, tzinfo=UTC),
    grade="full",
    relevant=True,
    score=2.5,
    topics=("alliances", "budgets"),
    entities=("NATO",),
    story=3,
    page_sha256="ab" * 32,
    text="One.\n\n=Two",
)
BARE = SUMMIT._replace(id=8, title="-1", url=None, authors=(), published=None, page_sha256=None, story=None)


def written(pieces: Iterable[bytes]) -> str:
    return b"".join(pieces).decode()


# -- formats ----------------------------------------------------------------------------------------------------------


def test_json_lines_carry_everything() -> None:
    lines = written(clippings.jsonl([SUMMIT, BARE])).splitlines()
    first, second = map(json.loads, lines)
    assert tuple(first) == Clipping._fields
    assert (first["title"], first["authors"], first["story"]) == (SUMMIT.title, list(SUMMIT.authors), 3)
    assert (first["published"], second["published"]) == ("2026-11-24T11:00:00+00:00", None)


def test_csv_is_safe_for_spreadsheets() -> None:
    formulas = [SUMMIT._replace(title=title) for title in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1")]
    rows = list(csv.DictReader(io.StringIO(written(clippings.as_csv([SUMMIT, BARE, *formulas])), newline="")))
    assert rows[0]["title"] == SUMMIT.title
    assert rows[0]["topics"] == "alliances; budgets"
    assert rows[0]["text"] == SUMMIT.text
    assert rows[1]["published"] == ""
    assert all(row["title"].startswith("'") for row in rows[1:])
    assert all(row.keys() == set(Clipping._fields) for row in rows)


def test_csv_of_nothing_is_a_head() -> None:
    assert written(clippings.as_csv([])).count("\n") == 1


def test_bibtex_escapes_what_tex_would_read() -> None:
    entry = written(clippings.bibtex([SUMMIT]))
    assert entry.startswith("@online{watchfloor7,\n")
    assert (
        r"title = {{Ångström \& 100\% \{sure\} of\_it \#1 \$2 \textbackslash{} \textasciitilde{} \textasciicircum{}}}"
        in entry
    )
    assert "author = {Ann Onymous and {Smith, John} and {Bell and Co}}" in entry
    assert "url = {https://gazette.example/a_%7Bb%7D}" in entry
    assert "date = {2026-11-24}" in entry
    assert "urldate = {2026-11-24}" in entry
    assert entry.count("{") - entry.count("\\{") == entry.count("}") - entry.count("\\}")
    assert "author" not in written(clippings.bibtex([BARE]))


def test_ris_has_a_record_each() -> None:
    lines = written(clippings.ris([SUMMIT, BARE])).split("\r\n")
    assert lines[0] == "TY  - NEWS"
    assert lines.count("ER  - ") == 2
    assert "DA  - 2026/11/24" in lines
    assert [line for line in lines if line.startswith("AU")] == [f"AU  - {name}" for name in SUMMIT.authors]
    assert all(not line or line[2:6] == "  - " for line in lines)


def test_csl_json_is_an_array() -> None:
    items = json.loads(written(clippings.csl_json([SUMMIT, BARE])))
    assert items[0]["issued"] == {"date-parts": [[2026, 11, 24]]}
    assert items[0]["author"][1] == {"literal": "Smith, John"}
    assert "issued" not in items[1]
    assert json.loads(written(clippings.csl_json([]))) == []


@pytest.mark.parametrize("format", ["bibtex", "ris", "csl-json"])
def test_a_citation_says_when_and_which_page(format: str) -> None:
    cited = written(clippings.FORMATS[format]([SUMMIT]))
    assert (
        "published 2026-11-24T11:00:00+00:00; first seen 2026-11-24T12:30:00+00:00; SHA-256 of the page abab" in cited
    )
    assert "published at an unknown time" in written(clippings.FORMATS[format]([BARE]))


def test_parquet_keeps_the_types() -> None:
    out = io.BytesIO()
    assert parquet.write(iter([SUMMIT, BARE]), out) == 2
    table = pyarrow.parquet.read_table(io.BytesIO(out.getvalue()))
    assert table.schema.names == list(Clipping._fields)
    first, second = table.to_pylist()
    assert (first["published"], first["topics"], second["story"]) == (SUMMIT.published, ["alliances", "budgets"], None)
    assert parquet.write(iter([]), io.BytesIO()) == 0


# -- the archive ------------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(archive: SqlArchive) -> Desk:
    desk = desk_with_news(archive).knows(source(), source("courier", country="FR"))
    desk.polls("courier")
    days = {"summit-now": 0, "summit-then": 3, "dull-day": 1}
    desk.works("gazette", *(entry(name, published=NOON - days[name] * DAY) for name in days))
    desk.works("courier", entry("summit-elsewhere", "courier", published=NOON - 2 * DAY))
    return desk


def titles(found: Iterator[Clipping]) -> list[str]:
    return [one.title for one in found]


def test_an_export_is_what_a_search_finds_oldest_first(desk: Desk) -> None:
    archive = desk.archive
    assert titles(archive.export(None, Filters())) == ["summit then", "summit elsewhere", "summit now"]
    assert titles(archive.export(None, EVERYTHING)) == ["summit then", "summit elsewhere", "dull day", "summit now"]
    assert titles(archive.export(parse("now OR dull"), EVERYTHING)) == ["dull day", "summit now"]
    assert titles(archive.export(None, Filters(since=NOON - 2 * DAY, until=NOON))) == ["summit elsewhere"]
    assert titles(archive.export(None, Filters(countries=("FR",)))) == ["summit elsewhere"]
    assert titles(archive.export(parse("case:Summit"), Filters())) == []
    assert titles(archive.export(parse("case:summit"), Filters(sources=("gazette",)))) == ["summit then", "summit now"]


def test_a_clipping_says_all_that_is_known(desk: Desk) -> None:
    clipping = next(iter(desk.archive.export(None, Filters())))
    assert clipping == Clipping(
        id=clipping.id,
        title="summit then",
        url="https://gazette.example/summit-then",
        source="gazette",
        publisher="Gazette House",
        country="DE",
        language="en",
        authors=["Ann Onymous"],
        published=NOON - 3 * DAY,
        first_seen=NOON + HOUR,
        grade="full",
        relevant=True,
        score=2.5,
        topics=["alliances", "budgets"],
        entities=["NATO", "summit"],
        story=clipping.story,
        page_sha256=sha256(b"<html>").hexdigest(),
        text="The text.",
    )


def test_the_batches_of_a_stream_fit_together(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "AT_ONCE", 2)
    desk.works("gazette", *(entry(f"summit-{n}") for n in range(7)))
    found = list(desk.archive.export(None, EVERYTHING))
    assert len({one.id for one in found}) == len(found) == 11
    assert [one.published for one in found] == sorted(one.published for one in found if one.published)


def test_what_is_written_meanwhile_is_not_in_the_stream(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "AT_ONCE", 1)
    stream = iter(desk.archive.export(None, EVERYTHING))
    next(stream)
    desk.works("gazette", entry("summit-later", published=NOON))
    assert "summit later" not in titles(stream)
    assert "summit later" in titles(desk.archive.export(None, EVERYTHING))


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled_url(archive_url: str) -> str:
    from storage.engine import open_archive

    archive = open_archive(archive_url)
    desk_with_news(archive).works("gazette", entry("summit-now"), entry("dull-day"))
    archive.close()
    return archive_url


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet", "bibtex", "ris", "csl-json"])
def test_the_command_writes_a_file(
    format: str, filled_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    given = ["export", "summit OR dull", "--all", "--format", format, "--output", str(out)]
    assert cli.run([*given, "--database-url", filled_url]) == 0
    assert capsys.readouterr().err == f"2 articles in {out}\n"
    assert b"summit now" in out.read_bytes() or format == "parquet"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name not in ("folder",)) == ["out"]


def test_the_command_writes_to_standard_output(filled_url: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "watchfloor", "export", "--database-url", filled_url], capture_output=True, check=True
    )
    assert [json.loads(line)["title"] for line in done.stdout.splitlines()] == ["summit now"]


def test_a_file_that_cannot_be_written_is_one_line(filled_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["export", "--output", "/nowhere/at/all", "--database-url", filled_url]) == 1
    assert capsys.readouterr().err == "watchfloor: /nowhere/at/all: cannot be written: No such file or directory\n"


def test_parquet_without_its_package_is_one_line(filled_url: str, tmp_path: Path) -> None:
    code = "import sys; sys.modules['pyarrow'] = None; from watchfloor.cli import main; main()"
    given = ["export", "--format", "parquet", "--output", str(tmp_path / "x"), "--database-url", filled_url]
    done = subprocess.run([sys.executable, "-c", code, *given], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "watchfloor: Parquet needs the package pyarrow (pip install 'watchfloor[parquet]')\n"
