"""The query language: text -> tree; used by the rules of the watchlist and by the search of the archive.

expression   means
----------   -----
troops iraq            both words, anywhere (AND may be left out)
troops OR forces       either
troops NOT exercise    the first without the second; also -exercise
"arms control"         the words in this order, side by side
warhead NEAR/5 submarine   at most 5 words between them, either order
deploy*                any word that begins so
title:nato lead:iraq   only in the title, only in the title or the first 60 words
entity:"New START"     an entity of the watchlist, by canonical name or alias
topic:nuclear          a topic of the watchlist
case:START             only with these capitals
( )                    groups; a field may stand before a group: title:(nato OR alliance)

NEAR binds closest, then NOT, AND, OR. AND, OR, NOT and NEAR are capitals; NEAR alone is NEAR/10. A word with signs in
it (air-defence, O'Brien) is a phrase. Words and phrases are found within one field: title and text do not run together.

`parse` refuses what is faulty and says where, for rules. `read_leniently` reads anything, for people who search.
`evaluate` answers for one document in memory; storage compiles the same tree to SQL, and one table of cases
(tests/query_cases.py) holds all three to the same answers.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn

from watchfloor.errors import QueryError
from watchfloor.model import Field
from watchfloor.tokens import Token, search_tokens, tokenize

QueryField = Literal["title", "lead"]
LEAD_WORDS = 60  # title: and lead: look at the title, and at the title and this many words of the text


@dataclass(frozen=True, slots=True)
class Term:
    """A word, folded unless `case`; `prefix` for a trailing *."""

    text: str
    prefix: bool = False
    case: bool = False


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words side by side, in this order. The last one may be a prefix."""

    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Near:
    """Two words or phrases with at most `distance` words between them, in either order."""

    left: Term | Phrase
    right: Term | Phrase
    distance: int


@dataclass(frozen=True, slots=True)
class In:
    """`node` is looked for in one field only."""

    field: QueryField
    node: Node


