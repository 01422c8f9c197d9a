"""Faults planted in the world, not in rows: servers that behave badly for days; the doctor names each of them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from storage.archive import SqlArchive
from storage.engine import open_archive
from tests.armour.corpus import HEAD, page, xml
from tests.armour.floors import open_floor
from tests.armour.test_disk import small_disk
from tests.browsing import Clock as Shown
from tests.browsing import Outline, Reader, page_over
from tests.postgres import fresh_database
from tests.servers import Script, Seen, Server, on_loop, reply
from tests.test_flows import free_port
from tests.watching import ROOT
from watchfloor import cli, pipeline, wiring
from watchfloor.model import Source
from watchfloor.parsers import ParserPool

NOW = wiring.now()
BEGAN = NOW - timedelta(days=3)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STEPS = [timedelta(0), HOUR, 25 * HOUR, 50 * HOUR]  # at which the desk looks


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> datetime:
        return self.now


def items(dates: list[datetime | None], guid: Callable[[int], str] = str, link: Callable[[int], str] = str) -> bytes:
    inside = "".join(
        f"<item><title>Item {number}</title><link>https://a.example/{link(number)}</link><guid>{guid(number)}</guid>"
        + (f"<pubDate>{format_datetime(date)}</pubDate>" if date else "")
        + "</item>"
        for number, date in enumerate(dates)
    )
    return f'<rss version="2.0"><channel><title>x</title>{inside}</channel></rss>'.encode()


def the_world(clock: Clock) -> dict[str, bytes | Script]:
    """Feeds by what is wrong with them."""

    async def churning(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(xml(items([BEGAN - HOUR] * 9, guid=lambda number: f"{number} {clock.now}")))
        await writer.drain()

    async def endless_304(seen: Seen, writer: asyncio.StreamWriter) -> None:
        newest = (clock.now - BEGAN) // HOUR
        dates: list[datetime | None] = [BEGAN + number * HOUR for number in range(newest - 9, newest)]
        fresh = xml(items(dates, *[lambda number: f"{newest + number}"] * 2), ETag='"1"')
        answer = reply(304, ETag='"1"') if seen.header("If-None-Match") else fresh
        writer.write(answer)
        await writer.drain()

    async def cut_off(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 999\r\n\r\n<rss>")
        await writer.drain()

    return {
        "well": xml(items([BEGAN - number * HOUR for number in range(1, 9)])),
        "dead": xml(items([NOW - 90 * DAY - number * DAY for number in range(9)])),
        "404": reply(404),
        "403": reply(403),
        "410": reply(410),
        "500": reply(500),
        "page": reply(200, page(), Content_Type="text/html"),
        "cut off": cut_off,
        "undated": xml(items([None] * 9)),
        "churning": churning,
        "endless 304": endless_304,
    }


SAID = {
    "404": "failing: not found (404)",
    "403": "failing: refuses us (403)",
    "410": "gone: gone for good (410)",
    "500": "failing: answers with an error (HTTP 500)",
    "page": "not-a-feed: a web page, not a feed",
    "cut off": "failing: answers with something unusable: the answer was cut off",
    "undated": "undated: none of its items has a date",
    "churning": "churning: 9 of 9 items came under a new id",
    "endless 304": "its validators stay the same while its items change",
    "dead": "silent: nothing new for 89 days",
    "no host": "failing: cannot be reached: host name not found",
    "nobody": "failing: cannot be reached: connection refused",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all but the sources in order."""
    monkeypatch.chdir(tmp_path)
    for name in ("WATCHFLOOR_DATABASE_URL", "APPRISE_URLS", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WATCHFLOOR_CONTACT", "desk@paper.example")
    monkeypatch.setenv("WATCHFLOOR_ALLOW_ADDRESSES", "127.0.0.0/8")
    (tmp_path / "sources.yaml").write_text("sources:\n  - {name: Gazette, url: https://gazette.example/feed}\n")
    return tmp_path


def found_by_the_doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    code = cli.run(["doctor", "--format", "json", *arguments])
    wrong = [one for one in json.loads(capsys.readouterr().out) if one["wrong"]]
    assert code == bool(wrong)
    assert all(one["remedy"] for one in wrong)
    return wrong


@on_loop
async def lives_for_three_days(url: str) -> None:
    clock = Clock()
    world = the_world(clock)
    async with Server(
        {f"/{name.replace(' ', '-')}": answer for name, answer in world.items()}, host="0.0.0.0"
    ) as server:
        sources = [
            Source(name, name, server.url(f"/{name.replace(' ', '-')}", f"127.8.0.{number}"), name)
            for number, name in enumerate(world, 1)
        ]
        sources += [
            Source("no host", "no host", "http://nowhere.invalid/feed", "no host"),
            Source("nobody", "nobody", f"http://127.8.1.1:{free_port()}/feed", "nobody"),
        ]
        async with ParserPool(workers=1) as parsers:
            for step in STEPS:
                clock.now = BEGAN + step
                async with open_floor(url, sources, clock=clock, parsers=parsers) as floor:
                    assert isinstance(floor.archive, SqlArchive)
                    await pipeline.cycle(floor, everything=True)


def test_each_source_that_does_badly_is_named_with_what_is_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the doctor, and on the page of sources, which say the same."""
    url = f"sqlite:///{folder}/data/watchfloor.db"
    lives_for_three_days(url)
    said = [one["words"] for one in found_by_the_doctor(capsys, "--offline") if one["about"] == "source"]
    missing = {
        name: begins for name, begins in SAID.items() if not any(x.startswith(f"{name}: {begins}") for x in said)
    }
    assert missing == {}, said
    assert len(said) == len(SAID)  # and not the one that does well
    with closing(open_archive(url)) as archive:
        page = " ".join(Outline(Reader(page_over(archive, Shown(NOW))).opens("/sources").text).text.split())
    for begins in SAID.values():
        health, _, words = begins.rpartition(": ")
        assert words in page
        assert health.partition(":")[0] in page


# What is seen at once, in the same words; for a page it has looked for the feed meanwhile. The rest takes days.
SAID_AT_ONCE = {name: SAID[name].rpartition(": ")[2] for name in ("404", "403", "410", "500", "cut off", "undated")}
SAID_AT_ONCE["page"] = "answers, but not with a feed"


@on_loop
async def test_who_asks_a_source_by_hand_reads_the_same_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = the_world(Clock())
    async with Server({f"/{name.replace(' ', '-')}": world[name] for name in [*SAID_AT_ONCE, "well"]}) as server:
        listed = [{"name": path.strip("/"), "url": server.url(path)} for path in server.answers]
        (folder / "sources.yaml").write_text(json.dumps({"sources": listed}))
        code = await asyncio.to_thread(cli.run, ["sources", "check", "--format", "json", "--host-delay", "0"])
    said = {one["id"].replace("-", " "): " ".join(one["says"]) for one in json.loads(capsys.readouterr().out)}
    assert code == 1
    assert {name for name, words in SAID_AT_ONCE.items() if words not in said[name]} == set(), said


@on_loop
async def test_a_wrong_clock_is_told_by_the_servers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    date = format_datetime(wiring.now() + 3 * HOUR, usegmt=True)
    async with Server({"/feed": xml(items([NOW - HOUR]), Date=date)}) as server:
        (folder / "sources.yaml").write_text(f"sources:\n  - {{name: Gazette, url: '{server.url('/feed')}'}}\n")
        found = await asyncio.to_thread(found_by_the_doctor, capsys)
    (told,) = [one["words"] for one in found if one["about"] == "clock"]
    assert told.startswith("the clock of this machine is 10")
    assert told.endswith("s behind 1 servers")


def test_a_full_disk(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_disk(folder / "disk", 4) as disk:
        wiring.open_archive(cli.options.ArchiveOptions(database_url=f"sqlite:///{disk}/a.db").settings()).close()
        (disk / "ballast").write_bytes(b"x" * 3_000_000)
        found = found_by_the_doctor(capsys, "--offline", "--database-url", f"sqlite:///{disk}/a.db")
    assert [one["words"].endswith(f"free at {disk}") for one in found if one["about"] == "disk"] == [True]


def test_a_prefect_server_that_is_named_and_absent(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://127.0.0.1:{free_port()}/api"
    monkeypatch.setenv("PREFECT_API_URL", address)
    (found,) = [one for one in found_by_the_doctor(capsys) if one["about"] == "prefect"]
    assert found["words"] == f"no server answers at {address}, which PREFECT_API_URL names"


def test_a_missing_extra(folder: Path) -> None:
    """A Python that does not find the packages: None in their place is what an import takes for absent."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['psycopg', 'prefect_dask', 'spacy']))\n"
        "from watchfloor.cli import main; main(sys.argv[1:])"
    )
    environment = {
        **os.environ,
        "WATCHFLOOR_DATABASE_URL": fresh_database(),
        "WATCHFLOOR_DASK": "tcp://127.0.0.1:1",
        "WATCHFLOOR_NER_MODEL": "en_core_web_sm",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", code, "doctor", "--offline", "--format", "json"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    said = {one["words"]: one["remedy"] for one in json.loads(done.stdout) if one["wrong"] and one["about"] == "extras"}
    assert said == {
        f"{setting} needs the extra {extra}": f"pip install 'watchfloor[{extra}]'"
        for setting, extra in (
            ("WATCHFLOOR_DATABASE_URL", "postgresql"),
            ("WATCHFLOOR_DASK", "dask"),
            ("WATCHFLOOR_NER_MODEL", "ner"),
        )
    }
