"""Articles -> stories: which of them tell of one event. Pure; no clock, no database, no network.

    article | sketch | likeness to those that share rare words | copies join | the rest joins by average | Grouping

Copies join for certain. Different texts join when two groups are, on the average of all their pairs, likely to tell of
one event: the average and not the nearest, because in a running war each article has a near one and all would chain.
Where the extra `similar` is installed, a small model's opinion counts beside the words (`watchfloor.gist`).
Likeness depends on the two articles alone, so the same articles give the same stories in any order within a batch, and
nearly so over batches: a story that exists is never taken apart, but it may turn out to be one with an older one,
unless an analyst has parted the two.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import product
from typing import Any

from watchfloor.likeness import WINDOW, Likeness, compare
from watchfloor.ports import Gists, Grouping, Sketched
from watchfloor.sketches import rarity, sketch, unpack, with_gist
from watchfloor.voices import plain_title, voice

__all__ = ["WINDOW", "group", "group_records", "plain_title", "sketch", "voice"]

# Likelihood that all pairs of two groups have to have on the average, and one be sure, to be one story. With more F1 of
# days moves by .03 to .08 with the order of arrival, by words: what has begun as one story draws in the rest.
JOIN = 0.25
RELATED = 0.15  # likelihood from which a reader is told "possibly related"
RELATED_AT_MOST = 5  # other stories for one article

_TELLING = 3.25  # rarity from which a shared word makes two articles worth comparing: one in sixty has it, or fewer
_CROWD = 100  # a word that more articles of the window have leads nowhere: it is this week's "Ukraine"
_COMPARED = 40  # articles that a new one is compared with, those that share most: a bound on time, 50 us for each
_UNDATED = datetime(1970, 1, 1, tzinfo=UTC)

Names = Callable[[str, str], Mapping[str, str]]  # title, text -> canonical names with their kinds


def group(new: Sequence[tuple[int, bytes]], known: Sequence[Sketched]) -> Grouping:
    """Which story each new article belongs to, given the articles of the last WINDOW and their stories.

    `new`: article ids with their sketches. Of known stories that turn out to be one, the smallest id stays. Raises
    ValueError for a sketch of another version.
    """
    items = [_Item(raw, number, None) for number, raw in new]
    items += [_Item(one.sketch, one.article_id, one.story_id, one.parted) for one in known]
    items.sort(key=lambda item: (unpack(item.sketch).at, item.sketch, item.article))
    stories = _Stories(items, _Alike(items))
    stories.join_copies()
    stories.join_likely()
    return stories.grouping()


def group_records(
    records: Iterable[Mapping[str, Any]], *, names: Names | None = None, gists: Gists | None = None
) -> Iterator[tuple[Any, Any]]:
    """Each record's id with the id of the oldest article of its story, in the order given.

    A record is {id?, title, text, published?, source?}; without an id it is known by its number, from 1. `names` finds
    the entities that a title and the opening of a text name, `gists` what they are about.
    """
    listed = list(records)
    dates = [read_date(record.get("published")) for record in listed]
    newest = max((date for date in dates if date), default=_UNDATED)  # what is undated came with the rest
    sketches = [_of_record(record, date, newest, names) for record, date in zip(listed, dates, strict=True)]
    if gists:
        read = gists([_told(record) for record in listed])
        sketches = [with_gist(packed, gist) for packed, gist in zip(sketches, read, strict=True)]
    story_of = group(list(enumerate(sketches)), ()).story_of
    identities = [record.get("id", number) for number, record in enumerate(listed, 1)]
    oldest: dict[int | str, int] = {}
    for number in sorted(range(len(listed)), key=lambda one: (unpack(sketches[one]).at, sketches[one])):
        oldest.setdefault(story_of[number], number)
    return ((identity, identities[oldest[story_of[number]]]) for number, identity in enumerate(identities))


def _of_record(record: Mapping[str, Any], at: datetime | None, seen: datetime, names: Names | None) -> bytes:
    title, text = _told(record)
    return sketch(
        title=title,
        text=text,
        publisher=str(record.get("source") or ""),
        published=at,
        first_seen=seen,
        entities=names(title, text) if names else {},
        language=record.get("language"),
    )


def _told(record: Mapping[str, Any]) -> tuple[str, str]:
    return str(record.get("title") or ""), str(record.get("text") or "")


def read_date(written: object) -> datetime | None:
    """A time as ISO 8601 or RFC 5322 writes it, in UTC; None for anything else."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(str(written))
        except ValueError:
            continue
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    return None


@dataclass(frozen=True, slots=True)
class _Item:
    """An article of the batch (`story` None) or of the window. Its place in the sorted list is its number below."""

    sketch: bytes
    article: int
    story: int | None
    parted: frozenset[int] = frozenset()  # stories that this one must not become


class _Alike:
    """How alike any two articles are; compared once, and only if asked."""

    def __init__(self, items: Sequence[_Item]) -> None:
        self._sketches = [unpack(item.sketch) for item in items]
        self._new = [number for number, item in enumerate(items) if item.story is None]
        self._found: dict[tuple[int, int], Likeness] = {}

    def of(self, a: int, b: int) -> Likeness:
        pair = (a, b) if a < b else (b, a)
        found = self._found.get(pair)
        if found is None:
            found = self._found[pair] = compare(self._sketches[a], self._sketches[b])
        return found

    def candidates(self) -> list[tuple[int, int]]:
        """Pairs that share enough rare words to be compared at all, each with a new article in it."""
        holders = self._holders()
        return sorted({(min(a, b), max(a, b)) for a in self._new for b in self._sharing(a, holders) if a != b})

    def _holders(self) -> dict[str, list[int]]:
        holders: dict[str, list[int]] = defaultdict(list)
        for number, one in enumerate(self._sketches):
            for word in one.lead:
                if rarity(word) >= _TELLING:
                    holders[word].append(number)
        return {word: numbers for word, numbers in holders.items() if 1 < len(numbers) <= _CROWD}

    def _sharing(self, number: int, holders: Mapping[str, Sequence[int]]) -> list[int]:
        """Those that share most with an article, words counting the more the fewer have them."""
        shared: dict[int, float] = defaultdict(float)
        for word in self._sketches[number].lead:
            having = holders.get(word, ())
            for other in having:
                shared[other] += rarity(word) / math.log2(1 + len(having))
        return heapq.nlargest(_COMPARED, shared, key=lambda other: (shared[other], other))


