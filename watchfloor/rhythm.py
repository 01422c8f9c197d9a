"""When to ask a feed again, and how it is doing: FeedState x what just happened -> FeedState. Pure.

    source + state ── effective_url, validators ──> the request
    answer         ── after_answer, after_not_modified, after_failure ──> the next state

The clock and the jitter (0..1, always upward) are given. A day asks at most 48 times for a feed that changes all day,
24 times for one that seldom does, and twice for one that never does and offers no validators.
"""

from __future__ import annotations

from calendar import day_name
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from urllib.parse import urlsplit

from watchfloor.clean import LINK_LENGTH
from watchfloor.errors import FetchError, HttpStatus, NotAFeed, Refused, Unreachable, WatchfloorError
from watchfloor.model import Feed, FeedState, Source
from watchfloor.ports import Answer

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SELDOM = timedelta(minutes=65)  # between requests to a feed whose items come hours apart: 24 a day, a few to spare
LONGEST_WAIT = timedelta(days=7)  # a Retry-After beyond it is a mistake or malice
UNREACHABLE_CAP = timedelta(hours=2)  # when it is our own network that fails, no source may be lost for a day
JITTER = 0.1  # of the wait: spreads what was first asked together, and costs a tenth of timeliness at worst

ALL_HOURS, ALL_DAYS = (1 << 24) - 1, (1 << 7) - 1  # a feed that closes them all is taken not to have meant it

SILENT_GAPS = 12  # so many of its own gaps without an item: with fewer, holidays look like deaths
SILENT_AT_LEAST = timedelta(days=3)  # a newsroom's weekend
SILENT_AT_MOST = timedelta(days=180)
SILENT_BY_DEFAULT = timedelta(days=30)  # where no rhythm is known
GAPS_SEEN = 20  # of the newest items; older ones say how it was once

MOVES_NEEDED = 3  # equal permanent redirects before one is believed: half of them are outages and log-in pages
MOVE_TAKES = DAY

CHURN_LEAST = 5
CHURN_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Validators:
    """What makes a request conditional; both None: it is not."""

    etag: str | None = None
    last_modified: str | None = None

    def __bool__(self) -> bool:
        return bool(self.etag or self.last_modified)


# -- the request ------------------------------------------------------------------------------------------------------


def effective_url(source: Source, state: FeedState) -> str:
    """The address to ask: where the feed has moved for good, once that is believed, else the source's own."""
    return state.moved_to if state.moved_to and _move_is_believed(state) else source.url


def validators(source: Source, state: FeedState, now: datetime) -> Validators:
    """The validators to send. None once a day, since some servers say 304 for ever; none to one that was caught."""
    if _last_probe_is_fresh(state, now):
        return known_validators(source, state)
    return Validators()


def known_validators(source: Source, state: FeedState) -> Validators:
    """What the last answer of the address to ask named, whether it is to be sent now or not."""
    if state.validators_url != effective_url(source, state):
        return Validators()
    return Validators(state.etag, state.last_modified)


def _last_probe_is_fresh(state: FeedState, now: datetime) -> bool:
    return state.last_unconditional is not None and now - state.last_unconditional < DAY


def _move_is_believed(state: FeedState) -> bool:
    return (
        state.moved_seen >= MOVES_NEEDED
        and state.moved_since is not None
        and state.last_answer is not None
        and state.last_answer - state.moved_since > MOVE_TAKES
    )


# -- after an answer --------------------------------------------------------------------------------------------------


def after_answer(
    source: Source,
    state: FeedState,
    answer: Answer,
    *,
    feed: Feed,
    body_hash: str | None,
    lifetime: timedelta | None,
    now: datetime,
    jitter: float,
) -> FeedState:
    """The state after a document that differs from the last one. `lifetime`: what the cache headers promise."""
    newest = _newest(feed, now)
    brought = _brought(state, feed, newest)
    told = replace(
        _answered(source, state, answer, now),
        body_hash=body_hash,
        last_new=(newest or now) if brought else state.last_new,
        gap_seconds=_gap_seconds(state, feed, brought, now),
        wait_seconds=int(feed.minimum_wait.total_seconds()) if feed.minimum_wait else None,
        closed_hours=feed.closed_hours if feed.closed_hours != ALL_HOURS else 0,
        closed_days=feed.closed_days if feed.closed_days != ALL_DAYS else 0,
        etag=answer.headers.get("etag"),
        last_modified=answer.headers.get("last-modified"),
        validators_url=answer.final_url,  # after a redirect they are not for the address we ask
        last_unconditional=_last_unconditional(source, state, answer, brought, now),
    )
    told = _with_health(told, feed, now)
    own = _own_rhythm(told, now, brought=brought, conditional=bool(known_validators(source, told)))
    return replace(told, next_at=_due(source, told, own, lifetime, now, jitter))


