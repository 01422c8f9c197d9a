"""Text -> folded words, with the way back to the exact place in the original.

    "Kyiv's air-defence, Gen. Ołeh" -> " kyiv s air defence  gen  oleh "

Folding works character by character: case, accents and compatibility forms go (NFKD without marks, then casefold),
letters and digits stay, everything else is a blank. So every word has blanks around it, and a word or phrase with its
own blanks is found whole by any substring search; a phrase does not run over a comma, which leaves two blanks. Runs
of spaces in the original count as one. Spelling, plurals and acronyms are not folded here: the watchlist expands its
terms instead (`watchfloor.spelling`), and the archive's search stays literal.

Folding is the floor under all matching: 15 us for 4,000 characters of English. What is not ASCII is replaced kind by
kind, the rest goes through one bytes.translate; and since nearly every character folds to one, an offset is its own way
back, but for texts that hold others, and for those the map is made when it is asked for.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

_UNEVEN = re.compile(r"  +|[^\x00-\x7f]")  # what may fold to another length
_WORD = re.compile("[^ ]+")
# Letters that Unicode does not take apart, as people type them who lack the key.
_UNDIVIDED = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"}
)


USUAL_SENTENCE = 250  # characters in which one mostly began, so that the paragraph before need not be looked through
LONGEST_SENTENCE = 1000  # characters; what is longer is a list, or data, and is kept with each piece of evidence

_UNSEEN = ("Mn", "Mc", "Me", "Cf")


def _fold_character(character: str) -> str:
    """'' for a mark or an invisible character, a blank for a separator, else the letters or digits left of it."""
    parts = unicodedata.normalize("NFKD", character)
    bare = "".join(
        part for part in parts if unicodedata.category(part)[0] != "M" and unicodedata.category(part) != "Cf"
    )
    folded = "".join(c if c.isalnum() else " " for c in bare.casefold().translate(_UNDIVIDED))
    return folded if folded.strip() else folded[:1]  # an ellipsis is one sign, not three: no text is uneven for it


class _Table(dict[int, str]):
    """What each code point folds to, filled as characters turn up."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _fold_character(chr(code))
        return folded


FEW = 64  # kinds of characters that are sooner replaced one by one: in English quotation marks, dashes, an accent
_TABLE = _Table()
_ALL_ASCII = bytes(range(128))
_ASCII = "".join(map(_fold_character, _ALL_ASCII.decode())).encode() + bytes(range(128, 256))


def _fold(text: str) -> tuple[str, bool]:
    """The folded text, and whether every character folded to exactly one."""
    even = True
    if not text.isascii():
        # UTF-8 keeps ASCII apart from all else; lone surrogates pass through it too
        others = text.encode("utf-8", "surrogatepass").translate(None, _ALL_ASCII).decode("utf-8", "surrogatepass")
        folds = {character: _TABLE[ord(character)] for character in set(others)}
        even = all(len(folded) == 1 for folded in folds.values())
        changed = {character: folded for character, folded in folds.items() if folded != character}
        if len(changed) > FEW:
            text = text.translate(_TABLE)
        else:
            for character, folded in changed.items():
                text = text.replace(character, folded)
    return text.encode("utf-8", "surrogatepass").translate(_ASCII).decode("utf-8", "surrogatepass"), even


