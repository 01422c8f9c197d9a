"""Stories x routes x what was told x now -> alerts. Pure: what is decided here is stored and sent by others.

    tell            stories -> one alert per story and route, held by quiet hours, floods, downtime
    sum_up          alerts of a route that were held -> one
    tell_baseline   what came with first answers -> at most one alert per route
    digest_due      route x last digest -> the period that is due
    resting         routes in their quiet hours: nothing is sent on them, not even what is tried again
    digest          stories of a period -> one alert
    next_attempt    what became of a send -> when to try again

An alert's key says what it is about, and the archive takes each key once: told twice is impossible, not unlikely.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from watchfloor.model import Alert, AlertKind, Article, Brief, Coverage, Hold, SendOutcome
from watchfloor.ports import Recent, StoryState
from watchfloor.query import Document, evaluate
from watchfloor.routes import Flood, Quiet, Route

PUBLISHER_MARKS = (3, 10)  # told again when this many carry it: corroborated, then everywhere
UPDATE_REST = timedelta(hours=3)  # what forty feeds add within hours is one update; an official source does not wait
DOWNTIME = timedelta(hours=6)  # without a cycle: what is found then is no longer urgent one by one
BASELINE_LISTED = 10  # stories named in the sum of a first look; the counts say the rest

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=4)
LONGEST_RETRY_AFTER = timedelta(days=1)  # a target that asks for more is not believed
ATTEMPTS = 24  # with these waits three to four days: a mail server may be down over a weekend

HALF_AN_HOUR = timedelta(minutes=30)  # the least by which clocks are changed, on Lord Howe Island

_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
_KEY_TIME = "%Y-%m-%dT%H:%MZ"
_YEAR = re.compile(r"(?:19|20)\d\d")


# -- which route a story takes ----------------------------------------------------------------------------------------


def takes(route: Route, state: StoryState) -> bool:
    """Whether the story is one for this route: each kind of condition that the route names must hold."""
    brief = state.brief
    return (
        (route.score is None or brief.score >= route.score)
        and _meets(route.topics, brief.topics)
        and _meets(route.entities, brief.entities)
        and _meets(route.sources, brief.source_ids)
        and (route.query is None or any(evaluate(route.query, document) for document in _documents(state)))
    )


def _meets(wanted: Sequence[str], present: Iterable[str]) -> bool:
    return not wanted or not {name.casefold() for name in wanted}.isdisjoint(name.casefold() for name in present)


def _documents(state: StoryState) -> Iterable[Document]:
    brief = state.brief
    return (Document(one.title, one.text, entities=brief.entities, topics=brief.topics) for one in state.articles)


# -- at once ----------------------------------------------------------------------------------------------------------

Names = Mapping[str, str]  # topic -> as people call it


def tell(
    states: Sequence[StoryState],
    routes: Sequence[Route],
    now: datetime,
    *,
    recent: Recent | None = None,
    names: Names | None = None,
    idle_since: datetime | None = None,
    again: bool = False,
) -> list[Alert]:
    """The alerts that these stories call for.

    `recent`: for the flood brake; without it the batch alone counts. `idle_since`: nothing ran since then, so that what
    is found now is old already. `again`: updates alone, of stories whose last message was too fresh for one. Routes
    with a digest get nothing here.
    """
    at_once = [route for route in routes if route.digest is None]
    return [
        alert
        for route in at_once
        for alert in _held(
            route,
            _alerts_on(route, [one for one in states if not again or route.name in one.told], now, names or {}),
            (recent or {}).get(route.name, ()),
            now,
            idle_since,
        )
    ]


def idle_since(last_cycle: datetime | None, now: datetime) -> datetime | None:
    """Since when nothing ran, if that is long."""
    return last_cycle if last_cycle and now - last_cycle > DOWNTIME else None


def _alerts_on(route: Route, states: Sequence[StoryState], now: datetime, names: Names) -> list[Alert]:
    live = (state for state in states if not state.muted and not state.baseline and takes(route, state))
    alerts = (
        _story(route, state, now, names) if route.name not in state.told else _update(route, state, now, names)
        for state in live
    )
    return [alert for alert in alerts if alert]


def _story(route: Route, state: StoryState, now: datetime, names: Names) -> Alert:
    key = f"story:{state.brief.story_id}:{route.name}"
    return _alert(route, "story", key, _about(state.brief, names), (state.brief,), now)


def _update(route: Route, state: StoryState, now: datetime, names: Names) -> Alert | None:
    """A second message on a story, if there is material news since what was told last on this route.

    Of a story that is followed every further article is news, and none has to rest.
    """
    before = state.told_brief.get(route.name)
    news = whats_new(before, state) if before else ""
    if state.followed:
        news = " ".join(part for part in (news, _further(state)) if part)
    if before is None or not news:
        return None
    urgent = state.followed or (state.brief.official and not before.official)
    if not urgent and now - state.told[route.name] < UPDATE_REST:
        return None  # not lost: what was told stays the measure, and it is asked again
    key = f"update:{state.brief.story_id}:{route.name}:{state.brief.articles}"
    brief = replace(state.brief, news=news)
    told = state.told[route.name].astimezone(route.timezone)
    alert = _alert(route, "update", key, f"Update: {_about(brief, names)}", (brief,), now)
    return replace(alert, lines=(f"Goes on from the message of {told.day} {told:%B, %H:%M}.",))


def _further(state: StoryState) -> str:
    fresh = [article for article in state.articles if article.id in state.fresh_ids]
    return _named("Also: ", [f'{one.publisher}, "{one.title}"' for one in fresh])


def whats_new(before: Brief, state: StoryState) -> str:
    """What is materially new since `before` was told, in a sentence or more; '' if nothing is."""
    told = {article.id for article in state.articles[: before.articles]} - set(state.fresh_ids)
    fresh = [article for article in state.articles if article.id not in told]
    older = [article for article in state.articles if article.id in told]
    parts = (
        _official_news(before, state.brief, fresh),
        _publisher_news(before, state.brief),
        _named("In later articles also: ", [name for name in state.brief.watched if name not in before.entities]),
        _named("New figures in a headline: ", _new_figures(before, older, fresh)),
    )
    return " ".join(part for part in parts if part)


def _official_news(before: Brief, after: Brief, fresh: Sequence[Article]) -> str:
    if before.official or not after.official:
        return ""
    publishers = dict.fromkeys(article.publisher for article in fresh if article.official)
    return _named("An official source joins: ", list(publishers)) or "An official source joins."


def _publisher_news(before: Brief, after: Brief) -> str:
    had, has = 1 + len(before.others), 1 + len(after.others)
    return f"Now {has} publishers carry it." if any(had < mark <= has for mark in PUBLISHER_MARKS) else ""


def _new_figures(before: Brief, older: Sequence[Article], fresh: Sequence[Article]) -> list[str]:
    """Figures of new headlines that nobody wrote before. Headlines alone: every text brings some number of its own."""
    known = {before.headline, before.sentence, *(part for one in older for part in (one.title, one.text))}
    seen = {figure for text in known for figure in _FIGURE.findall(text)}
    new = dict.fromkeys(figure for article in fresh for figure in _FIGURE.findall(article.title))
    return [figure for figure in new if figure not in seen and not _YEAR.fullmatch(figure)]


def _named(words: str, names: Sequence[str]) -> str:
    return f"{words}{', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}." if names else ""


# -- what is held -----------------------------------------------------------------------------------------------------


def _held(
    route: Route, alerts: list[Alert], recent: Sequence[datetime], now: datetime, idle: datetime | None
) -> list[Alert]:
    """The alerts as they are, or held until an hour at which `sum_up` makes one of all that wait by then."""
    if route.quiet and (morning := quiet_until(route.quiet, route.timezone, now)):
        start, end = (f"{at:%H:%M}" for at in route.quiet)
        return _hold(alerts, "quiet hours", morning, f"Held in the quiet hours, {start} to {end}.")
    if idle:
        since, until = (f"{at.day} {at:%B, %H:%M}" for at in (one.astimezone(route.timezone) for one in (idle, now)))
        return _hold(alerts, "downtime", now, f"Nothing ran from {since} to {until}: this came out meanwhile.")
    if route.flood and (free := _free_at(route.flood, recent, len(alerts), now)):
        free = _out_of_quiet(route, free)
        minutes = int(route.flood.within.total_seconds() // 60)
        said = f"More than {route.flood.more_than} alerts within {minutes} minutes: what was too much comes as one."
        return _hold(alerts, "flood", free, said)
    return alerts


def _hold(alerts: Iterable[Alert], why: Hold, until: datetime, said: str) -> list[Alert]:
    return [replace(alert, held=why, not_before=until, lines=(said,)) for alert in alerts]


def _free_at(flood: Flood, recent: Sequence[datetime], more: int, now: datetime) -> datetime | None:
    """When the brake lets one message go, None if all may: there are never more than so many within the time."""
    lately = sorted(at for at in recent if at > now - flood.within)
    if len(lately) + more <= flood.more_than:
        return None
    return now if len(lately) < flood.more_than else lately[-flood.more_than] + flood.within


def sum_up(alerts: Sequence[Alert], now: datetime) -> Alert:
    """One message of alerts of one route that were held, oldest first; of two on one story the later."""
    briefs = {brief.story_id: brief for alert in alerts for brief in alert.briefs}
    reasons = dict.fromkeys(alert.held for alert in alerts)
    where = " and ".join(_HELD[reason] for reason in reasons if reason)
    mark = hashlib.sha256("\n".join(alert.key for alert in alerts).encode()).hexdigest()[:16]
    return Alert(
        key=f"together:{alerts[0].route}:{mark}",
        kind="flood" if "flood" in reasons else "digest",
        route=alerts[0].route,
        created=now,
        subject=f"{_count(len(briefs), 'story', 'stories')} {where}",
        briefs=tuple(sorted(briefs.values(), key=lambda one: (-one.score, one.story_id))),
        targets=tuple(dict.fromkeys(target for alert in alerts for target in alert.targets)),
        lines=(" ".join(dict.fromkeys(line for alert in alerts for line in alert.lines)),),
    )


_HELD: Mapping[Hold, str] = {"quiet hours": "of the quiet hours", "flood": "at once", "downtime": "while nothing ran"}


def resting(routes: Sequence[Route], now: datetime) -> list[str]:
    """The names of the routes that are in their quiet hours."""
    return [route.name for route in routes if _out_of_quiet(route, now) != now]


def _out_of_quiet(route: Route, moment: datetime) -> datetime:
    """The moment, or the end of the route's quiet hours that it lies in."""
    return (quiet_until(route.quiet, route.timezone, moment) if route.quiet else None) or moment


