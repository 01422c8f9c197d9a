"""What is kept of a watchlist: it is what would be made anew, whoever reads and writes it, or it is made anew."""

from __future__ import annotations

import asyncio
import os
import pickle
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import is_dataclass
from io import BytesIO
from pathlib import Path
from typing import get_args

import pytest

from storage.archive import SqlArchive
from tests.eval.filter_report import own_stories
from tests.postgres import fresh_database
from watchfloor import kept, lexicon, placed, query, settings, watchlist, wiring
from watchfloor.errors import WatchlistError
from watchfloor.match import Matcher
from watchfloor.settings import shipped

LIST = """\
threshold: 4
topics:
  - id: arms-control
    name: Arms control
    keywords: [{term: warhead, weight: 3}, {term: invad*, needs: [troops], not: [weeds]}]
contexts:
  - {id: sport, weight: -1, keywords: [quarterback]}
harmless: [warhead records]
groups:
  forces: [troops, army]
  moves: [deploy*]
rules:
  - {near: [forces, moves], within: 2, weight: 2, topic: arms-control}
  - {query: 'title:(powers OR "arms control") AND talk* NOT case:FILM', weight: 2, topic: arms-control}
  - {query: 'treaty NEAR/3 start AND entity:"New START" -topic:sport', weight: 2, topic: arms-control}
entities:
  - {name: New START, kind: treaty, topics: [arms-control], weight: 3, aliases: [{alias: START, case: true}]}
"""
TITLE = "Powers talk of arms control"
TEXT = "Troops deployed; the treaty, New START, counts each warhead. They invaded."


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "watchlist.yaml"
    path.write_text(LIST, encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def loaded(path: Path, folder: Path) -> Matcher:
    found = kept.load_watchlist(path, folder)
    return Matcher(found, kept.lexicon_of(found, folder))


def made_anew(path: Path) -> Matcher:
    return Matcher(watchlist.load(path))


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """What lies in the folder: a file that was written anew is another."""
    return {one.name: (one.stat().st_ino, one.stat().st_mtime_ns) for one in folder.iterdir()}


def test_what_is_kept_judges_as_what_is_made_anew(folder: Path) -> None:
    path = shipped("watchlist.yaml")
    anew = loaded(path, folder)
    before = files(folder)
    found = loaded(path, folder)
    assert files(folder) == before
    assert found.watchlist == anew.watchlist
    assert _lines(found.watchlist) == _lines(anew.watchlist)
    for story in own_stories():
        assert found.judge(story.title, story.text) == anew.judge(story.title, story.text)


def _lines(found: watchlist.Watchlist) -> list[int | None]:
    words = [word.spelling.line for word in (*found.keywords, *found.contexts)]
    return words + [spelling.line for entity in found.entities for spelling in entity.spellings]


def test_every_kind_of_rule_is_kept(path: Path, folder: Path) -> None:
    verdicts = [loaded(path, folder).judge(TITLE, TEXT, "en") for _ in range(2)]
    assert verdicts[0] == verdicts[1] == made_anew(path).judge(TITLE, TEXT, "en")
    assert {one.kind for one in verdicts[1].evidence} == {"entity", "keyword", "rule"}


def test_every_record_of_a_list_is_known() -> None:
    known = [*vars(watchlist).values(), *vars(lexicon).values()]
    records = {kind for kind in known if isinstance(kind, type) and is_dataclass(kind)}
    assert records | {*get_args(query.Node)} == {*kept.RECORDS, placed.Item}


def test_nobody_else_reads_what_is_kept(path: Path, folder: Path) -> None:
    loaded(path, folder)
    assert files(folder).keys() == {"watchlist.read", "watchlist.compiled"}
    assert {stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()} == {0o600}


def test_a_changed_list_takes_the_place_of_the_old_one(path: Path, folder: Path) -> None:
    old = loaded(path, folder)
    path.write_text(LIST.replace("weight: 3}, {term: invad*", "weight: 4}, {term: invad*"), encoding="utf-8")
    new = loaded(path, folder)
    assert new.watchlist.version != old.watchlist.version
    assert new.judge(TITLE, TEXT, "en") == made_anew(path).judge(TITLE, TEXT, "en") != old.judge(TITLE, TEXT, "en")
    assert len(files(folder)) == 2


def test_a_comment_costs_the_reading_alone(path: Path, folder: Path) -> None:
    loaded(path, folder)
    before = files(folder)
    path.write_text("# ours\n" + LIST, encoding="utf-8")
    assert _lines(loaded(path, folder).watchlist) == _lines(made_anew(path).watchlist)
    after = files(folder)
    assert after["watchlist.read"] != before["watchlist.read"]
    assert after["watchlist.compiled"] == before["watchlist.compiled"]


def test_a_fault_is_told_whatever_is_kept(path: Path, folder: Path) -> None:
    loaded(path, folder)
    path.write_text(LIST.replace("within: 2", "within: 200"), encoding="utf-8")
    with pytest.raises(WatchlistError, match="out of range") as caught:
        loaded(path, folder)
    assert caught.value.line == 13


def test_another_program_makes_it_anew(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(path, folder)
    before = files(folder)
    monkeypatch.setattr(kept, "_PROGRAM", b"the next version")
    loaded(path, folder)
    after = files(folder)
    assert all(after[name] != before[name] for name in before)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2] + b"\0" + content[len(content) // 2 + 1 :],
        lambda content: b"garbage" * 1000,
        lambda content: content + b".",
    ],
)
def test_what_is_damaged_is_made_anew(path: Path, folder: Path, damage: Callable[[bytes], bytes]) -> None:
    loaded(path, folder)
    whole = {one: one.read_bytes() for one in folder.iterdir()}
    for one, content in whole.items():
        one.write_bytes(damage(content))
    assert loaded(path, folder).judge(TITLE, TEXT, "en") == made_anew(path).judge(TITLE, TEXT, "en")
    before = files(folder)
    loaded(path, folder)
    assert files(folder) == before


