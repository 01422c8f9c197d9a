"""How long the commands of the shell take to begin, against a bare interpreter that imports two of their libraries."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from bench.runs import Run, Table, in_turn, middle, run
from bench.search import fill
from storage.engine import open_archive

ARTICLES = 2_000  # enough for a page of hits
ASKINGS = 5  # of each command in a round
BARE = ("-c", "import sqlalchemy.orm, pydantic")
COMMANDS = {
    "search": ("-m", "watchfloor", "search", "w200"),
    "search --format json": ("-m", "watchfloor", "search", "w200", "--format", "json"),
    "--help": ("-m", "watchfloor", "--help"),
}


def measure(table: Table, *, scale: float, rounds: int) -> None:
    """Each command by wall clock and by CPU. The scale changes nothing: it is start-up that is measured."""
    with _archive() as url:
        contenders = [partial(_start, url, arguments) for arguments in (BARE, *COMMANDS.values())]
        in_turn(1, *contenders)  # so that the disk is warm for all
        found = in_turn(max(3, rounds) * ASKINGS, *contenders)
    for number, name in enumerate(COMMANDS, 1):
        ratios = [one[number].wall / one[0].wall for one in found]
        cpu = middle([one[number].cpu / one[0].cpu for one in found])
        detail = f"{cpu:.2f} by CPU; {1000 * middle([one[number].wall for one in found]):.0f} ms"
        table.add(f"`watchfloor {name}`, against a bare interpreter", ratios, "<= 2.00", detail)


def _start(url: str, arguments: tuple[str, ...]) -> Run:
    return run(arguments, {"WATCHFLOOR_DATABASE_URL": url}, Path(__file__).parent.parent)


@contextmanager
def _archive() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder)}/archive.db"
        with closing(open_archive(url)) as archive:
            fill(archive, ARTICLES)
        yield url