def quiet_until(quiet: Quiet, zone: ZoneInfo, now: datetime) -> datetime | None:
    """When the quiet hours that `now` lies in end, by the wall clock of `zone`; None outside of them."""
    local = now.astimezone(zone)
    wall, over_midnight = local.time(), quiet.start > quiet.end
    late, early = wall >= quiet.start, wall < quiet.end
    if not (late or early if over_midnight else late and early):
        return None
    return _on_the_wall(local.date() + timedelta(days=late and over_midnight), quiet.end, zone, after=now)


def _on_the_wall(day: date, at: time, zone: ZoneInfo, *, after: datetime | None = None) -> datetime:
    """A wall-clock time as UTC. An hour that is there twice means the first, unless that is not `after`."""
    moment = datetime.combine(day, at, tzinfo=zone)
    first = moment.astimezone(UTC)
    return moment.replace(fold=1).astimezone(UTC) if after and first <= after else first


# -- the first look ---------------------------------------------------------------------------------------------------


def tell_baseline(states: Sequence[StoryState], routes: Sequence[Route], now: datetime) -> list[Alert]:
    """What new sources brought with their first answer, summed up: at most one alert per route."""
    alerts = (_baseline(route, [state for state in states if takes(route, state)], now) for route in routes)
    return [alert for alert in alerts if alert]


