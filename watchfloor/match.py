"""Text x Watchlist -> Verdict with Evidence. Pure; nothing here reads a file or a clock.

    title, text
      | language.identify     which words can be meant
      | tokens.fold           " word word word "
      | Patterns.search       every form of every term, in one pass; in headline and lead the words of groups, too
      | _keep_longest         "New START treaty" is not also "start"; harmless phrases swallow what is in them
      | _holds                capitals, needs, not
      | _weighed              weight x field x repetition, the deep body capped
    Verdict

The score is the sum of the weights of the evidence, to the cent: whoever prints the evidence prints the whole sum.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from watchfloor import query
from watchfloor.language import identify
from watchfloor.lexicon import (
    ONE_USE,
    START_BITS,
    Item,
    Layer,
    Lexicon,
    Patterns,
    Span,
    Standing,
    Use,
    compile_watchlist,
    end_of,
)
from watchfloor.model import EntityHit, Evidence, Field, Mention, Verdict
from watchfloor.tokens import Folded, Sentences, fold
from watchfloor.watchlist import Watchlist

# How much a mention counts by where it stands.
IN_TITLE, IN_LEAD, IN_BODY = 1.5, 1.0, 0.35
ALONE = 2.0  # a headline without a text says in eight words what a lead says in sixty
ALONE_WORDS = 6  # of text, up to which a headline stands alone
REPEATED = (1.0, 0.5, 0.25)  # the same term again says less, a fourth time nothing
BODY_CAP = 2.0  # all that mentions below the lead can add, or take away: half a dozen asides are not a story
CONTEXT_CAP = 3.0  # times its weight: what all words of one context can take away
NEAR_REACH = 120  # characters within which `needs` and `not` look, about twenty words
LONG_WORD = 15  # characters; what is further apart need not be counted in words
TOPIC_AT_LEAST = 1.0  # weight that makes a topic one of the story's

HARMLESS, ENTITY, CONTEXT = Layer.HARMLESS, Layer.ENTITY, Layer.CONTEXT  # an enum's own names are slow to look up


# An item at its place in the folded field, blanks included, and in the original.
_Kept = tuple[int, int, Span, Item]


@dataclass
class _Found:
    """What stands in one field, and what of it holds."""

    name: Field
    folded: Folded
    shouting: bool  # all capitals, so that capitals say nothing
    lead_end: int
    hits: Sequence[int]
    standing: Sequence[Standing]
    group_hits: Sequence[int]  # down to the lead's end
    forms: frozenset[int]  # of `standing`
    harmless: list[Span] = field(default_factory=list)
    names: list[_Kept] = field(default_factory=list)
    counted: list[_Kept] = field(default_factory=list)

    @cached_property
    def places(self) -> Mapping[int, Sequence[int]]:
        """Where each form begins, in order. Half of all texts are not asked."""
        places: defaultdict[int, list[int]] = defaultdict(list)
        for form, start, _ in self.standing:
            places[form].append(start)
        return places


class _Claim(NamedTuple):
    """An addend before repetition and caps: an item in a field. Claims of one item repeat each other."""

    item: Item
    found: _Found
    span: Span  # in the original
    factor: float  # that of its place


class Matcher:
    """A watchlist compiled for judging; one serves any number of texts and threads."""

    def __init__(self, watchlist: Watchlist, lexicon: Lexicon | None = None) -> None:
        """`lexicon`: the list compiled, if that was done before."""
        self.watchlist = watchlist
        self.names = {entity.name: entity.kind for entity in watchlist.entities}
        self._lexicon = lexicon or compile_watchlist(watchlist)

    def judge(self, title: str, text: str, language: str | None = None) -> Verdict:
        """The verdict on one story. `language` is what feed or page declare, if they do. Raises for no text."""
        watchlist = self.watchlist
        headline, body = fold(title), fold(text)
        spoken = identify(headline, body, language, self._lexicon.languages)
        if spoken not in self._lexicon.languages:
            return Verdict(False, spoken, False, 0.0, watchlist.threshold, watchlist=watchlist.version)
        fields = (self._search("title", headline, spoken), self._search("text", body, spoken))
        for found in fields:
            _keep_longest(self._lexicon.terms, found, fields)
        entities = self._entities(fields)
        title_factor = _title_factor(fields)
        claims = [*_term_claims(fields, title_factor), *self._near_rules(fields, title_factor)]
        claims += [*self._query_rules(fields, title_factor, entities, claims)]
        weighed = _weighed(claims)
        score = round(sum(weight for _, weight in weighed), 2)
        return Verdict(
            judged=True,
            language=spoken,
            relevant=score >= watchlist.threshold,
            score=score,
            threshold=watchlist.threshold,
            topics=_topics(weighed),
            entities=entities,
            evidence=_evidence(weighed),
            watchlist=watchlist.version,
        )

    # what stands where

    def _search(self, name: Field, folded: Folded, language: str) -> _Found:
        haystack = folded.text
        lead_end = len(haystack) if name == "title" else _lead_end(haystack)
        hits, standing = self._lexicon.terms.search(haystack, language)
        group_hits, _ = self._lexicon.groups.search(haystack[:lead_end], language)
        forms = frozenset([form for form, _, _ in standing])
        return _Found(name, folded, folded.original.isupper(), lead_end, hits, standing, group_hits, forms)

    # what it adds up to

    def _entities(self, fields: Iterable[_Found]) -> tuple[EntityHit, ...]:
        mentions: defaultdict[int, list[Mention]] = defaultdict(list)
        for found in fields:
            name, original = found.name, found.folded.original
            for _, _, (start, end), item in found.names:
                mentions[item.number].append(Mention(name, start, end, original[start:end]))
        known = self.watchlist.entities
        return tuple(EntityHit(known[item].name, known[item].kind, tuple(places)) for item, places in mentions.items())

    def _near_rules(self, fields: Sequence[_Found], title_factor: float) -> Iterator[_Claim]:
        near_rules = self._lexicon.near_rules
        for found in fields:
            words = self._group_words(found)
            rules = [rule for left in words for rule in near_rules.get(left, ()) if rule.right in words]
            if not rules:
                continue
            spans = {
                group: [span for use, span in words[group] if self._counts(use, span, found, fields)]
                for group in {rule.left for rule in rules} | {rule.right for rule in rules}
            }
            for rule in rules:
                if span := _nearest(found, spans[rule.left], spans[rule.right], rule.within):
                    yield _Claim(rule.item, found, found.folded.within(*span), _factor(found, span[0], title_factor))

    def _group_words(self, found: _Found) -> Mapping[int, Sequence[tuple[Use, Span]]]:
        """The words of each group in headline or lead, names among them."""
        uses, terms, named = self._lexicon.groups.uses, self._lexicon.terms.uses, self._lexicon.named_groups
        words: defaultdict[int, list[tuple[Use, Span]]] = defaultdict(list)
        for hit in found.group_hits:
            use = uses[hit & ONE_USE]
            words[use.item.number].append((use, (hit >> START_BITS, end_of(hit))))
        for hit in found.hits:
            if (start := hit >> START_BITS) >= found.lead_end:
                break
            if (number := hit & ONE_USE) in named and (end := end_of(hit)) <= found.lead_end:
                for group in named[number]:
                    words[group].append((terms[number], (start, end)))
        return words

    def _counts(self, use: Use, span: Span, found: _Found, fields: Sequence[_Found]) -> bool:
        """Does a word of a group hold, and no harmless phrase swallow it?"""
        if any(start <= span[0] and span[1] <= end for start, end in found.harmless):
            return False
        return use.plain or _holds(use, *span, self._lexicon.terms, found, fields)

    def _query_rules(
        self, fields: tuple[_Found, _Found], title_factor: float, entities: Iterable[EntityHit], claims: list[_Claim]
    ) -> Iterator[_Claim]:
        title, text = fields
        asked = [
            (item, node)
            for item, node, triggers in self._lexicon.query_rules
            if not (triggers.isdisjoint(title.forms) and triggers.isdisjoint(text.forms))
        ]
        if not asked:
            return
        document = query.Document(
            title.folded.original,
            text.folded.original,
            [entity.name for entity in entities],
            _topics(_weighed(claims)),
        )
        for item, node in asked:
            for place in (query.find(node, document) or ())[:1]:
                found, factor = (title, title_factor) if place.field == "title" else (text, IN_LEAD)
                yield _Claim(item, found, (place.start, place.end), factor)


# -- what holds -------------------------------------------------------------------------------------------------------


def _lead_end(haystack: str) -> int:
    words = haystack.split(None, query.LEAD_WORDS)
    return len(haystack) - len(words[query.LEAD_WORDS]) if len(words) > query.LEAD_WORDS else len(haystack)


def _keep_longest(patterns: Patterns, found: _Found, fields: Sequence[_Found]) -> None:
    """From the left, of what holds and overlaps the longest.

    A name inside a longer keyword is tagged but does not count; a keyword inside a longer name is part of the name.
    """
    named = counted = 0
    uses, span, names, terms = patterns.uses, found.folded.within, found.names, found.counted
    for hit in found.hits:
        start, use = hit >> START_BITS, uses[hit & ONE_USE]
        item = use.item
        layer = item.layer
        if start < (named if layer is ENTITY else counted):
            continue
        end = end_of(hit)
        if not (use.plain or _holds(use, start, end, patterns, found, fields)):
            continue
        last = end - 1  # neighbours share a blank
        if layer is HARMLESS:
            if start >= named:
                named = counted = last
                found.harmless.append((start, end))
            continue
        kept = start, end, span(start, end), item
        if layer is ENTITY:
            named = last
            names.append(kept)
        if item.weight and start >= counted:
            counted = last
            terms.append(kept)


def _holds(use: Use, start: int, end: int, patterns: Patterns, found: _Found, fields: Sequence[_Found]) -> bool:
    """Has the term the capitals and the neighbours it needs? `patterns` are the terms, of which neighbours are."""
    if use.letters and (found.shouting or not found.folded.starts_with(start, use.letters)):
        return False
    if use.needs and not _near_any(use.needs, start, end, patterns.forms, found, fields):
        return False
    return not (use.excludes and _near_any(use.excludes, start, end, patterns.forms, found, fields))


def _near_any(
    forms: frozenset[int], start: int, end: int, texts: Sequence[str], found: _Found, fields: Sequence[_Found]
) -> bool:
    """Is one of the forms within reach, in the headline, or, seen from the headline, in the lead?"""
    for other in fields:
        for form in forms & other.forms:
            length, places = len(texts[form]), other.places[form]
            if other is not found:
                if places[0] < other.lead_end:  # the headline, or the lead under it
                    return True
                continue
            # in order, so that only those within reach are looked at, however often the text says it
            nearest = bisect_right(places, start - NEAR_REACH - length)
            for first in islice(places, nearest, None):
                if first >= end + NEAR_REACH:
                    break
                if first + length <= start + 1 or first >= end - 1:
                    return True
    return False


def _nearest(found: _Found, lefts: Sequence[Span], rights: Sequence[Span], within: int) -> Span | None:
    """The closest pair with at most `within` words between, as one span; the first of equals. A name is no pair."""
    if not lefts or not rights:
        return None
    haystack = found.folded.text
    best, closest = None, within + 1
    places = sorted([*((*span, 0) for span in lefts), *((*span, 1) for span in rights)])
    for number, (start, end, side) in enumerate(places):
        for next_start, next_end, other in islice(places, number + 1, None):
            if next_start - end > within * LONG_WORD:
                break
            if other == side or next_start < end - 1:
                continue
            words = len(haystack[end:next_start].split())
            if words < closest and not any(first <= start and next_end <= last for first, last, *_ in found.names):
                best, closest = (start, next_end), words
    return best


# -- what it adds up to -----------------------------------------------------------------------------------------------


def _title_factor(fields: Sequence[_Found]) -> float:
    return ALONE if len(fields[1].folded.text.split(None, ALONE_WORDS)) <= ALONE_WORDS else IN_TITLE


def _factor(found: _Found, start: int, title_factor: float) -> float:
    if found.name == "title":
        return title_factor
    return IN_LEAD if start < found.lead_end else IN_BODY


def _term_claims(fields: Iterable[_Found], title_factor: float) -> Iterator[_Claim]:
    for found in fields:
        for start, _, span, item in found.counted:
            yield _Claim(item, found, span, _factor(found, start, title_factor))


def _weighed(claims: Iterable[_Claim]) -> list[tuple[_Claim, float]]:
    """Each claim with what it truly adds, to the cent; without those that add nothing."""
    seen: defaultdict[Item, int] = defaultdict(int)
    left = {"body": BODY_CAP, "body context": BODY_CAP}
    weighed = []
    for claim in sorted(claims, key=attrgetter("factor"), reverse=True):
        item, factor = claim.item, claim.factor
        repetition = seen[item]
        if repetition == len(REPEATED):
            continue
        seen[item] = repetition + 1
        weight = item.weight * factor * REPEATED[repetition]
        if factor == IN_BODY or item.layer is CONTEXT:
            weight = _capped(claim, weight, left)
        if weight := round(weight, 2):
            weighed.append((claim, weight))
    return weighed


def _capped(claim: _Claim, weight: float, left: dict[str, float]) -> float:
    """What the cap of the body, or of a context, leaves of a weight."""
    if claim.item.layer is CONTEXT:
        name = f"context {claim.item.topics[0]}"
        room = left.setdefault(name, CONTEXT_CAP * abs(claim.item.weight))
        weight = max(weight, -room)
        left[name] = room + weight
        if claim.factor == IN_BODY:
            weight = max(weight, -left["body context"])
            left["body context"] += weight
    elif claim.factor == IN_BODY:
        weight = min(weight, left["body"])
        left["body"] -= weight
    return weight


def _topics(weighed: Iterable[tuple[_Claim, float]]) -> tuple[str, ...]:
    """What the story is about, the weightiest first."""
    sums: defaultdict[str, float] = defaultdict(float)
    for claim, weight in weighed:
        if claim.item.layer is not CONTEXT:
            for topic in claim.item.topics:
                sums[topic] += weight
    return tuple(topic for topic, weight in sorted(sums.items(), key=lambda item: -item[1]) if weight >= TOPIC_AT_LEAST)


def _evidence(weighed: Iterable[tuple[_Claim, float]]) -> tuple[Evidence, ...]:
    """In reading order."""
    sentences: dict[Field, Sentences] = {}
    found = []
    for (item, at, (start, end), _), weight in weighed:
        if at.name not in sentences:
            sentences[at.name] = Sentences(at.folded.original)
        sentence, topic = sentences[at.name].at(start, end), item.topics[0] if item.topics else None
        found.append(Evidence(item.term, at.name, start, end, weight, sentence, topic, item.kind))
    return tuple(sorted(found, key=lambda one: (one.field == "text", one.start, one.end)))