def test_where_nothing_can_be_written_nothing_is_kept(path: Path, folder: Path) -> None:
    verdict = made_anew(path).judge(TITLE, TEXT, "en")
    assert loaded(path, folder / "none").judge(TITLE, TEXT, "en") == verdict
    assert loaded(path, path).judge(TITLE, TEXT, "en") == verdict
    assert not files(folder)
    for name in (kept.READ, kept.COMPILED):
        (folder / name).mkdir()
    assert loaded(path, folder).judge(TITLE, TEXT, "en") == verdict
    assert len(files(folder)) == 2


def test_nothing_that_a_file_says_is_run(path: Path, folder: Path, tmp_path: Path) -> None:
    class Planted:
        def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
            return os.system, (f"touch {tmp_path}/ran",)

    out = BytesIO()
    pickle.Pickler(out).dump(Planted())
    (folder / kept.READ).write_bytes(kept._digest(LIST, out.getvalue()) + out.getvalue())
    with pytest.raises(pickle.UnpicklingError, match="system"):
        loaded(path, folder)
    assert not (tmp_path / "ran").exists()


def test_many_may_read_and_write_at_once(path: Path, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(LIST.replace("threshold: 4", "threshold: 5"), encoding="utf-8")
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(lambda one: loaded(one, folder).watchlist.threshold, [path, other] * 5)
    assert list(found) == [4, 5] * 5
    assert len(files(folder)) == 2


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///data/watchfloor.db", "data"),
        ("sqlite:////srv/desk/archive.db?timeout=5", "/srv/desk"),
        ("sqlite:///archive.db", "."),
        ("postgresql+psycopg://desk:p:///w@db.example/watchfloor", "data"),
    ],
)
def test_it_lies_in_the_folder_of_the_archive(url: str, expected: str) -> None:
    assert settings.load(database_url=url).data_folder == Path(expected)


def test_a_cycle_judges_by_what_is_kept(path: Path, folder: Path) -> None:
    desk = settings.load(database_url=f"sqlite:///{folder}/watchfloor.db", watchlist=path)
    first = wiring.load_matcher(desk)
    before = files(folder)
    assert wiring.load_matcher(desk).judge(TITLE, TEXT, "en") == first.judge(TITLE, TEXT, "en")
    assert files(folder) == before != {}


def test_a_desk_on_postgresql_keeps_it_where_it_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sources.yaml").write_text("sources: [{name: Gazette, url: 'https://gazette.example/feed'}]", encoding="utf-8")

    async def judges() -> None:
        async with wiring.open_floor(settings.load(database_url=fresh_database(), watchlist=path)) as floor:
            floor.matcher()
        assert isinstance(floor.archive, SqlArchive)
        floor.archive.close()

    asyncio.run(judges())
    assert files(tmp_path / "data").keys() == {kept.COMPILED}
