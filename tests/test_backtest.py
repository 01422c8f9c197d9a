"""An edited watchlist beside the one before: stories, not articles, gained and lost; on both databases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from storage.archive import SqlArchive
from tests.archives import DAY, HOUR, NOON, Desk, desk_with_news, entry, source, tell_nobody
from watchfloor import stories
from watchfloor.backtesting import Backtest, Compared, Past, Standing, change, compare
from watchfloor.cli import run as run_command
from watchfloor.match import Matcher
from watchfloor.model import Article, Grade
from watchfloor.ports import Sketched
from watchfloor.scores import Score
from watchfloor.sketches import sketch
from watchfloor.trials import Lists, Trial, run
from watchfloor.watchlist import Watchlist, parse
from watchfloor.weighing import weigh

LIST = """\
threshold: 3
topics:
  - id: posture
    name: Posture
    keywords:
      - {term: frigate, weight: 4}
      - {term: regatta cannon, weight: 4}
"""
EDITED = LIST.replace("{term: regatta cannon, weight: 4}", "{term: minelayer, weight: 4}")
TERN = "The minelayer Tern was commissioned at Port Ellery after eleven years of refits, the yard said."
TEXTS = {
    "frigate": "The frigate Audacia left Lowhaven on Monday for a patrol of the northern strait, sailors said.",
    "cannon": "A regatta cannon was fired at Seaborough to open the summer races before a crowd of hundreds.",
    "minelayer": TERN,
    "minelayer-again": f"{TERN} It had been afloat since spring.",
    "minelayer-third": f"{TERN} A band played.",
    "minelayer-fourth": f"{TERN} Rain fell.",
    "cake": "The baker of Little Wending won a prize for a cake in the shape of a lighthouse and gave it away.",
}


def lists() -> tuple[Watchlist, Watchlist]:
    return parse(LIST), parse(EDITED)


@dataclass
class Reader:
    """Who reads the press into an archive and judges it by a list."""

    desk: Desk
    matcher: Matcher

    def reads(self, *names: str, after: timedelta = HOUR) -> None:
        self.desk.later(after)
        self.desk.polls("gazette", *(entry(name) for name in names))
        self.desk.reads_each({f"https://gazette.example/{name}": TEXTS[name] for name in names})
        judged = [weigh(self.matcher, article) for article in self.desk.takes()]
        self.desk.archive.settle(self.desk.owner, judged, stories.group, tell_nobody, self.desk.now)

    def tries(self, edited: Watchlist, against: Watchlist | None = None, **options: object) -> Trial:
        since = options.pop("since", self.desk.now - 30 * DAY)
        until = self.desk.now + HOUR
        return run(self.desk.archive, Lists(edited, against), since, until, limit=10, **options)  # type: ignore[arg-type]


@pytest.fixture
def reader(archive: SqlArchive) -> Reader:
    made = Reader(desk_with_news(archive), Matcher(parse(LIST)))
    made.reads("frigate", "cake")
    made.reads("cannon")
    made.reads("minelayer")
    made.reads("minelayer-again")
    return made


def test_stories_gained_and_lost_with_their_reasons(reader: Reader) -> None:
    trial = reader.tries(parse(EDITED))
    gained, lost = trial.gained, trial.lost
    assert (trial.outcome.articles, trial.outcome.gained, trial.outcome.lost) == (5, 1, 1)
    assert (trial.outcome.before.articles, trial.outcome.after.articles) == (2, 3)
    assert (trial.outcome.before.stories, trial.outcome.after.stories) == (2, 2)  # two articles on one minelayer
    assert [one.article.title for one in gained] == ["minelayer"]
    assert gained[0].before == 0
    assert gained[0].after > 3
    assert gained[0].reasons == (("minelayer", gained[0].after),)
    assert [one.article.title for one in lost] == ["cannon"]
    assert lost[0].sentence == TEXTS["cannon"]
    assert lost[0].reasons == (("regatta cannon", -lost[0].before),)


def test_the_same_list_changes_nothing(reader: Reader) -> None:
    outcome = reader.tries(parse(LIST)).outcome
    assert (outcome.gained, outcome.lost) == (0, 0)
    assert outcome.before == outcome.after


def test_two_lists_against_each_other_give_what_the_kept_verdicts_give(reader: Reader) -> None:
    old, new = lists()
    kept, judged = reader.tries(new), reader.tries(new, old)
    assert judged == kept
    there_and_back = reader.tries(old, new)
    assert (there_and_back.gained[0].article, there_and_back.lost[0].article) == (
        kept.lost[0].article,
        kept.gained[0].article,
    )


def test_several_processes_and_small_batches_give_the_same(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = reader.tries(parse(EDITED))
    monkeypatch.setattr("watchfloor.trials.AT_ONCE", 1)
    monkeypatch.setattr("watchfloor.trials.ALONE", 0)
    assert reader.tries(parse(EDITED), processes=2) == alone


def test_a_story_that_was_told_before_the_time_is_neither_gained_nor_lost(reader: Reader) -> None:
    reader.matcher = Matcher(parse(EDITED))
    reader.reads("minelayer-third")
    reader.matcher = Matcher(parse(LIST))
    reader.reads("minelayer-fourth")
    trial = reader.tries(parse(EDITED), since=reader.desk.now)
    assert (trial.outcome.before.stories, trial.outcome.after.stories) == (0, 1)
    assert (trial.outcome.gained, trial.outcome.after.alerts_a_day) == (0, 0)


def test_alerts_a_day_count_news_only(archive: SqlArchive) -> None:
    desk = Desk(archive).knows(source())
    made = Reader(desk, Matcher(parse(LIST)))
    made.reads("frigate")  # the source's first answer
    made.reads("cannon", after=2 * DAY)
    outcome = made.tries(parse(LIST)).outcome
    assert outcome.before.stories == 2
    assert outcome.before.alerts_a_day == 0.5


def test_precision_and_recall_by_labels(reader: Reader) -> None:
    for name, label in (("frigate", True), ("cannon", False), ("minelayer", True), ("cake", False)):
        record = reader.desk.archive.find_article(f"https://gazette.example/{name}")
        assert record is not None
        reader.desk.archive.label(record.article.id, label, NOON)
    outcome = reader.tries(parse(EDITED)).outcome
    assert outcome.before.score == Score(hits=1, misses=1, alarms=1, quiet=1)
    assert outcome.after.score == Score(hits=2, quiet=2)
    assert outcome.after.score.f1 == 1.0


def test_what_was_let_go_is_counted_and_left_out(reader: Reader) -> None:
    later = reader.desk.later(40 * DAY)
    later.archive.prune(later.now, raw=DAY, text=10 * DAY)
    trial = reader.tries(parse(EDITED), since=NOON - DAY)
    assert (trial.outcome.articles, trial.pruned) == (2, 3)  # what matched stays


def test_the_command(reader: Reader, archive_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "edited.yaml"
    path.write_text(EDITED, encoding="utf-8")
    asked = ("watchlist", "backtest", "--watchlist", str(path), "--database-url", archive_url)
    asked = (*asked, "--since", "2026-11-01", "--until", "2026-12-24")
    assert run_command([*asked, "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["articles"] == {"judged": 5, "no_words_for_language": 0, "pruned": 0}
    assert [one["title"] for one in said["gained"]["strongest"]] == ["minelayer"]
    assert said["against"] == {parse(LIST).version: 5}
    assert run_command(asked) == 0
    printed = capsys.readouterr().out
    assert "Gained: 1 story:" in printed
    assert "minelayer +" in printed


# -- the pure part ----------------------------------------------------------------------------------------------------

YES, NO = Standing(True, True, 5.0), Standing(True, False, 1.0)


def past(number: int, *, standing: Standing = NO, story: int | None = None, **changes: object) -> Past:
    article = Article(
        number, "gazette", "Gazette House", f"Title {number}", "Text.", Grade.FULL, "page", NOON + number * HOUR
    )
    made = Past(article, standing, "v1", story, _sketch(article) if story else None)
    return replace(made, **changes)  # type: ignore[arg-type]


def _sketch(article: Article) -> bytes:
    return sketch(
        title=article.title,
        text=f"{article.title} unlike any other: {article.id * 7919}.",
        publisher="",
        published=None,
        first_seen=article.first_seen,
        language="en",
    )


def taken(*batches: Sequence[tuple[Past, Compared]]) -> Backtest:
    backtest = Backtest()
    for batch in batches:
        backtest.take([one for one, _ in batch], [result for _, result in batch])
    return backtest


def test_a_story_that_another_article_still_carries_is_not_lost() -> None:
    first, second = past(1, standing=YES, story=7), past(2, standing=YES, story=7)
    outcome = taken([(first, Compared(YES, NO))], [(second, Compared(YES, YES))]).result(10)
    assert (outcome.gained, outcome.lost, outcome.after.articles) == (0, 0, 1)


def test_the_strongest_come_first_and_no_more_than_asked_for() -> None:
    rows = []
    for number in range(1, 30):
        one = past(number)
        rows.append((one, Compared(NO, Standing(True, True, 3.0 + number), _sketch(one.article))))
    outcome = taken(rows).result(3)
    assert outcome.gained == 29
    assert outcome.strongest_gained == (29, 28, 27)


def test_it_forgets_sketches_older_than_a_story_lasts() -> None:
    rows = [(past(24 * day, standing=YES, story=day), Compared(YES, YES)) for day in range(1, 60)]
    backtest = taken(*([row] for row in rows))
    assert len(backtest.window) <= stories.WINDOW / DAY + 1


def test_a_language_that_the_list_cannot_read_is_counted_apart() -> None:
    one = past(1, article=replace(past(1).article, text="Hogy vagy ma reggel, kedves barátom? " * 5, language="hu"))
    results = compare([one], Matcher(parse(LIST)))
    assert taken([(one, results[0])]).not_judged == 1


def test_a_change_names_the_terms_that_differ() -> None:
    old, new = (Matcher(one) for one in lists())
    article = replace(past(1).article, title="Minelayer and frigate", text="A minelayer met a frigate.")
    found = change(article, old.judge(article.title, article.text), new.judge(article.title, article.text))
    assert [term for term, _ in found.reasons] == ["minelayer"]


def test_window_holds_what_the_archive_remembers() -> None:
    kept = past(1, standing=YES, story=7)
    assert kept.sketch is not None
    backtest = Backtest(window=[(NOON, Sketched(1, 7, kept.sketch))])
    copy = past(2)
    backtest.take([copy], [Compared(NO, YES, kept.sketch)])
    assert backtest.result(10).after.stories == 1
