"""Searches by attributes in a tree of HTML, in a third of the time that XPath takes for them. Pure.

trafilatura looks for boxes by patterns of their ids and classes, a dozen times a page. libxml2 hands each pattern and
each element to Python, which is half of an extraction. A page has far fewer classes than elements, so here an answer is
remembered by the attribute's value. Only paths are read of which that can be said; what is found is the same.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml.html import HtmlElement

REMEMBERED = 2048  # values of an attribute
LONG = 250  # characters of a value; a longer one is not remembered, as it may be a megabyte
_TOKEN = re.compile(r"\s*('[^']*'|\"[^\"]*\"|[\w:-]+|//|[().*@=,|\[\]])")

Test = Callable[[HtmlElement], bool]
Holds = Callable[[str], bool]


class NotRead(Exception):
    """The path is not one of the kind that is read here."""


@dataclass(frozen=True, slots=True)
class Step:
    """`.//*[...]`: elements of these names, of any name if there are none, that pass all tests."""

    names: frozenset[str]
    tests: tuple[Test, ...]

    def takes(self, element: HtmlElement) -> bool:
        """Whether it is one of those."""
        return (not self.names or element.tag in self.names) and self.passes(element)

    def passes(self, element: HtmlElement) -> bool:
        """Whether it is, if it has one of the names."""
        return all(test(element) for test in self.tests)


@dataclass(frozen=True, slots=True)
class Path:
    """Finds what one of the steps takes, in the order of the document. `path`: as XPath has it.

    `first`: only the first of them. `eldest`: only the first of those that have one parent.
    """

    path: str
    steps: tuple[Step, ...] = field(repr=False)
    first: bool = False
    eldest: bool = False

    def __call__(self, tree: HtmlElement) -> list[HtmlElement]:
        """As `lxml.etree.XPath` is called."""
        if len(self.steps) == 1:
            step = self.steps[0]
            walk = tree.iterdescendants(*(sorted(step.names) or "*"))
            takes = step.tests[0] if len(step.tests) == 1 else step.passes
        else:
            walk, takes = tree.iterdescendants("*"), self._is_taken
        if self.first:
            return next(([element] for element in walk if takes(element)), [])
        found = [element for element in walk if takes(element)]
        return _eldest(found) if self.eldest else found

    def _is_taken(self, element: HtmlElement) -> bool:
        return any(step.takes(element) for step in self.steps)


def _eldest(found: list[HtmlElement]) -> list[HtmlElement]:
    of_parent: dict[HtmlElement | None, HtmlElement] = {}
    for element in found:
        of_parent.setdefault(element.getparent(), element)
    return list(of_parent.values())


def read(path: str) -> Path | None:
    """An XPath 1.0 expression as such a search; None if it is of another kind."""
    try:
        return _Reader(path).whole()
    except NotRead:
        return None


def _tokens(path: str) -> Iterator[str]:
    at = 0
    while at < len(path):
        match = _TOKEN.match(path, at)
        if match is None:
            raise NotRead
        yield match[1]
        at = match.end()


class _Reader:
    """Of a path, from left to right."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._tokens, self._at = [*_tokens(path.strip()), ""], 0

    def whole(self) -> Path:
        if first := self._takes("("):
            steps = [self._step()]
            self._needs(")", "[", "1", "]")
        else:
            steps = [self._step()]
            while self._takes("|"):
                steps.append(self._step())
        if eldest := len(steps) == 1 and self._takes("1"):
            self._needs("]")
        self._needs("")
        return Path(self._path, tuple(steps), first, eldest)

    def _step(self) -> Step:
        self._needs(".", "//")
        names, tests = frozenset[str](), list[Test]()
        if not self._takes("*"):
            names = frozenset([self._next()])
        while self._takes("[") and self._tokens[self._at] != "1":
            alternatives = self._alternatives()
            self._needs("]")
            if alternatives.names and not (names or tests or alternatives.tests or alternatives.holds):
                names = frozenset(alternatives.names)
            else:
                tests.append(alternatives.test())
        return Step(names, tuple(tests))

    def _alternatives(self) -> _Alternatives:
        found = _Alternatives()
        while True:
            self._condition(found)
            if not self._takes("or"):
                return found

    def _condition(self, found: _Alternatives) -> None:
        word = self._next()
        if word.startswith("self::"):
            found.names.add(word.removeprefix("self::"))
        elif word == "not":
            self._needs("(")
            found.tests.append(_no(self._within()))
            self._needs(")")
        elif word == "@":
            name = self._next()
            value = self._string() if self._takes("=") else None
            if value == "":
                raise NotRead
            found.holds[(name,)].append(lambda given: value is None or given == value)
        elif word in ("contains", "starts-with", "re:test"):
            self._needs("(")
            names, changed = self._attributes()
            self._needs(",")
            wanted = self._string()
            if not wanted:
                raise NotRead
            found.holds[names].append(_holds(word, wanted, self._string() if self._takes(",") else "", changed))
            self._needs(")")
        else:
            raise NotRead

    def _within(self) -> Test:
        """What `not` turns round: alternatives, or an element inside."""
        if self._tokens[self._at] != ".":
            return self._alternatives().test()
        self._needs(".", "//")
        inside = f".//{self._next()}"
        return lambda element: element.find(inside) is not None

    def _attributes(self) -> tuple[tuple[str, ...], dict[int, int]]:
        """`@a`, the first of `@a|@b` that the element bears, or `translate(@a, 'B', 'b')`; the names, the change."""
        if self._takes("translate"):
            self._needs("(", "@")
            name = self._next()
            self._needs(",")
            one = self._string()
            self._needs(",")
            other = self._string()
            self._needs(")")
            if len(one) != len(other):
                raise NotRead
            return (name,), str.maketrans(one, other)
        names: list[str] = []
        while not names or self._takes("|"):
            self._needs("@")
            names.append(self._next())
        return tuple(names), {}

    def _string(self) -> str:
        token = self._next()
        if token[:1] not in ("'", '"'):
            raise NotRead
        return token[1:-1]

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _takes(self, token: str) -> bool:
        taken = self._tokens[self._at] == token
        self._at += taken
        return taken

    def _needs(self, *tokens: str) -> None:
        if not all(self._takes(token) for token in tokens):
            raise NotRead


