"""`digest`: a period's stories as one message, printed, looked at or sent."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from watchfloor import pipeline, wiring
from watchfloor.cli import DONE, FAILED
from watchfloor.cli.options import AlertsOptions, Format, Moment
from watchfloor.cli.printing import as_json, console
from watchfloor.errors import AlertsError, ConfigurationError
from watchfloor.moments import read_moment
from watchfloor.report import Report
from watchfloor.routes import OPS_TAG, Route

if TYPE_CHECKING:
    from alerts.config import Policy
    from watchfloor.settings import Settings


def digest(
    *,
    since: Moment = None,
    until: Moment = None,
    send: Annotated[bool, Parameter(negative="")] = False,
    preview: Path | None = None,
    format: Format = "table",
    options: AlertsOptions = AlertsOptions(),  # noqa: B008 - frozen, and cyclopts reads it
) -> int:
    """Write the digest of a period (default: the last day), and with --send deliver it.

    Routes with `digest:` in the alerts file get theirs by themselves; this is for any other time.

    Parameters
    ----------
    send
        Deliver it to every target that stories go to; the same period is sent once.
    preview
        Write the mail's HTML into this file, to look at.
    format
        table: as on a terminal; json: the message as data.
    """
    settings = options.settings()
    policy = wiring.load_policy(settings)
    wiring.check_templates(settings)
    archive = wiring.open_archive(settings)
    now = wiring.now()
    end = read_moment(until, settings.zone, now) or now
    period = (read_moment(since, settings.zone, now) or end - timedelta(days=1), end)
    if period[0] >= end:
        raise ConfigurationError("--since is not before --until")
    route = Route("by hand", _told(policy), timezone=settings.zone)
    alert = pipeline.digest_of(archive, route, period, now)
    names = wiring.load_watchlist(settings).topics
    if preview:
        from alerts.render import render

        shown = render(alert, settings.zone, desk=settings.desk_url, templates=settings.templates, names=names)
        try:
            preview.write_text(shown.standalone(), encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(error.strerror or "cannot be written", path=preview) from None
    if format == "json":
        print(as_json(alert))
    else:
        from alerts.render import render_terminal

        out = console()
        shown_here = render_terminal(alert, settings.zone, colour=out.is_terminal, width=out.width, names=names)
        out.print(shown_here, markup=False)
    if not send:
        return DONE
    if not route.targets:
        raise AlertsError("there is nobody to send it to", hint="`watchfloor init` writes an example alerts file")
    archive.raise_alert(alert)
    return asyncio.run(_deliver(settings))


def _told(policy: Policy) -> tuple[str, ...]:
    """All targets but those that hear of the monitor itself only."""
    return tuple(one.target.id for one in policy.targets if one.target.tags != (OPS_TAG,))


async def _deliver(settings: Settings) -> int:
    report = Report()
    async with wiring.open_floor(settings) as floor:
        await pipeline.deliver(floor, report)
    print(f"{report.sent} messages sent, {report.pending} wait, {report.dead} refused for good.")
    return FAILED if report.dead else DONE
