"""watchlist.yaml -> Watchlist: what the desk looks for, as an analyst wrote it down.

    topics      keywords, each with a weight, that speak for a topic
    contexts    words that speak against the whole story: sport, crime, history ...
    harmless    phrases in which a word of the list means something else ("defense attorney")
    groups      named sets of words, for rules and for `needs`; "@name" is another group's words, {kind: weapon} the
                names of all weapons
    rules       two groups near each other, or any query, with a weight
    countries   further names of countries; their own names come from Babel in every language below
    entities    names with kind, topics, weight and aliases; {names: [one, {other: [alias]}], ...} says the same of
                several

A term is a word or phrase, or {term: ...} with
    weight      what the first mention adds; without one the section's own
    case        only with these capitals        exact    no plurals, no other spelling
    lang        only in texts of this language  needs    only near one of these words ("@group" is a group's words)
    not         never near one of these words
and {terms: [...], ...} says the same of several. A * at the end stands for any ending.

A fault is a WatchlistError with line and column, several are WatchlistErrors; nothing is guessed. What is allowed but
can never be seen is told by `watchfloor.shadows`.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from watchfloor import query
from watchfloor.countries import LANGUAGES, countries
from watchfloor.errors import QueryError, WatchlistError
from watchfloor.placed import Item, compose
from watchfloor.tokens import search_tokens

KINDS = (
    "person", "ministry", "service", "command", "alliance", "agency", "firm", "armed-group", "weapon", "programme",
    "treaty", "base", "operation", "theatre", "country", "region", "official-body",
)  # fmt: skip
KEYWORD_WEIGHT, ENTITY_WEIGHT, RULE_WEIGHT = 2.0, 1.0, 2.0  # where the list names none
WITHIN_LIMIT = 30  # words between two groups of a rule; further apart they have nothing to do with each other


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way to write a term, and when it counts. A trailing * of `text` stands for any ending."""

    text: str
    case: bool = False
    exact: bool = False
    language: str | None = None
    needs: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    line: int | None = field(default=None, compare=False, repr=False)  # in the file; names of countries have none


@dataclass(frozen=True, slots=True)
class Keyword:
    """A term that adds to (in a context: takes from) the score. `topic` is a topic's id, of a context the context's."""

    spelling: Spelling
    weight: float
    topic: str


@dataclass(frozen=True, slots=True)
class Entity:
    """A name worth tagging. `weight` 0 tags without speaking for relevance (countries)."""

    name: str
    kind: str
    spellings: tuple[Spelling, ...]
    topics: tuple[str, ...] = ()
    weight: float = ENTITY_WEIGHT


@dataclass(frozen=True, slots=True)
class NearRule:
    """A word of one group near a word of the other, in either order, with at most `within` words between."""

    name: str
    groups: tuple[str, str]
    within: int
    weight: float
    topic: str


@dataclass(frozen=True, slots=True)
class QueryRule:
    """A query that adds to the score where the story answers it."""

    name: str
    query: query.Node
    weight: float
    topic: str


@dataclass(frozen=True)
class Watchlist:
    """All that the list says. `version` is a hash of it; two lists that say the same have the same."""

    threshold: float
    topics: Mapping[str, str]  # id -> name
    keywords: tuple[Keyword, ...]
    contexts: tuple[Keyword, ...]
    harmless: tuple[Spelling, ...]
    groups: Mapping[str, tuple[Spelling, ...]]
    near_rules: tuple[NearRule, ...]
    query_rules: tuple[QueryRule, ...]
    entities: tuple[Entity, ...]
    version: str = ""

    def counts(self) -> dict[str, int]:
        """How much there is of everything."""
        return {
            "topics": len(self.topics),
            "keywords": len(self.keywords),
            "contexts": len(self.contexts),
            "harmless phrases": len(self.harmless),
            "groups": len(self.groups),
            "rules": len(self.near_rules) + len(self.query_rules),
            "entities": len(self.entities),
            "names of entities": sum(len(entity.spellings) for entity in self.entities),
        }

    @cached_property
    def _canonical(self) -> dict[str, str]:
        names = {_folded(spelling.text): entity.name for entity in self.entities for spelling in entity.spellings}
        return names | {_folded(entity.name): entity.name for entity in self.entities}

    def canonical(self, name: str) -> str | None:
        """The name under which an entity is filed, from any of its names; None if the list does not know it."""
        return self._canonical.get(_folded(name))

    def resolve(self, node: query.Node) -> query.Node:
        """The query with every `entity:` turned to its canonical name, as the archive keeps it."""
        match node:
            case query.Tagged("entity", name):
                return query.Tagged("entity", self.canonical(name) or name)
            case query.And(parts):
                return query.And(tuple(self.resolve(part) for part in parts))
            case query.Or(parts):
                return query.Or(tuple(self.resolve(part) for part in parts))
            case query.Not(part):
                return query.Not(self.resolve(part))
            case _:
                return node


