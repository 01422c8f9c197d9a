"""A text and a query -> the passage that answers it, and where in it the found words stand. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from storage.compiling import folded, minds_capitals, terms_of
from watchfloor.briefs import merge_spans
from watchfloor.query import And, Document, In, Near, Node, Or, Phrase, Term, find
from watchfloor.tokens import fold

LENGTH = 240  # characters: three lines of a list
BEFORE = 80  # of them before the first found word
LOOKED_AT = 20_000  # characters of a text; nine in ten articles are shorter, and a search shows many of them

Spans = tuple[tuple[int, int], ...]


def snippet(title: str, text: str, node: Node | None) -> tuple[str, Spans]:
    """The passage around the first place in the text, or its beginning where there is none."""
    spans = list(_places(title, text[:LOOKED_AT], node)) if node is not None else []
    start, end = _window(text, spans[0][0] if spans else 0)
    shown = [(max(a, start) - start, min(b, end) - start) for a, b in spans if a < end and b > start]
    return _on_one_line(text[start:end]), merge_spans(shown)


def _places(title: str, text: str, node: Node) -> Iterator[tuple[int, int]]:
    """Where the query's words stand in the text, in order. One regular expression over the folded text takes a tenth
    of the time of `query.find`; capitals need that."""
    if minds_capitals(node):
        places = find(node, Document(title, text)) or ()
        yield from ((place.start, place.end) for place in places if place.field == "text")
    elif pattern := _pattern(node):
        words = fold(text)
        yield from (words.span(match.start(), match.end()) for match in pattern.finditer(words.text))


@lru_cache(maxsize=8)
def _pattern(node: Node) -> re.Pattern[str] | None:
    """What finds the words that the query wants in the text; None if it wants none."""
    leaves = dict.fromkeys(_leaves(node))
    return re.compile(f" (?:{'|'.join(leaves)})(?= )") if leaves else None


def _leaves(node: Node) -> Iterator[str]:
    match node:
        case Term() | Phrase():
            words = [folded(term) for term in terms_of(node)]
            yield " +".join(words) + "[^ ]*" * terms_of(node)[-1].prefix
        case Near(left, right, _):
            yield from (*_leaves(left), *_leaves(right))
        case In(field, inner) if field != "title":
            yield from _leaves(inner)
        case And(parts) | Or(parts):
            for part in parts:
                yield from _leaves(part)


def _window(text: str, at: int) -> tuple[int, int]:
    """Where the passage around `at` begins and ends: at blanks, if there are any near."""
    start = max(at - BEFORE, 0)
    if start:
        blank = text.find(" ", start, at)
        start = blank + 1 if blank >= 0 else start
    end = min(start + LENGTH, len(text))
    if end < len(text):
        blank = text.rfind(" ", at, end)
        end = blank if blank > at else end
    return start, end


def _on_one_line(text: str) -> str:
    return text.translate({ord("\n"): " ", ord("\t"): " "})  # one for one, so that spans stay true
