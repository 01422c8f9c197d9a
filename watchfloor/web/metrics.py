"""`/metrics` for Prometheus. The numbers are the archive's rows, counted when asked: so they are right however many
processes work on it, and whoever of them has ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from watchfloor.model import Census, LastCycle, Queue

KEPT_FOR = 15.0  # seconds: however often it is asked, the rows are counted four times a minute


class Counted(Protocol):
    """What metrics ask of the archive."""

    def census(self, now: datetime) -> Census:
        """The archive in numbers."""
        ...


class Rows(Collector):
    """Counts the archive's rows when Prometheus comes by."""

    def __init__(self, archive: Counted, clock: Callable[[], datetime]) -> None:
        self._archive, self._clock = archive, clock
        self._census: Census | None = None
        self._taken = 0.0

    def collect(self) -> Iterator[Metric]:
        """The metrics as they stand."""
        if self._census is None or time.monotonic() - self._taken > KEPT_FOR:
            self._census, self._taken = self._archive.census(self._clock()), time.monotonic()
        yield from metrics(self._census)

    def describe(self) -> Iterator[Metric]:
        """Nothing: what there is depends on the rows, and nobody need be asked when this is made."""
        return iter(())


def metrics(census: Census) -> Iterator[Metric]:
    """A census in Prometheus' words."""
    yield _gauge("sources", "Sources that are watched, by health.", "health", census.sources)
    yield CounterMetricFamily("watchfloor_entries", "Entries of feeds that were new.", value=census.entries)
    yield _counter("articles", "Articles that were read, by what their page gave.", "grade", census.articles)
    yield _counter("verdicts", "Verdicts, by what they say.", "verdict", census.verdicts)
    yield _gauge("stories", "Stories.", None, {"": census.stories})
    yield _counter("alerts", "Alerts, by kind.", "kind", census.alerts)
    yield _gauge("deliveries", "Deliveries, by state.", "state", census.deliveries)
    yield from _queues(census.queues)
    if census.last_cycle:
        yield from _last_cycle(census.last_cycle)


def _queues(queues: Mapping[str, Queue]) -> Iterator[Metric]:
    waiting = {stage: queue.waiting for stage, queue in queues.items()}
    yield _gauge("queue", "Rows that are due at a stage.", "stage", waiting)
    oldest = {stage: queue.oldest for stage, queue in queues.items()}
    yield _gauge("queue_oldest_seconds", "For how long the oldest of them has been due.", "stage", oldest)


def _last_cycle(cycle: LastCycle) -> Iterator[Metric]:
    ended = cycle.ended.timestamp()
    yield _gauge("last_cycle_timestamp_seconds", "When the last cycle ended well.", None, {"": ended})
    yield _gauge("last_cycle_seconds", "How long it took.", None, {"": float(cycle.report.get("seconds", 0.0))})
    stages = {name: float(value) for name, value in dict(cycle.report.get("stages", {})).items()}
    yield _gauge("last_cycle_stage_seconds", "What its tasks spent in each stage, in sum.", "stage", stages)


def _gauge(name: str, text: str, label: str | None, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"watchfloor_{name}", text, labels=[label] if label else [])
    for value, number in values.items():
        family.add_metric([value] if label else [], number)
    return family


def _counter(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(f"watchfloor_{name}", text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def route(archive: Counted, clock: Callable[[], datetime]) -> Route:
    """The address that Prometheus scrapes."""
    registry = CollectorRegistry()
    registry.register(Rows(archive, clock))

    async def answer(_: Request) -> Response:
        body = await asyncio.to_thread(generate_latest, registry)
        return Response(body, media_type=CONTENT_TYPE_LATEST)

    return Route("/metrics", answer)