class _Alternatives:
    """What stands between `or`s: names of elements, what values of attributes must hold, other tests."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.holds: defaultdict[tuple[str, ...], list[Holds]] = defaultdict(list)
        self.tests: list[Test] = []

    def test(self) -> Test:
        """Whether one of them is so. Attributes that are looked at alone come first: they are quick."""
        names = frozenset(self.names)
        single = [(key[0], _Remembered(holds)) for key, holds in self.holds.items() if len(key) == 1]
        others = [_first_of(key, _Remembered(holds)) for key, holds in self.holds.items() if len(key) > 1]
        others += [lambda element: element.tag in names] if names else []
        others += self.tests

        def either(element: HtmlElement) -> bool:  # called for most elements of a page: `any` would double its time
            get = element.get
            for name, answers in single:
                if (value := get(name)) is not None and answers[value]:
                    return True
            for test in others:  # noqa: SIM110
                if test(element):
                    return True
            return False

        return either


class _Remembered(dict[str, bool]):
    """Whether something holds for a value."""

    def __init__(self, holds: Sequence[Holds]) -> None:
        super().__init__()
        self._holds = holds

    def __missing__(self, value: str) -> bool:
        answer = any(one(value) for one in self._holds)
        if len(value) <= LONG:
            if len(self) >= REMEMBERED:
                self.clear()
            self[value] = answer
        return answer


def _holds(function: str, wanted: str, flags: str, changed: dict[int, int]) -> Holds:
    if function == "re:test":
        if changed or flags not in ("", "i"):
            raise NotRead
        search = re.compile(wanted, re.IGNORECASE if flags else 0).search
        if search(""):
            raise NotRead  # it would hold for elements without the attribute
        return lambda value: search(value) is not None
    if flags:
        raise NotRead
    if function == "starts-with":
        return lambda value: value.translate(changed).startswith(wanted)
    return lambda value: wanted in value.translate(changed)


def _first_of(names: tuple[str, ...], answers: _Remembered) -> Test:
    """XPath takes the string of a set of attributes to be that of the one which is written first."""

    def test(element: HtmlElement) -> bool:
        get, only = element.get, None
        for name in names:
            if (value := get(name)) is not None:
                if only is not None:
                    return answers[next(get(key, "") for key in element.keys() if key in names)]  # noqa: SIM118
                only = value
        return only is not None and answers[only]

    return test


def _no(test: Test) -> Test:
    return lambda element: not test(element)


def quicken(expressions: list[Any]) -> None:
    """Put searches in the place of those XPaths in the list that can be read."""
    expressions[:] = [read(expression.path) or expression for expression in expressions]
