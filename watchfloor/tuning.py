"""Labels -> better weights for the list that is there. scikit-learn lives here only.

    watchlist.yaml | knobs        each `weight:` that it names, and the threshold, with their places in the file
    stories        | judge        what each knob adds to each story's score
                   | fit          logistic regression whose penalty is for leaving the present weights
                   | retouched    the same file with a few other numbers; comments and layout stay
    and all of it again for each fold, judged by the list that the other folds made

The list keeps its terms, its structure and its signs. A weight is at most doubled or halved, and only where enough
labelled stories speak for it; so what comes out is the analyst's list, with numbers an analyst could have written.
"""

from __future__ import annotations

import importlib.util
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watchfloor.errors import ConfigurationError
from watchfloor.match import Matcher
from watchfloor.model import Evidence, Verdict
from watchfloor.placed import Place, compose, numbers
from watchfloor.scores import Score
from watchfloor.watchlist import NearRule, QueryRule, Watchlist, parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 20  # labels of each kind; with fewer, folds of five hold too little to say anything
SUPPORT = 5  # labelled stories that a weight has a part in, before it is touched
FURTHEST = 2.0  # times (or its inverse): further, and a reader would ask what was wrong with the list
THRESHOLD_FURTHEST = 1.3
LEAST_GAIN = 0.005  # of F1 on unseen stories; less is noise in a few hundred labels
PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # scikit-learn's C, chosen by an inner cross-validation
FREE = 10.0  # scale of the column that carries the present score: its coefficient goes all but unpenalised

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled story. Those of one `group` stay in one fold: copies of a story would tell the fit the answer."""

    title: str
    text: str
    label: bool
    language: str | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Knob:
    """A number of the file that weighs on scores, and what it speaks for, in short."""

    place: Place
    speaks_for: str

    @property
    def value(self) -> float:
        """As it stands."""
        return float(self.place.text)


@dataclass(frozen=True, slots=True)
class Change:
    """A number that should be another one. `stories`: labelled ones that it has a part in."""

    knob: Knob
    new: float
    stories: int

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "line": self.knob.place.line,
            "what": self.knob.speaks_for,
            "old": self.knob.value,
            "new": self.new,
            "stories": self.stories,
        }


@dataclass(frozen=True, slots=True)
class Tuning:
    """What to change, and how much it helps on stories that the fit did not see. `content`: the file with the changes.

    `folds`: F1 before and after in each. `righted` and `wronged`: unseen stories on which the verdict changes.
    """

    examples: int
    left_out: int  # stories in a language without words
    before: Score
    after: Score
    folds: tuple[tuple[float, float], ...]
    righted: int
    wronged: int
    changes: tuple[Change, ...]
    content: str

    @property
    def helps(self) -> bool:
        """Is it better on the unseen, by more than noise?"""
        gain = (self.after.f1 or 0.0) - (self.before.f1 or 0.0)
        return bool(self.changes) and gain >= LEAST_GAIN and self.righted > self.wronged


def tune(
    content: str,
    examples: Sequence[Example],
    *,
    path: Path | str = "watchlist.yaml",
    folds: int = 5,
    progress: Progress = lambda done, total: None,
) -> Tuning:
    """Fit the numbers of a watchlist to labels, and try it on folds.

    Raises:
        ConfigurationError: scikit-learn is not installed, or there are too few labels.
        WatchlistError: the list has a fault.
    """
    _check_library()
    steps = folds + 2
    list_now = _List(content, path)
    judged = [_Judged(example, list_now.judge(example)) for example in examples]
    usable = [one for one in judged if one.verdict.judged]
    _check_labels(Counter(one.example.label for one in usable), folds)
    progress(1, steps)
    tried = []
    for number, (seen, unseen) in enumerate(_folds(usable, folds), 2):
        tuned = list_now.fitted(seen)[0]
        tried.append([(one, tuned.judge(one.example).relevant) for one in unseen])
        progress(number, steps)
    best, changes = list_now.fitted(usable)
    progress(steps, steps)
    return _summed_up(tried, changes, best.content, left_out=len(judged) - len(usable))


def _check_library() -> None:
    if importlib.util.find_spec("sklearn") is None:
        raise ConfigurationError("watchlist tune needs scikit-learn", hint="pip install 'watchfloor[tune]'")


def _check_labels(labels: Counter[bool], folds: int) -> None:
    least = max(LEAST, 2 * folds)
    if min(labels[True], labels[False]) < least:
        raise ConfigurationError(
            f"too few labels: {labels[True]} yes and {labels[False]} no",
            hint=f"at least {least} of each in languages that the list has words for",
        )


def _summed_up(
    tried: Sequence[Sequence[tuple[_Judged, bool]]], changes: tuple[Change, ...], content: str, *, left_out: int
) -> Tuning:
    before = [Score.of((one.example.label, one.verdict.relevant) for one, _ in fold) for fold in tried]
    after = [Score.of((one.example.label, relevant) for one, relevant in fold) for fold in tried]
    changed = [(one, relevant) for one, relevant in chain(*tried) if relevant != one.verdict.relevant]
    righted = sum(relevant == one.example.label for one, relevant in changed)
    return Tuning(
        examples=sum(map(len, tried)),
        left_out=left_out,
        before=sum(before, Score()),
        after=sum(after, Score()),
        folds=tuple((old.f1 or 0.0, new.f1 or 0.0) for old, new in zip(before, after, strict=True)),
        righted=righted,
        wronged=len(changed) - righted,
        changes=changes,
        content=content,
    )


# -- the list and its knobs -------------------------------------------------------------------------------------------

_Key = tuple[str, str, str | None]  # kind, term, topic: as evidence names what it found


@dataclass(frozen=True, slots=True)
class _Judged:
    example: Example
    verdict: Verdict


class _List:
    """A watchlist as text, with its knobs and a matcher."""

    def __init__(self, content: str, path: Path | str) -> None:
        self.content, self.path = content, path
        self.watchlist = parse(content, path=path)
        self._matcher = Matcher(self.watchlist)

    @cached_property
    def _knobs(self) -> _Knobs:
        return _Knobs(self.content, self.path)

    def judge(self, example: Example) -> Verdict:
        return self._matcher.judge(example.title, example.text, example.language)

    def fitted(self, judged: Sequence[_Judged]) -> tuple[_List, tuple[Change, ...]]:
        """The list that these labels ask for, and what is other in it."""
        knobs = self._knobs
        parts = [knobs.parts(one.verdict) for one in judged]
        support = Counter(knob for part in parts for knob, weight in part.items() if weight)
        supported = [knob for knob, stories in support.items() if stories >= SUPPORT]
        factors, threshold = _fit(parts, supported, judged, self.watchlist.threshold)
        changes = tuple(knobs.changes(factors, support, threshold, len(judged)))
        return _List(retouched(self.content, changes), self.path), changes


class _Knobs:
    """Which number of the file each piece of evidence comes from.

    Found by tracing: the list is read a second time with a number of its own in each place, and every keyword, context,
    rule and entity then carries the number of the place that its weight comes from.
    """

    def __init__(self, content: str, path: Path | str) -> None:
        root = compose(content, path)
        self._threshold = next(numbers(root, "threshold"))
        places = [place for place in numbers(root, "weight") if _stands(content, place)]
        traced = parse(_rewritten(content, {place: _tracer(n) for n, place in enumerate(places)}), path=path)
        self._places: defaultdict[_Key, dict[str | None, Place]] = defaultdict(dict)
        terms: defaultdict[Place, list[str]] = defaultdict(list)
        for key, language, weight in _weights(traced):
            number = _traced(weight)
            if number is not None:
                self._places[key].setdefault(language, places[number])
                terms[places[number]].append(key[1] if key[2] is None else f"{key[2]}: {key[1]}")
        self.knobs = {place: Knob(place, _in_short(spoken)) for place, spoken in terms.items()}

    def parts(self, verdict: Verdict) -> dict[Knob, float]:
        """What each knob adds to a story's score."""
        parts: defaultdict[Knob, float] = defaultdict(float)
        for evidence in verdict.evidence:
            if place := self._place(evidence, verdict.language):
                parts[self.knobs[place]] += evidence.weight
        return parts

    def _place(self, evidence: Evidence, language: str | None) -> Place | None:
        topic = None if evidence.kind == "entity" else evidence.topic
        found = self._places.get((evidence.kind, evidence.term, topic), {})
        return found.get(language) or found.get(None) or next(iter(found.values()), None)

    def changes(
        self, factors: Mapping[Knob, float], support: Mapping[Knob, int], threshold: float, stories: int
    ) -> Iterator[Change]:
        """In the order of the file."""
        before = Knob(self._threshold, "the threshold")
        if (new := _readable(threshold)) != before.value:
            yield Change(before, new, stories)
        for knob, factor in sorted(factors.items(), key=lambda item: item[0].place.line):
            new = _readable(knob.value * factor)
            if abs(new - knob.value) >= 0.05 * abs(knob.value):
                yield Change(knob, new, support[knob])


