"""The outbox as a flow: what a cycle could not deliver is tried again on its own schedule."""

from __future__ import annotations

from prefect import flow

from flows.floors import floor_of_this_loop
from flows.free_orphans import sign
from watchfloor import pipeline
from watchfloor.report import Report


@flow(name="send alerts", description="Deliver what is due: retries, held messages.", on_running=[sign])
async def send_alerts() -> dict[str, int]:
    """Send what is due; returns how many were sent, wait, and died."""
    report = Report()
    async with floor_of_this_loop() as floor:
        await pipeline.deliver(floor, report)
    return {"sent": report.sent, "pending": report.pending, "dead": report.dead}
