"""How rare words are: `python -m bench.rarity STORIES > watchfloor/rarity.txt` makes the table that grouping weighs by.

STORIES are news stories as JSON lines (title, text), plain or gzipped. Only how many of them have a stem gets into the
table, in steps of a quarter; stems that fewer than one in a thousand have are left out: they are all rare.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.material import read_stories
from watchfloor.sketches import LEAD, POSSESSIVE, stem
from watchfloor.tokens import search_tokens

LEAST = 8  # of 9,000 stories; F1 of unseen pairs with 5, 8, 10 and 20: .844, .839, .831, .833
SCALE = 1.8  # halvings for one unit, so that what the table lacks is as rare as `sketches` takes it to be, 6
WIDTH = 120


def stems_of(story: dict[str, Any]) -> set[str]:
    """Of title and lead, as a sketch has them; without numbers."""
    told = f"{story['title'] or ''} {' '.join((story['text'] or '').split()[:LEAD])}"
    return {stem(word) for word in search_tokens(POSSESSIVE.sub("", told)) if not word.isdigit()}


def table(path: Path) -> Iterator[str]:
    """Lines of a value and the stems that have it, the commonest first."""
    having: Counter[str] = Counter()
    stories = 0
    for story in read_stories(path):
        stories += 1
        having.update(stems_of(story))
    words = defaultdict(list)
    for word, count in having.items():
        if count >= LEAST:
            words[round(4 * math.log2(stories / count) / SCALE) / 4].append(word)
    for value, these in sorted(words.items()):
        line = f"{value}"
        for word in sorted(these):
            if len(line) + 1 + len(word) > WIDTH:
                yield line
                line = f"{value}"
            line += f" {word}"
        yield line


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("stories", type=Path)
    print("\n".join(table(options.parse_args().stories)))


if __name__ == "__main__":
    main()
