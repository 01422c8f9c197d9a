"""One alert of each kind, of our own writing, for `watchfloor alerts test`: what the desk will get, before it does."""

from __future__ import annotations

from datetime import datetime, timedelta

from watchfloor.model import Alert, AlertKind, Brief, Grade

ROUTE = "test"
_SENTENCE = "The minister asked the allies for two more battalions, so that the first can go home by spring."


def samples(now: datetime) -> tuple[Alert, ...]:
    """Alerts as they would be made now: a story, its update, a digest and a message about the monitor itself."""
    story = _brief(1, "A test: ministry asks allies for two battalions", now)
    others = (
        _brief(2, "A test: parliament votes on the missile programme", now, topic="missiles"),
        _brief(3, "A test: allies agree on who pays for the air defence", now, topic="missiles"),
        _brief(4, "A test: talks on warheads begin", now, topic="arms-control"),
    )
    news = "Now 3 publishers carry it."
    return (
        _alert("story", now, "A test: what a story looks like", (story,)),
        _alert("update", now, "Update: a test, what an update looks like", (_brief(1, story.headline, now, news),)),
        _alert("digest", now, "A test: what a digest looks like", (story, *others), "The last day.", "No blind spots."),
        _alert("ops", now, "A test: what a message about the monitor looks like", (), "Nothing is wrong."),
    )


def _alert(kind: AlertKind, now: datetime, subject: str, briefs: tuple[Brief, ...], *lines: str) -> Alert:
    return Alert(f"test:{kind}:{now:%Y%m%dT%H%M%S%f}", kind, ROUTE, now, subject, briefs, lines=lines)


def _brief(number: int, headline: str, now: datetime, news: str = "", topic: str = "force-posture") -> Brief:
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
        news=news,
    )
