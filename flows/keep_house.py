"""Housekeeping as a flow: what the retention rules let go is let go, and the monitor looks at itself."""

from __future__ import annotations

from datetime import timedelta

from prefect import flow

from flows.free_orphans import sign
from watchfloor import pipeline, settings, wiring


@flow(
    name="keep house",
    description="Prune raw pages and texts by the retention rules; review incidents.",
    on_running=[sign],
)
def keep_house() -> dict[str, int]:
    """Prune by the rules of the settings; returns how many raw pages and texts went."""
    rules = settings.load()
    archive = wiring.open_archive(rules)
    pruned = archive.prune(
        wiring.now(), raw=timedelta(days=rules.keep_raw_days), text=timedelta(days=rules.keep_text_days)
    )
    policy = wiring.load_policy(rules)
    pipeline.review_incidents(archive, [one.target for one in policy.targets], policy.ops, wiring.now())
    return dict(pruned)
