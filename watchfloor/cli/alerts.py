"""`alerts`: where messages go, what is wrong with that, whether they arrive, and what waits."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from rich.text import Text

from watchfloor import wiring
from watchfloor.cli import DONE, FAILED, WRONG_USE
from watchfloor.cli.options import AlertsOptions, ArchiveOptions, CycleOptions, Format
from watchfloor.cli.printing import as_json, console, table, when
from watchfloor.errors import AlertsError, AlertsErrors, ConfigurationError, Faults
from watchfloor.model import Delivery, DeliveryState
from watchfloor.routes import when_told

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from alerts.config import Policy
    from watchfloor.settings import Settings

app = App(name="alerts", help="Targets and deliveries: check, test, list, retry.")


@app.command(name="test")
def send_samples(
    *,
    target: str | None = None,
    format: Format = "table",
    options: AlertsOptions = AlertsOptions(),  # noqa: B008 - frozen, and cyclopts reads it
) -> int:
    """Send one message of each kind to every target now, and say what became of each; nothing is kept.

    Parameters
    ----------
    target
        Only to this one; its id is in the first column.
    """
    from alerts.samples import samples

    settings = options.settings()
    policy = wiring.load_policy(settings)
    chosen = [one.target for one in policy.targets if target in (None, one.target.id)]
    if not chosen:
        known = ", ".join(one.target.id for one in policy.targets)
        raise AlertsError(
            f"there is no target {target!r}" if target else "there is no target to test",
            hint=f"known: {known}" if known else "`watchfloor init` writes an example alerts file",
        )
    rows = []
    names = wiring.load_watchlist(settings).topics
    with wiring.open_sender(settings, policy, names=lambda: names) as sender:
        for one in chosen:
            for sample in samples(wiring.now(), settings.zone, names):
                message_id = f"{sample.key.replace(':', '.')}@watchfloor"
                outcome = sender.send(Delivery(0, 0, one.id, "sending", 1, message_id, sample))
                rows.append((one.id, one.name, sample.kind, outcome.result, outcome.detail))
    columns = ("id", "target", "kind", "outcome", "detail")
    if format == "json":
        print(as_json([dict(zip(columns, row, strict=True)) for row in rows]))
    else:
        table(columns, rows, wide="target")
    return DONE if all(row[3] == "sent" for row in rows) else FAILED


@app.command
def check(
    *,
    format: Format = "table",
    options: CycleOptions = CycleOptions(),  # noqa: B008
) -> int:
    """Read the alerts file and say all that is wrong with it, or what leads where; sends nothing.

    Exits with 2 if anything is wrong.
    """
    settings = options.settings()
    faults, policy = _read(settings)
    if format == "json":
        print(as_json({"path": settings.alerts_path, "faults": [one.as_json() for one in faults], **_ways(policy)}))
    elif faults:
        for fault in faults:
            print(fault, file=sys.stderr)
    else:
        _print_ways(policy)
    return WRONG_USE if faults else DONE


def _read(settings: Settings) -> tuple[Sequence[ConfigurationError], Policy | None]:
    """What is wrong with the alerts file and the templates, and the policy if nothing is wrong with it."""
    watchlist, faults = wiring.load_watchlist(settings), Faults(AlertsErrors)
    policy = None
    with faults:
        policy = wiring.load_policy(settings, wiring.names_for_routes(wiring.load_sources(settings), watchlist))
    with faults:
        wiring.check_templates(settings)
    try:
        faults.raise_all()
    except AlertsError as error:
        return error.faults, policy
    return (), policy


def _ways(policy: Policy | None) -> dict[str, object]:
    """Targets and routes as plain data."""
    targets = [one.target for one in policy.targets] if policy else []
    routes = policy.routes if policy else ()
    return {
        "targets": [{"id": one.id, "name": one.name, "tags": one.tags} for one in targets],
        "routes": [{"name": one.name, "when": when_told(one), "targets": one.targets} for one in routes],
    }


def _print_ways(policy: Policy | None) -> None:
    targets = {one.target.id: one.target for one in policy.targets} if policy else {}
    routes = policy.routes if policy else ()
    rows = [(one.name, when_told(one), ", ".join(targets[id].name for id in one.targets)) for one in routes]
    rows += [("(the monitor itself)", "at once", targets[id].name) for id in (policy.ops if policy else ())]
    table(("route", "when", "to"), rows, wide="to")
    print(f"{len(targets)} targets, {len(routes)} routes; nothing is wrong.")


@app.command(name="list")
def list_alerts(
    *,
    state: DeliveryState | None = None,
    limit: Annotated[int, Parameter(help="How many, newest first.")] = 20,
    format: Format = "table",
    options: ArchiveOptions = ArchiveOptions(),  # noqa: B008
) -> int:
    """List alerts and what became of their deliveries, newest first.

    Parameters
    ----------
    state
        Only alerts with a delivery in this state.
    """
    settings = options.settings()
    postings = wiring.open_archive(settings).list_alerts(state, limit=limit)
    if format == "json":
        print(as_json([posting.as_json() for posting in postings]))
        return DONE
    out = console()
    for posting in postings:
        alert = posting.alert
        out.print(Text.assemble((f"{posting.id:>6}", "dim"), "  ", (alert.subject, "bold")))
        out.print(Text(f"        {when(alert.created, settings.zone)}, {alert.kind} on route {alert.route}", "dim"))
        for brief in alert.briefs[:3]:
            out.print(Text(f"        {brief.headline}"))
        if len(alert.briefs) > 3:
            out.print(Text(f"        and {len(alert.briefs) - 3} more"))
        for one in posting.deliveries:
            error = f": {one.error}" if one.error else ""
            out.print(Text(f"        [{one.id}] {one.target}: {one.state}{_comes(one, settings.zone)}{error}"))
        if not posting.deliveries:
            out.print(Text("        no target: on the terminal and in the archive only", "dim"))
    print(f"{len(postings)} alerts.")
    return DONE


def _comes(one: Delivery, zone: ZoneInfo) -> str:
    """When a delivery that waits goes on."""
    if one.state == "held":
        return f" until {when(one.next_at, zone)}"
    return f", again at {when(one.next_at, zone)}" if one.state == "pending" and one.attempts else ""


@app.command
def retry(
    *ids: Annotated[int, Parameter(help="Numbers of deliveries, as `alerts list` prints them in brackets.")],
    options: ArchiveOptions = ArchiveOptions(),  # noqa: B008
) -> int:
    """Let deliveries that died be tried again: these, or all dead ones; the next cycle sends them.

    A delivery whose outcome is unknown may have arrived; it is tried again only by its number.
    """
    count = wiring.open_archive(options.settings()).retry_deliveries(ids or None, wiring.now())
    print(f"{count} deliveries will be tried again with the next cycle.")
    return DONE
