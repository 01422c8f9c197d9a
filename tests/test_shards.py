"""Shards of a cycle in one process, as a flow of Prefect runs them: they share what is one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import pytest

from storage.archive import SqlArchive
from tests.armour.corpus import rss, xml
from tests.armour.floors import open_floor
from tests.servers import Server, on_loop
from watchfloor import pipeline
from watchfloor.model import PollOutcome, Source
from watchfloor.ports import Shard
from watchfloor.report import Report

SHARDS = 4


@on_loop
async def test_shards_write_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writing, written, keep_polls = Lock(), [], SqlArchive.keep_polls

    def slowly(archive: SqlArchive, owner: str, outcomes: Sequence[PollOutcome]) -> Sequence[int]:
        assert writing.acquire(blocking=False), "two transactions at once"
        try:
            time.sleep(0.05)
            written.append(len(outcomes))
            return keep_polls(archive, owner, outcomes)
        finally:
            writing.release()

    monkeypatch.setattr(SqlArchive, "keep_polls", slowly)
    async with Server({"/feed": xml(rss("", title="News", link=""))}, host="0.0.0.0") as server:
        hosts = [f"127.0.0.{number}" for number in range(1, 13)]
        sources = [Source(host, host, server.url("/feed", host), host) for host in hosts]
        async with open_floor(f"sqlite:///{tmp_path}/a.db", sources) as floor:
            report = Report()
            shards = [Shard(index, SHARDS) for index in range(SHARDS)]
            await asyncio.gather(*(pipeline.watch(floor, report, shard=shard) for shard in shards))
    assert report.asked == sum(written) == len(hosts)
    assert max(written) > 1
