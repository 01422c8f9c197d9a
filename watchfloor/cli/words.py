"""`judge`, `group` and `watchlist`: words in, verdicts out; no database, no network."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from watchfloor import wiring
from watchfloor.cli import DONE, WRONG_USE
from watchfloor.cli.options import Format, GroupOptions, JudgeOptions, WatchlistOptions
from watchfloor.cli.printing import as_json, as_line, table
from watchfloor.errors import ConfigurationError, WatchlistError

if TYPE_CHECKING:
    from watchfloor.match import Matcher
    from watchfloor.ports import Told
    from watchfloor.shadows import Finding
    from watchfloor.watchlist import Watchlist

watchlist_app = App(name="watchlist", help="The watchlist: topics, keywords, contexts, entities.")
watchlist_app.command("watchfloor.cli.learning:backtest", name="backtest")
watchlist_app.command("watchfloor.cli.learning:suggest", name="suggest")
watchlist_app.command("watchfloor.cli.tuning:tune", name="tune")
NAMED_AT_ONCE = 100  # records that are judged before the model sees them: it is quicker with many
File = Annotated[str, Parameter(help="A file of JSON lines; - for standard input.")]


def judge(file: File = "-", /, *, options: JudgeOptions = JudgeOptions()) -> int:  # noqa: B008
    """Judge JSONL {id?, title, text} and print one verdict a line; no database, no network."""
    settings = options.settings()
    matcher = wiring.load_matcher(settings)
    namer = wiring.load_namer(settings, matcher.watchlist)
    waiting = records(file)
    while batch := list(islice(waiting, NAMED_AT_ONCE if namer else 1)):
        told = [_judged(matcher, record) for _, record in batch]
        verdicts = namer(told) if namer else [verdict for _, _, verdict in told]
        for (number, record), verdict in zip(batch, verdicts, strict=True):
            print(as_line({"id": record.get("id", number), **verdict.as_json()}))
    return DONE


def _judged(matcher: Matcher, record: dict[str, Any]) -> Told:
    title, text = str(record.get("title") or ""), str(record.get("text") or "")
    return title, text, matcher.judge(title, text, language=record.get("language"))


def group(file: File = "-", /, *, options: GroupOptions = GroupOptions()) -> int:  # noqa: B008
    """Group JSONL {id?, title, text, published?, source?} into stories and print {id, story} a line."""
    from watchfloor.stories import group_records
    from watchfloor.weighing import named_early

    settings = options.settings()
    matcher = wiring.load_matcher(settings)
    told = ({"id": number, **record} for number, record in records(file))

    def names(title: str, text: str) -> dict[str, str]:
        return named_early(matcher.judge(title, text), text)

    for identity, story in group_records(told, names=names, gists=wiring.load_gists(settings)):
        print(as_line({"id": identity, "story": story}))
    return DONE


@watchlist_app.command
def check(*, format: Format = "table", options: WatchlistOptions = WatchlistOptions()) -> int:  # noqa: B008
    """Read the watchlist and say all that is wrong with it, or what it holds and what in it is in vain.

    Exits with 2 if anything is wrong.
    """
    from watchfloor.shadows import findings

    settings = options.settings()
    faults: Sequence[ConfigurationError] = ()
    watchlist, vain = None, []
    try:
        watchlist = wiring.load_watchlist(settings)
        vain = findings(watchlist)
    except WatchlistError as error:
        faults = error.faults
    if format == "json":
        print(as_json(_checked(settings.watchlist_path, watchlist, faults, vain)))
    elif watchlist is None:
        print(*faults, sep="\n", file=sys.stderr)
    else:
        table(("what", "count"), watchlist.counts().items())
        for one in vain:
            print(f"{settings.watchlist_path}:{one.line}: {one.reason} ({one.hint})")
        print(f"{settings.watchlist_path} is in order, version {watchlist.version}; {len(vain)} terms in vain.")
    return WRONG_USE if faults else DONE


def _checked(
    path: Path, watchlist: Watchlist | None, faults: Sequence[ConfigurationError], vain: Sequence[Finding]
) -> dict[str, object]:
    return {
        "path": path,
        "version": watchlist and watchlist.version,
        "counts": watchlist and watchlist.counts(),
        "faults": [one.as_json() for one in faults],
        "in_vain": [one.as_json() for one in vain],
    }


def records(file: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of a JSONL file with their line numbers; a line that is none names itself."""
    with _opened(file) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise ConfigurationError(f"not JSON: {error}", path=file, line=number) from None
            if not isinstance(record, dict):
                raise ConfigurationError("not a JSON object", path=file, line=number)
            yield number, record


@contextmanager
def _opened(file: str) -> Iterator[IO[str]]:
    if file == "-":
        yield sys.stdin
        return
    try:
        with Path(file).open(encoding="utf-8") as lines:
            yield lines
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", path=file) from None
