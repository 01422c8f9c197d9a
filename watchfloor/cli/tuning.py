"""`watchlist tune`: weights and threshold fitted to labels, shown, and written only when told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from watchfloor import wiring
from watchfloor.cli import DONE, FAILED
from watchfloor.cli.learning import share
from watchfloor.cli.options import Format, LearningOptions
from watchfloor.cli.printing import as_json, console, progress_bar, table
from watchfloor.cli.words import records
from watchfloor.errors import ConfigurationError, WatchlistError
from watchfloor.scores import Score
from watchfloor.settings import Settings
from watchfloor.tuning import Change, Example, Tuning
from watchfloor.tuning import tune as fit

ARCHIVE = "archive"
YES, NO = ("yes", "true", "1"), ("no", "false", "0")


def tune(
    *,
    labels: Annotated[
        str, Parameter(help="JSONL {title, text, label}, or `archive` for the labels kept there.")
    ] = ARCHIVE,
    folds: Annotated[int, Parameter(help="Parts; each is tried by what was fitted to the others.")] = 5,
    write: Annotated[bool, Parameter(negative="", help="Write the changes into the watchlist, if they help.")] = False,
    format: Format = "table",
    options: LearningOptions = LearningOptions(),  # noqa: B008 - frozen, and cyclopts reads it
) -> int:
    """Fit the weights and the threshold of the watchlist to labels, and say by how much that helps on unseen stories.

    The list's terms, structure and signs stay. Nothing is written without --write, and nothing that does not help;
    comments and layout of the file stay as they are. Needs the extra `tune`.
    """
    settings = options.settings()
    path = settings.watchlist_path
    if write:
        _check_own(settings)
    if folds < 2:
        raise ConfigurationError("--folds: at least 2")
    examples = list(_of_archive(settings) if labels == ARCHIVE else _of_file(labels))
    with progress_bar() as bar:
        tuning = fit(_content(path), examples, path=path, folds=folds, progress=partial(bar, "fitting"))
    written = write and tuning.helps
    if written:
        _replace(path, tuning.content)
    if format == "json":
        print(as_json(_plain(tuning, written=written)))
    else:
        _show(tuning, path, written=written)
    return FAILED if write and not written else DONE


def _check_own(settings: Settings) -> None:
    """The list that came with the program is not written to: an upgrade would undo it."""
    if settings.watchlist is None and not Path("watchlist.yaml").exists():
        raise ConfigurationError("there is no list of your own to write to", hint="`watchfloor init` writes one here")


def _of_archive(settings: Settings) -> Iterator[Example]:
    with closing(wiring.open_archive(settings)) as archive:
        for one in archive.labelled():
            article = one.article
            group = f"story {one.story}" if one.story else ""
            yield Example(article.title, article.text, one.label, article.language, group)


def _of_file(file: str) -> Iterator[Example]:
    """The labelled records of a file; those with another label than yes or no (borderline, none) are left out."""
    for number, record in records(file):
        if "label" not in record:
            raise ConfigurationError("a record without a label", path=file, line=number, hint="{title, text, label}")
        label = str(record["label"]).strip().lower()
        if label in (*YES, *NO):
            yield _example(record, label in YES)


def _example(record: dict[str, Any], label: bool) -> Example:
    title, text, story = (str(record.get(name) or "") for name in ("title", "text", "story"))
    return Example(title, text, label, record.get("language"), story)


def _content(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", newline="") as file:  # line ends are the analyst's business
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise WatchlistError(f"cannot be read: {error}", path=path) from None


def _replace(path: Path, content: str) -> None:
    """All or nothing: a list half written would stop the next cycle."""
    try:
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(content, encoding="utf-8", newline="")
        beside.chmod(path.stat().st_mode)
        beside.replace(path.resolve())
    except OSError as error:
        raise WatchlistError(f"cannot be written: {error.strerror}", path=path) from None


def _plain(tuning: Tuning, *, written: bool) -> dict[str, object]:
    return {
        "labels": tuning.examples,
        "left_out": tuning.left_out,
        "before": tuning.before.as_json(),
        "after": tuning.after.as_json(),
        "folds": [{"before": round(before, 4), "after": round(after, 4)} for before, after in tuning.folds],
        "righted": tuning.righted,
        "wronged": tuning.wronged,
        "helps": tuning.helps,
        "changes": [change.as_json() for change in tuning.changes],
        "written": written,
    }


def _show(tuning: Tuning, path: Path, *, written: bool) -> None:
    out, before, after = console(), tuning.before, tuning.after
    yes, no = before.hits + before.misses, before.alarms + before.quiet
    left_out = f", {tuning.left_out} left out (no words for their language)" if tuning.left_out else ""
    out.print(Text(f"{tuning.examples} labels: {yes} yes, {no} no{left_out}"))
    out.print(Text("On stories that the fit did not see:\n"))
    table(("", "now", "tuned"), _figures(before, after))
    better = sum(new > old for old, new in tuning.folds)
    changed = f"{tuning.righted} stories put right, {tuning.wronged} put wrong"
    out.print(Text(f"\nBetter in {better} of {len(tuning.folds)} folds; {changed}."))
    if not tuning.helps:
        out.print(Text("That is no help on unseen stories: nothing to write.", style="bold"))
        return
    out.print(Text(f"\n{path}", style="bold"))
    table(("line", "weight", "stories", "of"), _rows(tuning.changes), wide="of")
    out.print(Text("\nWritten." if written else "\nNot written; --write does that.", style="bold"))


def _figures(before: Score, after: Score) -> Iterator[tuple[str, str, str]]:
    yield "F1", share(before.f1), share(after.f1)
    yield "precision", share(before.precision), share(after.precision)
    yield "recall", share(before.recall), share(after.recall)


def _rows(changes: Iterable[Change]) -> Iterator[tuple[int, str, int, str]]:
    for one in changes:
        yield one.knob.place.line, f"{one.knob.value:g} -> {one.new:g}", one.stories, one.knob.speaks_for
