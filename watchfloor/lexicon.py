"""Watchlist -> Lexicon: every form of every term as a pattern for one automaton, and what each stands for.

A pattern is the folded form with a blank on each side, so that only whole words are found; the pattern of a term with
a * has no blank at its end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from ahocorasick_rs import BytesAhoCorasick, Implementation

from watchfloor import query
from watchfloor.spelling import ENGLISH, forms
from watchfloor.watchlist import NearRule, QueryRule, Spelling, Watchlist

PREFIX_AT_LEAST = 3  # letters before a *


class Layer(IntEnum):
    """What kind of thing a form stands for; where two have the same place, the first goes before."""

    HARMLESS = 0
    ENTITY = 1
    KEYWORD = 2
    CONTEXT = 3
    GROUP = 4
    RULE = 5


_KINDS = {layer: layer.name.lower() for layer in Layer}


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A member of the watchlist that forms and rules stand for: one object each, equal to itself alone.

    `number` counts within its layer; `term` is for people.
    """

    layer: Layer
    number: int
    term: str
    weight: float = 0.0
    topics: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Of the evidence it makes."""
        return _KINDS[self.layer]


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """A form stands for this item, under these conditions.

    `letters` are the letters and digits that the original must begin with, capitals included; "" for any. `plain`: the
    language is the only condition.
    """

    item: Item
    language: str | None
    plain: bool
    letters: str
    needs: frozenset[int]
    excludes: frozenset[int]


Span = tuple[int, int]
Standing = tuple[int, int, int]  # a form in a folded text: its number, start and end, blanks included
# A hit is one number, so that thousands are sorted in a blink: the start; what the length lacks to LONGEST, so that of
# hits with one start the longest comes first; the number of the use, which has the harmless ones first.
LONGEST, LENGTH_BITS, USE_BITS = (1 << 12) - 1, 12, 20
START_BITS = LENGTH_BITS + USE_BITS
ONE_USE = (1 << USE_BITS) - 1


def end_of(hit: int) -> int:
    """Where a hit ends in the folded text; it starts at `hit >> START_BITS`, and `hit & ONE_USE` numbers its use."""
    return (hit >> START_BITS) + LONGEST - (hit >> USE_BITS & LONGEST)


@dataclass
class Patterns:
    """Forms to be searched for in one pass, numbered as the automaton reports them."""

    forms: Sequence[str]  # with their blanks
    used: Sequence[Sequence[int]]  # form -> its uses
    uses: Sequence[Use]

    def __post_init__(self) -> None:
        self.automaton = BytesAhoCorasick(
            [form.encode() for form in self.forms] or [b"\n"], implementation=Implementation.ContiguousNFA
        )
        # of terms with a *: found up to the end of the word
        self.open_forms = frozenset(number for number, form in enumerate(self.forms) if not form.endswith(" "))
        self.by_language = _ByLanguage(self.forms, self.used, self.uses, self.open_forms)

    def search(self, haystack: str, language: str) -> tuple[list[int], list[Standing]]:
        """The hits in a folded text, in order; and all forms that stand there, in no order."""
        spoken, standing = self.by_language[language], list(self._found(haystack))
        closed, opened = spoken.closed, spoken.opened
        hits = [(start << START_BITS) + hit for form, start, _ in standing for hit in closed[form]]
        for form, start, end in standing:
            if form in opened:  # as if the rest of the word belonged to the form
                rest = min(haystack.index(" ", end) + 1 - end, LONGEST - (end - start))
                hits += [(start << START_BITS) - (rest << USE_BITS) + hit for hit in opened[form]]
        hits.sort()
        return hits, standing

    def _found(self, haystack: str) -> Iterable[Standing]:
        """Every form that stands there."""
        data = haystack.encode()  # the automaton over characters spends more on counting them than a text takes room
        found: list[Standing] = self.automaton.find_matches_as_indexes(data, overlapping=True)
        return found if len(data) == len(haystack) else self._in_characters(found, data)

    def _in_characters(self, found: Iterable[Standing], data: bytes) -> Iterator[Standing]:
        """What was found, which comes in the order of its ends, with places in characters in place of bytes."""
        last = end = 0
        for form, _, byte in found:
            end += len(data[last:byte].decode())
            last = byte
            yield form, end - len(self.forms[form]), end


class _Hits(dict[int, Sequence[int]]):
    """The hits of each form in a language, but for the start: made as forms turn up, a hundredth of all."""

    def __init__(self, language: str, forms: Sequence[str], used: Sequence[Sequence[int]], uses: Sequence[Use]) -> None:
        self._language, self._forms, self._used, self._uses = language, forms, used, uses

    def __missing__(self, form: int) -> Sequence[int]:
        length, languages = LONGEST - min(len(self._forms[form]), LONGEST) << USE_BITS, (None, self._language)
        hits = self[form] = tuple(length + use for use in self._used[form] if self._uses[use].language in languages)
        return hits


class Spoken(NamedTuple):
    """The hits of each form in a language, but for the start."""

    closed: Mapping[int, Sequence[int]]  # by form; of one with a *, which is in `opened`, none
    opened: Mapping[int, Sequence[int]]

    def hits(self, form: int) -> Sequence[int]:
        """Those of any form."""
        return self.opened.get(form) or self.closed[form]


class _ByLanguage(dict[str, Spoken]):
    """Made for a language when it is first spoken: most desks hear two of the seven."""

    def __init__(
        self, forms: Sequence[str], used: Sequence[Sequence[int]], uses: Sequence[Use], open_forms: frozenset[int]
    ) -> None:
        self._forms, self._used, self._uses, self._open = forms, used, uses, open_forms

    def __missing__(self, language: str) -> Spoken:
        hits = _Hits(language, self._forms, self._used, self._uses)
        opened = {form: hits[form] for form in self._open if hits[form]}
        hits.update(dict.fromkeys(opened, ()))
        spoken = self[language] = Spoken(hits, opened)
        return spoken


@dataclass(frozen=True, slots=True)
class NumberedRule:
    """A rule of two groups, by their numbers, with at most `within` words between."""

    item: Item
    left: int
    right: int
    within: int


@dataclass(frozen=True)
class Lexicon:
    """A compiled watchlist. The words of groups are common ones, and apart, because only rules look for them."""

    languages: frozenset[str]  # in which there are words to judge by
    terms: Patterns
    groups: Patterns
    named_groups: Mapping[int, Sequence[int]]  # use of a name among the terms -> the groups that it belongs to
    near_rules: Mapping[int, Sequence[NumberedRule]]  # by their left group
    query_rules: tuple[tuple[Item, query.Node, frozenset[int]], ...]  # the forms without one of which it cannot match


def compile_watchlist(watchlist: Watchlist) -> Lexicon:
    """Number all forms and build the automaton; 50 ms for 10,000 forms."""
    return _Compiler(watchlist).lexicon()


class _Forms:
    """Numbers patterns and uses as they turn up; uses come in the order of their layers."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.uses: list[Use] = []
        self.used: list[tuple[int, ...]] = []  # form -> its uses: one object for all forms of a term

    def number(self, form: str, *, opened: bool) -> int:
        pattern = f" {form}" if opened and len(form) >= PREFIX_AT_LEAST else f" {form} "
        if pattern not in self.numbers:
            self.numbers[pattern] = len(self.numbers)
            self.used.append(())
        return self.numbers[pattern]

    def patterns(self) -> Patterns:
        """All of them, compiled."""
        return Patterns(list(self.numbers), self.used, self.uses)


