"""What a cycle did, as numbers: for people, for JSON, and to be summed over shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from watchfloor.model import Grade


@dataclass(slots=True)
class Report:
    """What a cycle did, counted as it happens: plain numbers, so that shards may send theirs home and be summed."""

    asked: int = 0
    not_modified: int = 0
    failed: int = 0
    unreachable: int = 0
    entries: int = 0
    grades: Counter[str] = field(default_factory=Counter)
    judged: int = 0
    not_judged: int = 0
    relevant: int = 0
    stories_new: int = 0
    stories_updated: int = 0
    alerts: int = 0
    sent: int = 0
    dead: int = 0
    unknown: int = 0
    pending: int = 0
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)  # seconds that tasks spent there, in sum

    def add(self, other: Report) -> None:
        """Count another shard's work in."""
        for name in self.__slots__:
            if name != "stages":
                setattr(self, name, getattr(self, name) + getattr(other, name))
        self.spend(other.stages)

    def spend(self, stages: Mapping[str, float]) -> None:
        """Count time in."""
        for stage, seconds in stages.items():
            self.stages[stage] = self.stages.get(stage, 0.0) + seconds

    def as_counts(self) -> dict[str, Any]:
        """The fields as plain data, for another process; `of_counts` reads them back."""
        return {name: getattr(self, name) for name in self.__slots__} | {"grades": dict(self.grades)}

    @classmethod
    def of_counts(cls, counts: Mapping[str, Any]) -> Report:
        """The report whose `as_counts` these are."""
        return cls(**{**counts, "grades": Counter(counts["grades"])})

    @property
    def nobody_answered(self) -> bool:
        """Sources were asked and none could be reached."""
        return self.asked > 0 and self.unreachable == self.asked

    def as_json(self) -> dict[str, Any]:
        """Plain data with the keys that docs/commands.md promises."""
        return {
            "sources": {
                "polled": self.asked,
                "not_modified": self.not_modified,
                "failed": self.failed,
                "unreachable": self.unreachable,
            },
            "entries": {"new": self.entries},
            "articles": {grade.value: self.grades[grade.value] for grade in Grade},
            "judged": {"yes": self.judged, "no_words_for_language": self.not_judged},
            "relevant": self.relevant,
            "stories": {"new": self.stories_new, "updated": self.stories_updated},
            "alerts": {"created": self.alerts},
            "deliveries": {"sent": self.sent, "pending": self.pending, "dead": self.dead, "unknown": self.unknown},
            "seconds": round(self.seconds, 2),
            "stages": {stage: round(seconds, 2) for stage, seconds in sorted(self.stages.items())},
        }
