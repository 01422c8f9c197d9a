"""The past judged anew -> what an edited watchlist would have changed. Pure; `watchfloor.trials` brings the past.

    Past | compare       both lists on each article       (in any process)
         | Backtest.take  articles -> stories, in order    (in one)
         | Backtest.result
    Outcome

Stories are what counts, because a story is alerted once: one that another article still carries is not lost, and five
articles of one event are one gain. An article that had no story, because it was not relevant, is grouped as it would
have been: with those of the last days, kept and gained.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import nlargest

from watchfloor import stories
from watchfloor.match import Matcher
from watchfloor.model import Article, Verdict
from watchfloor.ports import Sketched
from watchfloor.scores import Score
from watchfloor.sketches import unpack
from watchfloor.weighing import sketch_of

PROVISIONAL = 1 << 60  # ids of stories that the archive does not have begin here: a story of its own keeps its number
REASONS = 4  # terms that a change names


@dataclass(frozen=True, slots=True)
class Past:
    """An article that was read and judged, as the archive keeps it. `quiet`: it is told of in no alert of its own."""

    article: Article
    standing: Standing
    watchlist: str
    story: int | None = None
    sketch: bytes | None = None
    quiet: bool = False
    label: bool | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a list makes of an article, in short."""

    judged: bool
    relevant: bool
    score: float


@dataclass(frozen=True, slots=True)
class Compared:
    """Both lists on one article; a sketch where it has to be grouped."""

    before: Standing
    after: Standing
    sketch: bytes | None = None


def compare(past: Iterable[Past], edited: Matcher, against: Matcher | None = None) -> list[Compared]:
    """Judge by the edited list, beside the other one; without one beside the verdicts that are kept."""
    return [_compare(one, edited, against) for one in past]


def _compare(past: Past, edited: Matcher, against: Matcher | None) -> Compared:
    article = past.article
    verdicts = [
        matcher.judge(article.title, article.text, article.language) for matcher in (edited, against) if matcher
    ]
    relevant = [verdict for verdict in verdicts if verdict.relevant]
    return Compared(
        before=_standing(verdicts[1]) if against else past.standing,
        after=_standing(verdicts[0]),
        sketch=sketch_of(article, relevant[0]) if relevant and past.story is None else None,
    )


def _standing(verdict: Verdict) -> Standing:
    return Standing(verdict.judged, verdict.relevant, verdict.score)


# -- articles -> stories ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Side:
    """A story as one list sees it: its best article with both scores, and whether it would have been told."""

    score: float
    other_score: float
    article_id: int
    loud: bool

    def join(self, other: _Side) -> None:
        """Take in what else is known of the story."""
        self.loud = self.loud or other.loud
        if (other.score, -other.article_id) > (self.score, -self.article_id):
            self.score, self.other_score, self.article_id = other.score, other.other_score, other.article_id


_Told = dict[int, _Side]  # by story


