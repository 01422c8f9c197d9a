"""`db`: care of the archive."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from watchfloor import wiring
from watchfloor.cli import DONE
from watchfloor.cli.options import ArchiveOptions, Format
from watchfloor.cli.printing import as_json, table

app = App(name="db", help="The archive's database: upgrade, backup, prune, stats.")


@app.command
def upgrade(*, options: ArchiveOptions = ArchiveOptions()) -> int:  # noqa: B008 - frozen, and cyclopts reads it
    """Bring the database to the version of this program; done at every start as well."""
    wiring.open_archive(options.settings())
    print("The archive is of this version.")
    return DONE


@app.command
def backup(
    path: Annotated[Path, Parameter(help="The file to write; must not exist yet.")],
    /,
    *,
    options: ArchiveOptions = ArchiveOptions(),  # noqa: B008
) -> int:
    """Copy a SQLite archive while it is in use; for PostgreSQL use pg_dump."""
    wiring.open_archive(options.settings()).backup(path)
    print(f"Written: {path}")
    return DONE


@app.command
def prune(
    *,
    raw_days: Annotated[int | None, Parameter(help="Days to keep raw pages; default: the setting.")] = None,
    text_days: Annotated[
        int | None, Parameter(help="Days to keep texts that did not match; default: the setting.")
    ] = None,
    options: ArchiveOptions = ArchiveOptions(),  # noqa: B008
) -> int:
    """Let go what the rules of retention let go. What matched or was labelled stays; identities always stay."""
    settings = options.settings()
    pruned = wiring.open_archive(settings).prune(
        wiring.now(),
        raw=timedelta(days=settings.keep_raw_days if raw_days is None else raw_days),
        text=timedelta(days=settings.keep_text_days if text_days is None else text_days),
    )
    table(("what", "gone"), pruned.items())
    return DONE


@app.command
def stats(*, format: Format = "table", options: ArchiveOptions = ArchiveOptions()) -> int:  # noqa: B008
    """Rows and bytes of each table."""
    rows = wiring.open_archive(options.settings()).stats()
    if format == "json":
        print(as_json(rows))
    else:
        table(("table", "rows", "bytes"), ((row.table, row.rows, row.bytes) for row in rows))
    return DONE