@dataclass(frozen=True, slots=True)
class Tagged:
    """The verdict names this entity or topic."""

    what: Literal["entity", "topic"]
    name: str


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not this."""

    part: Node


Node = Term | Phrase | Near | In | Tagged | And | Or | Not


# -- text -> tree -----------------------------------------------------------------------------------------------------

FIELDS = ("title", "lead", "entity", "topic", "case")
NEAR_DEFAULT = 10
NEAR_LIMIT = 100  # further apart than this is AND
NEAR_PAIRS = 10_000  # of alternatives on both sides
DEPTH_LIMIT = 50  # of groups within groups; Python's own stack ends near 1,000
LENGTH_LIMIT = 20_000  # of a rule
PREFIX_AT_LEAST = 2  # letters before *: one letter would match a twelfth of all words
LENIENT_LENGTH, LENIENT_WORDS = 200, 20  # of a search typed by a person; more is a paste by mistake

_LEXEME = re.compile(r'\s*(?:(?P<open>\()|(?P<close>\))|(?P<quoted>"[^"]*"\*?)|(?P<lone>")|(?P<word>[^\s()"]+))')
_FIELD = re.compile(r"([^\W\d_]+):")
_NEAR = re.compile(r"NEAR(?:/(\d+))?$")
_MEANT_NEAR = re.compile(r"near/\S*$", re.IGNORECASE)


class _Lexeme(NamedTuple):
    kind: str  # open, close, quoted, lone, word, end
    text: str
    column: int


def parse(text: str, *, path: Path | str | None = None, line: int | None = None) -> Node:
    """Read a query. `path` and `line` say where it stands, for the error.

    Raises:
        QueryError: with the column in `text` (from 1) and, where there is one, a hint.
    """
    return _Parser(text, path, line).read()


class _Parser:
    """Recursive descent over the lexemes, one method a level of binding."""

    def __init__(self, text: str, path: Path | str | None, line: int | None) -> None:
        self.path, self.line, self.depth = path, line, 0
        if len(text) > LENGTH_LIMIT:
            self.refuse("the query is too long", LENGTH_LIMIT + 1, f"at most {LENGTH_LIMIT} characters")
        self.lexemes = [*_lexemes(text), _Lexeme("end", "", len(text) + 1)]
        self.at = 0

    def refuse(self, reason: str, column: int, hint: str | None = None) -> NoReturn:
        raise QueryError(reason, path=self.path, line=self.line, column=column, hint=hint)

    def refuse_lone(self, mark: _Lexeme) -> NoReturn:
        self.refuse("this quotation mark is never closed", mark.column, 'put a " at the end of the phrase')

    @property
    def next(self) -> _Lexeme:
        return self.lexemes[self.at]

    def take(self) -> _Lexeme:
        self.at += 1
        return self.lexemes[self.at - 1]

    def takes(self, word: str) -> bool:
        found = self.next.kind == "word" and self.next.text == word
        self.at += found
        return found

    def read(self) -> Node:
        if self.next.kind == "end":
            self.refuse("the query is empty", 1)
        node = self.either()
        if self.next.kind == "close":
            self.refuse("this parenthesis was never opened", self.next.column)
        return node

    def either(self) -> Node:
        parts = [self.all_of()]
        while self.takes("OR"):
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def all_of(self) -> Node:
        parts = [self.negated()]
        while self.takes("AND") or not (self.next.kind in ("end", "close") or self.next.text == "OR"):
            parts.append(self.negated())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def negated(self) -> Node:
        if self.takes("NOT"):
            return Not(self.deeper(self.negated))
        if self.next.kind == "word" and self.next.text.startswith("-"):
            lexeme = self.take()
            if len(lexeme.text) > 1:
                self.at -= 1
                self.lexemes[self.at] = _Lexeme("word", lexeme.text[1:], lexeme.column + 1)
            elif self.next.column != lexeme.column + 1:
                self.refuse("a lone - says nothing", lexeme.column, "write -word or NOT word")
            return Not(self.deeper(self.negated))
        return self.near()

    def near(self) -> Node:
        column, left = self.next.column, self.atom()
        if self.next.kind != "word" or not (operator := _NEAR.match(self.next.text)):
            return left
        near = self.take()
        distance = int(operator[1][:9]) if operator[1] else NEAR_DEFAULT
        if distance > NEAR_LIMIT:
            self.refuse(f"NEAR/{distance} is too far", near.column, f"at most NEAR/{NEAR_LIMIT}; further apart is AND")
        right_column, right = self.next.column, self.atom()
        if self.next.kind == "word" and _NEAR.match(self.next.text):
            self.refuse("NEAR joins two", self.next.column, "write a NEAR/5 b AND b NEAR/5 c")
        lefts, rights = self.words_of(left, column), self.words_of(right, right_column)
        if len(lefts) * len(rights) > NEAR_PAIRS:
            self.refuse("too many alternatives beside NEAR", near.column, f"at most {NEAR_PAIRS} pairs of them")
        nodes = [Near(one, other, distance) for one, other in product(lefts, rights)]
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def words_of(self, node: Node, column: int) -> list[Term | Phrase]:
        """The words beside NEAR; a group of alternatives stands for each of them."""
        parts = node.parts if isinstance(node, Or) else (node,)
        found = [part for part in parts if isinstance(part, Term | Phrase)]
        if len(found) < len(parts):
            self.refuse("NEAR joins words and phrases", column, "a field goes before the group: title:(a NEAR/5 b)")
        return found

    def deeper(self, inner: Callable[[], Node]) -> Node:
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            self.refuse("too many groups within groups", self.next.column, f"at most {DEPTH_LIMIT}")
        node = inner()
        self.depth -= 1
        return node

    def atom(self) -> Node:
        lexeme = self.take()
        if lexeme.kind == "open":
            return self.group(lexeme)
        if lexeme.kind == "quoted":
            return self.words(lexeme.text, lexeme.column)
        if lexeme.kind == "lone":
            self.refuse_lone(lexeme)
        if lexeme.kind != "word" or lexeme.text in ("AND", "OR", "NOT") or _NEAR.match(lexeme.text):
            what = f"before {lexeme.text}" if lexeme.text else "at the end"
            self.refuse(
                f"a word is missing {what}", lexeme.column, "operators stand between words; quote a literal AND"
            )
        if _MEANT_NEAR.match(lexeme.text):
            self.refuse(f"{lexeme.text} joins nothing", lexeme.column, "capitals and a number, as in NEAR/5")
        if prefix := _FIELD.match(lexeme.text):
            return self.within(prefix[1], lexeme)
        return self.words(lexeme.text, lexeme.column)

    def group(self, opened: _Lexeme) -> Node:
        if self.next.kind == "close":
            self.refuse("an empty group", opened.column)
        node = self.deeper(self.either)
        if self.next.kind != "close":
            self.refuse("this parenthesis is never closed", opened.column, "put a ) where the group ends")
        self.at += 1
        return node

    def within(self, name: str, lexeme: _Lexeme) -> Node:
        """What stands after `name:`, which has to follow at once."""
        if name not in FIELDS:
            known = ", ".join(f"{known}:" for known in FIELDS)
            self.refuse(f"there is no field {name}:", lexeme.column, f"fields are {known} else put it in quotes")
        rest, column = lexeme.text[len(name) + 1 :], lexeme.column + len(name) + 1
        if rest.startswith("-"):
            self.refuse(f"a - within {name}:", column, f"it goes before the field: -{name}:word")
        if rest:
            self.at -= 1
            self.lexemes[self.at] = _Lexeme("word", rest, column)
        elif self.next.column == column and self.next.kind == "lone":
            self.refuse_lone(self.next)
        elif self.next.column != column or self.next.kind not in ("open", "quoted"):
            self.refuse(f"nothing follows {name}:", lexeme.column, f"no blank after the colon: {name}:word")
        if name in ("entity", "topic", "case"):
            return self.named(name)
        node = self.atom()
        if any(isinstance(part, In | Tagged) for part in walk(node)):
            self.refuse("a field within a field", column)
        return In("title" if name == "title" else "lead", node)

    def named(self, name: str) -> Node:
        lexeme = self.take()
        if lexeme.kind == "open":
            self.refuse(f"{name}: takes a word or a phrase in quotes", lexeme.column, f'{name}:"two words"')
        if name == "case":
            return self.words(lexeme.text, lexeme.column, case=True)
        tag = lexeme.text.strip('"').strip()
        if not search_tokens(tag):
            self.refuse(f"{name}: names nothing", lexeme.column)
        return Tagged("entity" if name == "entity" else "topic", tag)

    def words(self, text: str, column: int, *, case: bool = False) -> Term | Phrase:
        """A word or, where signs divide it or it is quoted, a phrase."""
        inner = text.rstrip("*").strip('"').rstrip()
        prefix = text.endswith(("*", '*"'))
        inner = inner.rstrip("*")
        if "*" in inner:
            self.refuse("* may only stand at the end", column, "as in deploy*")
        words = [inner[token.start : token.end] for token in tokenize(inner)] if case else search_tokens(inner)
        if not words:
            self.refuse(f"{text} has neither letter nor digit", column)
        if prefix and len(words[-1]) < PREFIX_AT_LEAST:
            self.refuse("too short before *", column, f"at least {PREFIX_AT_LEAST} letters")
        *first, last = words
        terms = (*(Term(word, case=case) for word in first), Term(last, prefix=prefix, case=case))
        return terms[0] if len(terms) == 1 else Phrase(terms)


_STRAIGHT = str.maketrans("“”„«»", '"' * 5)  # quotation marks as editors write them


def _lexemes(text: str) -> Iterator[_Lexeme]:
    for match in _LEXEME.finditer(text.translate(_STRAIGHT)):
        kind = str(match.lastgroup)
        yield _Lexeme(kind, match[kind], match.start(kind) + 1)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a person's search was understood. `node` None: no word in it. `note`: what was cut or ignored, in words."""

    node: Node | None
    note: str | None = None


