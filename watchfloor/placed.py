"""YAML in which every value knows its place, for errors that name line and column.

Put together from the events of ruamel.yaml's C parser: a quarter of the time and of the memory that its own nodes take,
each with four marks and a tag. Every scalar is a text.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.composer import ComposerError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from watchfloor.errors import Faults, WatchlistError, WatchlistErrors

NUMBER_LIMIT = 20.0  # of weights and thresholds; beyond it is a slip of the key


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text where it stands, line and column from 1. `style`: its quotation mark, | or > of a block, else empty."""

    line: int
    column: int
    value: str
    style: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """[a, b], where it stands."""

    line: int
    column: int
    value: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Mapping:
    """{key: value}, where it stands; `value` is key, value, key, value."""

    line: int
    column: int
    value: list[Node] = field(default_factory=list)

    def pairs(self) -> Iterator[tuple[Node, Node]]:
        """Key and value of each."""
        return zip(self.value[::2], self.value[1::2], strict=True)


Node = Scalar | Sequence | Mapping


def compose(content: str, path: Path | str) -> Item:
    """The root of a YAML document. Raises WatchlistError if it is none, or empty."""
    try:
        node = _composed(YAML(typ="safe", pure=False).parse(content))
    except MarkedYAMLError as error:
        raise _not_yaml(error, content, path) from None
    except YAMLError as error:
        raise WatchlistError(f"is not YAML: {error}", path=path) from None
    if node is None:
        raise WatchlistError("is empty", path=path, hint="`watchfloor init` writes a list to begin with")
    return Item(node, path, Faults(WatchlistErrors))


def _not_yaml(error: MarkedYAMLError, content: str, path: Path | str) -> WatchlistError:
    """Where reading stopped, and what it most often is; an open quotation runs on, so it is named where it begins."""
    quoted = bool(error.context and "quoted scalar" in error.context)
    mark = error.context_mark if quoted else error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
    if quoted:
        hint = "this quotation mark is never closed"
    elif line and any("\t" in text for text in content.split("\n")[line - 1 : line]):
        hint = "indent with blanks, not with tabs"
    else:
        hint = "look at the indentation, and for a bracket or a colon too few, here or in the line above"
    return WatchlistError(
        f"is not YAML: {error.problem or error.context}", path=path, line=line, column=column, hint=hint
    )


def _composed(events: Iterable[Event]) -> Node | None:
    root: list[Node] = []
    open_nodes: list[Sequence | Mapping] = []
    named: dict[str, Node] = {}
    for event in events:
        mark = event.start_mark
        node: Node
        match event:
            case ScalarEvent():
                node = Scalar(mark.line + 1, mark.column + 1, event.value, event.style or "")
            case SequenceStartEvent():
                node = Sequence(mark.line + 1, mark.column + 1)
            case MappingStartEvent():
                node = Mapping(mark.line + 1, mark.column + 1)
            case AliasEvent():
                node = _named(event, named, open_nodes)
            case SequenceEndEvent() | MappingEndEvent():
                open_nodes.pop()
                continue
            case DocumentStartEvent() if root:
                raise ComposerError(problem="there is a second document", problem_mark=mark)
            case _:
                continue
        (open_nodes[-1].value if open_nodes else root).append(node)
        if not isinstance(event, AliasEvent):
            if event.anchor:
                named[event.anchor] = node
            if not isinstance(node, Scalar):
                open_nodes.append(node)
    return root[0] if root else None


def _named(event: AliasEvent, named: dict[str, Node], open_nodes: list[Sequence | Mapping]) -> Node:
    """What an alias stands for."""
    node = named.get(event.anchor)
    if node is None:
        raise ComposerError(problem=f"found undefined alias {event.anchor!r}", problem_mark=event.start_mark)
    if any(node is opened for opened in open_nodes):
        raise ComposerError(problem=f"the alias {event.anchor!r} is within itself", problem_mark=event.start_mark)
    return node


@dataclass(frozen=True, slots=True)
class Place:
    """Where a number stands in the file, line and column from 1, and how it is written."""

    line: int
    column: int
    text: str


