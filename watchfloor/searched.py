"""Routes that take their stories from a saved search -> routes that say themselves what they take. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from watchfloor.errors import AlertsError
from watchfloor.model import SavedSearch, Source
from watchfloor.query import parse_lenient
from watchfloor.routes import Route


def with_searches(
    routes: Sequence[Route], searches: Iterable[SavedSearch], sources: Sequence[Source]
) -> tuple[Route, ...]:
    """Each route that names a search with what that search asks; the others as they are.

    Raises:
        AlertsError: no search has that name, or it asks what a route cannot: a language, or no source there is.
    """
    known = {search.name: search for search in searches}
    return tuple(_resolved(route, known, sources) if route.search else route for route in routes)


def _resolved(route: Route, known: Mapping[str, SavedSearch], sources: Sequence[Source]) -> Route:
    search = known.get(route.search or "")
    if search is None:
        hint = f"kept are {', '.join(sorted(known))}" if known else "none is kept; the search page keeps one"
        raise AlertsError(f"route {route.name!r}: no search is kept as {route.search!r}", hint=hint)
    if search.languages:
        hint = "leave the language out of the search, or name its sources"
        raise AlertsError(f"route {route.name!r}: a route cannot ask for a language", hint=hint)
    return replace(
        route,
        topics=search.topics,
        entities=search.entities,
        sources=_sources(route, search, sources),
        query=parse_lenient(search.words) if search.words else None,
    )


def _sources(route: Route, search: SavedSearch, sources: Sequence[Source]) -> tuple[str, ...]:
    """The sources that the search lets pass; none for all of them."""
    if not (search.sources or search.publishers or search.countries):
        return ()
    passed = tuple(
        source.id
        for source in sources
        if (not search.sources or source.id in search.sources)
        and (not search.publishers or source.publisher in search.publishers)
        and (not search.countries or source.country in search.countries)
    )
    if not passed:
        raise AlertsError(f"route {route.name!r}: no source is one that the search {search.name!r} asks for")
    return passed