def after_not_modified(
    source: Source, state: FeedState, answer: Answer, *, lifetime: timedelta | None, now: datetime, jitter: float
) -> FeedState:
    """The state after a 304, or after a 200 with the body that was read already."""
    probed = not validators(source, state, now) and bool(known_validators(source, state))
    trusted = state.last_unconditional is not None
    told = _answered(source, state, answer, now)
    if probed and trusted:
        told = replace(told, last_unconditional=now)
    told = _still_healthy(told, now)
    own = _own_rhythm(told, now, brought=False, conditional=answer.status == 304 or (probed and trusted))
    return replace(told, next_at=_due(source, told, own, lifetime, now, jitter))


def _answered(source: Source, state: FeedState, answer: Answer, now: datetime) -> FeedState:
    return replace(
        _moved(source, state, answer, now),
        first_answer=state.first_answer or now,
        last_answer=now,
        failures=0,
        failing_since=None,
        gone=False,
    )


def _moved(source: Source, state: FeedState, answer: Answer, now: datetime) -> FeedState:
    """Count equal permanent redirects; forget them when the old address answers by itself again."""
    target = answer.permanent_url
    if target is None or target == answer.url or len(target) > LINK_LENGTH or _is_downgrade(answer.url, target):
        if answer.url == source.url:
            return replace(state, moved_to=None, moved_seen=0, moved_since=None)
        return state
    if target == state.moved_to:
        return replace(state, moved_seen=state.moved_seen + 1)
    return replace(state, moved_to=target, moved_seen=1, moved_since=now)


def _is_downgrade(old: str, new: str) -> bool:
    return urlsplit(old).scheme == "https" and urlsplit(new).scheme != "https"


def _last_unconditional(
    source: Source, state: FeedState, answer: Answer, brought: bool, now: datetime
) -> datetime | None:
    """When we last looked without validators; None for a server whose validators stayed while its items changed."""
    if validators(source, state, now):
        return state.last_unconditional
    if brought and _stayed(known_validators(source, state), answer):
        return None
    distrusted = state.last_unconditional is None and state.last_answer is not None
    return None if distrusted and not brought else now


def _stayed(known: Validators, answer: Answer) -> bool:
    if known.etag:
        return known.etag == answer.headers.get("etag")
    return bool(known.last_modified) and known.last_modified == answer.headers.get("last-modified")


# -- the feed's own rhythm --------------------------------------------------------------------------------------------


def _own_rhythm(state: FeedState, now: datetime, *, brought: bool, conditional: bool) -> timedelta:
    """What the feed deserves by what it brings: soon after the last item often, then less and less."""
    gap = timedelta(seconds=state.gap_seconds) if state.gap_seconds else 2 * SELDOM
    quiet = now - (state.last_new or state.first_answer or now)
    if conditional:
        return _cheap_rhythm(gap, quiet)
    if state.first_answer == now:
        return _between(HOUR, max(gap, quiet), DAY)  # long enough for a live feed to have moved when we look again
    return _dear_rhythm(gap, quiet) if brought or _ever_changed(state) else DAY


def _cheap_rhythm(gap: timedelta, quiet: timedelta) -> timedelta:
    """Where a 304 says that there is nothing: a day of silence is worth an hour's wait, a month of it a day's."""
    return _between(SELDOM, quiet / 24, DAY) if quiet > DAY else min(SELDOM, max(gap / 2, quiet))


def _dear_rhythm(gap: timedelta, quiet: timedelta) -> timedelta:
    """Where each look costs a whole document."""
    return _between(4 * HOUR, quiet / 6, DAY) if quiet > DAY else min(2 * HOUR, max(gap, quiet) / 2)


def _ever_changed(state: FeedState) -> bool:
    return state.last_new is not None and state.first_answer is not None and state.last_new > state.first_answer


def _between(least: timedelta, value: timedelta, most: timedelta) -> timedelta:
    return max(least, min(value, most))


