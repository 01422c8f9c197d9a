"""The `routes` part of the alerts file -> Route: which stories go to which tags, and when.

The targets (`urls`, with their tags) are Apprise's part of the same file and are read where Apprise lives; `bind` holds
the two together. Errors name file and line, all of them at once: what cannot be read keeps its place and its tags, so
that it makes no further errors.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from ruamel.yaml.comments import CommentedMap

from watchfloor.errors import AlertsError, AlertsErrors, ConfigurationError, Faults, QueryError
from watchfloor.ports import Target
from watchfloor.query import Node, parse
from watchfloor.sources import read_duration

LONGEST_FLOOD = timedelta(days=1)  # so far back it is counted what went out
OPS_TAG = "ops"  # messages about the monitor itself go to this tag; no route need name it


class Quiet(NamedTuple):
    """Quiet hours by the wall clock; `start` after `end` means over midnight."""

    start: time
    end: time


class Flood(NamedTuple):
    """More than so many alerts within this time become one."""

    more_than: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class Route:
    """A way for stories: which ones take it, where it leads, and when. A condition that is empty holds for all."""

    name: str
    targets: tuple[str, ...] = ()  # ids
    topics: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()  # ids
    score: float | None = None  # at least
    query: Node | None = None
    search: str | None = None  # a saved one, in place of topics, entities, sources and query; see `searched`
    digest: Literal["hourly", "daily", "weekly"] | None = None  # None: at once
    at: time = time(7)  # of the digest, in `timezone`; hourly: its minute, weekly: on Mondays
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    quiet: Quiet | None = None
    flood: Flood | None = None
    line: int | None = field(default=None, compare=False)  # where the file names it, for complaints


class PlacedRoute(NamedTuple):
    """A route as the file names it: its tags not yet targets. None where it cannot be read."""

    route: Route | None
    tags: tuple[str, ...]
    line: int


class PlacedTarget(NamedTuple):
    """A target, its tags, and the line on which the file names it. None where it cannot be read."""

    target: Target | None
    tags: tuple[str, ...]
    line: int


class Known(NamedTuple):
    """What there is for a route to ask for: ids of topics and of sources."""

    topics: Sequence[str]
    sources: Sequence[str]


def when_told(route: Route) -> str:
    """When a route tells, in words."""
    zone = route.timezone.key
    at = {
        None: "at once",
        "hourly": f"hourly, at minute {route.at.minute}",
        "daily": f"daily at {route.at:%H:%M} ({zone})",
        "weekly": f"on Mondays at {route.at:%H:%M} ({zone})",
    }[route.digest]
    quiet = f", not from {route.quiet.start:%H:%M} to {route.quiet.end:%H:%M} ({zone})" if route.quiet else ""
    flood = f", at most {route.flood.more_than} within {route.flood.within}" if route.flood else ""
    return f"{at}{quiet}{flood}"


def everything_to(targets: Sequence[Target]) -> tuple[Route, ...]:
    """The policy where the user names no routes: every relevant story to all targets, at once."""
    return (Route("all", tuple(target.id for target in targets)),)


# -- what one route may say -------------------------------------------------------------------------------------------


def _clock(value: object) -> time:
    try:
        if isinstance(value, str):
            return time.fromisoformat(value.strip())
    except ValueError:
        pass
    raise ValueError(f"{value!r} is not a time of day (write it in quotes, such as '07:00')")


def _quiet(value: object) -> Quiet:
    start, dash, end = str(value).partition("-")
    if not dash:
        raise ValueError(f"{value!r} are not quiet hours (write '22:00-06:00')")
    quiet = Quiet(_clock(start), _clock(end))
    if quiet.start == quiet.end:
        raise ValueError("quiet hours that end when they begin")
    return quiet


def _zone(value: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value!r} is not a time zone ({_meant(str(value))})") from None


def _meant(zone: str) -> str:
    """A hint for a name that is no zone: people write a city, or a slip of the key."""
    known = sorted(available_timezones())
    city = zone.strip().replace(" ", "_").casefold()
    close = [name for name in known if name.casefold().rpartition("/")[2] == city]
    close += difflib.get_close_matches(zone, known, n=1)
    return f"did you mean {close[0]!r}?" if close else "use a name such as Europe/Berlin"


def _span(value: object) -> timedelta:
    try:
        return read_duration(str(value))
    except ConfigurationError as error:
        raise ValueError(str(error)) from None


def _names(value: object) -> object:
    return [value] if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_names)]


class FloodItem(BaseModel):
    """`flood:` of a route."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    more_than: int = Field(ge=1)
    within: Annotated[timedelta, BeforeValidator(_span), Field(le=LONGEST_FLOOD)]