def read_leniently(text: str) -> Reading:
    """Read what a person typed; never raises. What is too long is cut, what does not parse is read as plain words."""
    kept, note = _cut(text)
    try:
        return Reading(parse(kept), note)
    except QueryError as error:
        words = search_tokens(kept)
        if not words:
            return Reading(None, note)
        plain = f"read as plain words: {error.reason}"
        terms = tuple(Term(word) for word in dict.fromkeys(words))
        return Reading(terms[0] if len(terms) == 1 else And(terms), f"{note}; {plain}" if note else plain)


def parse_lenient(text: str) -> Node | None:
    """The tree of `read_leniently`, for those who do not show its note."""
    return read_leniently(text).node


def _cut(text: str) -> tuple[str, str | None]:
    """The first words that a search may have, and a note if there were more."""
    head = text[: LENIENT_LENGTH + 1]
    if len(head) > LENIENT_LENGTH:
        head = head.rsplit(None, 1)[0][:LENIENT_LENGTH]
    words = tokenize(head)
    if len(words) > LENIENT_WORDS:
        head = head[: words[LENIENT_WORDS - 1].end]
    if head.rstrip() == text.rstrip():
        return text, None
    return head, f"only the first {min(len(words), LENIENT_WORDS)} words were looked for"


# -- tree -> text -----------------------------------------------------------------------------------------------------

