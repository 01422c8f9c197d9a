"""A story's articles and their verdicts -> what a message or a page says of it. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from watchfloor.model import Article, Brief, Evidence, Grade, Verdict
from watchfloor.voices import is_wire, plain_title, voice, without_dateline

RULE_MARKED_WHOLE = 3  # words: two terms with one word between read as one
TELLS_ENOUGH = 0.5  # of the heaviest sentence's weight
OPENING = 40  # words by which a text is known again: papers that print another's keep them, and cut the end
_WORD = re.compile(r"\w+(?:['’-]\w+)*")


@dataclass(frozen=True, slots=True)
class Judgement:
    """An article with the verdict on it."""

    article: Article
    verdict: Verdict


def brief_of(story_id: int, judgements: Sequence[Judgement]) -> Brief:
    """Sum up a story of at least one article, in whatever order they come.

    The best article speaks for it: one whose page was read in full before a teaser, then the highest score, then the
    earliest. `others` are the other voices in the order in which they came; a paper that prints a wire's text adds
    none, nor does one that prints another's: they are named among the `copies`.
    """
    in_time = sorted(judgements, key=lambda one: (one.article.first_seen, one.article.id))
    best = max(in_time, key=lambda one: (one.article.grade is Grade.FULL, one.verdict.score))
    sentence, marks = _strongest_sentence(best)
    voice_of = _voices(in_time)
    voices = _distinct(voice_of[one.article.id] for one in in_time)
    publishers = _distinct(one.article.publisher for one in in_time)
    spoken = voice_of[best.article.id]
    wire = "" if spoken == best.article.publisher.strip() else spoken
    others = tuple(name for name in voices if name not in (best.article.publisher, spoken))
    entities = _most_mentioned(in_time)
    listed = {hit.name for one in in_time for hit in one.verdict.entities if hit.by == "list"}
    return Brief(
        story_id=story_id,
        headline=plain_title(best.article.title, best.article.publisher) or best.article.title,
        url=best.article.url,
        publisher=best.article.publisher,
        others=others,
        published=best.article.published,
        first_seen=in_time[0].article.first_seen,
        sentence=sentence,
        marks=marks,
        topics=_distinct(topic for one in [best, *in_time] for topic in one.verdict.topics),
        entities=entities,
        watched=tuple(name for name in entities if name in listed),
        grade=best.article.grade,
        score=max(one.verdict.score for one in in_time),
        articles=len(in_time),
        official=any(one.article.official for one in in_time),
        source_ids=_distinct(one.article.source_id for one in in_time),
        wire=wire,
        copies=tuple(name for name in publishers if name not in (best.article.publisher, wire, *others)),
    )


def _voices(judgements: Iterable[Judgement]) -> dict[int, str]:
    """Whose words each article is in; those that begin with the same words are in one voice."""
    same_words: dict[str, list[Article]] = defaultdict(list)
    for one in judgements:
        same_words[_opening(one.article) or str(one.article.id)].append(one.article)
    return {
        article.id: spoken for copies in same_words.values() for spoken in [_voice_of(copies)] for article in copies
    }


def _voice_of(copies: Iterable[Article]) -> str:
    """The wire's that one of them credits, else that of the first that came out, in whatever order we read them."""
    in_time = sorted(copies, key=lambda one: (one.published or one.first_seen, one.id))
    voices = [voice(one.publisher, one.title, one.text) for one in in_time]
    return next((name for name in voices if is_wire(name)), voices[0])


def _opening(article: Article) -> str:
    """The words by which a text is known again, '' where there are too few."""
    words = without_dateline(article.text).split(None, OPENING)[:OPENING]
    return " ".join(words).casefold() if len(words) == OPENING else ""


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _most_mentioned(judgements: Iterable[Judgement]) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    for one in judgements:
        for entity in one.verdict.entities:
            counts[entity.name] += len(entity.mentions)
    return tuple(sorted(counts, key=lambda name: (-counts[name], name)))


def _strongest_sentence(one: Judgement) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The sentence that tells most of why, and where in it the reasons in favour stand.

    The text's, where it has reasons: the headline is read anyhow, and said twice it tells nothing more.
    """
    reasons = [evidence for evidence in one.verdict.evidence if evidence.weight > 0]
    in_text = [evidence for evidence in reasons if evidence.field != "title"]
    if not reasons:
        return "", ()
    strongest = _most_telling(in_text or reasons)
    begin = _begin(one.article, strongest)
    if begin is None:
        return strongest.sentence, ()
    end = begin + len(strongest.sentence)
    inside = [
        (start - begin, stop - begin)
        for evidence in reasons
        if evidence.field == strongest.field and begin <= evidence.start and evidence.end <= end
        for start, stop in _terms(evidence, strongest.sentence, begin)
    ]
    return strongest.sentence, merge_spans(inside, strongest.sentence)


def _most_telling(reasons: Sequence[Evidence]) -> Evidence:
    """A reason from the first sentence that tells nearly as much as any: reports say what happened at their top."""
    weights: defaultdict[str, float] = defaultdict(float)
    for evidence in reasons:
        weights[evidence.sentence] += evidence.weight
    enough = max(weights.values()) * TELLS_ENOUGH
    return min((one for one in reasons if weights[one.sentence] >= enough), key=lambda one: one.start)


def _terms(evidence: Evidence, sentence: str, begin: int) -> list[tuple[int, int]]:
    """The spans to mark. A rule's runs from its first term to its last, with a clause between: its ends are marked."""
    words = list(_WORD.finditer(sentence, evidence.start - begin, evidence.end - begin))
    if evidence.kind != "rule" or len(words) <= RULE_MARKED_WHOLE:
        return [(evidence.start, evidence.end)]
    return [(begin + word.start(), begin + word.end()) for word in (words[0], words[-1])]


def _begin(article: Article, evidence: Evidence) -> int | None:
    """Where the evidence's sentence begins in its field; None where it was cut or cleaned and is not found."""
    field = article.title if evidence.field == "title" else article.text
    length = len(evidence.sentence)
    begin = field.rfind(evidence.sentence, max(evidence.end - length, 0), evidence.start + length)
    return begin if begin >= 0 and length else None


def merge_spans(spans: Iterable[tuple[int, int]], text: str = "") -> tuple[tuple[int, int], ...]:
    """Spans in order, those that overlap or touch, or have one blank of the text between them, as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and (start <= merged[-1][1] or text[merged[-1][1] : start] == " "):
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def bracketed(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with these spans, in order and apart, in brackets: marks for where there are no colours."""
    for start, end in reversed(spans):
        text = f"{text[:start]}[{text[start:end]}]{text[end:]}"
    return text
