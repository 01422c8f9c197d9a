"""The `routes` part of the alerts file -> Route: which stories go to which tags, and when.

The targets (`urls`, with their tags) are Apprise's part of the same file and are read where Apprise lives; `bind` holds
the two together. Errors name file and line.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from watchfloor.errors import AlertsError, ConfigurationError, QueryError
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
    """A route as the file names it: its tags not yet targets."""

    route: Route
    tags: tuple[str, ...]
    line: int


class PlacedTarget(NamedTuple):
    """A target and the line on which the file names it."""

    target: Target
    line: int


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
        raise ValueError(f"{value!r} is not a time zone; use a name such as Europe/Berlin") from None


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


def read(items: CommentedSeq, path: Path | str | None, zone: ZoneInfo) -> tuple[PlacedRoute, ...]:
    """The items of `routes`. `zone` is the reader's, for routes that name none.

    Raises:
        AlertsError: an item does not say what it should; names file and line.
    """
    placed = tuple(_read_one(item, items.lc.item(number)[0] + 1, path, zone) for number, item in enumerate(items))
    first: dict[str, int] = {}
    for one in placed:
        if one.route.name in first:
            hint = f"the first is on line {first[one.route.name]}"
            raise AlertsError(f"route {one.route.name!r} stands twice", path=path, line=one.line, hint=hint)
        first[one.route.name] = one.line
    return placed


def _read_one(item: Any, line: int, path: Path | str | None, zone: ZoneInfo) -> PlacedRoute:
    if not isinstance(item, CommentedMap):
        raise AlertsError("a route is `name:`, `tags:` and what takes it", path=path, line=line)
    try:
        said = RouteItem.model_validate(dict(item))
    except ValidationError as error:
        raise _in_words(error.errors(include_url=False, include_input=False)[0], item, line, path) from None
    return PlacedRoute(replace(said.route(zone, _query(said, item, path)), line=line), tuple(said.tags), line)


def _query(said: RouteItem, item: CommentedMap, path: Path | str | None) -> Node | None:
    if said.query is None:
        return None
    line = item.lc.value("query")[0] + 1
    try:
        return parse(said.query)
    except QueryError as error:
        hint = f"character {error.column} of the query" + (f"; {error.hint}" if error.hint else "")
        raise AlertsError(f"query: {error.reason}", path=path, line=line, hint=hint) from None


def _in_words(error: ErrorDetails, item: CommentedMap, line: int, path: Path | str | None) -> AlertsError:
    key = str(error["loc"][0]) if error["loc"] else "search"  # the one rule that is about several keys
    line = item.lc.key(key)[0] + 1 if key in item.lc.data else line
    if error["type"] == "missing":
        return AlertsError(f"a route without `{error['loc'][-1]}`", path=path, line=line)
    if error["type"] == "extra_forbidden":
        known = list((FloodItem if len(error["loc"]) > 1 else RouteItem).model_fields)
        return unknown("key", str(error["loc"][-1]), known, path, line)
    return AlertsError(f"{key}: {error['msg'].removeprefix('Value error, ')}", path=path, line=line)


def unknown(what: str, name: str, known: Sequence[str], path: Path | str | None, line: int) -> AlertsError:
    """The error for a name that is not one of the `known`, with the one that was probably meant."""
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
    return AlertsError(f"unknown {what} {name!r}", path=path, line=line, hint=hint)


# -- holding both parts of the file together --------------------------------------------------------------------------


def bind(routes: Sequence[PlacedRoute], targets: Sequence[PlacedTarget], path: Path | str | None) -> tuple[Route, ...]:
    """The routes with their targets.

    Raises:
        AlertsError: a tag that no target has (so a route without a target), or a target that no route leads to.
    """
    known = sorted({tag for placed in targets for tag in placed.target.tags})
    for one in routes:
        for tag in one.tags:
            if tag not in known:
                raise unknown("tag", tag, known or ["none: no URL has a tag"], path, one.line)
    used = {tag for one in routes for tag in one.tags} | {OPS_TAG}
    for placed in targets:
        if used.isdisjoint(placed.target.tags):
            raise AlertsError(
                "no route leads to this target", path=path, line=placed.line, hint="give it a route's tag"
            )
    return tuple(replace(one.route, targets=_with(one.tags, targets)) for one in routes)


def check_names(
    routes: Sequence[Route], path: Path | str | None, *, topics: Sequence[str], sources: Sequence[str]
) -> None:
    """A route for a topic or source that does not exist would be silent for ever.

    Raises:
        AlertsError: names it, with file and line.
    """
    for route in routes:
        for what, wanted, known in (("topic", route.topics, topics), ("source", route.sources, sources)):
            for name in wanted:
                if name.casefold() not in {one.casefold() for one in known}:
                    raise unknown(what, name, sorted(known), path, route.line or 1)


def _with(tags: Sequence[str], targets: Sequence[PlacedTarget]) -> tuple[str, ...]:
    return tuple(placed.target.id for placed in targets if not set(tags).isdisjoint(placed.target.tags))
