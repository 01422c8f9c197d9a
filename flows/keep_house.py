"""Housekeeping as a flow: what the retention rules let go is let go, and the disk is looked at."""

from __future__ import annotations

from datetime import timedelta

from prefect import flow

from watchfloor import settings, wiring


@flow(name="keep house", description="Prune raw pages and texts by the retention rules.")
def keep_house() -> dict[str, int]:
    """Prune by the rules of the settings; returns how many raw pages and texts went."""
    rules = settings.load()
    archive = wiring.open_archive(rules)
    pruned = archive.prune(
        wiring.now(), raw=timedelta(days=rules.keep_raw_days), text=timedelta(days=rules.keep_text_days)
    )
    return dict(pruned)
