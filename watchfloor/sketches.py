"""Article -> sketch: the little that grouping has to remember of it (1 to 2 kB), and how rare a word is.

Words are folded and cut to a stem, so that "strikes" meets "strike"; names are words written with a capital where
grammar does not ask for one. Rarity is a fixed table and not counted in the archive: what two articles have to do with
one another must not depend on what else came in that day, or stories would depend on the order of arrival.
It comes from how many of 9,000 news stories have a word (`python -m bench.rarity`).
"""

from __future__ import annotations

import base64
import json
import math
import re
import struct
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from watchfloor.tokens import search_tokens
from watchfloor.voices import plain_title, voice, without_dateline

VERSION = 1
LEAD = 120  # words; the event is in the lead, and what follows is background that all articles of a crisis share
SHINGLES = 128  # lowest hashes kept: containment of long texts within a few per cent, short ones exact
_SHINGLED = 1_500  # words from which shingles are made
GIST_SCALE = 127  # the length of a gist: unit vectors as signed bytes
_STEM = 6  # letters: as good as a stemmer here, and the same for every language

_WORD_OR_STOP = re.compile(r"[^\W\d_]+|[.!?:;\n\"“”«»‘]")
_STOPS = frozenset('.!?:;\n"“”«»‘')
POSSESSIVE = re.compile(r"['’]s\b")
# Two digits or more, as 3 is in every other article; Day 3 is in few
_NUMBER = re.compile(r"\d[\d,.]*\d|(?<=\bday )\d", re.I)
_YEAR = re.compile(r"20[0-3]\d")
_TITLE_CASE = 0.7  # share of capitalised words from which capitals in a title say nothing

_PLACES = frozenset({"country", "region"})  # kinds of entities that half of a week's stories share
_PLACE, _ENTITY = 1.0, 4.0  # what one weighs beside any other; with 1.5 and 2 for a place days not seen fare no better
_BY_LENGTH = {1: 1.0, 2: 2.0, 3: 3.5, 4: 4.7}  # short words are common ones, in languages the table does not have too
_RARE = 6.0


def stem(word: str) -> str:
    """A folded word as grouping compares it; numbers stay whole."""
    if word.isdigit() or len(word) <= 3:
        return word
    if len(word) > _STEM:
        return word[:_STEM]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


class _Rarity(dict[str, float]):
    """Rarity of stems; of those that the table lacks it is guessed once."""

    def __missing__(self, stemmed: str) -> float:
        number = stemmed.isdigit() and len(stemmed) > 1
        guess = self[stemmed] = 5.0 if number else _BY_LENGTH.get(len(stemmed), _RARE)
        return guess


def _table() -> Iterator[tuple[str, float]]:
    """Each line of the file: how rare, and the stems that are so."""
    for line in Path(__file__).with_name("rarity.txt").read_text(encoding="utf-8").splitlines():
        value, *stems = line.split()
        yield from ((word, float(value)) for word in stems)


_RARITY = _Rarity(_table())


def rarity(stemmed: str) -> float:
    """How much a shared word says, from .25 (the) to 6 (a name that few articles have)."""
    return _RARITY[stemmed]


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """What grouping knows of an article. Words are stems; `maybe_names` began a sentence or stood in a loud title.

    `shingles` are the lowest hashes of runs of three words, `shingle_limit` the hash up to which they are complete.
    """

    at: datetime
    dated: bool  # by its publisher; else `at` is when we saw it
    publisher: str
    title: frozenset[str]
    lead: dict[str, float]  # with the title's; 1 + log of how often
    length: float  # of `lead` as a vector of weighted words
    names: frozenset[str]
    maybe_names: frozenset[str]
    entities: dict[str, float]  # of the watchlist: canonical names with their weights
    numbers: frozenset[str]
    words: int  # of the text
    shingles: frozenset[int]
    shingle_limit: int
    gist: array[int] | None  # what it is about (`watchfloor.gist`), where a model read it


