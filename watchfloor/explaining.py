"""A record of the archive -> where the item stands, stage by stage, and why, in an analyst's words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from watchfloor.briefs import bracketed, merge_spans
from watchfloor.model import Article, EntityHit, Evidence, Record, Verdict

TEXT_FROM = {
    "page": "its page",
    "content": "the feed's own content",
    "summary": "the feed's summary",
    "title": "the headline alone",
}
WAITS_FOR = {"collect": "its page to be asked for", "judge": "its verdict", "sum up": "the message on a new source"}
SENTENCE = 300  # characters: some writers need them for one sentence
HEADLINE = {"title": "headline", "text": "text"}  # what readers call the fields


def explanation(record: Record, zone: ZoneInfo) -> Iterator[str]:
    """The lines of `watchfloor explain`: seen, read, judged, grouped, told."""
    article = record.article
    yield article.title
    yield f"  {article.url or 'no link'}"
    yield ""
    yield from _seen(record, zone)
    yield from _read(record, zone)
    yield from _judged(record, zone)
    yield from _weighed(record)
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
        yield f"          names: {', '.join(map(_named, verdict.entities))}"


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


def _named(hit: EntityHit) -> str:
    return f"{hit.name} ({hit.kind}{', by a model' if hit.by == 'model' else ''})"


def _weighed(record: Record) -> Iterator[str]:
    """The sum, then every sentence that it rests on, once, with what was found in it in brackets."""
    if record.verdict is None or not record.verdict.judged:
        return
    yield ""
    yield from the_sum(record.verdict)
    yield ""
    yield from _sentences(record.article, record.verdict.evidence)


def the_sum(verdict: Verdict) -> Iterator[str]:
    """Each term with what it adds, the heaviest first; the sum is the score."""
    terms = reasons(verdict)
    widest = max((len(reason.first.term) for reason in terms), default=0)
    for reason in terms:
        kind = f"against: {reason.first.topic}" if reason.first.kind == "context" else reason.first.kind
        times = f", {reason.places} times" if reason.places > 1 else ""
        place = HEADLINE[reason.first.field]
        yield f"  {reason.weight:+7.2f}  {reason.first.term:{min(widest, 32)}}  {kind}, {place}{times}"
    reached = "reached" if verdict.relevant else "not reached"
    total = sum(reason.weight for reason in terms)
    yield f"  {total:+7.2f}  in all; the threshold of {verdict.threshold:.2f} is {reached}"


def _term(evidence: Evidence) -> tuple[str, str]:
    return evidence.term, evidence.kind


def _sentences(article: Article, evidence: Iterable[Evidence]) -> Iterator[str]:
    """In reading order."""
    found: dict[tuple[str, str], list[Evidence]] = {}
    for one in evidence:
        found.setdefault((one.field, one.sentence), []).append(one)
    for (field, sentence), reasons in found.items():
        whole = article.title if field == "title" else article.text
        yield f"          {HEADLINE[field]}: {_marked(whole, sentence, reasons)}"


def _marked(whole: str, sentence: str, evidence: Sequence[Evidence]) -> str:
    """A sentence with the terms in brackets; as it is, where the text is not the one that was judged."""
    begin = whole.rfind(sentence, 0, evidence[0].start + len(sentence))
    if begin >= 0:
        spans = merge_spans((one.start - begin, min(one.end - begin, len(sentence))) for one in evidence)
        sentence = bracketed(sentence, spans)
    plain = " ".join(sentence.split())
    return plain if len(plain) <= SENTENCE else f"{plain[: SENTENCE - 1]}…"


def _grouped(record: Record) -> Iterator[str]:
    if record.story is None:
        return
    story = record.story
    others = f", also in {', '.join(story.others)}" if story.others else ""
    yield ""
    articles = f"{story.articles} {'article' if story.articles == 1 else 'articles'}"
    yield f"Story     {story.story_id}, {articles}: {story.headline} ({story.publisher}{others})"


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
