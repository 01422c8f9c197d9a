"""A query's tree -> the notation of FTS5 and of PostgreSQL's tsquery. Pure.

Both say all that the query language says, but for capitals, which the index does not have, and for a NEAR of which one
word could be both sides, which FTS5 takes for a match: `relaxed` gives a query that finds at least what the original
finds, and search looks at the texts themselves.

`tiers` says where words may stand for a hit to be more relevant than others.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from storage import words
from watchfloor.query import And, In, Near, Node, Not, Or, Phrase, QueryField, Tagged, Term, walk

ANYTHING = Tagged("topic", "")  # stands for what every document has

FTS5_COLUMNS: dict[QueryField | None, str] = {None: "{title text}", "title": "{title}", "lead": "{title lead}"}
WEIGHTS: dict[QueryField | None, str] = {None: "", "title": "A", "lead": "AB"}
TIERS: tuple[QueryField | None, ...] = ("title", "lead", None)  # where words stand, the most relevant first


def minds_texts(node: Node) -> bool:
    """Whether the texts themselves have to be looked at."""
    return any(part.case if isinstance(part, Term) else _may_overlap(part) for part in walk(node))


def _may_overlap(node: Node) -> bool:
    """Whether both sides of a NEAR may be, or share, one and the same word: troops NEAR troop*."""
    if not isinstance(node, Near):
        return False
    pairs = product(terms_of(node.left), terms_of(node.right))
    return any(_covers(one, other) or _covers(other, one) for one, other in pairs)


def _covers(one: Term, other: Term) -> bool:
    return folded(other).startswith(folded(one)) if one.prefix else folded(one) == folded(other)


def capitals(node: Node) -> set[str]:
    """Words with capitals that stand, letter for letter, in whatever answers the query."""
    match node:
        case Term():
            return {node.text} if node.case else set()
        case And(parts) | Phrase(parts):
            return set().union(*(capitals(part) for part in parts))
        case Near(left, right, _):
            return capitals(left) | capitals(right)
        case In(_, inner):
            return capitals(inner)
        case _:
            return set()


def relaxed(node: Node) -> Node:
    """The query as the index can answer it; what it cannot answer and is denied is not denied at all."""
    match node:
        case Not(part):
            return ANYTHING if minds_texts(part) else node
        case And(parts):
            return And(tuple(relaxed(part) for part in parts))
        case Or(parts):
            return Or(tuple(relaxed(part) for part in parts))
        case In(field, inner):
            return In(field, relaxed(inner))
        case _:
            return node


def minds_places(node: Node) -> bool:
    """Whether the query asks where words stand beside each other: the index then only has candidates."""
    return any(isinstance(part, Phrase | Near) for part in walk(node))


def tiers(node: Node) -> tuple[Node, ...]:
    """The query for titles, for titles and leads, for all: each without what those before it find."""
    found: list[Node] = []
    for field in TIERS:
        narrowed = _narrowed(node, field) if field else node
        if not found:
            found, before = [narrowed], narrowed
        elif narrowed != before:
            found.append(And((narrowed, Not(before))))
            before = narrowed
    return tuple(found)


def _narrowed(node: Node, field: QueryField) -> Node:
    """The query with the words that it wants in this field; what it denies stays denied anywhere."""
    match node:
        case Term() | Phrase() | Near():
            return In(field, node)
        case And(parts):
            return And(tuple(_narrowed(part, field) for part in parts))
        case Or(parts):
            return Or(tuple(_narrowed(part, field) for part in parts))
        case _:
            return node


# -- FTS5 -------------------------------------------------------------------------------------------------------------


def fts5(node: Node | None, tags: Iterable[Iterable[str]]) -> str:
    """A MATCH expression: the query, and of each group of tags at least one."""
    groups = [" OR ".join(_fts5_tag(tag) for tag in group) for group in tags]
    parts = [f"({group})" for group in groups]
    if node is not None:
        parts.insert(0, f"({_fts5(_deepest_first(node))})")
    return " AND ".join(parts) or _fts5_tag(words.ANY)


def _deepest_first(node: Node, field: QueryField | None = None) -> Node:
    """The same query with fields at the leaves, no NOT under NOT, and of each group the deepest part first: FTS5 has
    room for a hundred signs that it has read and not yet understood, and nothing waits before what comes first."""
    match node:
        case Not(part):
            inner = _deepest_first(part, field)
            return inner.part if isinstance(inner, Not) else Not(inner)
        case And(parts) | Or(parts):
            ordered = sorted((_deepest_first(part, field) for part in parts), key=_depth, reverse=True)
            return type(node)(tuple(ordered))
        case In(inside, inner):
            return _deepest_first(inner, inside)
        case Tagged():
            return node
        case _:
            return In(field, node) if field else node


def _depth(node: Node) -> int:
    match node:
        case Not(part):
            return 1 + _depth(part)
        case And(parts) | Or(parts):
            return 1 + max(map(_depth, parts))
        case _:
            return 0


def _fts5_tag(tag: str) -> str:
    return f'{{tags}}:"{tag}"'


def _fts5(node: Node, field: QueryField | None = None) -> str:
    """NOT binds closest, then AND, so that few groups need their parentheses."""
    match node:
        case Term() | Phrase() | Near():
            return f"{FTS5_COLUMNS[field]}:{_fts5_words(node)}"
        case In(inside, leaf):
            return _fts5(leaf, inside)
        case Tagged():
            return _fts5_tag(tag_of(node))
        case Not(part):
            return f"{_fts5_tag(words.ANY)} NOT ({_fts5(part)})"
        case Or(parts):
            return " OR ".join(map(_fts5, parts))
        case And(parts):
            wanted = [_fts5_in_and(part) for part in parts if not isinstance(part, Not)]
            denied = [_fts5(part.part) for part in parts if isinstance(part, Not)]
            found = " AND ".join(wanted) or _fts5_tag(words.ANY)
            return f"{found} NOT ({' OR '.join(denied)})" if denied else found


def _fts5_in_and(node: Node) -> str:
    return f"({_fts5(node)})" if isinstance(node, Or) else _fts5(node)


def _fts5_words(node: Term | Phrase | Near) -> str:
    if isinstance(node, Near):
        return f"NEAR({_fts5_words(node.left)} {_fts5_words(node.right)}, {node.distance})"
    terms = terms_of(node)
    return f'"{" ".join(folded(term) for term in terms)}"' + " *" * terms[-1].prefix


# -- tsquery ----------------------------------------------------------------------------------------------------------


def tsquery(node: Node | None, tags: Iterable[Iterable[str]]) -> str:
    """The same for PostgreSQL, to be cast to tsquery."""
    parts = [f"({' | '.join(words.lexeme_of_tag(tag) for tag in group)})" for group in tags]
    if node is not None:
        parts.append(f"({_tsquery(node, None)})")
    return " & ".join(parts) or words.lexeme_of_tag(words.ANY)


def _tsquery(node: Node, field: QueryField | None) -> str:
    match node:
        case Term() | Phrase() | Near():
            return _tsquery_leaf(node, field)
        case In(inside, inner):
            return _tsquery(inner, inside)
        case Tagged():
            return words.lexeme_of_tag(tag_of(node))
        case Not(part):
            return f"!({_tsquery(part, field)})"
        case And(parts):
            return " & ".join(f"({_tsquery(part, field)})" for part in parts)
        case Or(parts):
            return " | ".join(f"({_tsquery(part, field)})" for part in parts)


def _tsquery_leaf(node: Term | Phrase | Near, field: QueryField | None) -> str:
    """Within a field the index says by its marks which documents have the words there; weights, where in it."""
    if isinstance(node, Term):
        return _lexeme(node, words.MARKS[field])
    leaves = (node.left, node.right) if isinstance(node, Near) else (node,)
    marked = [_lexeme(term, words.MARKS[field]) for leaf in leaves for term in terms_of(leaf)]
    return " & ".join([*(marked if field else ()), f"({_tsquery_words(node, WEIGHTS[field])})"])


def _tsquery_words(node: Term | Phrase | Near, weights: str) -> str:
    if isinstance(node, Near):
        one, other = _tsquery_words(node.left, weights), _tsquery_words(node.right, weights)
        gaps = range(1, node.distance + 2)  # tsquery knows exact distances only
        return " | ".join(f"({a} <{gap}> {b})" for a, b in ((one, other), (other, one)) for gap in gaps)
    return f"({' <-> '.join(_lexeme(term, weights=weights) for term in terms_of(node))})"


def _lexeme(term: Term, mark: str = "", *, weights: str = "") -> str:
    return f"'{mark}{folded(term)}':{'*' * term.prefix}{weights}".rstrip(":")


# -- leaves -----------------------------------------------------------------------------------------------------------


def terms_of(node: Term | Phrase) -> tuple[Term, ...]:
    """The words of a leaf."""
    return node.terms if isinstance(node, Phrase) else (node,)


def folded(term: Term) -> str:
    """The word as the index has it."""
    return "".join(words.fold_words(term.text))


def tag_of(node: Tagged) -> str:
    """The tag that the documents have which the verdict names so."""
    return words.ANY if node is ANYTHING else words.tag(node.what, node.name)
