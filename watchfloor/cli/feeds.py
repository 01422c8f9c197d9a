"""`sources`: what is watched, whether it answers, and OPML in and out."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from watchfloor import discovery, sources, wiring
from watchfloor.cli import DONE, FAILED
from watchfloor.cli.options import DoorOptions, Format
from watchfloor.cli.printing import as_json, console, table
from watchfloor.discovery import SourceReport
from watchfloor.errors import SourcesError
from watchfloor.model import Source
from watchfloor.settings import Settings

app = App(name="sources", help="The feeds: check, list, add, import, export.")


@app.command(name="list")
def list_(
    *,
    tag: Annotated[str | None, Parameter(help="Only those with this tag.")] = None,
    format: Format = "table",
    options: DoorOptions = DoorOptions(),  # noqa: B008 - frozen, and cyclopts reads it
) -> int:
    """List the sources in force."""
    known = [source for source in sources.load(options.settings().sources_path) if not tag or tag in source.tags]
    if format == "json":
        print(as_json(known))
        return DONE
    rows = ((source.id, source.publisher, source.country, source.language, " ".join(source.tags)) for source in known)
    table(("id", "publisher", "country", "language", "tags"), rows, wide="publisher")
    print(f"{len(known)} sources")
    return DONE


@app.command
def check(
    names: Annotated[tuple[str, ...], Parameter(name="NAMES", help="Ids of sources, or addresses; all sources.")] = (),
    /,
    *,
    format: Format = "table",
    options: DoorOptions = DoorOptions(),  # noqa: B008 - frozen, and cyclopts reads it
) -> int:
    """Ask each feed once and say in words what is wrong with it; given a site's address, find its feed.

    Exits with 1 if anything is wrong.
    """
    settings = options.settings()
    reports = asyncio.run(_check(settings, _chosen(settings, names)))
    if format == "json":
        print(as_json([{**_plain(report), "ok": report.ok} for report in reports]))
    else:
        rows = ((" " if report.ok else "!", report.source.id, report.words) for report in reports)
        table(("", "source", "what it says"), rows, wide="what it says")
        print(f"{len(reports)} asked, {sum(not report.ok for report in reports)} with something wrong")
    return DONE if all(report.ok for report in reports) else FAILED


def _chosen(settings: Settings, names: Sequence[str]) -> list[Source]:
    """Sources by id; an address becomes a source for the length of a check."""
    known = {source.id: source for source in sources.load(settings.sources_path)}
    if not names:
        return list(known.values())
    unknown = [name for name in names if name not in known and "://" not in name]
    if unknown:
        raise SourcesError(f"no source has the id {unknown[0]!r}", path=settings.sources_path)
    return [known.get(name) or sources.make(name, name) for name in names]


async def _check(settings: Settings, chosen: Sequence[Source]) -> list[SourceReport]:
    from rich.console import Console
    from rich.progress import Progress

    async with wiring.open_door(settings) as door, wiring.open_parsers(settings) as parsers:
        with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
            bar = progress.add_task("asking", total=len(chosen))

            async def one(source: Source) -> SourceReport:
                report = await discovery.check(source, door, parsers, wiring.now())
                progress.advance(bar)
                return report

            return list(await asyncio.gather(*(one(source) for source in chosen)))


def _plain(report: SourceReport) -> dict[str, object]:
    return {
        "id": report.source.id,
        "url": report.source.url,
        "entries": report.entries,
        "newest": report.newest,
        "dialect": report.dialect,
        "says": [finding.words for finding in report.findings],
        "suggestion": report.suggestion,
    }


@app.command
def add(
    address: Annotated[str, Parameter(help="A feed's address, or a site's: its feed is looked for.")],
    /,
    *,
    name: str | None = None,
    publisher: str | None = None,
    country: str | None = None,
    language: str | None = None,
    tag: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    options: DoorOptions = DoorOptions(),  # noqa: B008 - frozen, and cyclopts reads it
) -> int:
    """Find the feed at an address, ask it once, and append it to sources.yaml; comments stay.

    Parameters
    ----------
    name
        What to call it; the feed's own title without one.
    publisher
        Whose voice it is; the name without one.
    country
        Two capital letters of ISO 3166.
    language
        Two small letters of ISO 639.
    tag
        May be given several times: outlet, official, think-tank ...
    """
    settings = options.settings()
    path = _own_list(settings)
    found = asyncio.run(_discover(settings, address))
    if not found:
        print(f"watchfloor: {address} is no feed and names none", file=sys.stderr)
        return FAILED
    best = found[0]
    fields = {"publisher": publisher, "country": country, "language": language, "tags": list(tag) or None}
    source = sources.make(
        name or best.title or address,
        best.url,
        sources.load(path),
        **{key: value for key, value in fields.items() if value is not None},
    )
    sources.add(path, source)
    print(f"Added to {path}: {source.id} ({source.url}, {best.entries} entries)")
    for other in found[1:]:
        print(f"  also there: {other.url} ({other.title})")
    return DONE


async def _discover(settings: Settings, address: str) -> tuple[discovery.Candidate, ...]:
    async with wiring.open_door(settings) as door, wiring.open_parsers(settings) as parsers:
        return await discovery.discover(address, door, parsers, wiring.now())


def _own_list(settings: Settings) -> Path:
    """The user's own file: the shipped list is not to be edited in place."""
    if settings.sources is None and not Path("sources.yaml").exists():
        raise SourcesError("there is no sources.yaml here to add to", hint="`watchfloor init` writes one")
    return settings.sources_path


@app.command(name="import")
def import_(
    file: Annotated[Path, Parameter(help="An OPML file.")],
    /,
    *,
    options: DoorOptions = DoorOptions(),  # noqa: B008 - frozen, and cyclopts reads it
) -> int:
    """Append what an OPML file names and sources.yaml lacks."""
    path = _own_list(options.settings())
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SourcesError(f"cannot be read: {error.strerror}", path=file) from None
    imported = sources.import_opml(content, sources.load(path))
    if imported.sources:
        sources.add(path, *imported.sources)
    for address, why in imported.unusable:
        console().print(f"  ! {address}: {why}", markup=False)
    print(
        f"{len(imported.sources)} added to {path}, {len(imported.known)} were there, {len(imported.unusable)} unusable"
    )
    return DONE


@app.command
def export(
    file: Annotated[Path | None, Parameter(help="Where to; standard output without one.")] = None,
    /,
    *,
    options: DoorOptions = DoorOptions(),  # noqa: B008 - frozen, and cyclopts reads it
) -> int:
    """Write the sources in force as OPML."""
    content = sources.export_opml(sources.load(options.settings().sources_path))
    if file is None:
        sys.stdout.buffer.write(content)
    else:
        file.write_bytes(content)
        print(f"Written: {file}")
    return DONE