def _weights(watchlist: Watchlist) -> Iterator[tuple[_Key, str | None, float]]:
    """Everything that evidence may name: its key, its language and its weight."""
    for kind, keywords in (("keyword", watchlist.keywords), ("context", watchlist.contexts)):
        for word in keywords:
            yield (kind, word.spelling.text, word.topic), word.spelling.language, word.weight
    rules: list[NearRule | QueryRule] = [*watchlist.near_rules, *watchlist.query_rules]
    for rule in rules:
        yield ("rule", rule.name, rule.topic), None, rule.weight
    for entity in watchlist.entities:
        yield ("entity", entity.name, None), None, entity.weight


def _tracer(number: int) -> str:
    """A weight that says which place it stands in; no list has one with so many digits."""
    return f"{(number + 0.5) / 1000:.4f}"


def _traced(weight: float) -> int | None:
    number = weight * 1000 - 0.5
    return round(number) if number >= -1e-6 and abs(number - round(number)) < 1e-6 else None


def _in_short(terms: Sequence[str]) -> str:
    """ "posture: frigate, cruiser, corvette ... (12)"; the topic once."""
    names = [
        name if not number else name.partition(": ")[2] or name for number, name in enumerate(dict.fromkeys(terms))
    ]
    return f"{', '.join(names[:3])} ... ({len(names)})" if len(names) > 4 else ", ".join(names)


