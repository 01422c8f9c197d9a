"""The digests as a flow: each route's digest is written when its own hour has come, and sent."""

from __future__ import annotations

from prefect import flow

from flows.floors import floor_of_this_loop
from flows.free_orphans import sign
from watchfloor import pipeline
from watchfloor.report import Report


@flow(name="write digest", description="Write and send the digests whose hour has come.", on_running=[sign])
async def write_digest() -> dict[str, int]:
    """Write what is due, once; returns how many digests were written and sent."""
    report = Report()
    async with floor_of_this_loop() as floor:
        pipeline.write_digests(floor, report)
        await pipeline.deliver(floor, report)
    return {"written": report.alerts, "sent": report.sent}