_BINDING = {Or: 0, And: 1, Not: 2}  # all else binds closest


def show(node: Node) -> str:
    """The query as text; `parse` gives the same tree back."""
    match node:
        case Term() | Phrase():
            return _show_words(node)
        case Near(left, right, distance):
            return f"{_show_words(left)} NEAR/{distance} {_show_words(right)}"
        case In(field, inner):
            return f"{field}:{_show_words(inner) if isinstance(inner, Term | Phrase) else f'({show(inner)})'}"
        case Tagged(what, name):
            return f'{what}:"{name}"'
        case Not(part):
            return f"NOT {_show_under(part, 2)}"
        case And(parts) | Or(parts):
            joint, binding = (" AND ", 2) if isinstance(node, And) else (" OR ", 1)
            return joint.join(_show_under(part, binding) for part in parts)


def _show_under(node: Node, binding: int) -> str:
    text = show(node)
    return f"({text})" if _BINDING.get(type(node), 3) < binding else text


def _show_words(node: Term | Phrase) -> str:
    terms = node.terms if isinstance(node, Phrase) else (node,)
    words = " ".join(term.text for term in terms) + "*" * terms[-1].prefix
    return "case:" * terms[0].case + (f'"{words}"' if isinstance(node, Phrase) else words)


# -- tree x document -> places ----------------------------------------------------------------------------------------


class Place(NamedTuple):
    """Where a query found something: code points of the field, `end` exclusive."""

    field: Field
    start: int
    end: int


class _Words(NamedTuple):
    """Found words: `first` to before `last`, counted in words of the field."""

    field: Field
    first: int
    last: int


@dataclass(frozen=True)
class Document:
    """What a query is put to. `entities` and `topics` are the names that the verdict gives."""

    title: str
    text: str
    entities: Iterable[str] = ()
    topics: Iterable[str] = ()

    @cached_property
    def tokens(self) -> dict[Field, list[Token]]:
        """The words of each field."""
        return {"title": tokenize(self.title), "text": tokenize(self.text)}

    @cached_property
    def index(self) -> dict[Field, dict[str, list[int]]]:
        """Where each word stands, counted in words."""
        index: dict[Field, dict[str, list[int]]] = {"title": {}, "text": {}}
        for field, tokens in self.tokens.items():
            for number, token in enumerate(tokens):
                index[field].setdefault(token.text, []).append(number)
        return index

    @cached_property
    def tags(self) -> dict[str, set[str]]:
        """Names, folded."""
        return {
            "entity": {_fold_name(name) for name in self.entities},
            "topic": {_fold_name(name) for name in self.topics},
        }

    def place(self, words: _Words) -> Place:
        """Where words stand in the text of their field."""
        tokens = self.tokens[words.field]
        return Place(words.field, tokens[words.first].start, tokens[words.last - 1].end)