def _readable(value: float) -> float:
    """As an analyst would write it: to a tenth, small ones to a twentieth; never 0, which would silence a term."""
    step = 10 if abs(value) >= 1 else 20
    rounded = round(value * step) / step
    return rounded or (0.05 if value > 0 else -0.05)


def retouched(content: str, changes: Iterable[Change]) -> str:
    """The same file with other numbers; everything else stays as it is."""
    return _rewritten(content, {change.knob.place: f"{change.new:g}" for change in changes})


def _stands(content: str, place: Place) -> bool:
    """Is the number written there as it is read? Not so behind an anchor, or in quotation marks."""
    return content.split("\n")[place.line - 1][place.column - 1 :].startswith(place.text)


def _rewritten(content: str, texts: Mapping[Place, str]) -> str:
    lines = content.split("\n")
    for place, text in sorted(texts.items(), key=lambda item: (item[0].line, -item[0].column)):
        line = lines[place.line - 1]
        lines[place.line - 1] = line[: place.column - 1] + text + line[place.column - 1 + len(place.text) :]
    return "\n".join(lines)


# -- the fit ----------------------------------------------------------------------------------------------------------


def _fit(
    parts: Sequence[Mapping[Knob, float]], knobs: Sequence[Knob], judged: Sequence[_Judged], threshold: float
) -> tuple[dict[Knob, float], float]:
    """By what to multiply each knob, and the threshold; 1 and the present one where labels say nothing.

    The columns are the present score and what each knob adds to it, so that a knob's coefficient, which is penalised,
    is how far it leaves the present list. The threshold is fitted last, to the scores that the new weights give.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    labels, scores = [one.example.label for one in judged], [one.verdict.score for one in judged]
    columns = _columns(parts, knobs, [score - threshold for score in scores])
    model = LogisticRegression(max_iter=10_000)
    search = GridSearchCV(model, {"C": PENALTIES}, scoring="neg_log_loss", cv=list(_splits(judged, 3)))
    coefficients = search.fit(columns, labels).best_estimator_.coef_[0]
    slopes = [float(coefficients[0]) * FREE + float(one) for one in coefficients[1:]]
    said = [sum(abs(part.get(knob, 0.0)) for part in parts) for knob in knobs]
    usual = sum(much * max(slope, 0.0) for much, slope in zip(said, slopes, strict=True)) / (sum(said) or 1)
    if usual <= 0:
        return {}, threshold
    factors = {knob: _within(slope / usual, FURTHEST) for knob, slope in zip(knobs, slopes, strict=True)}
    moved = [
        score + sum(weight * (factors.get(knob, 1) - 1) for knob, weight in part.items())
        for part, score in zip(parts, scores, strict=True)
    ]
    return factors, _threshold(moved, labels, threshold)


def _threshold(scores: Sequence[float], labels: Sequence[bool], present: float) -> float:
    """The score at which yes is as likely as no, not too far from the present one."""
    from sklearn.linear_model import LogisticRegression

    fit = LogisticRegression(C=1.0).fit([[score - present] for score in scores], labels)
    slope = float(fit.coef_[0][0])
    if slope <= 0:
        return present
    return present * _within(1 - float(fit.intercept_[0]) / slope / present, THRESHOLD_FURTHEST)


def _within(factor: float, furthest: float) -> float:
    return min(max(factor, 1 / furthest), furthest)


def _columns(parts: Sequence[Mapping[Knob, float]], knobs: Sequence[Knob], scores: Sequence[float]) -> NDArray[Any]:
    """One row a story: how far it is from the threshold, then what each knob adds."""
    import numpy

    number = {knob: column for column, knob in enumerate(knobs, 1)}
    rows = numpy.zeros((len(parts), len(knobs) + 1))
    for row, (part, score) in enumerate(zip(parts, scores, strict=True)):
        rows[row, 0] = score * FREE
        for knob, weight in part.items():
            if knob in number:
                rows[row, number[knob]] = weight
    return rows


def _splits(judged: Sequence[_Judged], folds: int) -> Iterator[tuple[Any, Any]]:
    from sklearn.model_selection import StratifiedGroupKFold

    labels = [one.example.label for one in judged]
    groups = [one.example.group or f"story {number}" for number, one in enumerate(judged)]
    yield from StratifiedGroupKFold(folds, shuffle=True, random_state=1).split(labels, labels, groups)


def _folds(judged: Sequence[_Judged], folds: int) -> Iterator[tuple[list[_Judged], list[_Judged]]]:
    """What is seen and what is not, fold by fold, with the same share of yes in each."""
    for seen, unseen in _splits(judged, folds):
        yield [judged[number] for number in seen], [judged[number] for number in unseen]
