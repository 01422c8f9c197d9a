"""The address of a page as a value: what it asks, and the addresses of its neighbours. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from watchfloor.model import Filters
from watchfloor.moments import read_moment

FILTERS = {  # what may be asked several times -> what a search calls it
    "source": "sources",
    "publisher": "publishers",
    "country": "countries",
    "language": "languages",
    "topic": "topics",
    "entity": "entities",
}
LONGEST = 20_000  # characters of a value that is looked at; the query language cuts for itself
PAGING = "after"  # leads to another page of the same question


@dataclass(frozen=True, slots=True)
class Address:
    """A path and what is asked of it, in order. Every change of the question begins at the first page again."""

    path: str
    asked: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, path: str, asked: Iterable[tuple[str, str]]) -> Address:
        """What is empty was not asked."""
        seen = ((name, "".join(filter(_is_text, value[:LONGEST]))) for name, value in asked)
        return cls(path, tuple((name, value) for name, value in seen if value.strip()))

    def get(self, name: str, otherwise: str = "") -> str:
        """The last value of that name."""
        return next((value for one, value in reversed(self.asked) if one == name), otherwise)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of that name, each once."""
        return tuple(dict.fromkeys(value for one, value in self.asked if one == name))

    def but(self, **changes: str | None) -> str:
        """The address with these values in place of what was asked; None asks for nothing of that name."""
        kept = [(name, value) for name, value in self.asked if name not in changes and name != PAGING]
        return self._written([*kept, *((name, value) for name, value in changes.items() if value)])

    def plus(self, name: str, value: str) -> str:
        """The address that asks for this too."""
        return self._written([*self._without(name, value), (name, value)])

    def minus(self, name: str, value: str) -> str:
        """The address that no longer asks for this."""
        return self._written(self._without(name, value))

    def at(self, path: str, *names: str) -> str:
        """What was asked of this one, of those names or all, at another path."""
        kept = [pair for pair in self.asked if pair[0] != PAGING and (not names or pair[0] in names)]
        return Address(path)._written(kept)

    def _without(self, name: str, value: str) -> list[tuple[str, str]]:
        return [pair for pair in self.asked if pair != (name, value) and pair[0] != PAGING]

    def _written(self, pairs: Iterable[tuple[str, str]]) -> str:
        question = urlencode([pair for pair in pairs if pair[1]])
        return f"{self.path}?{question}" if question else self.path


def _is_text(character: str) -> bool:
    """What databases and answers can hold."""
    return character != "\0" and not "\ud800" <= character <= "\udfff"


def filters_of(address: Address, zone: ZoneInfo, now: datetime) -> Filters:
    """The filters of a search.

    Raises:
        QueryError: a time that is none.
    """
    return Filters(
        since=read_moment(address.get("since"), zone, now),
        until=read_moment(address.get("until"), zone, now),
        everything=bool(address.get("all")),
        **names_of(address),
    )


def names_of(address: Address) -> dict[str, tuple[str, ...]]:
    """The names that narrow a search, as `Filters` and `SavedSearch` call them."""
    return {field: address.all(name) for name, field in FILTERS.items()}
