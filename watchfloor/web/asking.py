"""What page, API and feed ask of the archive alike: a question in an address -> its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from storage.desk import Card, Narrowing
from watchfloor.errors import QueryError
from watchfloor.model import Filters, Hits, SavedSearch
from watchfloor.query import Node, read_leniently
from watchfloor.web import shows
from watchfloor.web.address import FILTERS, Address, filters_of, names_of

if TYPE_CHECKING:
    from watchfloor.web.desk import Desk

WITHIN = {"1d": "day", "3d": "3 days", "7d": "week", "31d": "month"}
SAVED_NAME = r"[a-z0-9][a-z0-9-]{0,59}"  # of a saved search: it stands in addresses and in the alerts file
By = Literal["relevance", "date"]


@dataclass(frozen=True, slots=True)
class Question:
    """A search as its address asks it. `note`: what of the words was cut or read otherwise."""

    words: str
    node: Node | None
    filters: Filters
    by: By
    note: str | None = None


def question_of(desk: Desk, address: Address) -> Question:
    """The search that an address asks for; `saved` names one that was kept.

    Raises:
        QueryError: a time that is none, or a name that no search has.
    """
    kept = address.get("saved")
    if kept:
        found = next((one for one in desk.archive.saved_searches() if one.name == kept), None)
        if found is None:
            raise QueryError(f"no search is kept as {kept[:60]!r}")
        words, filters = found.words, found.filters
    else:
        words, filters = address.get("q"), filters_of(address, desk.zone, desk.clock())
    reading = read_leniently(words) if words else None
    node = reading.node if reading else None
    by = address.get("by")
    chosen: By = "date" if by == "date" or (by != "relevance" and node is None) else "relevance"
    return Question(words, node, filters, chosen, reading.note if reading else None)


def hits_of(desk: Desk, question: Question, *, limit: int, after: str) -> Hits:
    """A page of its answer. Raises QueryError and ArchiveError as `search` of the archive does."""
    return desk.archive.search(question.node, question.filters, limit=limit, after=after or None, by=question.by)


@dataclass(frozen=True, slots=True)
class Stand:
    """Stories as they stand, with how they were asked for. `after`: the key of the next page."""

    cards: Sequence[Card]
    total: int
    after: str | None
    within: str
    by: str
    narrowing: Narrowing


def stories_of(desk: Desk, address: Address, size: int) -> Stand:
    """The stories of a period, most important or latest first."""
    now = desk.clock()
    within = address.get("within") if address.get("within") in WITHIN else "1d"
    by = "newest" if address.get("by") == "newest" else "important"
    narrowing = Narrowing(
        address.all("topic"), address.all("entity"), address.all("source"), muted=bool(address.get("muted"))
    )
    since = now - timedelta(days=int(within[:-1]))
    standings = desk.archive.standings(since, now + timedelta(days=1), narrowing)
    ids, more = shows.page_of(shows.ranked(standings, by, now), address.get("after"), size)
    return Stand(desk.archive.cards(ids), len(standings), more, within, by, narrowing)


def address_of(search: SavedSearch) -> str:
    """The page of a kept search: what it asks, to be asked on from there, and the name under which it is kept."""
    filters = [(name, value) for name, field in FILTERS.items() for value in getattr(search, field)]
    everything = ("all", "1" if search.everything else "")
    return Address("/search", (("kept", search.name), ("q", search.words), *filters, everything)).but()


def kept_as(name: str, address: Address) -> SavedSearch:
    """The search of an address under a name."""
    everything = bool(address.get("all"))
    return SavedSearch(name, words=address.get("q"), everything=everything, **names_of(address))
