"""One alert of each kind, of our own writing, for `watchfloor alerts test`: what the desk will get, before it does.

The deciders of the house make them, so that they read as the real ones do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from traceback import extract_tb
from zoneinfo import ZoneInfo

from jinja2 import TemplateSyntaxError

from alerts.render import render
from watchfloor import alerting, incidents
from watchfloor.errors import AlertsError
from watchfloor.model import Alert, Brief, Coverage, Grade, SourceHealth, Vitals
from watchfloor.ports import StoryState
from watchfloor.routes import Flood, Route

DAY = timedelta(days=1)
_SENTENCE = "The minister asked the allies for two more battalions, so that the first can go home by spring."
_HEADLINES = (
    ("A test: ministry asks allies for two battalions", "force-posture"),
    ("A test: parliament votes on the missile programme", "missiles"),
    ("A test: allies agree on who pays for the air defence", "missiles"),
    ("A test: talks on warheads begin", "arms-control"),
)


def samples(now: datetime, zone: ZoneInfo, names: Mapping[str, str] | None = None) -> tuple[Alert, ...]:
    """Alerts as they would be made now: a story, its update, a first look, a digest, a flood, and a message about the
    monitor itself with its all-clear. `names`: of topics, as the watchlist gives them."""
    route = Route("test", timezone=zone, flood=Flood(3, timedelta(minutes=10)))
    briefs = tuple(_brief(number, *told, now) for number, told in enumerate(_HEADLINES, start=1))
    states = [_state(brief) for brief in briefs]
    grown = replace(
        states[0],
        brief=replace(briefs[0], others=("The Sample Gazette", "A Sample Ministry"), official=True, articles=3),
        told={"test": now - timedelta(hours=4)},
        told_brief={"test": briefs[0]},
    )
    told = alerting.tell([states[0], grown], [replace(route, flood=None)], now, names=names)
    made = (
        *told,
        *alerting.tell_baseline([replace(state, baseline=True) for state in states], [route], now),
        _digest(briefs, replace(route, digest="daily"), now),
        alerting.sum_up(alerting.tell(states, [route], now, names=names), now),
        *_of_the_monitor(now),
    )
    return tuple(replace(one, key=f"test:{number}:{now:%Y%m%dT%H%M%S%f}") for number, one in enumerate(made))


def _digest(briefs: tuple[Brief, ...], route: Route, now: datetime) -> Alert:
    seen = Coverage(
        sources=24,
        answered=22,
        silent=("The Sample Gazette",),
        failing=("A Sample Ministry",),
        articles=310,
        teasers=12,
        copies=9,
        unjudged=(("fi", 4),),
    )
    return alerting.digest(briefs, alerting.blind_spots(seen), (now - DAY, now), route, now)


def _of_the_monitor(now: datetime) -> tuple[Alert, ...]:
    well = Vitals((), (), 0, None, None)
    silent = SourceHealth("sample", "A test, The Sample Gazette", "silent", "nothing new for 9 days", None)
    opened = incidents.change((), replace(well, sources=(silent,)), (), now)
    closed = incidents.change(opened.opened, well, (), now)
    return tuple(one.alert for one in (opened, closed) if one.alert)


def _state(brief: Brief) -> StoryState:
    return StoryState(brief, (), baseline=False, new=True, fresh_ids=(), told={}, told_brief={})


def _brief(number: int, headline: str, topic: str, now: datetime) -> Brief:
    term = "two more battalions"
    start = _SENTENCE.index(term)
    return Brief(
        story_id=number,
        headline=headline,
        url=None,
        publisher="Watchfloor",
        others=("The Sample Gazette",),
        published=now - timedelta(minutes=20),
        first_seen=now,
        sentence=_SENTENCE,
        marks=((start, start + len(term)),),
        topics=(topic,),
        entities=("NATO",),
        grade=Grade.FULL,
        score=7.5,
        source_ids=("sample",),
    )


def try_templates(folder: Path, now: datetime) -> None:
    """Write each kind of alert with a user's templates.

    Raises:
        AlertsError: a template cannot be read or filled in; names its file and line.
    """
    for sample in samples(now, ZoneInfo("UTC")):
        try:
            render(sample, ZoneInfo("UTC"), templates=folder)
        except TemplateSyntaxError as error:
            raise AlertsError(f"{error.message}", path=error.filename or folder, line=error.lineno) from None
        except Exception as error:  # whatever a template does: it is the user's own
            frames = [one for one in extract_tb(error.__traceback__) if Path(one.filename).parent == folder]
            place = frames[-1] if frames else None
            hint = f"in a message of the kind {sample.kind}"
            raise AlertsError(
                f"{error}", path=place.filename if place else folder, line=place.lineno if place else None, hint=hint
            ) from None
