"""Whose words a story is told in: publishers and wires, not labels.

A newspaper that prints a wire's text is the wire's voice, so that ten papers with one dispatch count as one witness.
"""

from __future__ import annotations

import re

from watchfloor.tokens import search_tokens

# A wire, and every name it signs with, folded. The credit shown is the key.
_WIRES = {
    "Reuters": ("reuters", "thomson reuters"),
    "AP": ("ap", "associated press", "the associated press", "ap news"),
    "AFP": ("afp", "agence france presse", "france presse"),
    "TASS": ("tass", "itar tass"),
    "dpa": ("dpa", "deutsche presse agentur"),
    "UPI": ("upi", "united press international"),
    "Interfax": ("interfax", "interfax ukraine"),
    "Ukrinform": ("ukrinform",),
    "Xinhua": ("xinhua",),
    "Kyodo": ("kyodo", "kyodo news"),
    "Yonhap": ("yonhap", "yonhap news agency"),
    "PTI": ("pti", "press trust of india"),
    "ANI": ("ani",),
    "ANSA": ("ansa",),
    "EFE": ("efe",),
    "PA": ("pa media", "press association"),
}
_CREDIT = {name: wire for wire, names in _WIRES.items() for name in names}
_SIGNED = "|".join(
    sorted(("AP", "AFP", "Reuters", "TASS", "dpa", "UPI", "Interfax", "Xinhua", "Kyodo", "Yonhap", "PTI", "ANI", "EFE"))
)
# "KYIV, March 3 (Reuters) -", "(AP) —" in the first line, and "AP - " as its first word
_PLACE_AND_DATE = r"(?:[^\W_a-z][\w./-]*,?\s+){0,7}"  # words with a capital, and figures
_DATELINE = re.compile(
    rf"^(?:{_PLACE_AND_DATE}\((?P<wire>{_SIGNED})\)\s*[-–—:]?|(?P<bare>{_SIGNED})\s+[-–—])\s*", re.MULTILINE
)
# "THE HAGUE (Meridian) -": of a wire that is not on the list
_ANY_DATELINE = re.compile(rf"{_PLACE_AND_DATE}\([^\W_a-z][\w .&-]{{1,30}}\)\s*[-–—]\s*")
_BRACKETS = re.compile(rf"\s*\((?P<wire>{_SIGNED})\)\s*$")
_DATELINE_WITHIN = 400  # characters: a byline may stand before it, a wire that is quoted later does not count
_SUFFIX = re.compile(r"\s+(?:[-–—|]|::)\s+(?P<name>[^|–—]{2,40})$")
_DOMAIN = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,6}", re.I)
_PREFIX = re.compile(r"^(?:(?:UPDATE|WRAPUP|CORRECTED|REFILE)\s*\d*\s*[-:]\s*|(?:BREAKING|EXCLUSIVE)\s*[-:]\s*)+", re.I)
_MARKUP = re.compile(r"</?\w{1,6}>")
_WORDS_LEFT = 3  # what is left of a title without its suffix; shorter, and the dash belonged to the title


def voice(publisher: str, title: str, text: str) -> str:
    """Whose words these are: the wire that is credited, else the publisher."""
    wire = _credited(title, text)
    return wire or _wire_named(publisher) or publisher.strip()


def is_wire(name: str) -> bool:
    """Is this the name of an agency that others print?"""
    return _wire_named(name) is not None


def plain_title(title: str, publisher: str = "") -> str:
    """The title without update marks before it and the names of publishers or wires behind it."""
    title = _PREFIX.sub("", _MARKUP.sub("", title)).strip()
    suffix = _SUFFIX.search(title)
    if suffix and _names_a_publisher(suffix["name"], publisher) and len(title[: suffix.start()].split()) >= _WORDS_LEFT:
        title = title[: suffix.start()]
    return _BRACKETS.sub("", title).strip()


def without_dateline(text: str) -> str:
    """The text without a byline and a dateline at its beginning: two papers carry the same text after it."""
    dateline = _DATELINE.search(text, 0, _DATELINE_WITHIN) or _ANY_DATELINE.match(text)
    return text[dateline.end() :] if dateline else text


def _credited(title: str, text: str) -> str | None:
    brackets = _BRACKETS.search(title)
    if brackets:
        return _wire_named(brackets["wire"])
    dateline = _DATELINE.search(text, 0, _DATELINE_WITHIN)
    if dateline:
        return _wire_named(dateline["wire"] or dateline["bare"])
    suffix = _SUFFIX.search(title)
    return _wire_named(suffix["name"]) if suffix else None


def _wire_named(name: str) -> str | None:
    return _CREDIT.get(" ".join(search_tokens(name)))


def _names_a_publisher(suffix: str, publisher: str) -> bool:
    if _wire_named(suffix) or _DOMAIN.fullmatch(suffix.strip()):
        return True
    words, own = search_tokens(suffix), search_tokens(publisher)
    return bool(words) and (words == own[: len(words)] or words[-1] in ("news", "times", "post"))