@dataclass(frozen=True)
class Folded:
    """A text of `original`, folded: `text` has a blank before and after each word."""

    original: str
    text: str
    even: bool  # offsets in `text` are those in the original, plus one

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where the words in `text[start:end]`, which may have a blank at either end, lie in the original."""
        return self.within(start - (self.text[start] != " "), end + (self.text[end - 1] != " "))

    def within(self, start: int, end: int) -> tuple[int, int]:
        """Where the words between the blanks at `text[start]` and `text[end - 1]` lie in the original."""
        original = self.original
        if self.even:
            last = end - 2
        else:
            # up to the next character, so that a mark dropped after the last letter belongs to the word
            last = max(self._origin(end - 2) + 1, self._origin(end - 1))
            start = self._origin(start + 1)
        if original.startswith(".", last) and "." in original[max(start, last - 2) : last]:
            last += 1  # U.S. keeps its last full stop
        return start, last

    def starts_with(self, start: int, letters: str) -> bool:
        """Does the word after the blank at `text[start]` begin so in the original, capitals included?"""
        first, original = start if self.even else self._origin(start + 1), self.original
        if original[first] != letters[0]:
            return False
        if original.startswith(letters, first):
            return True
        # signs within the word do not matter: U.S. is US
        return "".join(filter(str.isalnum, original[first : first + 2 * len(letters) + 4])).startswith(letters)

    def _origin(self, position: int) -> int:
        if self.even:
            return position - 1  # one blank was put in front
        places, shifts = self._shifts
        return position + shifts[bisect_right(places, position) - 1]

    @cached_property
    def _shifts(self) -> tuple[list[int], list[int]]:
        """Offsets in `text` from which so much has to be added to be in the original."""
        places, shifts = [0], [-1]
        for found in _UNEVEN.finditer(self.original):
            length = found.end() - found.start()
            width = 1 if found[0][0] == " " else len(_TABLE[ord(found[0])])
            if width != length:
                at, shift = found.start() - shifts[-1], shifts[-1]
                places += range(at + 1, at + width)  # the second and later letters come from the same character
                shifts += range(shift - 1, shift - width, -1)
                places.append(at + width)
                shifts.append(shift + length - width)
        return places, shifts


def fold(text: str) -> Folded:
    """Fold a text of any length; never raises."""
    single = text
    while "  " in single:
        single = single.replace("  ", " ")
    folded, even = _fold(single)
    return Folded(text, f" {folded} ", even and len(single) == len(text))


def search_tokens(text: str) -> list[str]:
    """The folded words of a text, in order: what the archive's full-text indexes are built of."""
    return _fold(text)[0].split()


@dataclass(frozen=True, slots=True)
class Token:
    """A folded word and where it stands in the original; `end` is exclusive."""

    text: str
    start: int
    end: int


def tokenize(text: str) -> list[Token]:
    """The folded words of a text with their places, in order."""
    folded = fold(text)
    return [Token(word[0], *folded.span(*word.span())) for word in _WORD.finditer(folded.text)]


# A sentence ends at a full stop before a blank and a capital, but not after an initial or a usual abbreviation.
_SENTENCE_END = re.compile(
    r"""[.!?…]                                     # one set of characters to begin with: the engine then leaps
        ["'”’)\]]*\s+(?=["'“‘(\[]*[^\W_a-zа-я])
        (?<![\s.(][^\W\d_]\.\s)
        (?<!\b(?:Mr|Ms|Dr|St|Lt|vs|Jr|Sr|No)\.\s)
        (?<!\b(?:Mrs|Gen|Adm|Col|Maj|Cpt|Sgt|Rep|Sen|Gov|Jan|Feb|Aug|Oct|Nov|Dec)\.\s)""",
    re.VERBOSE,
)


class Sentences:
    """Where the sentences of a text begin and end; a line break always ends one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._begin = self._end = 0  # of the sentence that was asked for last: what is asked for next is often in it

    def at(self, start: int, end: int | None = None) -> str:
        """The sentence that holds this place, without the blanks around it; all that the span up to `end` is in, if it
        runs into another."""
        begin, stop = self._around(start)
        if end is not None and end > stop:
            stop = self._around(end - 1)[1]
        return self._text[begin:stop].strip()

    def _around(self, offset: int) -> tuple[int, int]:
        if not self._begin <= offset < self._end:
            self._find(offset)
        return self._begin, self._end

    def _find(self, offset: int) -> None:
        begin, end = self._text.rfind("\n", 0, offset) + 1, self._text.find("\n", offset)
        end = len(self._text) if end < 0 else end
        for first in dict.fromkeys((max(begin, offset - USUAL_SENTENCE), begin)):
            for match in _SENTENCE_END.finditer(self._text, first, end):
                if match.end() > offset:
                    end = match.end()
                    break
                begin = match.end()
            if begin > first:
                break
        if end - begin > LONGEST_SENTENCE:
            begin, end = max(begin, offset - LONGEST_SENTENCE // 2), min(end, offset + LONGEST_SENTENCE // 2)
        self._begin, self._end = begin, end
