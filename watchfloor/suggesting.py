"""Names that a model found again and again -> lines for the watchlist. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from watchfloor.model import Mention
from watchfloor.tokens import Sentences
from watchfloor.watchlist import Watchlist

_PLAIN = re.compile(r"[^\W\d_](?:[\w’./+-]|[ ](?=[\w’./+-]))*")  # what YAML reads as a text without quotation marks
_NO_TEXT = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")


@dataclass(frozen=True, slots=True)
class Frequent:
    """A name of the model's, and how often it was found. `publishers`: how many of them named it.

    `title`, `text` and `place` are of the latest article that named it; `text` is empty if it was let go.
    """

    name: str
    kind: str
    articles: int
    mentions: int
    publishers: int
    article_id: int
    title: str
    text: str
    place: Mention

    @property
    def sentence(self) -> str:
        """The sentence in which the latest article names it."""
        return Sentences(self.title if self.place.field == "title" else self.text).at(self.place.start)

    @property
    def line(self) -> str:
        """For the watchlist, under `entities:`. Weight 0 tags and speaks for no story until somebody raises it."""
        plain = _PLAIN.fullmatch(self.name) and self.name.lower() not in _NO_TEXT
        name = self.name if plain else json.dumps(self.name, ensure_ascii=False)
        return f"  - {{name: {name}, kind: {self.kind}, weight: 0}}"

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "name": self.name,
            "kind": self.kind,
            "articles": self.articles,
            "mentions": self.mentions,
            "publishers": self.publishers,
            "example": {"id": self.article_id, "title": self.title, "sentence": self.sentence},
            "line": self.line,
        }


def unknown(found: Iterable[Frequent], watchlist: Watchlist) -> Iterator[Frequent]:
    """Those that the list does not know by now."""
    return (one for one in found if watchlist.canonical(one.name) is None)