class RouteItem(BaseModel):
    """One item of `routes`, as the user writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    name: str = Field(min_length=1, max_length=80)
    tags: Names = Field(min_length=1)
    topics: Names = []
    entities: Names = []
    sources: Names = []
    query: str | None = None
    search: str | None = None
    score: float | None = None
    digest: Literal["hourly", "daily", "weekly"] | None = None
    at: Annotated[time, BeforeValidator(_clock)] = time(7)
    timezone: Annotated[ZoneInfo, BeforeValidator(_zone)] | None = None
    quiet: Annotated[Quiet, BeforeValidator(_quiet)] | None = None
    flood: FloodItem | None = None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> RouteItem:
        if self.search and (self.topics or self.entities or self.sources or self.query):
            raise ValueError("`search` stands in place of topics, entities, sources and query")
        return self

    def route(self, zone: ZoneInfo, query: Node | None) -> Route:
        """The route that this item describes, its targets still unknown."""
        return Route(
            name=self.name,
            topics=tuple(self.topics),
            entities=tuple(self.entities),
            sources=tuple(self.sources),
            score=self.score,
            query=query,
            search=self.search,
            digest=self.digest,
            at=self.at,
            timezone=self.timezone or zone,
            quiet=self.quiet,
            flood=Flood(self.flood.more_than, self.flood.within) if self.flood else None,
        )


# -- reading them -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads an item of `routes`. `zone`: the reader's, for routes that name none. `lines`: of the file, for columns."""

    path: Path | str | None
    zone: ZoneInfo
    lines: Sequence[str]
    faults: Faults
    known: Known | None = None  # None: topics and sources are not looked at

    def read_one(self, item: Any, line: int) -> PlacedRoute:
        """An item of `routes`; what is wrong with it goes to `faults`."""
        with self.faults:
            if not isinstance(item, CommentedMap):
                raise AlertsError("a route is `name:`, `tags:` and what takes it", path=self.path, line=line)
            said = self._said(item, line)
            self._check_names(said, item)
            route = replace(said.route(self.zone, self._query(said, item)), line=line)
            return PlacedRoute(route, tuple(said.tags), line)
        return PlacedRoute(None, _tags_of(item), line)

    def _said(self, item: CommentedMap, line: int) -> RouteItem:
        try:
            return RouteItem.model_validate(dict(item))
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            raise AlertsErrors(self._in_words(one, item, line) for one in found) from None

    def _query(self, said: RouteItem, item: CommentedMap) -> Node | None:
        if said.query is None:
            return None
        try:
            return parse(said.query)
        except QueryError as error:
            line, start = item.lc.value("query")
            quoted = "".join(self.lines[line : line + 1])[start : start + 1] in ("'", '"')
            raise AlertsError(
                f"query: {error.reason}",
                path=self.path,
                line=line + 1,
                column=start + quoted + (error.column or 1),
                hint=error.hint,
            ) from None

    def _check_names(self, said: RouteItem, item: CommentedMap) -> None:
        """A route for a topic or source that does not exist would be silent for ever."""
        if self.known is None:
            return
        for key, wanted, known in (
            ("topics", said.topics, self.known.topics),
            ("sources", said.sources, self.known.sources),
        ):
            present = {one.casefold() for one in known}
            for name in wanted:
                if name.casefold() not in present:
                    with self.faults:
                        raise unknown(key[:-1], name, sorted(known), self.path, item.lc.key(key)[0] + 1)

    def _in_words(self, error: ErrorDetails, item: CommentedMap, line: int) -> AlertsError:
        key = str(error["loc"][0]) if error["loc"] else "search"  # the one rule that is about several keys
        line = item.lc.key(key)[0] + 1 if key in item.lc.data else line
        if error["type"] == "missing":
            hint = None if len(error["loc"]) > 1 else HINTS.get(key)
            return AlertsError(f"a route without `{error['loc'][-1]}`", path=self.path, line=line, hint=hint)
        if error["type"] == "extra_forbidden":
            known = list((FloodItem if len(error["loc"]) > 1 else RouteItem).model_fields)
            return unknown("key", str(error["loc"][-1]), known, self.path, line)
        return AlertsError(
            f"{key}: {error['msg'].removeprefix('Value error, ')}", path=self.path, line=line, hint=HINTS.get(key)
        )


