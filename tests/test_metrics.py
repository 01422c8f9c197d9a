"""What Prometheus is told is what the archive's rows say."""

from __future__ import annotations

import time
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from storage.archive import SqlArchive
from tests.archives import MINUTE, NOON, Desk, entry, source
from tests.browsing import Clock, Reader, page_over
from watchfloor.model import Alert, Census, LastCycle, Queue
from watchfloor.report import Report
from watchfloor.timing import KEPT, Times
from watchfloor.web import metrics


def worked(archive: SqlArchive) -> Desk:
    """Two sources, three entries: a relevant and an irrelevant article that were judged, and a page that waits."""
    desk = Desk(archive).knows(source(), source("herald"))
    desk.polls("gazette", entry("summit"), entry("dull-fair"))
    desk.reads()
    desk.judges()
    desk.polls("herald", entry("later", "herald"))
    return desk


def test_a_census_counts_rows_and_what_waits(archive: SqlArchive) -> None:
    desk = worked(archive)
    archive.raise_alert(Alert("held", "ops", "desk", NOON, "Held", targets=("ann", "bob")))
    archive.keep_cycle(NOON, NOON + MINUTE, {"seconds": 60.0, "stages": {"judge": 1.5}})
    census = archive.census(desk.now + 5 * MINUTE)
    assert replace(census, queues={}) == Census(
        sources={"new": 2},
        entries=3,
        articles={"full": 2, "empty": 1},
        verdicts={"relevant": 1, "irrelevant": 1},
        stories=1,
        alerts={"ops": 1},
        deliveries={"pending": 2},
        queues={},
        last_cycle=LastCycle(NOON + MINUTE, {"seconds": 60.0, "stages": {"judge": 1.5}}),
    )
    assert (census.queues["collect"], census.queues["judge"]) == (Queue(1, 300.0), Queue())
    assert census.queues["deliver"] == Queue(2, 300.0)


def test_prometheus_reads_it(archive: SqlArchive) -> None:
    desk = worked(archive)
    archive.keep_cycle(NOON, NOON, Report(seconds=2.0, stages={"read page": 12.5}).as_json())
    answer = Reader(page_over(archive, Clock(desk.now))).asks("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.text)
    samples = {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}
    assert samples["watchfloor_verdicts_total", "relevant"] == 1
    assert samples["watchfloor_articles_total", "full"] == 2
    assert samples["watchfloor_queue", "collect"] == 1
    assert samples["watchfloor_last_cycle_stage_seconds", "read page"] == 12.5
    assert samples[("watchfloor_last_cycle_timestamp_seconds",)] == NOON.timestamp()


def test_an_empty_archive_has_metrics_too(archive: SqlArchive) -> None:
    names = {metric.name for metric in metrics.metrics(archive.census(NOON))}
    assert {"watchfloor_sources", "watchfloor_queue_oldest_seconds", "watchfloor_deliveries"} <= names


def test_counts_of_a_report_come_back_whole() -> None:
    report = Report(asked=2, seconds=1.5, stages={"judge": 0.5})
    report.grades["full"] += 3
    again = Report.of_counts(report.as_counts())
    assert again == report
    again.add(report)
    assert (again.asked, again.grades["full"], again.stages) == (4, 6, {"judge": 1.0})


def test_times_add_up_and_the_slowest_stay_known() -> None:
    times = Times()
    for number in range(KEPT + 2):
        with times.spent("read page", f"page {number}"):
            time.sleep(0.02 if number == 3 else 0)
    assert times.timed("judge", abs)(-2) == 2
    slowest = times.slowest()
    assert list(slowest) == ["read page"]
    assert (len(slowest["read page"]), slowest["read page"][0].what) == (KEPT, "page 3")
    sums = times.take()
    assert set(sums) == {"read page", "judge"}
    assert sums["read page"] >= 0.02
    assert times.take() == {}
