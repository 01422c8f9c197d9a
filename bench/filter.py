"""Throughput of the filter against the bare libraries, in one run: `python -m bench.filter [--stories FILE]`.

Bare: NFKD, marks away by one regex, lower case, and one ahocorasick_rs pass with the watchlist's own terms, counting
the matches at word boundaries. Ours: a whole verdict with evidence and entities. Both over the same full bodies, a
few at a time in turn; of each few the quickest of several rounds counts, so that a busy machine slows neither. The
second figure cuts the watchlist to 200 terms, or widens it with made-up ones.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ahocorasick_rs import MATCHKIND_LEFTMOST_LONGEST, AhoCorasick

from bench.material import read_stories
from watchfloor.match import Matcher
from watchfloor.settings import shipped
from watchfloor.watchlist import Keyword, Spelling, Watchlist, load

DEFAULT_STORIES = Path(__file__).resolve().parents[2] / "shared" / "data" / "background" / "dev.jsonl.gz"
FULL_BODY = 1_500  # characters from which a text is a full body
ROUNDS, AT_ONCE = 15, 20
MARKS = re.compile("[\u0300-\u036f]")
Story = tuple[str, str]


def stories(path: Path) -> list[Story]:
    """Title and body of the full stories of a file of JSON lines; made-up ones where there is no file."""
    if not path.exists():
        return _made_up()
    return [(r.get("title") or "", r["text"]) for r in read_stories(path) if len(r.get("text") or "") >= FULL_BODY]


def _made_up() -> list[Story]:
    chance = random.Random(1)
    words = ("the army of navy troops said on budget minister talks in a missile for new and week after city").split()
    return [("Troops leave", " ".join(chance.choices(words, k=600)).capitalize() + ".") for _ in range(400)]


def bare(watchlist: Watchlist) -> Callable[[Story], object]:
    """The floor: fold and search, nothing else."""
    spellings = [*(keyword.spelling for keyword in (*watchlist.keywords, *watchlist.contexts)), *watchlist.harmless]
    spellings += [spelling for entity in watchlist.entities for spelling in entity.spellings]
    terms = sorted({_folded(spelling.text.rstrip("*")) for spelling in spellings})
    automaton = AhoCorasick(terms, matchkind=MATCHKIND_LEFTMOST_LONGEST)

    def search(story: Story) -> int:
        text = _folded(f"{story[0]}\n{story[1]}")
        found = automaton.find_matches_as_indexes(text)
        return sum(not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()) for _, start, end in found)

    return search


def _folded(text: str) -> str:
    return MARKS.sub("", unicodedata.normalize("NFKD", text)).lower()


def ours(watchlist: Watchlist) -> Callable[[Story], object]:
    """The whole verdict."""
    matcher = Matcher(watchlist)
    return lambda story: matcher.judge(*story)


def widened(watchlist: Watchlist, terms: int) -> Watchlist:
    """The list cut or filled up to so many terms, entities included."""
    chance = random.Random(2)
    spare = [
        Keyword(Spelling(" ".join(_word(chance) for _ in range(chance.choice((1, 2, 2, 3))))), 2.0, "operations")
        for _ in range(terms)
    ]
    keywords = tuple(chance.sample([*watchlist.keywords], min(terms, len(watchlist.keywords))))
    return replace(
        watchlist, keywords=(*keywords, *spare)[:terms], entities=() if terms < 1_000 else watchlist.entities
    )


def _word(chance: random.Random) -> str:
    return "".join(chance.choice("bdfgklmnprst") + chance.choice("aeiou") for _ in range(chance.choice((2, 3, 4))))


def rates(subjects: Sequence[Callable[[Story], object]], chosen: Sequence[Story]) -> list[float]:
    """Stories a second of each subject."""
    seconds = [0.0] * len(subjects)
    for first in range(0, len(chosen), AT_ONCE):
        some = chosen[first : first + AT_ONCE]
        rounds = [[_seconds(subject, some) for subject in subjects] for _ in range(ROUNDS)]
        seconds = [sum_ + min(times) for sum_, times in zip(seconds, zip(*rounds, strict=True), strict=True)]
    return [len(chosen) / sum_ for sum_ in seconds]


def _seconds(subject: Callable[[Story], object], some: Sequence[Story]) -> float:
    began = time.perf_counter()
    for story in some:
        subject(story)
    return time.perf_counter() - began


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--stories", type=Path, default=DEFAULT_STORIES, help="JSON lines with title and text")
    options.add_argument("--count", type=int, default=800, help="how many of them")
    given = options.parse_args()
    chosen = random.Random(3).sample(found := stories(given.stories), min(given.count, len(found)))
    began = time.perf_counter()
    watchlist = load(shipped("watchlist.yaml"))
    loaded = time.perf_counter()
    subjects = [bare(watchlist), ours(watchlist)]
    print(f"load {loaded - began:.2f} s, compile {time.perf_counter() - loaded:.2f} s (both automata)")
    print(f"{len(chosen)} stories of {statistics.median(len(text) for _, text in chosen):.0f} characters (median)")
    floor, mine = rates(subjects, chosen)
    print(f"bare {floor:.0f}/s   ours {mine:.0f}/s   ratio {mine / floor:.2f} (target at least 0.50)")
    small, large = rates([ours(widened(watchlist, 200)), ours(widened(watchlist, 20_000))], chosen)
    print(f"200 terms {small:.0f}/s   20,000 terms {large:.0f}/s   time {small / large:.2f} x (target at most 2)")


if __name__ == "__main__":
    main()
