"""How else a term is written: a term of the watchlist -> every folded form that counts as the same.

British and American spelling, plurals, hyphens (cease-fire, ceasefire) and dotted acronyms (U.S.) do not matter to an
analyst, so the list is written once and expanded when it is loaded; the texts are only folded. Forms that no language
has ("exercize") do no harm: nobody writes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import product

from watchfloor.tokens import fold, search_tokens, tokenize

ENGLISH = "en"

# British -> American; the way back is made of it. Whole words or beginnings of words, as folded.
_BRITISH = {
    "defence": "defense",
    "offence": "offense",
    "licence": "license",
    "programme": "program",
    "centre": "center",
    "theatre": "theater",
    "calibre": "caliber",
    "sabre": "saber",
    "armour": "armor",
    "harbour": "harbor",
    "labour": "labor",
    "neighbour": "neighbor",
    "manoeuvre": "maneuver",
    "manoeuvring": "maneuvering",
    "cancelled": "canceled",
    "refuelling": "refueling",
    "refuelled": "refueled",
    "signalling": "signaling",
    "ageing": "aging",
}
_PAIRS = [*_BRITISH.items(), *((american, british) for british, american in _BRITISH.items())]
_SPELLED = re.compile("|".join(one for one, _ in _PAIRS))
_ISE = re.compile(r"(?<=[a-z]{3})i([sz])(e|ed|es|er|ers|ing|ation|ations)$")  # modernise, demilitarization
_YSE = re.compile(r"(?<=[a-z]{3})y([sz])(e|ed|es|ing)$")  # paralyse
_IRREGULAR = {"man": "men", "woman": "women", "foot": "feet", "child": "children"}


def forms(term: str, *, language: str | None = None, exact: bool = False) -> set[str]:
    """All folded forms of a term; empty if it has neither letter nor digit.

    `exact`: only as written. Plurals and spelling are varied for English alone (`language` None or "en").
    """
    folded = fold(term).text.strip()
    words = tuple(folded.split())
    if not words:
        return set()
    written = {" ".join(words), folded, *_dotted(term)}
    if exact:
        return written
    spellings = [words, *_joined(term)]
    if language in (None, ENGLISH):
        spellings = [form for words in spellings for form in product(*map(_spellings, words))]
        spellings += [form for words in spellings for form in _counted(words)]
    return written.union(map(" ".join, spellings))


def _joined(term: str) -> Iterator[tuple[str, ...]]:
    """cease-fire -> ceasefire, F-16 -> F16."""
    if "-" in term and re.search(r"\w-\w", term):
        yield tuple(search_tokens(term.replace("-", "")))


def _dotted(term: str) -> Iterator[str]:
    """US Army -> "u s  army", as U.S. Army folds."""
    if not _ACRONYM.search(term):
        return
    words = [term[token.start : token.end] for token in tokenize(term)]
    if any(_is_acronym(word) for word in words):
        yield " ".join(" ".join(word) + " " if _is_acronym(word) else word for word in words).strip().lower()


_ACRONYM = re.compile(r"[A-Z]{2}")


def _is_acronym(word: str) -> bool:
    return 2 <= len(word) <= 4 and word.isascii() and word.isalpha() and word.isupper()


@cache
def _spellings(word: str) -> tuple[str, ...]:
    found = {word}
    for one, other in _PAIRS if _SPELLED.match(word) else ():
        if word.startswith(one) and not (len(other) > len(one) and word.startswith(other)):
            found.add(other + word[len(one) :])
    for pattern in (_ISE, _YSE):
        if match := pattern.search(word):
            at = match.start(1)
            found.add(word[:at] + ("z" if match[1] == "s" else "s") + word[at + 1 :])
    return tuple(sorted(found))


def _counted(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The plural of the last word and of a word before "of" (chiefs of staff); the singular in phrases."""
    *head, last = words
    many = len(last) > 1 and last.endswith("s") and not last.endswith(("ss", "us", "is"))
    if not many:
        yield (*head, _plural(last))
    if "of" in words[1:]:
        at = words.index("of", 1) - 1
        yield (*words[:at], _plural(words[at]), *words[at + 1 :])
    if head and many:
        yield (*head, last[:-1])


@cache
def _plural(word: str) -> str:
    if word.endswith("man"):
        return word[:-3] + "men"
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in ("a", "e", "i", "o", "u"):
        return word[:-1] + "ies"
    return word + "s"