def _in_order(words: _Words) -> tuple[bool, int, int]:
    return words.field != "title", words.first, words.last


def evaluate(node: Node, document: Document) -> bool:
    """Does the document answer the query?"""
    return _find(node, document, None) is not None


def find(node: Node, document: Document) -> tuple[Place, ...] | None:
    """The places that made it match, in order (none for NOT and names), None if it does not match."""
    found = _find(node, document, None)
    return None if found is None else tuple(document.place(words) for words in sorted(set(found), key=_in_order))


def _find(node: Node, document: Document, within: QueryField | None) -> list[_Words] | None:
    match node:
        case Term() | Phrase() | Near():
            return list(_occurrences(node, document, within)) or None
        case In(field, inner):
            return _find(inner, document, field)
        case Tagged(what, name):
            return [] if _fold_name(name) in document.tags[what] else None
        case Not(part):
            return [] if _find(part, document, within) is None else None
        case And(parts):
            found = [_find(part, document, within) for part in parts]
            return None if None in found else [words for part in found for words in part or ()]
        case Or(parts):
            some = [words for part in parts if (words := _find(part, document, within)) is not None]
            return [words for part in some for words in part] if some else None


def _occurrences(node: Term | Phrase | Near, document: Document, within: QueryField | None) -> Iterator[_Words]:
    fields: tuple[Field, ...] = ("title",) if within == "title" else ("title", "text")
    for field in fields:
        limit = LEAD_WORDS if within == "lead" and field == "text" else len(document.tokens[field])
        found = _near(node, document, field) if isinstance(node, Near) else _phrase(node, document, field)
        yield from (words for words in found if words.last <= limit)


def _near(node: Near, document: Document, field: Field) -> Iterator[_Words]:
    rights = list(_phrase(node.right, document, field))
    firsts = [right.first for right in rights]
    reach = node.distance + (rights[0].last - rights[0].first if rights else 0)
    for left in _phrase(node.left, document, field) if rights else ():
        within = slice(bisect_left(firsts, left.first - reach), bisect_right(firsts, left.last + node.distance))
        for right in rights[within]:
            if right.first >= left.last or left.first >= right.last:  # no word is both
                yield _Words(field, min(left.first, right.first), max(left.last, right.last))


def _phrase(node: Term | Phrase, document: Document, field: Field) -> Iterator[_Words]:
    terms = node.terms if isinstance(node, Phrase) else (node,)
    tokens = document.tokens[field]
    for first in _starts(terms[0], document, field):
        span = tokens[first : first + len(terms)]
        if len(span) == len(terms) and all(
            _is(term, token, document, field) for term, token in zip(terms, span, strict=True)
        ):
            yield _Words(field, first, first + len(terms))


def _starts(term: Term, document: Document, field: Field) -> list[int]:
    """Where a word stands, capitals not yet looked at."""
    index, word = document.index[field], _fold_name(term.text)
    if not term.prefix:
        return index.get(word, [])
    return sorted(at for known, places in index.items() if known.startswith(word) for at in places)


def _is(term: Term, token: Token, document: Document, field: Field) -> bool:
    if term.case:
        original = document.title if field == "title" else document.text
        have, want = original[token.start : token.end], term.text
    else:
        have, want = token.text, term.text
    return have.startswith(want) if term.prefix else have == want


def _fold_name(name: str) -> str:
    return " ".join(search_tokens(name))


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    match node:
        case And(parts) | Or(parts) | Phrase(parts):
            for part in parts:
                yield from walk(part)
        case Not(inner) | In(_, inner):
            yield from walk(inner)
        case Near(left, right, _):
            yield from walk(left)
            yield from walk(right)
        case _:
            return
