"""How well the filter judges: by stratum, kind of text and era, with the worst errors.

    python -m tests.eval.filter_report [--errors 20] [--background] [FILE ...]

Figures on the real stories need their folder (see tests/conftest.py); the stories of our own writing are always there.
A FILE is another labelled set, JSON lines with id, title, text, label and stratum; it is then the only one judged.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import DATA
from watchfloor.match import Matcher
from watchfloor.model import Verdict
from watchfloor.scores import Score
from watchfloor.settings import shipped
from watchfloor.tokens import search_tokens
from watchfloor.watchlist import load

STORIES = Path(__file__).parent / "stories.jsonl"
FEEDS_OF_DEFENCE = ("c09", "c10", "c11", "c13")


@dataclass(frozen=True)
class Story:
    id: str
    title: str
    text: str
    label: str  # yes, no, borderline
    stratum: str
    kind: str  # full, lead, headline-only
    era: str
    entities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judged:
    story: Story
    verdict: Verdict

    @property
    def wrong(self) -> bool:
        return self.story.label != "borderline" and self.verdict.relevant != (self.story.label == "yes")


def own_stories() -> list[Story]:
    return [_own(json.loads(line)) for line in STORIES.read_text(encoding="utf-8").splitlines() if line.strip()]


def _own(record: dict[str, str]) -> Story:
    return Story(
        record["id"], record["title"] or "", record["text"] or "", record["label"], record["note"], record["kind"], "-"
    )


def gold_stories(data: Path = DATA) -> list[Story]:
    records = [json.loads(line) for line in (data / "gold" / "dev.jsonl").read_text(encoding="utf-8").splitlines()]
    return [
        Story(
            record["id"],
            record["title"] or "",
            record["text"] or "",
            record["label"],
            record["stratum"],
            record["text_kind"],
            f"{str(record['date'])[:3]}0s" if record["date"] else "undated",
            tuple(_surface(entity) for entity in record["entities"] or ()),
        )
        for record in records
    ]


def other_stories(path: Path) -> list[Story]:
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [
        Story(
            record["id"],
            record["title"] or "",
            record["text"] or "",
            record["label"],
            record.get("stratum") or "-",
            "lead" if record["text"] else "headline-only",
            "-",
        )
        for record in records
    ]


def _surface(entity: object) -> str:
    return str(entity["text"]) if isinstance(entity, dict) else str(entity[0] if isinstance(entity, list) else entity)


def shipped_matcher() -> Matcher:
    return Matcher(load(shipped("watchlist.yaml")))


def judged(stories: Iterable[Story], matcher: Matcher) -> list[Judged]:
    return [Judged(story, matcher.judge(story.title, story.text)) for story in stories]


def score(results: Iterable[Judged]) -> Score:
    """Yes against no; borderline ones are left out."""
    known = (one for one in results if one.story.label != "borderline")
    return Score.of((one.story.label == "yes", one.verdict.relevant) for one in known)


def in_a_line(found: Score) -> str:
    shares = {
        "F1": found.f1,
        "precision": found.precision,
        "recall": found.recall,
        "false positives": found.false_positives,
    }
    told = "  ".join(f"{name} {'-' if share is None else f'{share:.4f}'}" for name, share in shares.items())
    return f"{found.hits + found.misses:4} yes {found.alarms + found.quiet:4} no   {told}"


def entity_recall(results: Iterable[Judged]) -> tuple[int, int, list[str]]:
    """Expected names that a mention covers or is part of, all expected ones, and those that were missed."""
    found, missed = 0, []
    for one in results:
        mentions = [" ".join(search_tokens(m.text)) for entity in one.verdict.entities for m in entity.mentions]
        for name in one.story.entities:
            wanted = " ".join(search_tokens(name))
            hit = any(f" {wanted} " in f" {mention} " or f" {mention} " in f" {wanted} " for mention in mentions)
            found += hit
            missed += [] if hit else [name]
    return found, found + len(missed), missed


def background(data: Path = DATA) -> list[dict[str, str | None]]:
    with gzip.open(data / "background" / "dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def flagged(records: Sequence[dict[str, str | None]], matcher: Matcher) -> list[tuple[dict[str, str | None], Verdict]]:
    verdicts = ((record, matcher.judge(record["title"] or "", record["text"] or "")) for record in records)
    return [(record, verdict) for record, verdict in verdicts if verdict.relevant]


def is_soft(record: dict[str, str | None]) -> bool:
    """Of a sport, entertainment or lifestyle section."""
    return record["weak_label"] == "no"


def is_general(record: dict[str, str | None]) -> bool:
    return record["weak_label"] is None and record["corpus"] not in FEEDS_OF_DEFENCE


def _table(name: str, results: Sequence[Judged], key: Callable[[Story], str]) -> None:
    print(f"\nby {name}")
    for value in sorted({key(one.story) for one in results}):
        print(f"  {value:24} {in_a_line(score(one for one in results if key(one.story) == value))}")


def _errors(results: Iterable[Judged], limit: int) -> None:
    wrong = sorted((one for one in results if one.wrong), key=lambda one: -abs(one.verdict.score - 4))
    print(f"\nworst errors ({len(wrong)} in all)")
    for one in wrong[:limit]:
        story, verdict = one.story, one.verdict
        heaviest = sorted(verdict.evidence, key=lambda evidence: -abs(evidence.weight))[:9]
        terms = ", ".join(f"{evidence.term} {evidence.weight:+g}" for evidence in heaviest)
        print(f"  {story.label:3} {verdict.score:6.2f}  {story.stratum}: {story.title or story.text[:80]!r}")
        print(f"      {terms}")


def _report(stories: Sequence[Story], matcher: Matcher, errors: int) -> None:
    results = judged(stories, matcher)
    print(f"all {'':22} {in_a_line(score(results))}")
    border = [one for one in results if one.story.label == "borderline"]
    if border:
        print(f"borderline flagged: {sum(one.verdict.relevant for one in border)} of {len(border)}")
    for name, key in (("kind of text", lambda s: s.kind), ("era", lambda s: s.era), ("stratum", lambda s: s.stratum)):
        _table(name, results, key)
    found, expected, missed = entity_recall(results)
    if expected:
        print(f"\nentities found: {found} of {expected} ({found / expected:.3f}); missed: {', '.join(missed[:80])}")
    _errors(results, errors)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--errors", type=int, default=20, help="how many of the worst errors to list")
    options.add_argument("--background", action="store_true", help="also judge the unlabelled stories (half a minute)")
    options.add_argument("files", nargs="*", type=Path, help="other labelled sets to judge instead")
    given = options.parse_args()
    matcher = shipped_matcher()
    for path in given.files:
        print(f"== {path} ==")
        _report(other_stories(path), matcher, given.errors)
    if given.files:
        return
    print("== stories of our own ==")
    _report(own_stories(), matcher, given.errors)
    if not DATA.is_dir():
        return
    print("\n== real stories ==")
    _report(gold_stories(), matcher, given.errors)
    if given.background:
        records = background()
        for name, chosen in (("soft sections", is_soft), ("general news", is_general)):
            some = [record for record in records if chosen(record)]
            hits = flagged(some, matcher)
            print(f"\n{name}: {len(hits)} of {len(some)} flagged ({len(hits) / len(some):.2%})")


if __name__ == "__main__":
    main()
