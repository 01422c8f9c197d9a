"""`label`: an analyst's own judgement of an article, which backtest and tune measure by."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

from cyclopts import Parameter

from watchfloor import wiring
from watchfloor.cli import DONE
from watchfloor.cli.archive import find_record
from watchfloor.cli.options import ArchiveOptions, Format
from watchfloor.cli.printing import as_json, table, when
from watchfloor.errors import ConfigurationError

if TYPE_CHECKING:
    from storage.archive import SqlArchive
    from watchfloor.model import Labelled

JUDGEMENTS = {"yes": True, "no": False, "none": None}


def label(
    article: Annotated[str | None, Parameter(help="The article's number, or its address.")] = None,
    judgement: Literal["yes", "no", "none"] | None = None,
    /,
    *,
    list: Annotated[bool, Parameter(negative="")] = False,
    limit: int = 50,
    format: Format = "table",
    options: ArchiveOptions = ArchiveOptions(),  # noqa: B008 - frozen, and cyclopts reads it
) -> int:
    """Keep your own judgement of an article: whether this desk should have been told of it. `none` withdraws it.

    Parameters
    ----------
    list
        List the judgements that are kept, the latest first.
    """
    if list is not (article is None) or (article is None) is not (judgement is None):
        raise ConfigurationError("label wants an article and a judgement", hint="label ID yes|no|none, or label --list")
    settings = options.settings()
    with closing(wiring.open_archive(settings)) as archive:
        if article is not None and judgement is not None:
            _keep(archive, article, judgement)
        else:
            _list(archive.labelled(limit=limit), settings.zone, format)
    return DONE


def _keep(archive: SqlArchive, article: str, judgement: str) -> None:
    record = find_record(archive, article)
    # the label of a copy is that of the article it was folded into
    archive.label(record.duplicate_of or record.article.id, JUDGEMENTS[judgement], wiring.now())
    print(f"{'Withdrawn' if judgement == 'none' else f'Kept: {judgement}'} for {record.article.title}")


def _list(found: Sequence[Labelled], zone: ZoneInfo, format: Format) -> None:
    if format == "json":
        print(as_json([one.as_json() for one in found]))
        return
    table(
        ("id", "label", "list", "score", "on", "title"),
        (
            (
                one.article.id,
                "yes" if one.label else "no",
                {True: "yes", False: "no", None: "-"}[one.relevant],
                "-" if one.score is None else f"{one.score:.2f}",
                when(one.at, zone)[:10],
                one.article.title,
            )
            for one in found
        ),
        wide="title",
    )
