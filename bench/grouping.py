"""How well stories are grouped, in any order, and how fast: `python -m bench.grouping [--fit] [DATA]`.

DATA is the folder of labelled pairs and days (pairs.jsonl, days.jsonl). `--words` does without the model of the extra
`similar`. `--fit` makes the weights of `watchfloor.likeness` anew and groups each day with weights that never saw it;
it needs scikit-learn. `--learn STORIES` (JSON lines with title, text and date) lets the weights by words learn from
what the model says of unlabelled stories, too.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

from bench.material import read_stories
from watchfloor import likeness, stories
from watchfloor.gist import GistModel, installed
from watchfloor.match import Matcher
from watchfloor.ports import Gists, Sketched
from watchfloor.settings import shipped
from watchfloor.sketches import Sketch, sketch, unpack, with_gist
from watchfloor.watchlist import load
from watchfloor.weighing import named_early

DEFAULT_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "pairs"
JOINED = ("copy", "same_event")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
Record = dict[str, Any]
Partition = Mapping[Hashable, Hashable]


@dataclass(frozen=True)
class Figures:
    """Precision, recall and F1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    def __str__(self) -> str:
        return f"P {self.precision:.3f} R {self.recall:.3f} F1 {self.f1:.3f}"


def figures(found: Iterable[bool], true: Iterable[bool]) -> Figures:
    both = list(zip(found, true, strict=True))
    hits = sum(f and t for f, t in both)
    claimed, there = sum(f for f, _ in both), sum(t for _, t in both)
    return Figures(hits / claimed if claimed else 1.0, hits / there if there else 1.0)


