"""A record of the archive -> where the item stands, stage by stage, and why, in an analyst's words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from watchfloor.model import Evidence, Record, Verdict

TEXT_FROM = {
    "page": "its page",
    "content": "the feed's own content",
    "summary": "the feed's summary",
    "title": "the headline alone",
}
WAITS_FOR = {"collect": "its page to be asked for", "judge": "its verdict", "sum up": "the message on a new source"}
SENTENCE = 160  # characters; enough to see the words around a term


def explanation(record: Record, zone: ZoneInfo) -> Iterator[str]:
    """The lines of `watchfloor explain`: seen, read, judged, grouped, told."""
    article = record.article
    yield article.title
    yield f"  {article.url or 'no link'}"
    yield ""
    yield from _seen(record, zone)
    yield from _read(record, zone)
    yield from _judged(record, zone)
    yield from _grouped(record)
    yield from _told(record, zone)
    if record.label is not None:
        yield f"Label     {'yes' if record.label else 'no'}, by an analyst"


def _seen(record: Record, zone: ZoneInfo) -> Iterator[str]:
    for seen in record.seen:
        published = f", published {_when(seen.entry.published, zone)}" if seen.entry.published else ", undated"
        yield f"Seen      {_when(seen.first_seen, zone)} in {seen.source_id}{published}"
    if record.article.baseline:
        yield "          with the first answer of its source: told of in that source's one message, if at all"
    if record.old_news:
        yield "          old news when its source was first seen: archived quietly"


def _read(record: Record, zone: ZoneInfo) -> Iterator[str]:
    article = record.article
    if record.duplicate_of:
        yield f"Read      the same page as article {record.duplicate_of}: folded into it"
        return
    words = len(article.text.split())
    yield f"Read      grade {article.grade}, {words} words from {TEXT_FROM[article.text_from]}"
    if record.error:
        yield f"          {record.error}"
    if record.pruned:
        yield f"          its text was let go by the rule of retention on {_when(record.pruned, zone)}"
    for stage in record.waits_for:
        yield f"Waits     for {WAITS_FOR.get(stage, stage)}"


def _judged(record: Record, zone: ZoneInfo) -> Iterator[str]:
    verdict = record.verdict
    if verdict is None:
        yield "Judged    not yet"
        return
    when = f"on {_when(record.judged_at, zone)} by watchlist {verdict.watchlist}"
    if not verdict.judged:
        yield f"Judged    no: the watchlist has no words for its language ({verdict.language}), {when}"
        return
    outcome = "relevant" if verdict.relevant else "not relevant"
    yield f"Judged    {outcome}: score {verdict.score:.2f}, threshold {verdict.threshold:.2f}, {when}"
    if verdict.topics:
        yield f"          topics: {', '.join(verdict.topics)}"
    if verdict.entities:
        yield f"          names: {', '.join(f'{hit.name} ({hit.kind})' for hit in verdict.entities)}"
    yield from the_sum(verdict)


@dataclass(frozen=True, slots=True)
class Reason:
    """All evidence of one term: what it adds in all, and where it stands first."""

    weight: float
    first: Evidence
    places: int


def reasons(verdict: Verdict) -> list[Reason]:
    """The verdict's evidence by term, the heaviest first; the weights add up to the score."""
    by_term = [list(group) for _, group in groupby(sorted(verdict.evidence, key=_term), _term)]
    found = [Reason(sum(one.weight for one in same), same[0], len(same)) for same in by_term]
    return sorted(found, key=lambda reason: -abs(reason.weight))


def the_sum(verdict: Verdict) -> Iterator[str]:
    """Each term with what it adds, the heaviest first, and the sentence it first stands in; the sum is the score."""
    terms = reasons(verdict)
    for reason in terms:
        first = reason.first
        places = f", {reason.places} places" if reason.places > 1 else ""
        yield f"  {reason.weight:+7.2f}  {first.term}  [{first.kind}, {first.field}{places}]"
        yield f"           {_around(first)}"
    yield f"  {sum(reason.weight for reason in terms):+7.2f}  in all"


def _term(evidence: Evidence) -> tuple[str, str]:
    return evidence.term, evidence.kind


def _around(evidence: Evidence) -> str:
    sentence = " ".join(evidence.sentence.split())
    return sentence if len(sentence) <= SENTENCE else f"{sentence[: SENTENCE - 1]}…"


def _grouped(record: Record) -> Iterator[str]:
    if record.story is None:
        return
    story = record.story
    others = f", also in {', '.join(story.others)}" if story.others else ""
    yield f"Story     {story.story_id}, {story.articles} articles: {story.headline} ({story.publisher}{others})"


def _told(record: Record, zone: ZoneInfo) -> Iterator[str]:
    for delivery in record.deliveries:
        when = f" {_when(delivery.sent_at, zone)}" if delivery.sent_at else ""
        error = f": {delivery.error}" if delivery.error else ""
        alert = delivery.alert
        yield f"Told      {alert.kind} on route {alert.route} to {delivery.target}: {delivery.state}{when}{error}"
    if record.story is not None and not record.deliveries:
        yield "Told      to no target"


def _when(moment: datetime | None, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M") if moment else "-"
