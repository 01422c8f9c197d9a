"""The cycle as a flow: shards of hosts are tasks; what was done is a table artifact and an event."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import acreate_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from prefect.task_runners import TaskRunner

from flows.floors import floor_of_this_loop
from flows.free_orphans import sign
from watchfloor import pipeline, settings
from watchfloor.errors import ConfigurationError, FetchError
from watchfloor.pipeline import Floor
from watchfloor.ports import Shard
from watchfloor.report import Report

# Tasks of a cycle, each 50 ms of CPU here and as much in the server. In this process one: more would share its loop and
# its politeness, and be done no sooner. On a cluster enough for several workers.
HERE, ON_A_CLUSTER = 1, 8


@task(name="watch a shard", cache_policy=NO_CACHE, task_run_name="shard {index} of {count}")
async def watch_shard(index: int, count: int) -> dict[str, Any]:
    """Poll, collect and judge the hosts of one shard; returns the counts."""
    report = Report()
    async with floor_of_this_loop() as floor:
        await pipeline.watch(floor, report, shard=Shard(index, count))
    return report.as_counts()


@flow(name="poll feeds", description="Poll what is due, read, judge, group, alert.", on_running=[sign])
async def poll_feeds(shards: int | None = None) -> dict[str, Any]:
    """One cycle. Failures of feeds and pages are rows in the archive; the flow fails when the house does."""
    dask = settings.load().dask
    async with floor_of_this_loop() as floor:
        began = floor.clock()
        report = Report()
        for counts in await _watch_all(shards or (ON_A_CLUSTER if dask else HERE), dask):
            report.add(Report.of_counts(counts))
        await pipeline.finish(floor, report, began)
        await ping(floor)
    done = report.as_json()
    await acreate_table_artifact(key="cycle", table=rows_of(done), description="What the last cycle did.")
    emit_event("watchfloor.cycle.completed", resource={"prefect.resource.id": "watchfloor.floor"}, payload=done)
    return done


async def _watch_all(shards: int, dask: str | None) -> list[dict[str, Any]]:
    """The counts of each shard; here, or on the workers of a Dask cluster."""
    if dask is None:
        return await asyncio.gather(*(watch_shard(index, shards) for index in range(shards)))
    elsewhere = watch_shards.with_options(task_runner=_dask_runner(dask))
    return await asyncio.to_thread(elsewhere, shards)


@flow(name="watch shards", description="The shards of one cycle, on the workers of a Dask cluster.")
def watch_shards(shards: int) -> list[dict[str, Any]]:
    """Every shard is a task; a worker that dies costs the cluster a second try, and the archive's leases hold."""
    futures = [watch_shard.submit(index, shards) for index in range(shards)]
    return [future.result() for future in futures]  # type: ignore[misc]  # of an asynchronous task, awaited there


def _dask_runner(address: str) -> TaskRunner[Any]:
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"WATCHFLOOR_DASK needs the package {error.name}", hint="pip install 'watchfloor[dask]'"
        ) from None
    return DaskTaskRunner(address=address)


async def ping(floor: Floor) -> None:
    """Tell an outside dead-man's switch, where there is one, that a cycle ended well. Its silence is its business."""
    address = settings.load().ping_url
    if address is None:
        return
    try:
        await floor.door.get(address.get_secret_value(), named_by_user=True)
    except FetchError as error:
        get_run_logger().warning("the address to ping did not answer: %s", error.reason)


def rows_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    """A report as rows for people: what, how many."""
    rows: list[dict[str, Any]] = []
    for name, value in report.items():
        counts = value if isinstance(value, dict) else {"": value}
        rows += [{"what": f"{name} {kind}".strip(), "count": count} for kind, count in counts.items()]
    return rows
