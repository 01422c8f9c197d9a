"""YAML in which every value knows its place, for errors that name line and column.

Composed by ruamel.yaml's C parser and read node by node: half the time of loading it into Python's own types, and the
places come with it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.resolver import VersionedResolver

from watchfloor.errors import Faults, WatchlistError, WatchlistErrors

NUMBER_LIMIT = 20.0  # of weights and thresholds; beyond it is a slip of the key


def compose(content: str, path: Path | str) -> Item:
    """The root of a YAML document. Raises WatchlistError if it is none, or empty."""
    try:
        node = _yaml().compose(content)
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


class _AsWritten(VersionedResolver):
    """Takes no scalar for a number or a date: all are read as text here, and it halves the time of reading."""

    def resolve(self, kind: type[Node], value: object, implicit: object) -> str:
        """A tag, which nothing looks at."""
        return "tag:yaml.org,2002:str"


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=False)
    yaml.Resolver = _AsWritten
    return yaml


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
        if isinstance(node, SequenceNode):
            stack += reversed(node.value)
        elif isinstance(node, MappingNode):
            for name, value in node.value:
                if name.value == key and isinstance(value, ScalarNode):
                    mark = value.start_mark
                    yield Place(mark.line + 1, mark.column + 1, str(value.value))
            stack += [value for _, value in reversed(node.value)]


@dataclass(frozen=True)
class Item:
    """A value of the file with its place, read as one kind of thing or refused."""

    node: Node
    path: Path | str
    faults: Faults  # of the document: what need not stop the reading

    def refuse(self, reason: str, hint: str | None = None) -> NoReturn:
        """Say what is wrong, and where."""
        mark = self.node.start_mark
        raise WatchlistError(reason, path=self.path, line=mark.line + 1, column=mark.column + 1, hint=hint)

    @property
    def line(self) -> int:
        """Line in the file, from 1."""
        return int(self.node.start_mark.line) + 1

    @property
    def inner_column(self) -> int:
        """Columns before the first character of a text: a quoted one begins after its quote, a block has none."""
        style = self.node.style if isinstance(self.node, ScalarNode) else None
        if style in ("|", ">"):
            return 0
        return int(self.node.start_mark.column) + (style in ("'", '"'))

    @property
    def is_mapping(self) -> bool:
        """Is this {key: value ...}?"""
        return isinstance(self.node, MappingNode)

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
        if not isinstance(self.node, MappingNode):
            self.refuse("expected key: value", "indent the keys below, or write {key: value}")
        found: dict[str, tuple[Item, Item]] = {}
        for key_node, value_node in self.node.value:
            key = Item(key_node, self.path, self.faults)
            name = key.text()
            if name in found:
                with self.faults:
                    key.refuse(f"{name} is here twice", f"first in line {found[name][0].line}")
            found[name] = key, Item(value_node, self.path, self.faults)
        return found

    def items(self) -> list[Item]:
        """The members of a list."""
        if not isinstance(self.node, SequenceNode):
            self.refuse("expected a list", "each member on a line of its own after a dash, or [a, b]")
        return [Item(member, self.path, self.faults) for member in self.node.value]

    def text(self) -> str:
        """A text, with something in it."""
        if not isinstance(self.node, ScalarNode):
            self.refuse("expected a text")
        if not str(self.node.value).strip():
            self.refuse("expected a text, found nothing")
        return str(self.node.value).strip()

    def texts(self) -> tuple[str, ...]:
        """A list of texts, or one text."""
        return (self.text(),) if isinstance(self.node, ScalarNode) else tuple(item.text() for item in self.items())

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