HINTS = {
    "name": "what was told is remembered under it",
    "tags": "those of the targets that it leads to",
    "digest": "leave it out to be told at once",
    "flood": "such as {more_than: 10, within: 30m}",
    "score": "a number, such as 6",
    "search": "leave the others out, or name no search",
}


def _tags_of(item: Any) -> tuple[str, ...]:
    """The tags of a route that cannot be read, as far as they can be."""
    tags = item.get("tags") if isinstance(item, CommentedMap) else None
    return tuple(str(tag) for tag in (tags if isinstance(tags, list) else [tags] if tags else []))


def unknown(what: str, name: str, known: Sequence[str], path: Path | str | None, line: int) -> AlertsError:
    """The error for a name that is not one of the `known`, with the one that was probably meant."""
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
    return AlertsError(f"unknown {what} {name!r}", path=path, line=line, hint=hint)


# -- holding both parts of the file together --------------------------------------------------------------------------


def bind(
    routes: Sequence[PlacedRoute], targets: Sequence[PlacedTarget], path: Path | str | None, faults: Faults
) -> tuple[Route, ...]:
    """The routes with their targets.

    A name that stands twice, a tag that no target has (so a route without a target) and a target that no route leads to
    go to `faults`.
    """
    _check_twins([one for one in routes if one.route], path, faults)
    known = sorted({tag for placed in targets for tag in placed.tags})
    for one in routes:
        for tag in one.tags:
            if tag not in known:
                with faults:
                    raise unknown("tag", tag, known or ["none: no URL has a tag"], path, one.line)
    named = {tag for one in routes for tag in one.tags}
    meant = {close for tag in named for close in difflib.get_close_matches(tag, known, n=1)}  # a slip is one fault
    used = named | meant | {OPS_TAG}
    for placed in targets if all(one.tags for one in routes) else ():
        if used.isdisjoint(placed.tags) and (placed.target or placed.tags):
            with faults:
                raise AlertsError(
                    "no route leads to this target", path=path, line=placed.line, hint="give it a route's tag"
                )
    return tuple(replace(one.route, targets=_with(one.tags, targets)) for one in routes if one.route)


def _check_twins(routes: Iterable[PlacedRoute], path: Path | str | None, faults: Faults) -> None:
    first: dict[str, int] = {}
    for one in routes:
        name = one.route.name if one.route else ""
        if (known := first.setdefault(name, one.line)) != one.line:
            with faults:
                hint = f"the first is on line {known}"
                raise AlertsError(f"route {name!r} stands twice", path=path, line=one.line, hint=hint)


def _with(tags: Sequence[str], targets: Sequence[PlacedTarget]) -> tuple[str, ...]:
    return tuple(placed.target.id for placed in targets if placed.target and not set(tags).isdisjoint(placed.tags))