def sketch(
    *,
    title: str,
    text: str,
    publisher: str,
    published: datetime | None,
    first_seen: datetime,
    entities: Mapping[str, str] = MappingProxyType({}),
    language: str | None = None,
) -> bytes:
    """The sketch of an article, the same bytes for the same article on every machine.

    `entities`: canonical names of the watchlist that title and opening name, each with its kind. `language` is kept for
    later versions' tables.
    """
    plain = plain_title(title, publisher)
    body = without_dateline(text)
    words = search_tokens(POSSESSIVE.sub("", body))
    opening = " ".join(body.split()[:LEAD])
    names, maybe = _names(plain, opening)
    packed = {
        "v": VERSION,
        "at": int((published or first_seen).timestamp()),
        "dated": published is not None,
        "by": voice(publisher, title, text),
        "in": language,
        "title": sorted({stem(word) for word in search_tokens(POSSESSIVE.sub("", plain))}),
        "lead": dict(sorted(Counter(stem(word) for word in words[:LEAD]).items())),
        "names": sorted(names),
        "maybe": sorted(maybe - names),
        "entities": dict(sorted(entities.items())),
        "numbers": sorted(_numbers(f"{plain} {opening}")),
        "words": len(words),
        "shingles": base64.b64encode(_packed(_shingles(words))).decode("ascii"),
    }
    return _written(packed)


def _written(data: dict[str, Any]) -> bytes:
    return zlib.compress(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(), 6)


def _read(packed: bytes) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(zlib.decompress(packed))
    except (zlib.error, ValueError) as error:
        raise ValueError("not a sketch") from error
    if data["v"] != VERSION:
        raise ValueError(f"a sketch of version {data['v']}, and this program reads {VERSION}")
    return data


def with_gist(packed: bytes, gist: bytes) -> bytes:
    """The same sketch with what a model says the article is about; unchanged where it says nothing."""
    if not gist:
        return packed
    data = {**_read(packed), "gist": base64.b64encode(gist).decode("ascii")}
    return _written(data)


@lru_cache(maxsize=16_384)  # a window's worth: a known sketch is read again with every batch
def unpack(packed: bytes) -> Sketch:
    """Read a sketch. Raises ValueError for bytes that no version of `sketch` wrote."""
    data = _read(packed)
    lead = dict.fromkeys(data["title"], 1.0)
    for word, count in data["lead"].items():
        lead[word] = 1 + math.log(count + (word in lead))
    raw = base64.b64decode(data["shingles"])
    shingles = struct.unpack(f">{len(raw) // 4}I", raw)
    return Sketch(
        at=datetime.fromtimestamp(data["at"], UTC),
        dated=data["dated"],
        publisher=data["by"],
        title=frozenset(data["title"]),
        lead=lead,
        length=math.sqrt(sum((weight * rarity(word)) ** 2 for word, weight in lead.items())),
        names=frozenset(data["names"]),
        maybe_names=frozenset(data["maybe"]),
        entities={name: _PLACE if kind in _PLACES else _ENTITY for name, kind in data.get("entities", {}).items()},
        numbers=frozenset(data["numbers"]),
        words=data["words"],
        shingles=frozenset(shingles),
        shingle_limit=shingles[-1] if len(shingles) == SHINGLES else 1 << 32,
        gist=array("b", base64.b64decode(data["gist"])) if "gist" in data else None,
    )


def _numbers(text: str) -> set[str]:
    return {number for number in _NUMBER.findall(text) if not _YEAR.fullmatch(number)}


def _packed(hashes: list[int]) -> bytes:
    return struct.pack(f">{len(hashes)}I", *hashes)


def _shingles(words: list[str]) -> list[int]:
    words = words[:_SHINGLED]
    hashes = {zlib.crc32(" ".join(words[at : at + 3]).encode()) for at in range(len(words) - 2)}
    return sorted(hashes)[:SHINGLES]


def _names(title: str, opening: str) -> tuple[set[str], set[str]]:
    """Stems of words that are names, and of those that may be."""
    capitals = [word[0].isupper() for word in re.findall(r"[^\W\d_]+", title)]
    loud = bool(capitals) and sum(capitals) / len(capitals) > _TITLE_CASE
    sure, maybe = _capitalised(opening, False)
    if not title.isupper():
        in_title, maybe_in_title = _capitalised(title, loud)
        sure, maybe = sure | in_title, maybe | maybe_in_title
    return sure, maybe - sure


def _capitalised(text: str, loud: bool) -> tuple[set[str], set[str]]:
    sure: set[str] = set()
    maybe: set[str] = set()
    starts = True
    for word in _WORD_OR_STOP.findall(text):
        if word in _STOPS:
            starts = True
            continue
        if word[0].isupper() and len(word) > 1:
            stems = {stem(part) for part in search_tokens(word)}
            (maybe if starts or loud else sure).update(stems)
        starts = False
    return sure, {word for word in maybe if len(word) > 3}
