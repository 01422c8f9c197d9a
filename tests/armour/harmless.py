"""What may be kept: the rule itself, written down once more and otherwise than the program has it."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

DIRECTIONS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def _is_forbidden(one: str) -> bool:
    control = unicodedata.category(one) in ("Cc", "Cs", "Co") and one not in "\n\t"
    return control or unicodedata.bidirectional(one) in DIRECTIONS or (ord(one) & 0xFFFE) == 0xFFFE


@cache
def _forbidden() -> re.Pattern[str]:
    """All of them as one pattern, so that a megabyte is looked through in no time."""
    ranges: list[list[int]] = []
    for number in range(sys.maxunicode + 1):
        if _is_forbidden(chr(number)):
            if ranges and ranges[-1][1] == number - 1:
                ranges[-1][1] = number
            else:
                ranges.append([number, number])
    return re.compile("[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges) + "]")


def is_harmless(text: str) -> bool:
    """No control, surrogate, private use, direction mark or noncharacter: what databases, mails and terminals take."""
    return _forbidden().search(text) is None
