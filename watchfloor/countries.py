"""The countries of the world and their names in the languages of the watchlist, from Babel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from babel import Locale

LANGUAGES = ("en", "de", "fr", "es", "pl", "uk", "ru")
# What the press calls them, where Babel's English name is a label for a menu.
_PRESS_NAMES = {
    "BA": "Bosnia and Herzegovina", "CD": "Democratic Republic of the Congo", "CG": "Republic of the Congo",
    "CI": "Ivory Coast", "HK": "Hong Kong", "KN": "Saint Kitts and Nevis", "MM": "Myanmar", "MO": "Macau",
    "PS": "Palestine", "TR": "Turkey", "TL": "East Timor", "TT": "Trinidad and Tobago", "VA": "Vatican",
}  # fmt: skip
# Outlying islands, groupings and test values of the list of territories: nobody files news under them.
_NOT_COUNTRIES = frozenset("AC AQ BQ BV CC CP CQ CX DG EA EU EZ HM IC IM IO JE NF PN QO TA TF UM UN XA XB ZZ".split())
_SLAVIC = ("pl", "uk", "ru")
_ENDINGS = "aeiouyąęаеиоуяюыійь"  # what cases change at the end of a Slavic name
STEM_AT_LEAST = 4  # letters of a stem before *: "куб*" (Cuba) would be half the dictionary


@cache
def countries() -> Mapping[str, Mapping[str, str | None]]:
    """English name -> {its names: the language in which that name counts, None for every one}; 70 ms, once."""
    named = {language: Locale.parse(language).territories for language in LANGUAGES}
    codes = [code for code in map(str, named["en"]) if len(code) == 2 and code.isalpha()]
    return dict(_country(code, named) for code in sorted(codes) if code not in _NOT_COUNTRIES)


def _country(code: str, named: Mapping[str, Mapping[str, str]]) -> tuple[str, Mapping[str, str | None]]:
    english = named["en"][code]
    name = _PRESS_NAMES.get(code, english.replace("&", "and").replace("St. ", "Saint "))
    labels: dict[str, str | None] = dict.fromkeys((name, *_parts(english)))
    for language in LANGUAGES[1:]:
        for part in _parts(named[language][code]):
            labels.setdefault(_stem(part) if language in _SLAVIC else part, language)
    return name, labels


def _parts(label: str) -> Iterator[str]:
    """Myanmar (Burma) -> Myanmar, Burma; labels of menus such as Congo - Kinshasa are no names."""
    if " - " not in label and "SAR" not in label:
        yield from (part.strip() for part in label.replace(")", "").split("(") if part.strip())


def _stem(name: str) -> str:
    """Польша -> Польш*, which also finds it in the other cases; short names stay whole."""
    stem = name[:-1] if name[-1] in _ENDINGS else name
    return f"{stem}*" if len(stem) >= STEM_AT_LEAST and stem.isalpha() else name