def _due(
    source: Source, state: FeedState, own: timedelta, lifetime: timedelta | None, now: datetime, jitter: float
) -> datetime:
    asked = max(own, lifetime or timedelta(0), timedelta(seconds=state.wait_seconds or 0))
    return _open_from(state, now + _spread(max(source.every, min(asked, DAY)), jitter), jitter)


def put_off(state: FeedState, now: datetime, jitter: float) -> FeedState | None:
    """The state of a feed that is due while it asks not to be read; None where it may be asked now."""
    return replace(state, next_at=_open_from(state, now, jitter)) if _is_closed(state, now) else None


def _open_from(state: FeedState, at: datetime, jitter: float) -> datetime:
    """The first moment from then on at which the feed lets itself be read: within a week."""
    if not _is_closed(state, at):
        return at
    hours = (at.replace(minute=0, second=0, microsecond=0) + hour * HOUR for hour in range(1, 7 * 24))
    return next(hour for hour in hours if not _is_closed(state, hour)) + _spread(HOUR, jitter) - HOUR


def _is_closed(state: FeedState, at: datetime) -> bool:
    return bool(state.closed_hours >> at.hour & 1 or state.closed_days >> at.weekday() & 1)


def _spread(wait: timedelta, jitter: float) -> timedelta:
    return wait * (1 + JITTER * jitter)


def _dates(feed: Feed, now: datetime) -> list[datetime]:
    """The dates of its items that are not in the future, newest first, each once."""
    dates = [*(entry.published for entry in feed.entries), *feed.left_out]
    return sorted({date for date in dates if date and date <= now}, reverse=True)


def _newest(feed: Feed, now: datetime) -> datetime | None:
    return next(iter(_dates(feed, now)), None)


def _brought(state: FeedState, feed: Feed, newest: datetime | None) -> bool:
    """Whether there is something new, as far as dates tell; an undated document that changed is taken at its word."""
    if newest is None:
        return bool(feed.entries)
    return state.last_new is None or newest > state.last_new


def _gap_seconds(state: FeedState, feed: Feed, brought: bool, now: datetime) -> int | None:
    dates = _dates(feed, now)[:GAPS_SEEN]
    if len(dates) >= 3:
        return max(1, int(median(_seconds_between(dates))))
    if brought and state.last_new:
        return max(1, int((now - state.last_new).total_seconds()))
    return state.gap_seconds


def _seconds_between(newest_first: Sequence[datetime]) -> list[float]:
    return [(later - earlier).total_seconds() for later, earlier in pairwise(newest_first)]


# -- health -----------------------------------------------------------------------------------------------------------


def silent_after(state: FeedState) -> timedelta:
    """How long the feed may bring nothing before that is remarkable, by its own rhythm."""
    if state.gap_seconds is None:
        return SILENT_BY_DEFAULT
    return _between(SILENT_AT_LEAST, SILENT_GAPS * timedelta(seconds=state.gap_seconds), SILENT_AT_MOST)


def after_churn(state: FeedState, *, unknown_ids: int, known_links: int) -> FeedState:
    """What the archive found: of `unknown_ids` entries with ids new to it, `known_links` had a link that is not."""
    if known_links < CHURN_LEAST or known_links <= CHURN_SHARE * unknown_ids:
        return state
    words = f"{known_links} of {unknown_ids} items came under a new id though their links are known; told apart by link"
    return replace(state, health="churning", message=words)


def after_new_address(state: FeedState) -> FeedState:
    """The user gave the source another address: what was remembered of the old one goes, what it brought stays."""
    return FeedState(first_answer=state.first_answer, last_new=state.last_new)


def _with_health(state: FeedState, feed: Feed, now: datetime) -> FeedState:
    health, message = _health(state, feed, now)
    return replace(state, health=health, message=message)


def _health(state: FeedState, feed: Feed, now: datetime) -> tuple[str, str | None]:
    if silence := _silence(state, now):
        return "silent", silence
    if feed.size and feed.undated == feed.size:
        return "undated", "none of its items has a date that can be true"
    return "ok", _remark(state, feed)


def _remark(state: FeedState, feed: Feed) -> str | None:
    if state.last_unconditional is None:
        return "its validators stay the same while its items change; it is asked for in full each time"
    if not feed.size:
        return "the feed has no items"
    return _move(state) or feed.complaint or _closing(state)


def _closing(state: FeedState) -> str | None:
    hours, days = _bits(state.closed_hours, 24), [day_name[day] for day in _bits(state.closed_days, 7)]
    when = [f"in the hours {', '.join(map(str, hours))} (UTC)"] if hours else []
    when += [f"on {', '.join(days)}"] if days else []
    return f"asks not to be read {' and '.join(when)}" if when else None