def load(path: Path | str) -> Watchlist:
    """Read a watchlist.

    Raises:
        WatchlistError: with file, line and column of every fault, and a hint where there is one.
    """
    return parse(text_of(path), path=path)


def text_of(path: Path | str) -> str:
    """What the file says. Raises WatchlistError if it cannot be read as text."""
    path = Path(path)
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise WatchlistError(f"cannot be read: {error.strerror}", path=path) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise WatchlistError("is not UTF-8 text", path=path, line=line, hint="save it as UTF-8") from None


def parse(content: str, *, path: Path | str = "watchlist.yaml") -> Watchlist:
    """Read a watchlist from text; `path` is for errors. Raises WatchlistError as `load` does."""
    root = compose(content, path)
    watchlist = None
    with root.faults:
        watchlist = _Reader(root).read()
    root.faults.raise_all()
    assert watchlist  # else there was a fault
    return replace(watchlist, version=_version(watchlist))


def _version(watchlist: Watchlist) -> str:
    return hashlib.sha256(repr(watchlist).encode()).hexdigest()[:12]


def _folded(text: str) -> str:
    return " ".join(search_tokens(text))


# -- the file ---------------------------------------------------------------------------------------------------------

_CONDITIONS = ("case", "exact", "lang", "needs", "not")
_NO_CONDITIONS = Spelling("")


