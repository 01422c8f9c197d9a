"""`watchlist backtest` and `suggest`: what an edit would have changed, and what the list might lack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from cyclopts import Parameter
from rich.text import Text

from watchfloor import watchlist, wiring
from watchfloor.backtesting import Change, Picture
from watchfloor.cli import DONE
from watchfloor.cli.options import Format, LearningOptions, Moment
from watchfloor.cli.printing import as_json, console, progress_bar, table, when
from watchfloor.moments import read_moment
from watchfloor.suggesting import Frequent, unknown
from watchfloor.trials import Lists, Trial, run
from watchfloor.watchlist import Watchlist

SENTENCE = 150  # characters: two lines of a terminal


def backtest(
    *,
    since: Moment = "30d",
    until: Moment = None,
    against: Annotated[Path | None, Parameter(help="Another list, instead of the verdicts that are kept.")] = None,
    limit: Annotated[int, Parameter(help="Stories to show, of those gained and of those lost.")] = 20,
    processes: Annotated[int | None, Parameter(help="Processes that judge; without it one a core.")] = None,
    format: Format = "table",
    options: LearningOptions = LearningOptions(),  # noqa: B008 - frozen, and cyclopts reads it
) -> int:
    """Try the watchlist on what was read: stories gained and lost, alerts a day, precision and recall by your labels.

    The list is compared with the verdicts that are kept, so edit it, and run this before the next cycle judges by it.
    Nothing is written.
    """
    settings = options.settings()
    lists = Lists(wiring.load_watchlist(settings), watchlist.load(against) if against else None)
    start, end = _period(since, until, settings.zone)
    with closing(wiring.open_archive(settings)) as archive, progress_bar() as bar:
        trial = run(archive, lists, start, end, limit=limit, processes=processes, progress=partial(bar, "judging"))
    if format == "json":
        print(as_json(_plain(lists.edited, against, trial)))
    else:
        _show(lists.edited, against, trial, settings.zone)
    return DONE


def suggest(
    *,
    since: Moment = "30d",
    until: Moment = None,
    at_least: Annotated[int, Parameter(help="Articles that name it.")] = 3,
    limit: int = 20,
    format: Format = "table",
    options: LearningOptions = LearningOptions(),  # noqa: B008
) -> int:
    """Offer names for the watchlist that a model found again and again in relevant stories, with lines to paste.

    The model is chosen by WATCHFLOOR_NER_MODEL; only what was judged since then has its names.
    """
    settings = options.settings()
    start, end = _period(since, until, settings.zone)
    known = wiring.load_watchlist(settings)
    with closing(wiring.open_archive(settings)) as archive:
        found = list(islice(unknown(archive.frequent_names(start, end, at_least=at_least), known), limit))
    if format == "json":
        print(as_json([one.as_json() for one in found]))
    elif found:
        _show_names(found)
    else:
        print("No new names. A model looks for them where WATCHFLOOR_NER_MODEL names one.")
    return DONE


def _show_names(found: Sequence[Frequent]) -> None:
    out = console()
    for one in found:
        counts = f"{one.kind}, {one.articles} articles of {one.publishers} publishers"
        out.print(Text.assemble((one.name, "bold"), (f"  {counts}", "dim")))
        out.print(Text(f"    {_short(one.sentence)}"))
    out.print(Text("\nFor the watchlist, under entities:", style="bold"))
    for one in found:
        out.print(Text(one.line), soft_wrap=True)


def _period(since: str | None, until: str | None, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The time from `since` until `until`; without them from the beginning, until now."""
    now = wiring.now()
    return read_moment(since, zone, now) or datetime(1970, 1, 1, tzinfo=UTC), read_moment(until, zone, now) or now


def _plain(edited: Watchlist, against: Path | None, trial: Trial) -> dict[str, object]:
    outcome = trial.outcome
    return {
        "watchlist": edited.version,
        "against": str(against) if against else outcome.versions,
        "articles": {"judged": outcome.articles, "no_words_for_language": outcome.not_judged, "pruned": trial.pruned},
        "first_seen": {"first": outcome.first, "last": outcome.last},
        "before": outcome.before.as_json(),
        "after": outcome.after.as_json(),
        "gained": {"stories": outcome.gained, "strongest": [one.as_json() for one in trial.gained]},
        "lost": {"stories": outcome.lost, "strongest": [one.as_json() for one in trial.lost]},
    }


def _show(edited: Watchlist, against: Path | None, trial: Trial, zone: ZoneInfo) -> None:
    outcome, out = trial.outcome, console()
    kept = ", ".join(f"{version} ({articles})" for version, articles in outcome.versions.items()) or "none"
    out.print(Text(f"List {edited.version} beside {against or f'the verdicts kept, by list {kept}'}"))
    left_out = f", {trial.pruned} left out: their text was let go" if trial.pruned else ""
    unread = f", {outcome.not_judged} of them in languages without words" if outcome.not_judged else ""
    span = f", first seen {when(outcome.first, zone)} to {when(outcome.last, zone)}" if outcome.first else ""
    out.print(Text(f"{outcome.articles} articles{unread}{span}{left_out}"))
    out.print()
    table(("", "before", "after"), _figures(outcome.before, outcome.after))
    if outcome.before.score is None:
        out.print(
            Text("No article of this time has a label: `watchfloor label ID yes|no` makes precision and recall known.")
        )
    _show_changes("Gained", outcome.gained, trial.gained)
    _show_changes("Lost", outcome.lost, trial.lost)


def _figures(before: Picture, after: Picture) -> Iterator[tuple[str, object, object]]:
    yield "relevant articles", before.articles, after.articles
    yield "stories", before.stories, after.stories
    yield "alerts a day", f"{before.alerts_a_day:.1f}", f"{after.alerts_a_day:.1f}"
    if before.score and after.score:
        yield f"precision ({before.score.labels} labels)", share(before.score.precision), share(after.score.precision)
        yield "recall", share(before.score.recall), share(after.score.recall)
        yield "F1", share(before.score.f1), share(after.score.f1)


def share(value: float | None) -> str:
    """A share as people read it; a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"


def _show_changes(name: str, count: int, changes: Sequence[Change]) -> None:
    out = console()
    more = f", the {len(changes)} strongest:" if count > len(changes) else ":" if changes else "."
    out.print(Text(f"\n{name}: {count} {'story' if count == 1 else 'stories'}{more}", style="bold"))
    for change in changes:
        head = Text.assemble((f"{change.before:6.2f} -> {change.after:5.2f}  ", "cyan"), (change.article.title, "bold"))
        out.print(head)
        reasons = ", ".join(f"{term} {weight:+.2f}" for term, weight in change.reasons)
        out.print(Text(f"      {change.article.id:>6}  {reasons or 'another threshold'}", style="dim"))
        out.print(Text(f"              {_short(change.sentence)}"))


def _short(sentence: str) -> str:
    plain = " ".join(sentence.split())
    return plain if len(plain) <= SENTENCE else f"{plain[: SENTENCE - 1]}…"