def _bits(mask: int, size: int) -> list[int]:
    return [bit for bit in range(size) if mask >> bit & 1]


def _move(state: FeedState) -> str | None:
    if state.moved_to is None:
        return None
    if _move_is_believed(state):
        return f"moved permanently to {state.moved_to}, which is asked instead; change its url in sources.yaml"
    return f"says that it moved permanently to {state.moved_to}; believed if it still does in a day"


def _still_healthy(state: FeedState, now: datetime) -> FeedState:
    """Nothing was read, so what reading found still holds; only failures are over, and silence may have begun."""
    if silence := _silence(state, now):
        return replace(state, health="silent", message=silence)
    if state.health in ("undated", "churning"):
        return state
    message = state.message if state.health == "ok" else None
    return replace(state, health="ok", message=_move(state) or message)


def _silence(state: FeedState, now: datetime) -> str | None:
    quiet = now - (state.last_new or state.first_answer or now)
    if quiet <= silent_after(state):
        return None
    return f"nothing new for {in_words(quiet)}; {_own_pace(state)}"


def _own_pace(state: FeedState) -> str:
    if state.gap_seconds is None:
        return "its own rhythm is not known"
    return f"its items used to come {in_words(timedelta(seconds=state.gap_seconds))} apart"


def in_words(span: timedelta) -> str:
    """A span as people say it: 3 days, 1 hour, 20 minutes."""
    for unit, length in (("day", DAY), ("hour", HOUR), ("minute", timedelta(minutes=1))):
        if (number := round(span / length)) >= 1 and span >= length:
            return f"{number} {unit}{'s' if number > 1 else ''}"
    return "less than a minute"


# -- after a failure --------------------------------------------------------------------------------------------------


def after_failure(
    source: Source, state: FeedState, error: WatchfloorError, *, now: datetime, jitter: float
) -> FeedState:
    """The state after a poll that brought no feed. A feed is never given up silently; only a 410 ends the asking."""
    failures = state.failures + 1
    gone = isinstance(error, HttpStatus) and error.status == 410
    return replace(
        _doubting_the_move(state, error),
        failures=failures,
        failing_since=state.failing_since or now,
        gone=gone,
        health=_illness(error, gone),
        message=diagnosis(error),
        next_at=_open_from(state, now + _spread(_back_off(source, failures, error), jitter), jitter),
    )


def _doubting_the_move(state: FeedState, error: WatchfloorError) -> FeedState:
    """A new address that does not hold what it promised is forgotten; the old one is asked again."""
    if isinstance(error, Unreachable) or (isinstance(error, HttpStatus) and error.retryable):
        return state
    return replace(state, moved_to=None, moved_seen=0, moved_since=None)


def _back_off(source: Source, failures: int, error: WatchfloorError) -> timedelta:
    overloaded = isinstance(error, HttpStatus) and error.status in (429, 503)
    first = max(source.every, HOUR) if overloaded else source.every
    most = max(source.every, UNREACHABLE_CAP if isinstance(error, Unreachable) else DAY)
    wait = min(most, first * (1 << min(failures - 1, 10)))
    wanted = error.retry_after if isinstance(error, FetchError) else None
    return max(wait, min(wanted, LONGEST_WAIT)) if wanted else wait


def _illness(error: WatchfloorError, gone: bool) -> str:
    if gone:
        return "gone"
    return "not-a-feed" if isinstance(error, NotAFeed) else "failing"


STATUS_WORDS = {
    401: "wants a login (401)",
    403: "refuses us (403): it may block programs, or want to know who asks (set WATCHFLOOR_CONTACT)",
    404: "not found (404): moved or ended; `watchfloor sources check` with its site's address looks for it",
    410: "gone for good (410): it is not asked again until its url is changed",
    429: "asks us to come less often (429)",
    503: "is overloaded or asks us to wait (503)",
}


def diagnosis(error: WatchfloorError) -> str:
    """What went wrong, as the operator should read it, without the address."""
    if isinstance(error, HttpStatus):
        return STATUS_WORDS.get(error.status, f"answers with an error (HTTP {error.status})")
    if isinstance(error, Unreachable):
        return f"cannot be reached: {error.reason}"
    if isinstance(error, Refused):
        return f"is not asked: {error.reason}"
    if isinstance(error, FetchError):
        return f"answers with something unusable: {error.reason}"
    return str(error)
