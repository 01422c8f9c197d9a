"""The commands. Each lives in a module that is imported when it is called, so that `search` need not wait for Prefect.

The readers' processes import this module too, as the main one of their owner's; so it imports nothing large.

Exit codes: 0 done, 1 failed, 2 wrong use or configuration.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from watchfloor import __version__
from watchfloor.errors import ConfigurationError, WatchfloorError

if TYPE_CHECKING:
    from cyclopts import App

DONE, FAILED, WRONG_USE = 0, 1, 2

# command -> (where it lives, what it does); the order is that of --help.
COMMANDS = {
    "run": ("watch:run", "One cycle: poll what is due, read, judge, group, alert; then say what was done."),
    "serve": ("serve:serve", "Run the schedules until stopped, with Prefect's server and UI."),
    "web": ("web:web", "Show the desk's page until stopped: stories, search, sources."),
    "demo": ("watch:demo", "Watch a small newspaper on this machine for two cycles; needs no network."),
    "init": ("setup:init", "Write sources.yaml, watchlist.yaml and a commented alerts file where there are none."),
    "search": ("archive:search", "Search the archive."),
    "export": ("export:export", "Write all that a search finds as JSON lines, CSV, Parquet or citations."),
    "show": ("archive:show", "Show an article: text, grade, verdict, story, deliveries."),
    "explain": ("archive:explain", "Say where an item stands, stage by stage, and why."),
    "label": ("labels:label", "Keep your own judgement of an article, for measuring the watchlist."),
    "doctor": ("doctor:doctor", "Say what is configured, what answers, what is wrong, and what to do about it."),
    "digest": ("digest:digest", "Write the digest of a period, and with --send deliver it."),
    "judge": ("words:judge", "Judge JSONL {id?, title, text} from a file or standard input; no database, no network."),
    "group": ("words:group", "Group JSONL {id?, title, text, published?, source?} into stories; no database."),
}
GROUPS = {
    "sources": ("feeds:app", "The feeds: check, list, add, import, export."),
    "watchlist": ("words:watchlist_app", "The watchlist: check, backtest, tune, suggest."),
    "story": ("story:app", "One story: show, mute, unmute, follow, unfollow, join, split."),
    "alerts": ("alerts:app", "Targets and deliveries: check, test, list, retry."),
    "db": ("database:app", "The archive's database: upgrade, backup, prune, check, move, stats."),
}


def make_app() -> App:
    """The command line as one object."""
    from cyclopts import App

    app = App(
        name="watchfloor",
        help="Watch the press for one desk: poll feeds, read every article, spot what matters, say why, alert once.",
        help_epilogue="Exit codes: 0 done, 1 failed, 2 wrong use or configuration.",
        version=__version__,
        exit_on_error=False,
        result_action="return_value",
    )
    for name, (place, text) in {**COMMANDS, **GROUPS}.items():
        app.command(f"watchfloor.cli.{place}", name=name, help=text)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script: run a command and leave with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run a command; errors of the user's and of the world become a line each on standard error and an exit code."""
    from cyclopts import CycloptsError

    try:
        code = make_app()(arguments)
    except CycloptsError:
        return WRONG_USE  # already printed, with the usage
    except ConfigurationError as error:
        return _complain(error, WRONG_USE)
    except WatchfloorError as error:
        return _complain(error, FAILED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `| head` closed it; so be it
        return DONE
    except KeyboardInterrupt:
        return 130
    return code if isinstance(code, int) else DONE


def _complain(error: WatchfloorError, code: int) -> int:
    for line in str(error).splitlines():
        print(f"watchfloor: {line}", file=sys.stderr)
    return code
