"""Prefect's own rows of processes that died: freed when `serve` starts, and never those of the living.

Prefect leaves the run of a killed process "Running" for ever, and starts each run whose hour went by while nobody
served, all at once. Nothing is done twice by it, since the archive's leases decide; but the page should tell the truth,
and a start should not begin with a dozen cycles in a row.

a flow begins ── sign ──> its run names its process
serve begins ── free_orphans ──> Running, Pending: crashed, if that process is dead   late: one of each flow stays
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from prefect import Flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Cancelled, Crashed

from watchfloor import leases, logs, wiring

BEGINS_WITHIN = timedelta(minutes=1)  # from Pending to its signature; on a busy machine half a minute
FREE_EVERY = 300.0  # seconds
LATE = timedelta(seconds=30)  # a living runner looks every five


async def sign(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """A hook for `on_running` (Prefect calls it by these names): the run names the process that works on it.

    A worker of a pool has named its own process already, and finds it by that when it is to be cancelled.
    """
    if flow_run.infrastructure_pid is None:
        async with get_client() as client:
            await client.update_flow_run(flow_run.id, infrastructure_pid=leases.owner_of_this_process())


async def free_orphans(client: PrefectClient, deployment: str, now: datetime) -> int:
    """Crash what dead processes left "Running", and cancel what is late but for the newest of each flow; how many."""
    found = await _runs(client, deployment, _in_state(StateType.RUNNING, StateType.PENDING))
    orphans = [run for run in found if is_orphan(run, now)]
    for run in orphans:
        await client.set_flow_run_state(run.id, Crashed(message="its process ended with an earlier serve"), force=True)
    before = FlowRunFilterExpectedStartTime.model_validate({"before_": now - LATE})
    late = await _runs(client, deployment, _in_state(StateType.SCHEDULED, expected_start_time=before))
    for run in needless(late):
        await client.set_flow_run_state(run.id, Cancelled(message="its hour went by while nobody served"), force=True)
    return len(orphans)


async def keep_freeing(deployment: str) -> None:
    """The same again when those that were too young to be judged are old enough, and ever after."""
    while True:
        await asyncio.sleep(FREE_EVERY)
        try:
            async with get_client() as client:
                await free_orphans(client, deployment, wiring.now())
        except Exception as error:  # the server may be away for a while; the runner is the one to say so
            logs.warn("Prefect's orphans could not be looked for", trace=error)


def is_orphan(run: FlowRun, now: datetime) -> bool:
    """Whether nobody works on it. What another host has begun cannot be judged from here."""
    if run.infrastructure_pid:
        return leases.is_of_this_host(run.infrastructure_pid) and not leases.is_alive(run.infrastructure_pid)
    return run.state is None or now - run.state.timestamp > BEGINS_WITHIN


def needless(late: Sequence[FlowRun]) -> list[FlowRun]:
    """Of runs, the latest first, all but the first of each flow: one makes up for all."""
    newest = {run.flow_id: run.id for run in reversed(late)}
    return [run for run in late if run.id != newest[run.flow_id]]


def _in_state(*types: StateType, **more: Any) -> FlowRunFilter:
    return FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types))), **more)


async def _runs(client: PrefectClient, deployment: str, which: FlowRunFilter) -> list[FlowRun]:
    return await client.read_flow_runs(
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[deployment])),
        flow_run_filter=which,
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
    )