class _Stories:
    """Groups of articles, named by the number of their oldest, so that names come from content and not from order."""

    def __init__(self, items: Sequence[_Item], alike: _Alike) -> None:
        self._items = items
        self._alike = alike
        self._pairs = alike.candidates()
        self._members: dict[int, list[int]] = {}
        self._group_of: dict[int, int] = {}
        self._near: dict[int, set[int]] = defaultdict(set)
        self._parted = {item.story: item.parted for item in items if item.story is not None and item.parted}
        known: dict[int, list[int]] = defaultdict(list)
        for number, item in enumerate(items):
            if item.story is None:
                self._put([number])
            else:
                known[item.story].append(number)
        for members in known.values():
            self._put(members)

    def _put(self, members: list[int]) -> int:
        name = min(members)
        self._members[name] = members
        self._group_of.update(dict.fromkeys(members, name))
        return name

    def _join(self, a: int, b: int) -> int:
        return self._put(self._members.pop(a) + self._members.pop(b))

    def _were_parted(self, a: int, b: int) -> bool:
        """Whether an analyst has parted two stories, of which one is in group a and the other in b."""
        if not self._parted:
            return False
        ours, theirs = ({self._items[one].story for one in self._members[group]} for group in (a, b))
        return any(not self._parted.get(story, frozenset()).isdisjoint(theirs) for story in ours if story is not None)

    def join_copies(self) -> None:
        """Whatever is a copy of one of a group belongs to it."""
        for a, b in self._pairs:
            one, other = self._group_of[a], self._group_of[b]
            if self._alike.of(a, b).copy and one != other and not self._were_parted(one, other):
                self._join(one, other)

    def join_likely(self) -> None:
        """Join the two groups that are most alike, again and again, until none are alike enough."""
        for a, b in self._pairs:
            if self._alike.of(a, b).event >= RELATED:
                self._meet(self._group_of[a], self._group_of[b])
        waiting = [entry for a, near in self._near.items() for b in near if a < b for entry in self._entry(a, b)]
        heapq.heapify(waiting)
        while waiting:
            _, a, b, size = heapq.heappop(waiting)
            if a in self._members and b in self._members and size == len(self._members[a]) + len(self._members[b]):
                for entry in self._merge(a, b):
                    heapq.heappush(waiting, entry)

    def _meet(self, a: int, b: int) -> None:
        if a != b:
            self._near[a].add(b)
            self._near[b].add(a)

    def _merge(self, a: int, b: int) -> Iterator[tuple[float, int, int, int]]:
        """Join two groups; what there is to wait for now."""
        others = (self._near.pop(a) | self._near.pop(b)) - {a, b}
        joined = self._join(a, b)
        for other in sorted(others):
            self._near[other] -= {a, b}
            self._meet(joined, other)
            yield from self._entry(min(joined, other), max(joined, other))

    def _entry(self, a: int, b: int) -> Iterator[tuple[float, int, int, int]]:
        """Two groups that may be joined, best first by sorting; `size` says later whether either has changed."""
        pairs = [self._alike.of(one, other) for one, other in product(self._members[a], self._members[b])]
        average = sum(pair.event for pair in pairs) / len(pairs)
        if average >= JOIN and any(pair.sure for pair in pairs) and not self._were_parted(a, b):
            yield -average, a, b, len(self._members[a]) + len(self._members[b])

    def grouping(self) -> Grouping:
        """The result, in the caller's ids."""
        named = {name: self._named(members) for name, members in self._members.items()}
        story_of, merged = {}, {}
        for number, item in enumerate(self._items):
            story = named[self._group_of[number]]
            if item.story is None:
                story_of[item.article] = story
            elif isinstance(story, int) and item.story != story:
                merged[item.story] = story
        return Grouping(story_of=story_of, merged=merged, related=tuple(sorted(self._related())))

    def _named(self, members: Sequence[int]) -> int | str:
        stories = [story for number in members if (story := self._items[number].story) is not None]
        return min(stories) if stories else str(min(self._items[number].article for number in members))

    def _related(self) -> Iterator[tuple[int, int]]:
        """For each new article the likeliest of the stories that it did not join, by their nearest article."""
        nearest: dict[int, dict[int, tuple[float, int]]] = defaultdict(dict)
        for a, b in self._pairs:
            likely = self._alike.of(a, b).event
            if likely < RELATED or self._group_of[a] == self._group_of[b]:
                continue
            for one, other in ((a, b), (b, a)):
                if self._items[one].story is None:
                    story = self._group_of[other]
                    nearest[one][story] = max(nearest[one].get(story, (0.0, 0)), (likely, other))
        pairs = set()
        for one, stories in nearest.items():
            for _, other in heapq.nlargest(RELATED_AT_MOST, stories.values()):
                ids = self._items[one].article, self._items[other].article
                pairs.add((min(ids), max(ids)))
        return iter(pairs)
