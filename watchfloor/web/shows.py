"""What a page shows of the model's types: marked passages, ages, ranks, copies and differences. Pure."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from storage.desk import Card, Standing, TermUse
from watchfloor.briefs import Judgement
from watchfloor.explaining import Reason, reasons
from watchfloor.model import Evidence, Grade
from watchfloor.watchlist import Watchlist

# -- text -------------------------------------------------------------------------------------------------------------

# What could reorder or hide what is read, or is no text: controls but for tab and line end, bidirectional controls,
# zero-width blanks, tags and surrogates.
_UNSEEN = dict.fromkeys(
    [
        *(code for code in range(0x20) if code not in (0x09, 0x0A)),
        *range(0x7F, 0xA0),
        0x061C, 0x200B, 0x200E, 0x200F, 0x2028, 0x2029, 0xFEFF,
        *range(0x202A, 0x202F), *range(0x2060, 0x2070),
        *range(0xD800, 0xE000), *range(0xE0000, 0xE0080),
    ]
)  # fmt: skip


def seen(text: str) -> str:
    """The text without what cannot be seen but would be obeyed."""
    return text.translate(_UNSEEN)


def web_link(url: str | None) -> str | None:
    """The address if it is one to the web; anything else is no link."""
    try:
        parts = urlsplit((url or "").strip())
        return (url or "").strip() if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None


class Piece(NamedTuple):
    """A part of a text. `mark`: "for" or "against" the story, "" for neither."""

    text: str
    mark: str = ""


def pieces(text: str, marks: Iterable[tuple[int, int]], limit: int = 0) -> list[Piece]:
    """The text, cut at its marks; at most `limit` characters of it, if there is a limit."""
    end_at = limit if limit and len(text) > limit else len(text)
    found = _cut(text, 0, end_at, [(start, end, "for") for start, end in sorted(marks)])
    return [*found, Piece("\N{HORIZONTAL ELLIPSIS}")] if end_at < len(text) else found


def paragraphs(text: str, evidence: Iterable[Evidence], field: str = "text") -> list[list[Piece]]:
    """The text's paragraphs, each cut at the evidence in it."""
    spans = sorted(
        (one.start, one.end, "for" if one.weight > 0 else "against")
        for one in evidence
        if one.field == field and one.weight and one.start < one.end
    )
    found = []
    for match in re.finditer(r"[^\n]+", text):
        inside = [span for span in spans if span[0] < match.end() and span[1] > match.start()]
        found.append(_cut(text, match.start(), match.end(), inside))
    return found


def _cut(text: str, begin: int, end: int, spans: Sequence[tuple[int, int, str]]) -> list[Piece]:
    """The part of a text, cut at spans that are sorted; of two that overlap the first is shown whole."""
    found: list[Piece] = []
    at = begin
    for first, last, mark in spans:
        start, stop = max(first, at), min(last, end)
        if start < stop:
            found += [Piece(text[at:start]), Piece(text[start:stop], mark)]
            at = stop
    return [piece for piece in (*found, Piece(text[at:end])) if piece.text]


# -- time -------------------------------------------------------------------------------------------------------------


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago, or how far ahead, in one unit."""
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    said = length(abs(seconds))
    return "now" if abs(seconds) < 60 else f"{said} ago" if seconds > 0 else f"in {said}"


def length(seconds: float | None) -> str:
    """A duration in one unit."""
    if seconds is None:
        return "unknown"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size * (2 if unit == "d" else 1):
            return f"{round(seconds / size)} {unit}"
    return f"{round(seconds)} s"


def clock(moment: datetime | None, zone: ZoneInfo) -> str:
    """A moment in the reader's zone."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" if moment else "-"


def next_month(month: str) -> str:
    """The first day of the month after 2026-11."""
    first = date.fromisoformat(f"{month}-01")
    return (first + timedelta(days=31)).replace(day=1).isoformat()


# -- stories ----------------------------------------------------------------------------------------------------------

VOICES, SCORE, DAY = 1.5, 1.0, 0.75  # per doubling of the publishers and of the score; what a day takes away


def importance(standing: Standing, now: datetime) -> float:
    """How far up a story belongs: many voices first, then a high score, less with every day since its last news."""
    age = max((now - standing.updated) / timedelta(days=1), 0)
    return VOICES * math.log2(1 + standing.voices) + SCORE * math.log2(1 + max(standing.score, 0)) - DAY * age


