"""`export`: what a search finds, all of it, in a format that other programs read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

from watchfloor import wiring
from watchfloor.cli import DONE
from watchfloor.cli.archive import read_query
from watchfloor.cli.options import ArchiveOptions, FilterOptions
from watchfloor.clippings import FORMATS
from watchfloor.errors import ArchiveError, ConfigurationError
from watchfloor.model import Clipping

Kind = Literal["jsonl", "csv", "parquet", "bibtex", "ris", "csl-json"]


def export(
    query: str = "",
    /,
    *,
    format: Kind = "jsonl",
    output: Path | None = None,
    narrowed: FilterOptions = FilterOptions(),  # noqa: B008 - frozen, and cyclopts reads it
    options: ArchiveOptions = ArchiveOptions(),  # noqa: B008
) -> int:
    """Write all that a search finds, oldest first; without a query everything relevant. Takes what `search` takes.

    Parameters
    ----------
    format
        jsonl, csv (safe for spreadsheets) and parquet carry the texts; bibtex, ris and csl-json cite the articles.
    output
        A file to write; appears when it is whole. Without it everything goes to standard output.
    """
    if format == "parquet" and output is None and sys.stdout.isatty():
        raise ConfigurationError("Parquet is nothing for a terminal", hint="--output FILE")
    settings = options.settings()
    node, filters = read_query(query), narrowed.filters(settings.zone, wiring.now())
    with closing(wiring.open_library(settings)) as archive, _opened(output) as out:
        count = _write(archive.export(node, filters), format, out)
    if output:
        print(f"{count} articles in {output}", file=sys.stderr)
    return DONE


def _write(clippings: Iterable[Clipping], format: Kind, out: BinaryIO) -> int:
    if format == "parquet":
        from watchfloor import parquet

        return parquet.write(clippings, out)
    counted = _Counted(clippings)
    for piece in FORMATS[format](counted):
        out.write(piece)
    return counted.count


class _Counted:
    """An iterable that knows how many it gave."""

    def __init__(self, clippings: Iterable[Clipping]) -> None:
        self.clippings, self.count = clippings, 0

    def __iter__(self) -> Iterator[Clipping]:
        for clipping in self.clippings:
            self.count += 1
            yield clipping


@contextmanager
def _opened(path: Path | None) -> Iterator[BinaryIO]:
    """Standard output, or a file that gets its name when all is in it."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as out:
            yield out
        unfinished.replace(path)
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)
