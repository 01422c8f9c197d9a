"""`watchlist backtest` on a large archive: `python -m bench.backtest [--articles N] [--stories FILE]`.

An archive of so many articles, 1,800 a day, is filled with stories, each repeated under other ids and dates, and judged
by the watchlist that ships; before it one of half as many days. The edited list has a lower threshold, so that there
are stories to gain and to group. One process and two take turns; beside the rates, what memory the run took at its
peak, which should not grow with the days.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert

from bench.material import read_stories
from storage.archive import SqlArchive
from storage.dialects import chunks
from storage.engine import open_archive
from storage.mapping import verdict_values
from storage.schema import ArticleRow, StoryRow, VerdictRow
from tests.conftest import DATA
from watchfloor.match import Matcher
from watchfloor.model import Article, Grade, Source, Verdict
from watchfloor.ports import Judged
from watchfloor.settings import shipped
from watchfloor.trials import Lists, run
from watchfloor.watchlist import load
from watchfloor.weighing import weigh

DEFAULT_STORIES = DATA / "background" / "dev.jsonl.gz"
START = datetime(2026, 10, 25, tzinfo=UTC)
A_DAY = 1_800  # articles: the window in which stories are grouped is as full in a small archive as in a large one
BATCH = 500
ROUNDS = 3
LOWER = 0.5  # by how much the edited threshold is lower


def stories(path: Path) -> list[tuple[str, str]]:
    """Title and text of each story of a file of JSON lines."""
    return [(record.get("title") or "", record.get("text") or "") for record in read_stories(path)]


def fill(archive: SqlArchive, told: Sequence[tuple[str, str]], articles: int) -> None:
    """Stories in turn until there are so many articles, each judged by the shipped list."""
    matcher = Matcher(load(shipped("watchlist.yaml")))
    archive.register([Source("s", "S", "https://s.example/feed", "P")], START)
    known: dict[int, Verdict] = {}
    for batch in chunks(range(1, articles + 1), BATCH):
        judged = [_judged(matcher, number, told, known) for number in batch]
        with archive._database.write() as connection:
            relevant = [one.article for one in judged if one.verdict.relevant]
            if relevant:
                connection.execute(insert(StoryRow), [_story(article) for article in relevant])
            connection.execute(insert(ArticleRow), [_article(one) for one in judged])
            connection.execute(insert(VerdictRow), [_verdict(one) for one in judged])


def _judged(matcher: Matcher, number: int, told: Sequence[tuple[str, str]], known: dict[int, Verdict]) -> Judged:
    title, text = told[number % len(told)]
    at = START + timedelta(days=number / A_DAY)
    article = Article(number, "s", "P", title, text, Grade.FULL, "page", at, f"https://s.example/{number}")
    verdict = known.get(number % len(told))
    if verdict is None or verdict.relevant:
        judged = weigh(matcher, article)  # its sketch knows its date
        known[number % len(told)] = judged.verdict
        return judged
    return Judged(article, verdict)


def _story(article: Article) -> dict[str, object]:
    return {"id": article.id, "title": article.title, "first_seen": article.first_seen, "updated": article.first_seen}


def _article(one: Judged) -> dict[str, object]:
    article = one.article
    return {
        "id": article.id,
        "key": article.url,
        "source_id": article.source_id,
        "title": article.title,
        "url": article.url,
        "authors": [],
        "first_seen": article.first_seen,
        "dated": article.first_seen,
        "grade": "full",
        "text_from": "page",
        "baseline": False,
        "old_news": False,
        "story_id": article.id if one.verdict.relevant else None,
        "text": article.text,
    }


def _verdict(one: Judged) -> dict[str, object]:
    values = {**verdict_values(one.verdict), "evidence": []}
    return {"article_id": one.article.id, **values, "judged_at": START, "sketch": one.sketch}


def measure(url: str, processes: int) -> None:
    """One run, in this process: seconds, articles and peak memory as JSON."""
    import resource

    watchlist = load(shipped("watchlist.yaml"))
    edited = replace(watchlist, threshold=watchlist.threshold - LOWER)
    archive = open_archive(url)
    began = time.perf_counter()
    until = START + timedelta(days=366)
    trial = run(archive, Lists(edited), START, until, limit=20, processes=processes)
    seconds = time.perf_counter() - began
    archive.close()
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    peaks = [one.ru_maxrss / 1024 for one in used]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    outcome = trial.outcome
    print(
        json.dumps(
            {"seconds": seconds, "cpu": cpu, "articles": outcome.articles, "gained": outcome.gained, "mb": peaks}
        )
    )


def _measured(url: str, processes: int) -> dict[str, object]:
    command = [sys.executable, "-m", "bench.backtest", "--measure", url, "--processes", str(processes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, object] = json.loads(done.stdout)
    return result


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--articles", type=int, default=54_000)
    options.add_argument("--stories", type=Path, default=DEFAULT_STORIES, help="JSON lines with title and text")
    options.add_argument("--measure", help=argparse.SUPPRESS)
    options.add_argument("--processes", type=int, default=1, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.measure:
        measure(given.measure, given.processes)
        return
    with tempfile.TemporaryDirectory() as folder:
        for articles in (given.articles // 2, given.articles):
            url = f"sqlite:///{folder}/{articles}.db"
            archive = open_archive(url)
            fill(archive, stories(given.stories), articles)
            archive.close()
            _report(url, ROUNDS if articles == given.articles else 1)


def _report(url: str, rounds: int) -> None:
    runs: dict[int, list[dict[str, object]]] = {1: [], 2: []}
    for _ in range(rounds):
        for processes, results in runs.items():
            results.append(_measured(url, processes))
    for processes, results in runs.items():
        seconds = statistics.median(float(str(result["seconds"])) for result in results)
        articles, last = int(str(results[0]["articles"])), results[-1]
        rate = articles / float(str(last["cpu"]))
        main_mb, child_mb = last["mb"]  # type: ignore[misc]
        print(
            f"{articles} articles, {processes} process{'es' if processes > 1 else ''}: {seconds:.1f} s, "
            f"{articles / seconds:.0f} articles/s, {rate:.0f} a second of CPU, {last['gained']} stories gained, "
            f"peak {main_mb:.0f} MB{f', {child_mb:.0f} MB each beside it' if processes > 1 else ''}",
            flush=True,
        )


if __name__ == "__main__":
    main()
