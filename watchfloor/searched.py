"""Routes that take their stories from a saved search -> routes that say themselves what they take. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from watchfloor.errors import AlertsError, AlertsErrors, Faults
from watchfloor.model import SavedSearch, Source
from watchfloor.query import parse_lenient
from watchfloor.routes import Route


def with_searches(
    routes: Sequence[Route],
    searches: Iterable[SavedSearch],
    sources: Sequence[Source],
    path: Path | str | None = None,
) -> tuple[Route, ...]:
    """Each route that names a search with what that search asks; the others as they are. `path`: what errors name.

    Raises:
        AlertsError: no search has that name, or it asks what a route cannot: a language, or no source there is.
    """
    known, faults, made = {search.name: search for search in searches}, Faults(AlertsErrors), []
    for route in routes:
        with faults:
            made.append(_resolved(route, known, sources, path) if route.search else route)
    faults.raise_all()
    return tuple(made)


def _resolved(
    route: Route, known: Mapping[str, SavedSearch], sources: Sequence[Source], path: Path | str | None
) -> Route:
    line = route.line if path else None
    search = known.get(route.search or "")
    if search is None:
        hint = f"kept are {', '.join(sorted(known))}" if known else "none is kept; the search page keeps one"
        raise AlertsError(
            f"route {route.name!r}: no search is kept as {route.search!r}", hint=hint, path=path, line=line
        )
    if search.languages:
        hint = "leave the language out of the search, or name its sources"
        raise AlertsError(f"route {route.name!r}: a route cannot ask for a language", hint=hint, path=path, line=line)
    passed = _sources(search, sources)
    if passed == ():
        hint = "look at what the search page keeps under that name"
        said = f"route {route.name!r}: no source is one that the search {search.name!r} asks for"
        raise AlertsError(said, hint=hint, path=path, line=line)
    return replace(
        route,
        topics=search.topics,
        entities=search.entities,
        sources=passed or (),
        query=parse_lenient(search.words) if search.words else None,
    )


def _sources(search: SavedSearch, sources: Sequence[Source]) -> tuple[str, ...] | None:
    """The sources that the search lets pass; None for all of them."""
    if not (search.sources or search.publishers or search.countries):
        return None
    return tuple(
        source.id
        for source in sources
        if (not search.sources or source.id in search.sources)
        and (not search.publishers or source.publisher in search.publishers)
        and (not search.countries or source.country in search.countries)
    )