def numbers(item: Item, key: str) -> Iterator[Place]:
    """Every value of `key:`, at any depth, in the order of the file."""
    stack = [item.node]
    while stack:
        node = stack.pop()
        if isinstance(node, Sequence):
            stack += reversed(node.value)
        elif isinstance(node, Mapping):
            for name, value in node.pairs():
                if name.value == key and isinstance(value, Scalar):
                    yield Place(value.line, value.column, value.value)
            stack += reversed(node.value[1::2])


@dataclass(frozen=True)
class Item:
    """A value of the file with its place, read as one kind of thing or refused."""

    node: Node
    path: Path | str
    faults: Faults  # of the document: what need not stop the reading

    def refuse(self, reason: str, hint: str | None = None) -> NoReturn:
        """Say what is wrong, and where."""
        raise WatchlistError(reason, path=self.path, line=self.line, column=self.node.column, hint=hint)

    @property
    def line(self) -> int:
        """Line in the file, from 1."""
        return self.node.line

    @property
    def inner_column(self) -> int:
        """Columns before the first character of a text: a quoted one begins after its quote, a block has none."""
        style = self.node.style if isinstance(self.node, Scalar) else ""
        return 0 if style in ("|", ">") else self.node.column - 1 + len(style)

    @property
    def is_mapping(self) -> bool:
        """Is this {key: value ...}?"""
        return isinstance(self.node, Mapping)

    def fields(self, *known: str, needed: tuple[str, ...] = ()) -> dict[str, Item]:
        """The values of a mapping whose keys are `known`, each once, `needed` among them."""
        fields = self.mapping()
        for key, (key_item, _) in fields.items():
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
                with self.faults:
                    key_item.refuse(f"there is no key {key!r} here", hint)
        for key in needed:
            if key not in fields:
                self.refuse(f"{key} is missing")
        return {key: value for key, (_, value) in fields.items()}

    def mapping(self) -> dict[str, tuple[Item, Item]]:
        """Key -> (the key's place, its value), each key once."""
        if not isinstance(self.node, Mapping):
            self.refuse("expected key: value", "indent the keys below, or write {key: value}")
        found: dict[str, tuple[Item, Item]] = {}
        for key_node, value_node in self.node.pairs():
            key = Item(key_node, self.path, self.faults)
            name = key.text()
            if name in found:
                with self.faults:
                    key.refuse(f"{name} is here twice", f"first in line {found[name][0].line}")
            found[name] = key, Item(value_node, self.path, self.faults)
        return found

    def items(self) -> list[Item]:
        """The members of a list."""
        if not isinstance(self.node, Sequence):
            self.refuse("expected a list", "each member on a line of its own after a dash, or [a, b]")
        return [Item(member, self.path, self.faults) for member in self.node.value]

    def text(self) -> str:
        """A text, with something in it."""
        if not isinstance(self.node, Scalar):
            self.refuse("expected a text")
        text = self.node.value.strip()
        if not text:
            self.refuse("expected a text, found nothing")
        return text

    def texts(self) -> tuple[str, ...]:
        """A list of texts, or one text."""
        return (self.text(),) if isinstance(self.node, Scalar) else tuple(item.text() for item in self.items())

    def number(self) -> float:
        """A weight or a threshold."""
        try:
            value = float(self.text())
        except ValueError:
            self.refuse(f"expected a number, found {self.text()!r}")
        if not abs(value) <= NUMBER_LIMIT:
            self.refuse(f"{self.text()} is out of range", f"between -{NUMBER_LIMIT:g} and {NUMBER_LIMIT:g}")
        return value

    def flag(self) -> bool:
        """true or false."""
        word = self.text().lower()
        if word not in ("true", "false"):
            self.refuse(f"expected true or false, found {word!r}")
        return word == "true"

    def one_of(self, known: tuple[str, ...], what: str) -> str:
        """One of the known words."""
        word = self.text()
        if word not in known:
            close = difflib.get_close_matches(word, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"one of {', '.join(known)}"
            self.refuse(f"there is no {what} {word!r}", hint)
        return word
