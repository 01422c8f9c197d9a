"""Two sketches -> how likely they tell of one event, and whether one is a copy of the other.

The verdict depends on the two articles alone, so it is the same on every day and in every order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from operator import mul
from typing import NamedTuple

from rapidfuzz.distance import OSA
from rapidfuzz.process import extractOne

from watchfloor.sketches import GIST_SCALE, Sketch, rarity

WINDOW = timedelta(days=3)  # two events of one kind are days apart; copies come within two

_COPIED = 0.5  # share of runs of three words: all labelled copies with a text have it, and 3 of 420 other pairs
_COPIED_ALL = 0.9  # the same where the headlines name other places or figures: a template filled anew
_BARE = 20  # words from which a text is more than a headline's repetition
_HEADLINE = 5  # words that a headline has to have to be known again
_SAME_TITLE = 0.95  # share of its weight: words may be left out, none that tells
_UNKNOWN_DAYS = 1.0  # between articles of which one has no date
_SAME_WORDING = (
    0.6  # share of the shorter headline; with other names or figures no labelled event has it, six others do
)
_STRANGE = 0.15  # share of names: with less, and others in the headlines, 1 of 1,848 labelled pairs is one event
_LONG_NAME = 5  # letters from which one slip is a typo, and no other name (Iran, Iraq)


class Measures(NamedTuple):
    """What two articles have in common, and what sets them apart."""

    words: float  # cosine of title and lead, rare words weighing more
    titles: float  # share of the shorter title's weight that the other has
    title_mass: float  # how much weight of words, logarithmic, a title shares with the other article
    names: float  # share of the names that the one with fewer has in common with the other
    entities: float  # share of the watchlist's entities that either names which both name
    containment: float  # share of runs of three words of the shorter text that are in the longer
    other_names: float  # weight, logarithmic, of names in both titles that the other article lacks
    other_numbers: float  # 1 if both give figures and none is the same
    days: float  # between them, 4 at most
    same_voice: float  # 1 if one publisher: it rarely tells one thing twice
    gist: float  # cosine of what a model says they are about; 0 where it read but one of them


@dataclass(frozen=True, slots=True)
class Weights:
    """What each measure adds, per unit, to the logarithm of the odds that two articles tell of one event."""

    sure: float  # likelihood from which a pair may bind two groups
    bias: float
    of: Measures

    def likely(self, measures: Measures) -> float:
        """Likelihood, 0 to 1."""
        odds = self.bias + sum(weight * value for weight, value in zip(self.of, measures, strict=True))
        return 1 / (1 + math.exp(-odds))


# Logistic regression on 500 labelled pairs, six labelled days and 16,000 pairs of unlabelled articles, each of which
# counts as the model below judges it. `python -m bench.grouping --fit` (`--words --learn STORIES`) makes it anew and
# prints how it does on days that it has not seen: by words P .894, F1 .873, B-cubed .964; where the table of rarity has
# not seen their months either, .879, .870, .964. Tried without effect: shares and masses of other parts of the text,
# figures in common, entities in conflict, lengths, averaged word vectors.
BY_WORDS = Weights(
    sure=0.6,
    bias=-5.69,
    of=Measures(
        words=5.43,
        titles=1.96,
        title_mass=1.2,
        names=0.4,
        entities=7.06,
        containment=3.94,
        other_names=-0.13,
        other_numbers=-1.78,
        days=-2.19,
        same_voice=-1.12,
        gist=0,
    ),
)
# The same with what a model says they are about, which says all that likeness of words, titles and names does, and
# more: on days not seen P .959, F1 .903, B-cubed .969. Below .66 early guesses bind, and F1 of days moves by .04 to .07
# with the order of arrival.
WITH_GIST = Weights(
    sure=0.66,
    bias=-8.42,
    of=Measures(
        words=0,
        titles=0,
        title_mass=1.12,
        names=0,
        entities=6.36,
        containment=3.19,
        other_names=0,
        other_numbers=-1.86,
        days=-2.21,
        same_voice=-0.93,
        gist=9.82,
    ),
)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How likely two articles tell of one event, 0 to 1, whether that is sure, and whether one is a copy of the other.

    `sure`: sure enough for their stories to be one, if the others in them do not speak against it.
    """

    event: float
    sure: bool
    copy: bool


_STRANGERS = Likeness(0.0, False, False)


def compare(a: Sketch, b: Sketch) -> Likeness:
    """Compare two articles; the same whichever comes first."""
    if abs(a.at - b.at) > WINDOW:
        return _STRANGERS
    measures = measure(a, b)
    copy = _is_copy(a, b, measures)
    weights = BY_WORDS if a.gist is None or b.gist is None else WITH_GIST
    apart = not copy and (_is_template(measures) or _is_elsewhere(measures))
    event = 0.0 if apart else weights.likely(measures)
    return Likeness(event, event >= weights.sure, copy)


