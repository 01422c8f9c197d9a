"""How well yes and no were told apart, against labels. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of labelled stories: yes found, yes missed, no flagged, no left alone."""

    hits: int = 0
    misses: int = 0
    alarms: int = 0
    quiet: int = 0

    @classmethod
    def of(cls, pairs: Iterable[tuple[bool, bool]]) -> Score:
        """The score of pairs of label and verdict."""
        counts = Counter(pairs)
        return cls(counts[True, True], counts[True, False], counts[False, True], counts[False, False])

    def __add__(self, other: Score) -> Score:
        return Score(
            self.hits + other.hits,
            self.misses + other.misses,
            self.alarms + other.alarms,
            self.quiet + other.quiet,
        )

    @property
    def labels(self) -> int:
        """How many stories it rests on."""
        return self.hits + self.misses + self.alarms + self.quiet

    @property
    def precision(self) -> float | None:
        """Share of what was flagged that is right; None where nothing was flagged."""
        return _share(self.hits, self.hits + self.alarms)

    @property
    def recall(self) -> float | None:
        """Share of what is right that was flagged; None where nothing is."""
        return _share(self.hits, self.hits + self.misses)

    @property
    def f1(self) -> float | None:
        """Both as one figure; None where there is nothing to find and nothing was flagged."""
        return _share(2 * self.hits, 2 * self.hits + self.misses + self.alarms)

    @property
    def false_positives(self) -> float | None:
        """Share of what is wrong that was flagged; None where nothing is."""
        return _share(self.alarms, self.alarms + self.quiet)

    def as_json(self) -> dict[str, int | float | None]:
        """Shares to four digits, and the counts that they come from."""
        shares = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {
            **{name: None if share is None else round(share, 4) for name, share in shares.items()},
            "yes_found": self.hits,
            "yes_missed": self.misses,
            "no_flagged": self.alarms,
            "no_quiet": self.quiet,
        }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
