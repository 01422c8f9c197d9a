"""Watchlist -> what in it is allowed and in vain: terms that can never be seen, and groups that nobody asks for. Pure.

Of two terms that stand for the same words only one is seen: harmless phrases go before names, names that count before
keywords, keywords before contexts, and of equals what stands first in the file. A term is in its shadow when that holds
for each of its forms, and the other holds whenever this one would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from watchfloor.lexicon import ONE_USE, PREFIX_AT_LEAST, Item, Layer, Patterns, Use, compile_watchlist, members
from watchfloor.watchlist import Spelling, Watchlist


@dataclass(frozen=True, slots=True)
class Finding:
    """A term of the list, by its line, and why it says nothing."""

    line: int
    reason: str
    hint: str

    def as_json(self) -> dict[str, object]:
        """What `watchlist check --format json` prints of it."""
        return {"line": self.line, "reason": self.reason, "hint": self.hint}


def findings(watchlist: Watchlist) -> list[Finding]:
    """What is in vain, in the order of the file."""
    found = [*_silent(watchlist), *_cancelled(watchlist), *_shadowed(watchlist)]
    return sorted(dict.fromkeys(found), key=lambda one: one.line)


def _silent(watchlist: Watchlist) -> Iterator[Finding]:
    for word in (*watchlist.keywords, *watchlist.contexts):
        if not word.weight and word.spelling.line:
            yield Finding(word.spelling.line, f"{word.spelling.text!r} has weight 0: it says nothing", "take it out")


def _cancelled(watchlist: Watchlist) -> Iterator[Finding]:
    """Every word that would let it count is also one that forbids it."""
    for _, spelling in members(watchlist):
        if spelling.line and spelling.needs and set(spelling.needs) <= set(spelling.excludes):
            reason = f"{spelling.text!r} can never count: each word that it needs is one of its `not`"
            yield Finding(spelling.line, reason, "take those words out of one of the two")


def _shadowed(watchlist: Watchlist) -> Iterator[Finding]:
    lexicon = compile_watchlist(watchlist)
    spellings = [spelling for item, spelling in members(watchlist) if item.layer is not Layer.GROUP]
    for number, other in _in_shadow(lexicon.terms, sorted(lexicon.languages)):
        use, before = lexicon.terms.uses[number], lexicon.terms.uses[other]
        if line := spellings[number].line:
            yield Finding(line, *_told(use.item, spellings[number], before.item, spellings[other]))


def _in_shadow(patterns: Patterns, languages: Iterable[str]) -> Iterator[tuple[int, int]]:
    """The uses of which every form is another's in each language, each with the first such other."""
    opened = {patterns.forms[form]: form for form in patterns.open_forms}
    taken: dict[int, int | None] = {}  # use -> who takes its places; None where it is seen somewhere
    for language in languages:
        spoken = patterns.by_language[language]
        for form, text in enumerate(patterns.forms):
            rivals = [hit & ONE_USE for one in _longer(form, text, opened) for hit in spoken.hits(one)]
            for number in (hit & ONE_USE for hit in spoken.hits(form)):
                other = next((one for one in sorted(rivals) if _before(patterns.uses, one, number)), None)
                taken[number] = other if taken.get(number, other) is not None else None
    yield from ((number, other) for number, other in taken.items() if other is not None)


def _longer(form: int, text: str, opened: dict[str, int]) -> list[int]:
    """The form, and those with a * that take its words too: "invad*" for "invaded"."""
    shortest = text.rstrip().rfind(" ") + 1 + PREFIX_AT_LEAST
    return [form, *(opened[text[:end]] for end in range(shortest, len(text)) if text[:end] in opened)]


def _before(uses: Sequence[Use], one: int, other: int) -> bool:
    """Does the first use take every place of the second?"""
    taker, taken = uses[one], uses[other]
    if one >= other or not _reaches(taker.item, taken.item):
        return False
    return (
        taker.language in (None, taken.language)
        and taker.letters in ("", taken.letters)
        and (not taker.needs or (bool(taken.needs) and taken.needs <= taker.needs))
        and taker.excludes <= taken.excludes
    )


def _reaches(taker: Item, taken: Item) -> bool:
    """Names of no weight leave the words to the keywords; what counts twice for one item is no loss but a double."""
    if taker.layer is Layer.ENTITY and taken.layer is not Layer.ENTITY:
        return bool(taker.weight)
    return taker.layer in (Layer.HARMLESS, Layer.ENTITY) or taken.layer is not Layer.ENTITY


def _told(item: Item, spelling: Spelling, other: Item, by: Spelling) -> tuple[str, str]:
    """Why a term is never seen, and what to do."""
    where = f"in line {by.line}" if by.line else "of the built-in names of countries"
    term, takes = repr(spelling.text), f"{by.text!r} {where}"
    if other is item or (item.layer is other.layer and item.topics == other.topics and item.layer is not Layer.ENTITY):
        return f"{term} says nothing new: {takes} covers it", "take one out"
    if other.layer is Layer.HARMLESS:
        return f"{term} can never count: the harmless phrase {takes} takes its words", "take one out"
    if item.layer is Layer.ENTITY:
        hint = "give one of them the words that it needs, or `case`"
        return f"{term} names {item.term}, but always counts as {other.term}, {where}", hint
    if other.layer is Layer.ENTITY:
        return f"{term} can never count: it is a name of {other.term}, {where}", "take it out, or weigh the name"
    hint = "keep it in one of them"
    return f"{term} is in {item.topics[0]}, but always counts as {by.text!r} of {other.topics[0]}, {where}", hint