def _baseline(route: Route, states: Sequence[StoryState], now: datetime) -> Alert | None:
    briefs = sorted((state.brief for state in states if not state.muted), key=lambda one: (-one.score, one.story_id))
    if not briefs:
        return None
    key = f"baseline:{route.name}:{hashlib.sha256(repr([one.story_id for one in briefs]).encode()).hexdigest()[:16]}"
    listed = tuple(briefs[:BASELINE_LISTED])
    subject = f"First look, {_count(len(briefs), 'story', 'stories')}"
    lines = [
        f"{_where_found(states)} held {_count(len(briefs), 'story', 'stories')} "
        f"in {_count(sum(one.articles for one in briefs), 'article', 'articles')}; all are in the archive."
    ]
    if len(listed) < len(briefs):
        lines.append(f"The {len(listed)} with the highest scores:")
    return replace(_alert(route, "baseline", key, subject, listed, now), lines=tuple(lines))


def _where_found(states: Sequence[StoryState]) -> str:
    if not all(state.baseline for state in states):
        return "What was read before, and matches only now,"
    sources = len({source for state in states for source in state.brief.source_ids})
    return f"The first answers of {_count(sources, 'source', 'sources')}"


# -- digests ----------------------------------------------------------------------------------------------------------

Period = tuple[datetime, datetime]  # from, up to; UTC