def measure(a: Sketch, b: Sketch) -> Measures:
    """All that the likeness of two articles is judged by."""
    return Measures(
        words=_cosine(a, b),
        titles=_share(a.title, b.title),
        title_mass=_title_mass(a, b),
        names=_shared_names(a, b),
        entities=_shared_entities(a, b),
        containment=_containment(a, b),
        other_names=_other_names(a, b),
        other_numbers=float(bool(a.numbers) and bool(b.numbers) and not a.numbers & b.numbers),
        days=_days(a, b),
        same_voice=float(bool(a.publisher) and a.publisher == b.publisher),
        gist=_gist(a, b),
    )


def _in_conflict(measures: Measures) -> bool:
    return measures.other_names > 0 or measures.other_numbers > 0


def _is_template(measures: Measures) -> bool:
    """One headline with other names or figures in it: a strike on one town and on another, day 11 and day 12."""
    return measures.titles >= _SAME_WORDING and _in_conflict(measures)


def _is_elsewhere(measures: Measures) -> bool:
    """Each headline names what the other article lacks, and they have next to no name in common."""
    return measures.other_names > 0 and measures.names < _STRANGE


def _is_copy(a: Sketch, b: Sketch, measures: Measures) -> bool:
    """The same text, or a bare headline of the same wording. Other names or figures: a template filled anew."""
    conflict = _in_conflict(measures)
    if measures.containment >= (_COPIED_ALL if conflict else _COPIED):
        return True
    bare = min(a.words, b.words) < _BARE and min(len(a.title), len(b.title)) >= _HEADLINE
    return bare and not conflict and measures.titles >= _SAME_TITLE


def _weight(words: Iterable[str]) -> float:
    return sum(map(rarity, words))


def _cosine(a: Sketch, b: Sketch) -> float:
    if len(b.lead) < len(a.lead):
        a, b = b, a
    common = sum(weight * b.lead[w] * rarity(w) ** 2 for w, weight in a.lead.items() if w in b.lead)
    return common / (a.length * b.length) if common else 0.0


def _gist(a: Sketch, b: Sketch) -> float:
    if a.gist is None or b.gist is None:
        return 0.0
    product: int = sum(map(mul, a.gist, b.gist))
    return product / GIST_SCALE**2


def _share(a: frozenset[str], b: frozenset[str]) -> float:
    less = min(_weight(a), _weight(b))
    return _weight(a & b) / less if less else 0.0


def _title_mass(a: Sketch, b: Sketch) -> float:
    shared = (a.title & b.lead.keys()) | (b.title & a.lead.keys())
    return math.log1p(sum(max(0.0, rarity(word) - 2) for word in shared))


def _days(a: Sketch, b: Sketch) -> float:
    apart = min(4.0, abs((a.at - b.at) / timedelta(days=1)))
    return apart if a.dated and b.dated else max(apart, _UNKNOWN_DAYS)


def _shared_names(a: Sketch, b: Sketch) -> float:
    ours = a.names | (a.maybe_names & (b.names | b.maybe_names))
    theirs = b.names | (b.maybe_names & (a.names | a.maybe_names))
    return _weight(ours & theirs) / (min(_weight(ours), _weight(theirs)) + 3)  # 3: one common name alone proves little


def _shared_entities(a: Sketch, b: Sketch) -> float:
    either = a.entities | b.entities
    both = sum(weight for name, weight in a.entities.items() if name in b.entities)
    return both / (sum(either.values()) + 10)  # 10: one entity, though both name no other, makes no event of two


def _containment(a: Sketch, b: Sketch) -> float:
    common = a.shingles & b.shingles  # all of them below both limits
    if not common:
        return 0.0
    limit = min(a.shingle_limit, b.shingle_limit)
    ours = {one for one in a.shingles if one <= limit}
    theirs = {one for one in b.shingles if one <= limit}
    less = min(len(ours), len(theirs))
    return len(ours & theirs) / less if less >= 4 else 0.0


def _other_names(a: Sketch, b: Sketch) -> float:
    ours = _unshared_names(a, b)
    return math.log1p(min(ours, _unshared_names(b, a))) if ours else 0.0


def _unshared_names(a: Sketch, b: Sketch) -> float:
    """Weight of the names in a's title that b lacks, even misspelt."""
    missing = (a.names & a.title) - b.lead.keys()
    if not missing:
        return 0.0
    strange = [word for word in b.lead if len(word) >= _LONG_NAME and word not in a.lead]
    return _weight(name for name in missing if not _misspelt(name, strange))


def _misspelt(name: str, words: Sequence[str]) -> bool:
    """Whether a long name is one of these words but for one slip."""
    return len(name) >= _LONG_NAME and extractOne(name, words, scorer=OSA.distance, score_cutoff=1) is not None