def ranked(standings: Sequence[Standing], by: str, now: datetime) -> list[int]:
    """The stories' ids, most important or latest first."""
    if by == "newest":
        return [one.story_id for one in standings]  # as the archive gives them
    order = sorted(standings, key=lambda one: (-importance(one, now), -one.story_id))
    return [one.story_id for one in order]


def best(card: Card) -> Judgement:
    """The article that speaks for the story, as `brief_of` chooses it."""
    return max(card.judgements, key=lambda one: (one.article.grade is Grade.FULL, one.verdict.score))


def why(card: Card) -> list[Reason]:
    """The heaviest reasons for the story."""
    return [reason for reason in reasons(best(card).verdict) if reason.weight][:5]


# -- copies and differences -------------------------------------------------------------------------------------------

COPY = 0.6  # of the sentences of the shorter text are in the other: the same text, edited
SENTENCES = 600  # of a text that are compared


@dataclass(slots=True)
class Version:
    """An article of a story, with those that print the same text after it."""

    judgement: Judgement
    copies: list[Copy] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Copy:
    """An article with the text of an earlier one: what it adds, and what it leaves out."""

    judgement: Judgement
    added: tuple[str, ...]
    missing: tuple[str, ...]


def versions(judgements: Sequence[Judgement]) -> list[Version]:
    """The articles in time, copies folded into the first one that has their text."""
    found: list[tuple[Version, list[str], frozenset[str]]] = []
    for one in judgements:
        said = sentences(one.article.text)
        known = frozenset(said)
        first = next((other for other in found if _is_copy(known, other[2])), None)
        if first is None:
            found.append((Version(one), said, known))
        else:
            first[0].copies.append(Copy(one, *differences(first[1], said)))
    return [version for version, _, _ in found]


def _is_copy(one: frozenset[str], other: frozenset[str]) -> bool:
    shorter = min(len(one), len(other))
    return shorter > 1 and len(one & other) >= COPY * shorter


def sentences(text: str) -> list[str]:
    """The text's sentences, blanks evened."""
    parts = re.split(r"(?<=[.!?…。])\s+|\n+", text)
    return [" ".join(part.split()) for part in parts if part.strip()][:SENTENCES]


def differences(before: Sequence[str], after: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The sentences that only the second has, and those that only the first has."""
    steps = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    added = tuple(line for kind, _, _, start, end in steps if kind != "equal" for line in after[start:end])
    missing = tuple(line for kind, start, end, _, _ in steps if kind != "equal" for line in before[start:end])
    return added, missing


# -- the watchlist at work --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sheet:
    """The watchlist by how its terms do: those that hit, those that never do, and those that only make noise.

    `silent`: section -> terms. `noisy`: with how many articles an analyst called irrelevant.
    """

    hits: tuple[TermUse, ...]
    silent: Mapping[str, tuple[str, ...]]
    noisy: tuple[TermUse, ...]


def sheet(watchlist: Watchlist, uses: Sequence[TermUse], labelled: Sequence[TermUse]) -> Sheet:
    """What the list holds against what was found."""
    found = {(use.kind, use.term) for use in uses}
    silent: dict[str, list[str]] = {}
    for section, kind, term in terms_of(watchlist):
        if (kind, term) not in found:
            silent.setdefault(section, []).append(term)
    noisy = [use for use in labelled if use.kind != "context" and use.other and not use.relevant]
    return Sheet(
        hits=tuple(uses),
        silent={section: tuple(dict.fromkeys(terms)) for section, terms in silent.items()},
        noisy=tuple(sorted(noisy, key=lambda use: (-use.other, use.term))),
    )


def terms_of(watchlist: Watchlist) -> Iterator[tuple[str, str, str]]:
    """Section, kind and name of everything that may be evidence; countries tag only, and are left out."""
    for word in watchlist.keywords:
        yield watchlist.topics[word.topic], "keyword", word.spelling.text
    for name in [rule.name for rule in watchlist.near_rules] + [rule.name for rule in watchlist.query_rules]:
        yield "Rules", "rule", name
    for entity in watchlist.entities:
        if entity.weight:
            yield f"Names: {entity.kind}", "entity", entity.name
    for word in watchlist.contexts:
        yield f"Contexts: {word.topic}", "context", word.spelling.text


# -- pages ------------------------------------------------------------------------------------------------------------


def page_of(ids: Sequence[int], after: str, size: int) -> tuple[Sequence[int], str | None]:
    """The ids behind that one, and the key of the next page; from the start where it is no longer among them."""
    start = next((number + 1 for number, id in enumerate(ids) if str(id) == after), 0)
    shown = ids[start : start + size]
    return shown, str(shown[-1]) if start + size < len(ids) else None
