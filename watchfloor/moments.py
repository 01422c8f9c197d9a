"""What a person writes for a time -> UTC. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from watchfloor.errors import ConfigurationError, QueryError


def read_moment(text: str | None, zone: ZoneInfo, now: datetime) -> datetime | None:
    """A date (2026-11-24), a time (2026-11-24T08:00), both of the reader's zone, or an age before `now` (12h, 7d).

    Raises:
        QueryError: it is none of these.
    """
    if not text:
        return None
    try:
        return _written(text.strip(), zone)
    except (ValueError, OverflowError):
        pass
    from watchfloor.sources import read_duration  # brings the readers of YAML and OPML with it

    try:
        return now - read_duration(text)
    except (ConfigurationError, OverflowError):
        hint = "give 2026-11-24, 2026-11-24T08:00 or an age such as 7d"
        raise QueryError(f"{text[:40]!r} is no time", hint=hint) from None


def _written(text: str, zone: ZoneInfo) -> datetime:
    if len(text) == len("2026-11-24"):
        return datetime.combine(date.fromisoformat(text), time(), zone).astimezone(UTC)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
