"""`search`, `show`, `explain`: questions to the archive."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

from cyclopts import Parameter

from watchfloor import wiring
from watchfloor.cli import DONE
from watchfloor.cli.options import ArchiveOptions, FilterOptions, Format
from watchfloor.cli.printing import as_csv, as_json, as_line, console, print_facets, print_hits, print_lines, when
from watchfloor.errors import ArchiveError, ConfigurationError
from watchfloor.query import Node, read_leniently

if TYPE_CHECKING:
    from storage.archive import SqlArchive
    from watchfloor.model import Record

Id = Annotated[str, Parameter(help="The article's number, or its address.")]
CSV_COLUMNS = ("id", "title", "url", "source", "publisher", "published", "first_seen", "score", "topics", "entities")


def search(
    query: str = "",
    /,
    *,
    by: Literal["relevance", "date"] | None = None,
    limit: int = 20,
    after: str | None = None,
    facets: Annotated[bool, Parameter(negative="")] = False,
    format: Literal["table", "json", "jsonl", "csv"] = "table",
    narrowed: FilterOptions = FilterOptions(),  # noqa: B008 - frozen, and cyclopts reads it
    options: ArchiveOptions = ArchiveOptions(),  # noqa: B008
) -> int:
    """Search the archive; without a query, list the newest.

    Queries: troops iraq; "arms control"; warhead NEAR/5 submarine; deploy*; title:nato; entity:"New START"; OR, NOT,
    parentheses. Plain search looks at what was found relevant, --all at everything that was read.

    Parameters
    ----------
    by
        relevance or date; without it relevance where there is a query, date where there is none.
    after
        The key of the next page, as the page before printed it.
    facets
        Also count what all matches are about and where they are from; as a table or as JSON.
    """
    if facets and format not in ("table", "json"):
        raise ConfigurationError(f"--facets cannot be printed as {format}", hint="use --format table or json")
    settings = options.settings()
    node = read_query(query)
    filters = narrowed.filters(settings.zone, wiring.now())
    with closing(wiring.open_library(settings)) as archive:
        hits = archive.search(node, filters, limit=limit, after=after, by=by or ("relevance" if node else "date"))
        counted = archive.facets(node, filters) if facets else None
    if format == "json":
        found = {name: getattr(hits, name) for name in ("total", "total_exact", "reached", "hits", "after")}
        print(as_json(found | ({"facets": counted} if counted else {})))
    elif format == "jsonl":
        for hit in hits.hits:
            print(as_line(hit))
    elif format == "csv":
        as_csv(CSV_COLUMNS, ([getattr(hit, name) for name in CSV_COLUMNS] for hit in hits.hits))
    else:
        print_hits(hits.hits, settings.zone)
        more = f", more with --after {hits.after}" if hits.after else ""
        since = f" since {when(hits.reached, settings.zone)}" if hits.reached else ""
        print(f"{'' if hits.total_exact else 'at least '}{hits.total} found{since}{more}")
        if counted:
            print_facets(counted)
    return DONE


def read_query(text: str) -> Node | None:
    """A query as a person types it; how it was understood, if not to the letter, goes to standard error."""
    if not text.strip():
        return None
    reading = read_leniently(text)
    if reading.note:
        print(f"watchfloor: {reading.note}", file=sys.stderr)
    return reading.node


def show(article: Id, /, *, format: Format = "table", options: ArchiveOptions = ArchiveOptions()) -> int:  # noqa: B008
    """Show an article: text, grade, verdict, story, deliveries."""
    settings = options.settings()
    with closing(wiring.open_archive(settings)) as archive:
        record = find_record(archive, article)
    if format == "json":
        print(as_json(record.as_json()))
        return DONE
    _print_record(record, settings.zone)
    return DONE


def explain(article: Id, /, *, format: Format = "table", options: ArchiveOptions = ArchiveOptions()) -> int:  # noqa: B008
    """Say where an item stands, stage by stage, and why: the whole sum of its verdict."""
    from watchfloor.explaining import explanation

    settings = options.settings()
    with closing(wiring.open_archive(settings)) as archive:
        record = find_record(archive, article)
    if format == "json":
        print(as_json(record.as_json()))
        return DONE
    print_lines(explanation(record, settings.zone))
    return DONE


def find_record(archive: SqlArchive, article: str) -> Record:
    """All that is known of an article, by its number or an address of it. Raises ArchiveError if it is unknown."""
    record = archive.find_article(int(article) if article.isdigit() else article)
    if record is None:
        raise ArchiveError(f"the archive knows no article {article}")
    return record


def _print_record(record: Record, zone: ZoneInfo) -> None:
    from rich.text import Text

    article, verdict = record.article, record.verdict
    out = console()
    out.print(Text(article.title, style="bold"))
    out.print(Text(f"{article.publisher}, {when(article.published or article.first_seen, zone)}", style="dim"))
    out.print(Text(article.url or "no link", style="dim"))
    facts = [("grade", article.grade.value), ("text from", article.text_from), ("language", article.language or "-")]
    if verdict is not None:
        facts.append(("verdict", f"{'relevant' if verdict.relevant else 'not relevant'}, score {verdict.score:.2f}"))
        facts.append(("topics", ", ".join(verdict.topics) or "-"))
    if record.story is not None:
        facts.append(("story", f"{record.story.story_id}, {record.story.articles} articles"))
    facts += [(f"to {delivery.target}", delivery.state) for delivery in record.deliveries]
    for name, value in facts:
        out.print(Text.assemble((f"{name:>12}  ", "dim"), value))
    out.print()
    out.print(Text(article.text))