def lines(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


class Remembering:
    """A model that reads each text once: the same articles are grouped in many orders."""

    def __init__(self, gists: Gists) -> None:
        self._gists = gists
        self._read: dict[tuple[str, str], bytes] = {}

    def __call__(self, told: Sequence[tuple[str, str]]) -> list[bytes]:
        unread = [one for one in dict.fromkeys(told) if one not in self._read]
        self._read.update(zip(unread, self._gists(unread), strict=True))
        return [self._read[one] for one in told]


MODEL = Remembering(GistModel()) if installed() else None  # None: by words alone


@cache
def _matcher() -> Matcher:
    return Matcher(load(shipped("watchlist.yaml")))


@cache
def entities(title: str, text: str) -> dict[str, str]:
    """The entities of the shipped watchlist, as the pipeline finds them."""
    return named_early(_matcher().judge(title, text), text)


# -- pairs ------------------------------------------------------------------------------------------------------------


def side(pair: Record, name: str) -> Record:
    """One article of a pair, as `group_records` takes it."""
    keys = {"title": "title", "text": "text", "published": "date", "source": "source"}
    return {"id": name, **{key: pair[f"{name}_{theirs}"] for key, theirs in keys.items()}}


def joined(pair: Record, gists: Gists | None = MODEL) -> bool:
    """Whether the two articles, by themselves, are one story."""
    records = [side(pair, "a"), side(pair, "b")]
    return len({story for _, story in stories.group_records(records, names=entities, gists=gists)}) == 1


def copied(pair: Record) -> bool:
    return likeness.compare(*sketches([side(pair, "a"), side(pair, "b")])).copy


def sketches(records: Sequence[Record], gists: Gists | None = None) -> list[Sketch]:
    return [unpack(packed) for packed in packed_sketches(records, gists)]


def packed_sketches(records: Sequence[Record], gists: Gists | None = None) -> list[bytes]:
    """As `group_records` makes them."""
    packed = _by_words(records)
    if gists is None:
        return packed
    read = gists([(record["title"] or "", record["text"] or "") for record in records])
    return [with_gist(one, gist) for one, gist in zip(packed, read, strict=True)]


def _by_words(records: Sequence[Record]) -> list[bytes]:
    dates = [stories.read_date(record.get("published")) for record in records]
    newest = max((date for date in dates if date), default=datetime(1970, 1, 1, tzinfo=UTC))
    return [
        sketch(
            title=record["title"] or "",
            text=record["text"] or "",
            publisher=record.get("source") or "",
            published=date,
            first_seen=newest,
            entities=entities(record["title"] or "", record["text"] or ""),
        )
        for record, date in zip(records, dates, strict=True)
    ]


# -- days -------------------------------------------------------------------------------------------------------------


def day_records(day: Record) -> list[Record]:
    return [{**article, "published": article["date"]} for article in day["articles"]]


def at_once(records: Sequence[Record], gists: Gists | None = MODEL) -> Partition:
    return dict(stories.group_records(records, names=entities, gists=gists))


def one_by_one(records: Sequence[Record], batch: int = 1, gists: Gists | None = MODEL) -> Partition:
    """The stories that result when the articles come in this order, `batch` at a time."""
    known: list[Sketched] = []
    queue = list(enumerate(packed_sketches(records, gists)))
    for start in range(0, len(queue), batch):
        arriving = queue[start : start + batch]
        result = stories.group(arriving, known)
        known = [Sketched(one.article_id, result.merged.get(one.story_id, one.story_id), one.sketch) for one in known]
        numbers: dict[int | str, int] = {}
        for article, packed in arriving:
            story = result.story_of[article]
            if isinstance(story, str):
                story = numbers.setdefault(story, article + 1)
            known.append(Sketched(article, story, packed))
    return {records[one.article_id]["id"]: one.story_id for one in known}


def pairwise(partitions: Sequence[tuple[Partition, Partition]]) -> Figures:
    """Over all pairs of articles of a day: found against true."""
    found, true = [], []
    for ours, gold in partitions:
        for a, b in combinations(gold, 2):
            found.append(ours[a] == ours[b])
            true.append(gold[a] == gold[b])
    return figures(found, true)


def b_cubed(partitions: Sequence[tuple[Partition, Partition]]) -> Figures:
    """Per article, how much of its story is right, and how much of the true one is there."""
    shares = []
    for ours, gold in partitions:
        for one in gold:
            mine = {other for other in gold if ours[other] == ours[one]}
            real = {other for other in gold if gold[other] == gold[one]}
            shares.append((len(mine & real) / len(mine), len(mine & real) / len(real)))
    return Figures(sum(p for p, _ in shares) / len(shares), sum(r for _, r in shares) / len(shares))


def truth(day: Record) -> Partition:
    return {article["id"]: article["story"] for article in day["articles"]}


def over_days(
    days: Sequence[Record], how: Callable[[Sequence[Record]], Partition], seed: int | None = None
) -> list[tuple[Partition, Partition]]:
    """Found and true stories of each day, its articles shuffled if there is a seed."""
    result = []
    for day in days:
        records = day_records(day)
        if seed is not None:
            random.Random(seed).shuffle(records)
        result.append((how(records), truth(day)))
    return result


# -- speed ------------------------------------------------------------------------------------------------------------


def made_up(count: int, chance: random.Random) -> list[Record]:
    """Articles of made-up words, three on each of many events, with the frequencies of a language."""
    common = [word for word in Path(stories.__file__).read_text(encoding="utf-8").split() if word.isalpha()]
    words = ["".join(chance.choices("aeioubcdfgklmnprstvz", k=chance.randint(4, 9))) for _ in range(20_000)]
    weights = [1 / (rank + 3) for rank in range(len(words))]
    records: list[Record] = []
    while len(records) < count:
        told = chance.choices(words, k=12)
        for _ in range(3):
            text = told + chance.choices(words, weights, k=80) + chance.choices(common, k=120)
            chance.shuffle(text)
            at = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(minutes=chance.randint(0, 2_800))
            title = " ".join(word.capitalize() for word in told[:6])
            records.append({"title": title, "text": " ".join(text), "published": at.isoformat(), "source": "A"})
    return records[:count]


def speed(new: int = 200, known: int = 3_000) -> tuple[float, float, float]:
    """Seconds: sketching the new, grouping them with the known unread, and again with the known in memory."""
    records = made_up(new + known, random.Random(1))
    began = time.perf_counter()
    packed = packed_sketches(records)
    sketched = (time.perf_counter() - began) * new / len(records)
    there = [Sketched(at, at // 3 + 1, one) for at, one in enumerate(packed[:known])]
    arriving = list(enumerate(packed[known:], known))
    times = []
    for _ in range(2):
        began = time.perf_counter()
        stories.group(arriving, there)
        times.append(time.perf_counter() - began)
    return sketched, times[0], times[1]


# -- fitting ----------------------------------------------------------------------------------------------------------


# The measures that each of the two is fitted on. Beside a gist these four add nothing: days that were not seen come out
# at an average precision of .939 without the names and of .934 with them, of .909 and .905 with the rest.
WORDS = {name for name in likeness.Measures._fields if name != "gist"}
GIST = set(likeness.Measures._fields) - {"words", "titles", "names", "other_names"}


@dataclass(frozen=True)
class Examples:
    """What the weights are made of: the measures of each pair, whether it is one event, and which month it is of."""

    rows: list[likeness.Measures]
    same: list[bool]
    weights: list[float]
    months: list[str]


def examples(pairs: Sequence[Record], days: Sequence[Record], gists: Gists | None) -> Examples:
    made = Examples([], [], [], [])
    months = {article["id"]: month(day) for day in days for article in day["articles"]}
    for pair in pairs:
        row = likeness.measure(*sketches([side(pair, "a"), side(pair, "b")], gists))
        of = months.get(pair["a_id"]) or months.get(pair["b_id"]) or ""
        _add(made, row, pair["label"] in JOINED, 0.3 if pair["borderline"] else 1.0, of)
    for day in days:
        read = sketches(day_records(day), gists)
        for (a, one), (b, other) in combinations(zip(day["articles"], read, strict=True), 2):
            _add(made, likeness.measure(one, other), a["story"] == b["story"], 0.5, month(day))
    return made


def month(day: Record) -> str:
    """Days of one month tell of the same events: they are left out together."""
    return str(day["articles"][0]["date"])[:7]


def _add(made: Examples, row: likeness.Measures, same: bool, weight: float, of: str) -> None:
    made.rows.append(row)
    made.same.append(same)
    made.weights.append(weight)
    made.months.append(of)


def fit(made: Examples, names: set[str], shipped: likeness.Weights, without: str | None = None) -> likeness.Weights:
    """Bias and weights of these measures, from all examples but those of one month; as sure as what is shipped."""
    import numpy
    from sklearn.linear_model import LogisticRegression

    chosen = [name for name in likeness.Measures._fields if name in names]
    rows = numpy.array([[getattr(row, name) for name in chosen] for row in made.rows])
    spread = rows.std(axis=0)
    kept = numpy.array([of != without for of in made.months])
    model = LogisticRegression(max_iter=5_000)
    model.fit((rows / spread)[kept], numpy.array(made.same)[kept], sample_weight=numpy.array(made.weights)[kept])
    fitted = dict(zip(chosen, map(float, model.coef_[0] / spread), strict=True))
    of = likeness.Measures(*(fitted.get(name, 0.0) for name in likeness.Measures._fields))
    return likeness.Weights(shipped.sure, float(model.intercept_[0]), of)


def neighbours(path: Path, gists: Gists) -> list[tuple[str, likeness.Measures]]:
    """The measures of all pairs of unlabelled stories that grouping would compare, each with its month."""
    dated = [one for one in read_stories(path) if _DAY.match(str(one["date"]))]
    by_month: dict[str, list[Record]] = defaultdict(list)
    for number, one in enumerate(dated):
        told = {"title": one["title"] or "", "text": one["text"] or "", "published": one["date"], "source": str(number)}
        by_month[one["date"][:7]].append(told)
    found = []
    for of, records in by_month.items():
        items = [stories._Item(packed, number, None) for number, packed in enumerate(packed_sketches(records, gists))]
        read = [unpack(item.sketch) for item in items]
        for a, b in stories._Alike(items).candidates():
            near = abs(read[a].at - read[b].at) <= likeness.WINDOW
            if near and read[a].gist is not None and read[b].gist is not None:
                found.append((of, likeness.measure(read[a], read[b])))
    return found


def taught(
    made: Examples, unlabelled: Sequence[tuple[str, likeness.Measures]], without: str | None = None
) -> likeness.Weights:
    """The weights by words that come nearest to the labels and to what the model makes of unlabelled stories.

    Each of these counts as one event for as much as the model finds it likely, and as two for the rest. A month that is
    left out is left out of what the model's own weights are made of, too.
    """
    teacher = fit(made, GIST, likeness.WITH_GIST, without)
    both = Examples(list(made.rows), list(made.same), list(made.weights), list(made.months))
    for of, row in unlabelled:
        likely = teacher.likely(row)
        _add(both, row, True, likely, of)
        _add(both, row, False, 1 - likely, of)
    return fit(both, WORDS, likeness.BY_WORDS, without)


def refitted(pairs: Sequence[Record], days: Sequence[Record], gists: Gists | None, learn: Path | None) -> None:
    made = examples(pairs, days, MODEL if learn else gists)
    constant = "WITH_GIST" if gists else "BY_WORDS"
    shipped: likeness.Weights = getattr(likeness, constant)
    unlabelled = neighbours(learn, MODEL) if learn and MODEL and not gists else []

    def weights(without: str | None = None) -> likeness.Weights:
        if unlabelled:
            return taught(made, unlabelled, without)
        return fit(made, GIST if gists else WORDS, shipped, without)

    fitted = weights()
    print(f"{constant}: bias {fitted.bias:.2f}", {name: round(one, 2) for name, one in fitted.of._asdict().items()})
    results = []
    for day in days:
        setattr(likeness, constant, weights(without=month(day)))
        results += over_days([day], lambda records: at_once(records, gists))
    setattr(likeness, constant, shipped)
    print("each day with weights that never saw its month:", pairwise(results), "| B-cubed", b_cubed(results))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("data", nargs="?", type=Path, default=DEFAULT_DATA)
    options.add_argument("--words", action="store_true")
    options.add_argument("--fit", action="store_true")
    options.add_argument("--learn", type=Path)
    given = options.parse_args()
    gists = None if given.words else MODEL
    print("by words and gist" if gists else "by words alone")
    pairs, days = lines(given.data / "pairs.jsonl"), lines(given.data / "days.jsonl")
    show_pairs(pairs, gists)
    show_days(days, gists)
    print("seconds to sketch 200, to group them with 3,000, and again:", *(f"{one:.2f}" for one in speed()))
    if given.fit:
        refitted(pairs, days, gists, given.learn)


def show_pairs(pairs: Sequence[Record], gists: Gists | None) -> None:
    for name, some in (("without borderline", [p for p in pairs if not p["borderline"]]), ("all", pairs)):
        found = [joined(pair, gists) for pair in some]
        print(f"pairs {name}:", figures(found, [pair["label"] in JOINED for pair in some]))
        for label in JOINED:
            these = [hit for pair, hit in zip(some, found, strict=True) if pair["label"] == label]
            print(f"  joined of {label}: {sum(these)}/{len(these)}")
    print("copies:", figures(map(copied, pairs), [pair["label"] == "copy" for pair in pairs]))


def show_days(days: Sequence[Record], gists: Gists | None) -> None:
    ways: dict[str, Callable[[Sequence[Record]], Partition]] = {
        "at once": lambda records: at_once(records, gists),
        "one by one": lambda records: one_by_one(records, 1, gists),
        "by seven": lambda records: one_by_one(records, 7, gists),
    }
    for name, how in ways.items():
        runs = [over_days(days, how, seed) for seed in range(20)]
        scores = [pairwise(run).f1 for run in runs]
        print(f"days {name}:", pairwise(runs[0]), "| B-cubed", b_cubed(runs[0]), end=" | 20 orders: ")
        print(f"F1 {min(scores):.3f} to {max(scores):.3f}, P from {min(pairwise(run).precision for run in runs):.3f}")


if __name__ == "__main__":
    main()
