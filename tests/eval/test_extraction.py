"""Floors under the extraction's quality, on real article pages where they are at hand."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

from watchfloor.extract import read_page

# set -> mean token F1; trafilatura 2.3.1 with its defaults has .966, .962, .907, .917.
FLOORS = {"article-extraction-benchmark": 0.975, "fundus": 0.966, "readability": 0.905, "newspaper4k": 0.915}
WHOLE = 0.95


def token_f1(text: str, gold: str) -> float:
    """F1 over words with their counts, case folded."""
    one, other = (Counter(re.findall(r"\w+", part.lower())) for part in (text, gold))
    shared = (one & other).total()
    return 2 * shared / (one.total() + other.total()) if shared else 0.0


def test_real_pages(real_data: Path) -> None:
    scores: defaultdict[str, list[float]] = defaultdict(list)
    folder = real_data / "pages"
    with gzip.open(folder / "index.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            page = json.loads(line)
            body = gzip.decompress((folder / page["file"]).read_bytes())
            url = page["url"] or "https://site.example/story"
            read = read_page(body, content_type="text/html", url=url, now=datetime.now(UTC))
            scores[page["set"]].append(token_f1(read.text, page["body"]))
    means = {name: sum(found) / len(found) for name, found in scores.items()}
    every = [score for found in scores.values() for score in found]
    print(f"\nmean token F1 of {len(every)} pages: {sum(every) / len(every):.4f}")
    print(*(f"  {name}: {mean:.4f} ({len(scores[name])} pages)" for name, mean in means.items()), sep="\n")
    assert sum(every) / len(every) >= WHOLE
    assert {name for name, mean in means.items() if mean < FLOORS.get(name, 0)} == set()
