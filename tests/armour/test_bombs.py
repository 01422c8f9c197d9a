"""Bombs cost the process that fetches next to nothing: at most 60 MB over what it holds when idle."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import zlib
from asyncio import to_thread
from html import escape
from pathlib import Path

from tests.armour.corpus import page, rss, xml
from tests.servers import Script, Server, on_loop, reply
from tests.watching import ROOT

ALL = os.environ.get("WATCHFLOOR_ARMOUR") == "all"
SIZE = 1024 if ALL else 128  # MB that a bomb unpacks to
MOST = 60  # MB over idle


def unpacks_to(megabytes: int, wbits: int) -> bytes:
    packer, block = zlib.compressobj(9, wbits=wbits), b"\0" * (1 << 20)
    return b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()


def bombs() -> dict[str, bytes | Script]:
    one = unpacks_to(SIZE, 31)
    laughs = "".join(f'<!ENTITY e{n} "' + f"&e{n - 1};" * 10 + '">' for n in range(1, 10))
    big = f'<!DOCTYPE x [<!ENTITY q "{"q" * 100_000}">]>'
    small = f'<!DOCTYPE x [<!ENTITY q "{"q" * 1000}">]>'
    return {
        "/gzip": reply(200, one, Content_Encoding="gzip"),
        "/deflate": reply(200, unpacks_to(SIZE, 15), Content_Encoding="deflate"),
        "/nested": reply(200, gzip.compress(one), Content_Encoding="gzip, gzip"),
        "/nested-unsaid": xml(gzip.compress(one), Content_Encoding="gzip"),
        "/members": reply(200, gzip.compress(b"\0" * 100_000) * 5000, Content_Encoding="gzip"),
        "/empty-members": reply(200, gzip.compress(b"") * 200_000, Content_Encoding="gzip"),
        "/brotli": reply(200, b"\x8b" * 800, Content_Encoding="br"),
        "/zstd": reply(200, b"\x28\xb5\x2f\xfd" * 800, Content_Encoding="zstd"),
        "/laughs": xml(rss(title="&e9;", dtd=f'<!DOCTYPE x [<!ENTITY e0 "ha">{laughs}]>')),
        "/quadratic": xml(rss(f"<description>{'&q;' * 10_000}</description>", dtd=big)),
        "/quadratic-items": xml(rss(f"<description>{'&q;' * 9}</description></item><item>" * 8, dtd=big)),
        "/many-items": xml(rss(f"<description>{'&q;' * 99}</description></item><item>" * 900, dtd=small)),
        "/nested-html": xml(rss(f"<description>{escape('<b>' * 100_000)}</description>")),
        "/page": reply(200, page("<p>x</p>" * 400_000), Content_Type="text/html"),
        "/good": xml(rss()),
    }


@on_loop
async def test_bombs_cost_the_process_that_fetches_next_to_nothing(tmp_path: Path) -> None:
    async with Server(bombs()) as server:
        paths = [path for path in server.answers if path != "/good"]
        command = [sys.executable, "-m", "tests.armour.fetching", server.url(""), f"sqlite:///{tmp_path}/a.db", *paths]
        done = await to_thread(subprocess.run, command, capture_output=True, text=True, cwd=ROOT, timeout=600)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    print(f"\nidle {told['idle']:.0f} MB, at most {told['peak']:.0f} MB while {len(paths)} bombs came")
    assert told["peak"] - told["idle"] <= MOST
    assert set(told["said"]) == set(paths)
    assert set(server.targets) == {*paths, "/good"}