class _Reader:
    """One method a section; remembers what was named where, so that nothing is said twice."""

    def __init__(self, root: Item) -> None:
        self.faults = root.faults
        self.fields = root.fields(
            "threshold", "topics", "contexts", "harmless", "groups", "rules", "countries", "entities",
            needed=("threshold", "topics"),
        )  # fmt: skip
        self.topics: dict[str, str] = {}
        self.groups: dict[str, tuple[Spelling, ...]] = {}
        self.kinds: dict[str, tuple[str, ...]] = {}  # group -> the kinds of whose names it consists, besides its words
        self.placed: dict[tuple[object, ...], int] = {}  # section and term -> line

    def read(self) -> Watchlist:
        threshold = self.read_threshold()
        self.read_topics()
        self.read_groups()
        keywords = tuple(self.read_keywords())
        near, queries = self.read_rules()
        entities = self.read_entities()
        return Watchlist(
            threshold=threshold,
            topics=self.topics,
            keywords=keywords,
            contexts=tuple(self.read_contexts()),
            harmless=tuple(self.read_harmless()),
            groups={name: (*words, *self.names_of(name, entities)) for name, words in self.groups.items()},
            near_rules=near,
            query_rules=queries,
            entities=entities,
        )

    def members(self, section: str) -> list[Item]:
        return self.fields[section].items() if section in self.fields else []

    def read_threshold(self) -> float:
        with self.faults:
            threshold = self.fields["threshold"].number()
            if threshold > 0:
                return threshold
            self.fields["threshold"].refuse("the threshold must be above 0", "at 0 every story would be relevant")
        return 1.0

    def read_topics(self) -> None:
        seen: dict[str, int] = {}
        for item in self.fields["topics"].items():
            with self.faults:
                topic = item.fields("id", "name", "weight", "keywords", needed=("id",))
                identity = topic["id"].text()
                self.once(topic["id"], identity, seen, "topic")
                self.topics[identity] = identity  # so that its rules are not blamed for what is wrong with it
                if "name" not in topic:
                    item.refuse("name is missing")
                self.topics[identity] = topic["name"].text()
        if not self.topics:
            self.fields["topics"].refuse("there is no topic")

    @staticmethod
    def once(item: Item, name: str, seen: dict[str, int], what: str) -> None:
        """Refuse a name that was given before."""
        if name in seen:
            item.refuse(f"the {what} {name!r} is here twice", f"first in line {seen[name]}")
        seen[name] = item.line

    def read_keywords(self) -> Iterator[Keyword]:
        for item in self.fields["topics"].items() if self.topics else ():
            with self.faults:
                topic = {key: value for key, (_, value) in item.mapping().items()}
                yield from self.weighted(topic, KEYWORD_WEIGHT, "keywords") if "id" in topic else ()

    def read_contexts(self) -> Iterator[Keyword]:
        seen: dict[str, int] = {}
        for item in self.members("contexts"):
            with self.faults:
                context = item.fields("id", "weight", "keywords", needed=("id", "weight", "keywords"))
                self.once(context["id"], context["id"].text(), seen, "context")
                yield from self.weighted(context, 0.0, "contexts")

    def weighted(self, section: Mapping[str, Item], usual: float, name: str) -> Iterator[Keyword]:
        """The keywords of a topic or context, of which each entry may be at fault by itself."""
        identity = section["id"].text()
        if "weight" in section:
            with self.faults:
                usual = section["weight"].number()
        for entry in section["keywords"].items() if "keywords" in section else ():
            with self.faults:
                for spelling, weight in self.terms(entry, name):
                    yield Keyword(spelling, usual if weight is None else weight, identity)

    def read_harmless(self) -> Iterator[Spelling]:
        for item in self.members("harmless"):
            with self.faults:
                for spelling, _ in self.terms(item, "harmless"):
                    yield spelling

    def read_groups(self) -> None:
        for name, (_, members) in self.fields["groups"].mapping().items() if "groups" in self.fields else ():
            words: list[Spelling] = []
            kinds: list[str] = []
            with self.faults:
                for member in members.items():
                    with self.faults:
                        self.read_member(member, name, words, kinds)
            self.groups[name], self.kinds[name] = tuple(dict.fromkeys(words)), tuple(dict.fromkeys(kinds))

    def read_member(self, member: Item, group: str, words: list[Spelling], kinds: list[str]) -> None:
        """Add what one line of a group means to its words and kinds."""
        if member.is_mapping and "kind" in member.mapping():
            kinds.append(member.fields("kind")["kind"].one_of(KINDS, "kind"))
        elif not member.is_mapping and member.text().startswith("@"):
            other = self.group_named(member, member.text())
            words += self.groups[other]
            kinds += self.kinds[other]
        else:
            words += [spelling for spelling, _ in self.terms(member, f"group {group}")]

    def group_named(self, item: Item, word: str) -> str:
        """The group that "@name" means, which has to stand above."""
        if word[1:] not in self.groups:
            close = difflib.get_close_matches(word[1:], self.groups, n=1)
            item.refuse(
                f"there is no group {word[1:]!r}",
                f"did you mean @{close[0]}?" if close else "groups stand above, under `groups:`",
            )
        return word[1:]

    def names_of(self, group: str, entities: Iterable[Entity]) -> Iterator[Spelling]:
        """The names by kind that belong to a group."""
        for entity in entities if self.kinds[group] else ():
            if entity.kind in self.kinds[group]:
                yield from entity.spellings

    def terms(self, item: Item, section: str) -> Iterator[tuple[Spelling, float | None]]:
        """The spellings that a member of a list names, each with its weight if it has one."""
        if not item.is_mapping:
            yield self.spelling(item, _NO_CONDITIONS, section), None
            return
        fields = item.fields("term", "terms", "weight", *_CONDITIONS)
        if ("term" in fields) == ("terms" in fields):
            item.refuse("expected either term or terms", "{term: one, weight: 2} or {terms: [one, other], weight: 2}")
        weight = fields["weight"].number() if "weight" in fields else None
        conditions = self.conditions(fields)
        for member in [fields["term"]] if "term" in fields else fields["terms"].items():
            yield self.spelling(member, conditions, section), weight

    def conditions(self, fields: Mapping[str, Item]) -> Spelling:
        """Case, language and neighbours as the fields say, for any term."""
        return Spelling(
            "",
            case="case" in fields and fields["case"].flag(),
            exact="exact" in fields and fields["exact"].flag(),
            language=fields["lang"].one_of(LANGUAGES, "language") if "lang" in fields else None,
            needs=self.neighbours(fields.get("needs")),
            excludes=self.neighbours(fields.get("not")),
        )

    def neighbours(self, item: Item | None) -> tuple[str, ...]:
        """Words that `needs` and `not` name, with the words of a @group in its place."""
        if item is None:
            return ()
        words: list[str] = []
        for word in item.texts():
            if not word.startswith("@"):
                words.append(self.written(item, word))
                continue
            group = self.group_named(item, word)
            if self.kinds[group]:
                item.refuse(f"the group {group!r} has names of a kind", "`needs` and `not` look for words alone")
            words += [spelling.text for spelling in self.groups[group]]
        return tuple(words)

    def spelling(self, item: Item, conditions: Spelling, section: str) -> Spelling:
        """A term as written, under conditions; the same term twice in a section is a slip."""
        text = self.written(item, item.text())
        line = item.line
        made = Spelling(text, line=line) if conditions is _NO_CONDITIONS else replace(conditions, text=text, line=line)
        with self.faults:
            self.place(item, made, section)
        return made

    def place(self, item: Item, made: Spelling, section: str) -> None:
        text = made.text if made.case else _folded(made.text) + "*" * made.text.endswith("*")
        key = (section, text, made.case, made.exact, made.language, made.needs, made.excludes)
        if key in self.placed:
            item.refuse(f"{made.text!r} is here twice", f"first in line {self.placed[key]}")
        self.placed[key] = item.line

    @staticmethod
    def written(item: Item, text: str) -> str:
        if not search_tokens(text):
            item.refuse(f"{text!r} has neither letter nor digit")
        if ";" in text:  # it would be a phrase that no text holds
            item.refuse(f"{text!r} holds a semicolon", "in a list commas part one term from the next")
        if "*" in text[:-1]:
            item.refuse("* may only stand at the end", "as in invad*")
        return text

    def read_rules(self) -> tuple[tuple[NearRule, ...], tuple[QueryRule, ...]]:
        near: list[NearRule] = []
        queries: list[QueryRule] = []
        for item in self.members("rules"):
            with self.faults:
                rule = item.fields("near", "within", "query", "name", "weight", "topic", needed=("topic",))
                if ("near" in rule) == ("query" in rule):
                    item.refuse("expected either near or query", "{near: [a, b], within: 5} or {query: a AND b}")
                if "near" in rule:
                    near.append(self.near_rule(rule))
                else:
                    queries.append(self.query_rule(rule))
        return tuple(near), tuple(queries)

    def near_rule(self, rule: Mapping[str, Item]) -> NearRule:
        names = [item.one_of(tuple(self.groups), "group") for item in rule["near"].items()]
        if len(names) != 2:
            rule["near"].refuse("near joins two groups")
        within = int(rule["within"].number()) if "within" in rule else 5
        if not 0 <= within <= WITHIN_LIMIT:
            rule["within"].refuse("out of range", f"0 to {WITHIN_LIMIT} words")
        name = rule["name"].text() if "name" in rule else f"{names[0]} near {names[1]}"
        return NearRule(name, (names[0], names[1]), within, self.rule_weight(rule), self.rule_topic(rule))

    def query_rule(self, rule: Mapping[str, Item]) -> QueryRule:
        item = rule["query"]
        try:
            node = query.parse(item.text())
        except QueryError as error:
            column = item.inner_column + (error.column or 1)
            raise WatchlistError(error.reason, path=item.path, line=item.line, column=column, hint=error.hint) from None
        if not any(isinstance(part, query.Term | query.Phrase | query.Near) for part in positive(node)):
            item.refuse("a rule needs a word that must be there", "NOT and entity: alone would look at every story")
        name = rule["name"].text() if "name" in rule else query.show(node)
        return QueryRule(name, node, self.rule_weight(rule), self.rule_topic(rule))

    @staticmethod
    def rule_weight(rule: Mapping[str, Item]) -> float:
        return rule["weight"].number() if "weight" in rule else RULE_WEIGHT

    def rule_topic(self, rule: Mapping[str, Item]) -> str:
        return rule["topic"].one_of(tuple(self.topics), "topic")

    # entities

    def read_entities(self) -> tuple[Entity, ...]:
        found = {_folded(name): _country(name, labels) for name, labels in countries().items()}
        for name, (key, aliases) in self.fields["countries"].mapping().items() if "countries" in self.fields else ():
            with self.faults:
                known = found.get(_folded(name))
                if known is None:
                    close = difflib.get_close_matches(name, [country.name for country in found.values()], n=1)
                    key.refuse(f"no country is called {name!r}", f"did you mean {close[0]}?" if close else None)
                more = tuple(spelling for alias in aliases.items() for spelling in self.alias(alias))
                found[_folded(name)] = replace(known, spellings=_with(known.spellings, more))
        seen: dict[str, int] = {}
        for item in self.members("entities"):
            with self.faults:
                for entity in self.entities_of(item, seen):
                    known = found.get(_folded(entity.name))
                    found[_folded(entity.name)] = _merged(known, entity) if known else entity
        return tuple(found.values())

    def entities_of(self, item: Item, seen: dict[str, int]) -> Iterator[Entity]:
        """The entity, or the entities of which `names` says the same."""
        fields = item.fields("name", "names", "kind", "topics", "weight", "aliases", *_CONDITIONS, needed=("kind",))
        if ("name" in fields) == ("names" in fields):
            item.refuse("expected either name or names", "{name: one, kind: firm} or {names: [one, other], kind: firm}")
        if "name" in fields:
            yield self.entity(fields["name"], fields.get("aliases"), fields, seen)
            return
        if "aliases" in fields:
            item.refuse("whose aliases?", "names: [one, {other: [its alias, another]}]")
        for member in fields["names"].items():
            for name, aliases in member.mapping().values() if member.is_mapping else [(member, None)]:
                yield self.entity(name, aliases, fields, seen)

    def entity(self, name: Item, aliases: Item | None, fields: Mapping[str, Item], seen: dict[str, int]) -> Entity:
        """One entity, under the kind and the conditions of `fields`."""
        with self.faults:
            self.once(name, name.text(), seen, "entity")
        own = self.spelling(name, self.conditions(fields), "names")
        topics = fields["topics"].items() if "topics" in fields else []
        return Entity(
            name.text(),
            fields["kind"].one_of(KINDS, "kind"),
            (own, *(spelling for alias in (aliases.items() if aliases else ()) for spelling in self.alias(alias))),
            tuple(topic.one_of(tuple(self.topics), "topic") for topic in topics),
            fields["weight"].number() if "weight" in fields else ENTITY_WEIGHT,
        )

    def alias(self, item: Item) -> Iterator[Spelling]:
        if not item.is_mapping:
            yield self.spelling(item, _NO_CONDITIONS, "names")
            return
        fields = item.fields("alias", "aliases", *_CONDITIONS)
        if ("alias" in fields) == ("aliases" in fields):
            item.refuse("expected either alias or aliases", "{alias: START, case: true}")
        conditions = self.conditions(fields)
        for member in [fields["alias"]] if "alias" in fields else fields["aliases"].items():
            yield self.spelling(member, conditions, "names")


def positive(node: query.Node) -> Iterator[query.Node]:
    """The parts of a query that must or may be there: all but what stands under NOT."""
    yield node
    match node:
        case query.And(parts) | query.Or(parts):
            for part in parts:
                yield from positive(part)
        case query.In(_, part):
            yield from positive(part)
        case _:
            return


def _with(known: tuple[Spelling, ...], more: tuple[Spelling, ...]) -> tuple[Spelling, ...]:
    """Both, where what the list says of a name replaces what Babel says of it."""
    said = {_folded(spelling.text) for spelling in more}
    return (*(spelling for spelling in known if _folded(spelling.text) not in said), *more)


def _merged(known: Entity, entity: Entity) -> Entity:
    """A country that the list describes itself."""
    return replace(entity, spellings=_with(known.spellings, entity.spellings))


def _country(name: str, labels: Mapping[str, str | None]) -> Entity:
    spellings = tuple(Spelling(label, exact=True, language=language) for label, language in labels.items())
    return Entity(name, "country", spellings, weight=0.0)
