"""A text and a query -> the passage that answers it, and where in it the found words stand. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from storage.compiling import folded, minds_texts, terms_of
from watchfloor.briefs import merge_spans
from watchfloor.query import And, Document, In, Near, Node, Or, Phrase, Term, find
from watchfloor.tokens import fold

LENGTH = 240  # characters: three lines of a list
BEFORE = 80  # of them before the first found word
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
LOOKED_AT = 20_000  # characters of a text; nine in ten articles are shorter, and a search shows many of them

Spans = tuple[tuple[int, int], ...]
Places = Callable[[str, str], Iterable[tuple[int, int]]]  # title and text -> where in the text, in order


def snippets(node: Node | None) -> Callable[[str, str], tuple[str, Spans]]:
    """What makes of a title and a text the passage for this query: the one around the first place in the text, or its
    beginning where there is none; with an ellipsis wherever the text goes on. And the spans of the found words in it.
    """
    return partial(_snippet, _places_of(node))


def _snippet(places: Places, title: str, text: str) -> tuple[str, Spans]:
    found = iter(places(title, text[:LOOKED_AT]))
    first = next(found, None)
    start, end = _window(text, first[0] if first else 0)
    before, after = ELLIPSIS + " " if start else "", " " + ELLIPSIS if end < len(text) else ""
    shift, marks = len(before) - start, []
    while first and first[0] < end:
        marks.append((first[0] + shift, min(first[1], end) + shift))
        first = next(found, None)
    return before + _on_one_line(text[start:end]) + after, merge_spans(marks)


def _places_of(node: Node | None) -> Places:
    """Where the query's words stand in a text, in order. One regular expression over the folded text takes a tenth of
    the time of `query.find`; capitals need that."""
    if node is not None and minds_texts(node):
        return partial(_places_by_find, node)
    pattern = _pattern(node) if node is not None else None
    return partial(_places_by_pattern, pattern) if pattern else lambda title, text: ()


def _places_by_find(node: Node, title: str, text: str) -> Iterator[tuple[int, int]]:
    places = find(node, Document(title, text)) or ()
    return ((place.start, place.end) for place in places if place.field == "text")


def _places_by_pattern(pattern: re.Pattern[str], title: str, text: str) -> Iterator[tuple[int, int]]:
    words = fold(text)
    return (words.span(match.start(), match.end()) for match in pattern.finditer(words.text))


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


_BLANKS = str.maketrans("\n\t", "  ")


def _on_one_line(text: str) -> str:
    return text.translate(_BLANKS)  # one for one, so that spans stay true
