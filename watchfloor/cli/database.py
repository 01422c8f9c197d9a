"""`db`: care of the archive."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from watchfloor import wiring
from watchfloor.cli import DONE, FAILED
from watchfloor.cli.options import ArchiveOptions, Format
from watchfloor.cli.printing import as_json, progress_bar, table
from watchfloor.settings import load

app = App(name="db", help="The archive's database: upgrade, backup, prune, check, move, stats.")


@app.command
def upgrade(*, options: ArchiveOptions = ArchiveOptions()) -> int:  # noqa: B008 - frozen, and cyclopts reads it
    """Bring the database to the version of this program; done at every start as well."""
    wiring.open_archive(options.settings()).close()
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
    with closing(wiring.open_archive(options.settings())) as archive:
        archive.backup(path)
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
    with closing(wiring.open_archive(settings)) as archive:
        pruned = archive.prune(
            wiring.now(),
            raw=timedelta(days=settings.keep_raw_days if raw_days is None else raw_days),
            text=timedelta(days=settings.keep_text_days if text_days is None else text_days),
        )
    table(("what", "gone"), pruned.items())
    return DONE


@app.command
def check(*, format: Format = "table", options: ArchiveOptions = ArchiveOptions()) -> int:  # noqa: B008
    """Read the whole archive and say what is wrong with it; exits with 1 if anything is."""
    with closing(wiring.open_archive(options.settings())) as archive:
        faults = archive.check()
    if format == "json":
        print(as_json({"faults": faults}))
    else:
        print("\n".join(faults) or "Nothing is wrong.")
    return FAILED if faults else DONE


@app.command
def move(
    target: Annotated[str, Parameter(help="The new archive, as a URL; must be empty or not there yet.")],
    /,
    *,
    format: Format = "table",
    options: ArchiveOptions = ArchiveOptions(),  # noqa: B008
) -> int:
    """Move the archive to another database, as from SQLite to PostgreSQL: all or nothing, checked on arrival.

    The old one stays as it is; nobody can write to it meanwhile.
    """
    new = load(database_url=target)
    with (
        closing(wiring.open_archive(options.settings())) as source,
        closing(wiring.open_archive(new)) as destination,
        progress_bar() as progress,
    ):
        moved = source.move_to(destination, progress)
    if format == "json":
        print(as_json(moved))
        return DONE
    table(("table", "rows"), moved.items())
    print("Moved. Say so in WATCHFLOOR_DATABASE_URL, then start again.")
    return DONE


@app.command
def stats(*, format: Format = "table", options: ArchiveOptions = ArchiveOptions()) -> int:  # noqa: B008
    """Rows and bytes of each table."""
    with closing(wiring.open_archive(options.settings())) as archive:
        rows = archive.stats()
    if format == "json":
        print(as_json(rows))
    else:
        table(("table", "rows", "bytes"), ((row.table, row.rows, row.bytes) for row in rows))
    return DONE