def digest_due(route: Route, last: datetime | None, known: datetime, now: datetime) -> Period | None:
    """The period of the digest that is due, None if none is.

    `last`: up to when the latest digest went; before the first a route waits for its hour from when it became `known`.
    What was missed while nothing ran, or held by quiet hours, comes as one digest: it begins where the last one ended.
    """
    if route.digest is None or _out_of_quiet(route, now) != now:
        return None
    end = _latest(route, now)
    if last is None and end <= known:
        return None
    start = last or min(known, _latest(route, end - timedelta(microseconds=1)))
    return (start, end) if start < end else None


def next_digest(routes: Sequence[Route], after: datetime) -> datetime | None:
    """The first time after `after` at which a digest may be due; None where no route has one."""
    coming = (moment for route in routes if route.digest for moment in _coming(route, after))
    return min((moment for moment in coming if moment > after), default=None)


def _coming(route: Route, after: datetime) -> Iterator[datetime]:
    """Moments among which the route's next one after `after` is: days and hours differ with the clocks' changes."""
    step = {"hourly": timedelta(hours=1), "daily": timedelta(days=1), "weekly": timedelta(days=7)}[route.digest or ""]
    yield _out_of_quiet(route, after)
    for halves in range(-2, 3):
        moment = _latest(route, after + step + halves * HALF_AN_HOUR)
        if moment > after:
            yield _out_of_quiet(route, moment)


def _latest(route: Route, now: datetime) -> datetime:
    """The latest moment, not after `now`, at which the route's digest was to be written."""
    local = now.astimezone(route.timezone)
    if route.digest == "hourly":
        return max(moment for moment in _hourly(route, local) if moment <= now)
    day = local.date() - timedelta(days=local.weekday() if route.digest == "weekly" else 0)
    moment = _on_the_wall(day, route.at, route.timezone)
    step = timedelta(days=7 if route.digest == "weekly" else 1)
    return moment if moment <= now else _on_the_wall(day - step, route.at, route.timezone)


