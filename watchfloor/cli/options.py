"""Settings as options: each command takes those that it uses, with the description that the setting has."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from cyclopts import Group, Parameter

from watchfloor.model import Filters
from watchfloor.moments import read_moment
from watchfloor.settings import Settings, load

GROUP = Group("Settings (each also as WATCHFLOOR_... in the environment or in .env)", sort_key=9)
Format = Literal["table", "json"]


def _setting(name: str) -> Parameter:
    return Parameter(help=Settings.model_fields[name].description, group=GROUP)


Names = Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=False)]
Moment = Annotated[str | None, Parameter(help="A date (2026-11-24), a time (2026-11-24T08:00) or an age (12h, 7d).")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FilterOptions:
    """What narrows a search.

    Parameters
    ----------
    source
        Only these sources, by id; may be given several times, as may the next five.
    country
        As in DE.
    language
        As in de: the one the article was judged in.
    all
        Also what was judged irrelevant, or not at all.
    """

    since: Moment = None
    until: Moment = None
    source: Names = ()
    topic: Names = ()
    entity: Names = ()
    publisher: Names = ()
    country: Names = ()
    language: Names = ()
    all: Annotated[bool, Parameter(negative="")] = False

    def filters(self, zone: ZoneInfo, now: datetime) -> Filters:
        """The same for the archive. Raises QueryError for what is no time."""
        return Filters(
            since=read_moment(self.since, zone, now),
            until=read_moment(self.until, zone, now),
            sources=self.source,
            topics=self.topic,
            entities=self.entity,
            publishers=self.publisher,
            countries=self.country,
            languages=self.language,
            everything=self.all,
        )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ArchiveOptions:
    """What a command that reads the archive takes."""

    database_url: Annotated[str | None, _setting("database_url")] = None
    timezone: Annotated[str | None, _setting("timezone")] = None

    def settings(self) -> Settings:
        """The settings in force: options over environment over `.env` over defaults."""
        return load(**asdict(self))


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WatchlistOptions:
    """What a command that judges takes."""

    watchlist: Annotated[Path | None, _setting("watchlist")] = None

    def settings(self) -> Settings:
        """The settings in force."""
        return load(**asdict(self))


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class GroupOptions(WatchlistOptions):
    """What `group` takes."""

    similar: Annotated[Literal["auto", "off"] | None, _setting("similar")] = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class JudgeOptions(WatchlistOptions):
    """What `judge` takes."""

    ner_model: Annotated[str | None, _setting("ner_model")] = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LearningOptions(ArchiveOptions):
    """What a command takes that holds the watchlist against the archive."""

    watchlist: Annotated[Path | None, _setting("watchlist")] = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DoorOptions:
    """What a command that asks the network takes."""

    sources: Annotated[Path | None, _setting("sources")] = None
    contact: Annotated[str | None, _setting("contact")] = None
    proxy: Annotated[str | None, _setting("proxy")] = None
    allow_addresses: Annotated[str | None, _setting("allow_addresses")] = None
    host_delay: Annotated[float | None, _setting("host_delay")] = None
    host_connections: Annotated[int | None, _setting("host_connections")] = None
    workers: Annotated[int | None, _setting("workers")] = None

    def settings(self) -> Settings:
        """The settings in force."""
        return load(**asdict(self))


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AlertsOptions(ArchiveOptions):
    """What a command that sends takes."""

    alerts: Annotated[Path | None, _setting("alerts")] = None
    apprise_urls: Annotated[str | None, _setting("apprise_urls")] = None
    templates: Annotated[Path | None, _setting("templates")] = None
    desk_url: Annotated[str | None, _setting("desk_url")] = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WebOptions(ArchiveOptions):
    """What the desk's page takes."""

    watchlist: Annotated[Path | None, _setting("watchlist")] = None
    web_password: Annotated[str | None, _setting("web_password")] = None
    web_tokens: Annotated[str | None, _setting("web_tokens")] = None
    web_hosts: Annotated[str | None, _setting("web_hosts")] = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CycleOptions(AlertsOptions, DoorOptions, WebOptions):
    """What a command that runs whole cycles takes: everything."""

    keep_raw_days: Annotated[int | None, _setting("keep_raw_days")] = None
    keep_text_days: Annotated[int | None, _setting("keep_text_days")] = None
    ping_url: Annotated[str | None, _setting("ping_url")] = None
    dask: Annotated[str | None, _setting("dask")] = None
    gate: Annotated[Literal["off", "rough"] | None, _setting("gate")] = None
    ner_model: Annotated[str | None, _setting("ner_model")] = None
    similar: Annotated[Literal["auto", "off"] | None, _setting("similar")] = None
    log: Annotated[Literal["quiet", "text", "json"] | None, _setting("log")] = None

    def export(self) -> None:
        """Put the given options into the environment, where the processes of scheduled runs find them."""
        for name, value in asdict(self).items():
            if value is not None:
                os.environ["APPRISE_URLS" if name == "apprise_urls" else f"WATCHFLOOR_{name.upper()}"] = str(value)