class _Compiler:
    def __init__(self, watchlist: Watchlist) -> None:
        self.watchlist = watchlist
        self.languages = frozenset(keyword.spelling.language or ENGLISH for keyword in watchlist.keywords)
        self.terms = _Forms()
        self.groups = _Forms()
        self.known: dict[str, frozenset[int]] = {}
        self.neighbours: dict[tuple[str, ...], frozenset[int]] = {}
        self.named: defaultdict[Spelling, list[int]] = defaultdict(list)  # names -> their uses
        self.named_groups: defaultdict[int, list[int]] = defaultdict(list)

    def lexicon(self) -> Lexicon:
        watchlist = self.watchlist
        groups = tuple(watchlist.groups)
        for item, spelling in members(watchlist):
            self.add(item, spelling)
        near_rules: defaultdict[int, list[NumberedRule]] = defaultdict(list)
        for number, rule in enumerate(watchlist.near_rules):
            left, right = map(groups.index, rule.groups)
            near_rules[left].append(NumberedRule(_rule(number, rule), left, right, rule.within))
        query_rules = tuple(
            (_rule(number, rule), rule.query, self.triggers(rule.query))
            for number, rule in enumerate(watchlist.query_rules, len(watchlist.near_rules))
        )
        return Lexicon(
            languages=self.languages,
            terms=self.terms.patterns(),
            groups=self.groups.patterns(),
            named_groups=dict(self.named_groups),
            near_rules=dict(near_rules),
            query_rules=query_rules,
        )

    def add(self, item: Item, spelling: Spelling) -> None:
        if item.layer is Layer.GROUP and spelling in self.named:  # weapons and the like, which are looked for anyway
            for number in self.named[spelling]:
                self.named_groups[number].append(item.number)
            return
        # names count in every language, words in their own
        language = spelling.language or (None if item.layer is Layer.ENTITY else ENGLISH)
        use = Use(
            item,
            language,
            not (spelling.case or spelling.needs or spelling.excludes),
            _letters(spelling.text) if spelling.case else "",
            self.words(spelling.needs),
            self.words(spelling.excludes),
        )
        known = self.groups if item.layer is Layer.GROUP else self.terms
        if item.layer is Layer.ENTITY:
            self.named[spelling].append(len(known.uses))
        own = (len(known.uses),)
        for form in forms(spelling.text, language=language, exact=spelling.exact):
            known.used[known.number(form, opened=spelling.text.endswith("*"))] += own
        known.uses.append(use)

    def words(self, texts: tuple[str, ...]) -> frozenset[int]:
        if texts not in self.neighbours:  # one set for all terms of an entry, which have the same
            self.neighbours[texts] = frozenset().union(*map(self.word, texts))
        return self.neighbours[texts]

    def word(self, text: str) -> frozenset[int]:
        """The forms of a word that `needs`, `not` or a rule looks for."""
        if text not in self.known:
            opened = text.endswith("*")
            self.known[text] = frozenset(self.terms.number(form, opened=opened) for form in forms(text))
        return self.known[text]

    def triggers(self, node: query.Node) -> frozenset[int]:
        """Forms of which at least one stands in any text that answers the query."""
        return frozenset(number for word in _needed(node) for number in self.trigger(word))

    def trigger(self, term: query.Term) -> Iterator[int]:
        for form in forms(term.text, exact=True):
            yield self.terms.number(form, opened=term.prefix)


