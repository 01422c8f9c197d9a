"""`serve`: the one command that needs Prefect, and the one place outside `flows/` that imports it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from cyclopts import Parameter

from watchfloor.cli import DONE
from watchfloor.cli.options import CycleOptions
from watchfloor.errors import ConfigurationError
from watchfloor.sources import read_duration


def serve(
    *,
    every: str = "5m",
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port of the desk's page.")] = 8700,
    options: CycleOptions = CycleOptions(),  # noqa: B008 - frozen, and cyclopts reads it
) -> int:
    """Run the schedules until stopped, with Prefect's server and UI.

    Prefect's own settings (PREFECT_API_URL, PREFECT_SERVER_API_PORT ...) are left to Prefect and respected. A killed
    `serve` leaves nothing undone: start it again.

    Parameters
    ----------
    every
        How often a cycle looks for what is due: 30s, 5m, 1h. A feed is still asked only when its own time has come.
    host
        Address of the desk's page; any but loopback needs WATCHFLOOR_WEB_PASSWORD.
    """
    interval = read_duration(every)
    if interval < timedelta(seconds=10):
        raise ConfigurationError(f"--every {every}: a cycle takes longer than that", hint="30s or more is sensible")
    options.export()
    from flows.serve import serve as run_schedules

    run_schedules(options.settings(), every=interval, host=host, port=port)
    return DONE