def _hourly(route: Route, local: datetime) -> Iterator[datetime]:
    """The moments of the last hours at which the wall clock showed the route's minute.

    An hour that is there twice has two; half an hour that is there twice, as on Lord Howe Island, has one.
    """
    for back in range(4):
        wall = local.replace(minute=route.at.minute, second=0, microsecond=0, tzinfo=None) - timedelta(hours=back)
        first, second = (wall.replace(tzinfo=route.timezone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if first.astimezone(route.timezone).replace(tzinfo=None) == wall:  # else the clocks went past it
            yield first
        if second - first >= timedelta(hours=1):
            yield second


def digest_key(route: str, end: datetime) -> str:
    """The key of the digest that ends then; `digest_end` reads the time back."""
    return f"digest:{route}:{end.astimezone(UTC):{_KEY_TIME}}"


def digest_end(key: str) -> datetime:
    """Up to when the digest with this key goes."""
    return datetime.strptime(key[-len("2026-11-24T06:00Z") :], _KEY_TIME).replace(tzinfo=UTC)


def for_digest(states: Iterable[StoryState], route: Route) -> list[Brief]:
    """The stories that a route's digest tells of: those that take it, without muted ones and first looks."""
    return [state.brief for state in states if not state.muted and not state.baseline and takes(route, state)]


def digest(briefs: Sequence[Brief], blind_spots: Sequence[str], period: Period, route: Route, now: datetime) -> Alert:
    """The digest of a period. It is sent even if nothing happened: silence must not look like a dead monitor."""
    start, end = (moment.astimezone(route.timezone) for moment in period)
    said = f"From {start.day} {start:%B, %H:%M} to {end.day} {end:%B %Y, %H:%M} ({route.timezone.key})."
    if not briefs:
        said += " Nothing relevant came out."
    rhythm = (route.digest or "daily").capitalize()
    subject = f"{rhythm} digest, {end.day} {end:%B %Y}, {_count(len(briefs), 'story', 'stories')}"
    key = digest_key(route.name, period[1])
    ordered = tuple(sorted(briefs, key=lambda one: (-one.score, one.story_id)))
    return replace(_alert(route, "digest", key, subject, ordered, now), lines=(said, *blind_spots))


def blind_spots(seen: Coverage) -> list[str]:
    """What a digest could not see, in sentences: an absence is only news to somebody who knows where we looked."""
    sources = f"{seen.answered} of {_count(seen.sources, 'source', 'sources')} answered"
    read = _count(seen.articles, "article", "articles") + " read"
    if seen.teasers:
        read += f", {seen.teasers} of them only in part"
    lines = [f"{sources}; {read}; {_count(seen.copies, 'copy', 'copies')} folded."]
    unjudged = [f"{language or 'unknown'} ({count})" for language, count in seen.unjudged]
    lines += [
        _named("Silent against their own rhythm: ", seen.silent),
        _named("Failing: ", seen.failing),
        _named("Not judged, for want of words in the language: ", unjudged),
    ]
    return [line for line in lines if line]


# -- delivery ---------------------------------------------------------------------------------------------------------


def next_attempt(attempts: int, outcome: SendOutcome, now: datetime, jitter: float) -> datetime | None:
    """When to try again, None if never: it arrived, it was refused for good, or it was tried often enough.

    `attempts`: made so far, with this one. `jitter`: 0..1, adds up to half of the wait. An unknown outcome is tried
    again as a failure is: a repeat under the same Message-ID is better than a loss.
    """
    if outcome.result in ("sent", "refused") or attempts >= ATTEMPTS:
        return None
    wait: timedelta = min(FIRST_WAIT * 2 ** min(max(attempts, 1) - 1, 16), LONGEST_WAIT) * (1 + jitter / 2)
    asked = min(outcome.retry_after or timedelta(0), LONGEST_RETRY_AFTER)
    return now + max(wait, asked)


def message_id(key: str, target: str) -> str:
    """The id of an alert at a target: the same at every attempt, and known to the mails that refer to it."""
    mark = hashlib.sha256(f"{key}\0{target}".encode()).hexdigest()
    return f"{mark}@watchfloor"


# -- words ------------------------------------------------------------------------------------------------------------


def _alert(route: Route, kind: AlertKind, key: str, subject: str, briefs: tuple[Brief, ...], now: datetime) -> Alert:
    held = quiet_until(route.quiet, route.timezone, now) if route.quiet else None
    return Alert(key, kind, route.name, now, subject, briefs, route.targets, not_before=held)


def _about(brief: Brief, names: Names) -> str:
    """A story in the desk's own words: its topics, never the headline, which is foreign text."""
    topics = ", ".join(names.get(topic, topic) for topic in brief.topics[:2]) or "a story"
    copies = f", {_count(len(brief.copies), 'copy', 'copies')}" if brief.copies else ""
    official = ", an official source" if brief.official else ""
    return f"{topics} ({_count(1 + len(brief.others), 'publisher', 'publishers')}{copies}{official})"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