def members(watchlist: Watchlist) -> Iterator[tuple[Item, Spelling]]:
    """Everything that has a spelling, in the order of the layers and the file."""
    for number, spelling in enumerate(watchlist.harmless):
        yield Item(Layer.HARMLESS, number, spelling.text), spelling
    for number, entity in enumerate(watchlist.entities):
        item = Item(Layer.ENTITY, number, entity.name, entity.weight, entity.topics)
        yield from ((item, spelling) for spelling in entity.spellings)
    for layer, keywords in ((Layer.KEYWORD, watchlist.keywords), (Layer.CONTEXT, watchlist.contexts)):
        for number, word in enumerate(keywords):
            yield Item(layer, number, word.spelling.text, word.weight, (word.topic,)), word.spelling
    for number, (name, members) in enumerate(watchlist.groups.items()):
        yield from ((Item(Layer.GROUP, number, name), spelling) for spelling in members)


def _rule(number: int, rule: NearRule | QueryRule) -> Item:
    return Item(Layer.RULE, number, rule.name, rule.weight, (rule.topic,))


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


def _needed(node: query.Node) -> set[query.Term]:
    """The smallest set of words of which one must be there."""
    match node:
        case query.Term() | query.Phrase():
            terms = node.terms if isinstance(node, query.Phrase) else (node,)
            return {max(terms, key=lambda term: len(term.text))}
        case query.Near(left, right, _):
            return min(_needed(left), _needed(right), key=len)
        case query.In(_, part):
            return _needed(part)
        case query.Or(parts):
            each = [_needed(part) for part in parts]
            return set().union(*each) if all(each) else set()
        case query.And(parts):
            return min((some for part in parts if (some := _needed(part))), key=len, default=set())
        case _:
            return set()