@dataclass(slots=True)
class Backtest:
    """Counts as the past goes by, oldest first. It remembers two numbers a story and the sketches of some days.

    `window`: what was relevant in the days before, so that the first articles find their stories. Those were told then:
    they are neither gained nor lost, nor alerts of this time.
    """

    window: list[tuple[datetime, Sketched]] = field(default_factory=list)
    articles: int = 0
    not_judged: int = 0
    versions: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    _before: _Told = field(default_factory=dict)
    _after: _Told = field(default_factory=dict)
    _told_before: frozenset[int] = frozenset()
    _joined: dict[int, int] = field(default_factory=dict)  # a story -> the one that it turned out to be
    _made: int = PROVISIONAL
    _forgotten: int = 0
    _score_before: Score = field(default_factory=Score)
    _score_after: Score = field(default_factory=Score)
    _relevant: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._told_before = frozenset(one.story_id for _, one in self.window)

    def take(self, past: Sequence[Past], compared: Sequence[Compared]) -> None:
        """Count a batch. Batches come in the order in which their articles were first seen."""
        pairs = list(zip(past, compared, strict=True))
        if not pairs:
            return
        self.first, self.last = self.first or past[0].article.first_seen, past[-1].article.first_seen
        story_of = self._homes(pairs)
        for one, result in pairs:
            self._count(one, result)
            self._tell(self._before, one, result.before, result.after, story_of)
            self._tell(self._after, one, result.after, result.before, story_of)
        labelled = [(one.label, result) for one, result in pairs if one.label is not None]
        self._score_before += Score.of((label, result.before.relevant) for label, result in labelled)
        self._score_after += Score.of((label, result.after.relevant) for label, result in labelled)

    def _count(self, past: Past, compared: Compared) -> None:
        self.articles += 1
        self.not_judged += not compared.after.judged
        self.versions[past.watchlist] += 1
        self._relevant.update(before=compared.before.relevant, after=compared.after.relevant)

    @staticmethod
    def _tell(told: _Told, past: Past, standing: Standing, other: Standing, story_of: Mapping[int, int]) -> None:
        if standing.relevant:
            side = _Side(standing.score, other.score, past.article.id, loud=not past.quiet)
            known = told.setdefault(story_of[past.article.id], side)
            known.join(side)

    def _homes(self, pairs: Sequence[tuple[Past, Compared]]) -> dict[int, int]:
        """The story of each article that either list finds relevant."""
        self._forget(pairs[0][0].article.first_seen - stories.WINDOW)
        seen = {one.article.id: one.article.first_seen for one, _ in pairs}
        homes = {one.article.id: one.story for one, _ in pairs if one.story is not None}
        known = [Sketched(one.article.id, one.story, one.sketch) for one, _ in pairs if one.story and one.sketch]
        homeless = {one.article.id: result.sketch for one, result in pairs if result.sketch is not None}
        if homeless:
            grouping = stories.group(list(homeless.items()), [*(sketched for _, sketched in self.window), *known])
            self._joined.update(grouping.merged)
            numbers: dict[str, int] = {}
            for id, label in grouping.story_of.items():
                homes[id] = label if isinstance(label, int) else numbers.setdefault(label, self._made + len(numbers))
            self._made += len(numbers)
            known += [Sketched(id, homes[id], sketch) for id, sketch in homeless.items()]
        self.window += [(seen[one.article_id], one) for one in known]
        return homes

    def _forget(self, before: datetime) -> None:
        kept = [(at, one) for at, one in self.window if at >= before]
        self._forgotten += len(self.window) - len(kept)
        self.window = kept
        if self._forgotten > len(kept):
            unpack.cache_clear()  # sized for a cycle's window, it would fill up with what has gone by: 17 kB each
            self._forgotten = 0

    # -- what it comes to ---------------------------------------------------------------------------------------------

    def result(self, limit: int) -> Outcome:
        """What the edited list would have changed; `limit` stories each of those gained and lost, strongest first."""
        before, after = self._settled(self._before), self._settled(self._after)
        told_before = {self._survivor(story) for story in self._told_before}
        gained = {story: side for story, side in after.items() if story not in before and story not in told_before}
        lost = {story: side for story, side in before.items() if story not in after and story not in told_before}
        return Outcome(
            articles=self.articles,
            not_judged=self.not_judged,
            versions=dict(self.versions.most_common()),
            first=self.first,
            last=self.last,
            before=self._picture("before", before, told_before, self._score_before),
            after=self._picture("after", after, told_before, self._score_after),
            gained=len(gained),
            lost=len(lost),
            strongest_gained=_strongest(gained, limit),
            strongest_lost=_strongest(lost, limit),
        )

    def _settled(self, told: _Told) -> _Told:
        """The same, with stories that turned out to be one counted as one."""
        settled: _Told = {}
        for story, side in told.items():
            settled.setdefault(self._survivor(story), side).join(side)
        return settled

    def _survivor(self, story: int) -> int:
        while story in self._joined:
            story = self._joined[story]
        return story

    def _picture(self, name: str, told: _Told, told_before: Collection[int], score: Score) -> Picture:
        loud = sum(side.loud for story, side in told.items() if story not in told_before)
        return Picture(
            articles=self._relevant[name],
            stories=len(told),
            alerts_a_day=loud / self._days,
            score=score if score.labels else None,
        )

    @property
    def _days(self) -> float:
        """At least one: what came within an hour is no rate."""
        return max((self.last - self.first) / timedelta(days=1), 1.0) if self.first and self.last else 1.0


def _strongest(told: _Told, limit: int) -> tuple[int, ...]:
    best = nlargest(limit, told.values(), key=lambda side: (side.score, -side.article_id))
    return tuple(side.article_id for side in best)


@dataclass(frozen=True, slots=True)
class Picture:
    """What one list made of the past. `score` is None where no article has a label."""

    articles: int  # relevant ones
    stories: int
    alerts_a_day: float
    score: Score | None

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "articles": self.articles,
            "stories": self.stories,
            "alerts_a_day": round(self.alerts_a_day, 2),
            "labels": self.score.as_json() if self.score else None,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an edited list would have changed. `strongest_*` are articles, one for each story."""

    articles: int
    not_judged: int  # the edited list has no words for their language
    versions: Mapping[str, int]  # of the list that the kept verdicts are of -> articles
    first: datetime | None
    last: datetime | None
    before: Picture
    after: Picture
    gained: int
    lost: int
    strongest_gained: tuple[int, ...]
    strongest_lost: tuple[int, ...]


# -- one change, in an analyst's words --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """A story gained or lost: its best article, the strongest reason's sentence, and the terms that make the change."""

    article: Article
    before: float
    after: float
    sentence: str
    reasons: tuple[tuple[str, float], ...]  # term, what it adds more (or less) by the edited list

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "id": self.article.id,
            "title": self.article.title,
            "url": self.article.url,
            "source": self.article.source_id,
            "published": self.article.published,
            "before": self.before,
            "after": self.after,
            "sentence": self.sentence,
            "reasons": [{"term": term, "weight": weight} for term, weight in self.reasons],
        }


def change(article: Article, before: Verdict, after: Verdict) -> Change:
    """What an article's two verdicts differ in, the most telling term first."""
    reasons = sorted(_differences(before, after), key=lambda reason: (-abs(reason[1]), reason[0]))
    loud = after if after.relevant else before
    strongest = max(loud.evidence, key=lambda evidence: evidence.weight, default=None)
    return Change(article, before.score, after.score, strongest.sentence if strongest else "", tuple(reasons[:REASONS]))


def _differences(before: Verdict, after: Verdict) -> Iterator[tuple[str, float]]:
    sums: defaultdict[str, float] = defaultdict(float)
    for sign, verdict in ((-1, before), (1, after)):
        for evidence in verdict.evidence:
            sums[evidence.term] += sign * evidence.weight
    return ((term, round(weight, 2)) for term, weight in sums.items() if round(weight, 2))
