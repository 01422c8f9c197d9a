"""What the benches work on: feeds and pages of real sites, where `WATCHFLOOR_TEST_DATA` names them, else made up.

Feeds keep what stands in them but for ids and links, which are made to lead to pages on loopback.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
DATA = Path(os.environ.get("WATCHFLOOR_TEST_DATA", SHARED))
FRESH = 4  # entries of a feed that only its second edition has
LONGEST_FEED = 2_000_000  # bytes: beyond it one document would be the whole measurement

_ITEM = re.compile(rb"<item[\s>].*?</item\s*>", re.DOTALL)
_LINK = re.compile(rb"<link\s*>.*?</link\s*>", re.DOTALL)
_GUID = re.compile(rb"<guid[\s>].*?</guid\s*>", re.DOTALL)
WORDS = (
    "ministry budget alliance frigate missile treaty brigade airspace radar parliament export tender drone border "
    "market football recipe concert weather harvest museum tourist cinema garden the a of in and to for with on said "
    "will new after over under between against more than last year week officials report city river school energy"
).split()


def read_stories(path: Path) -> Iterator[dict[str, Any]]:
    """Stories as JSON lines, plain or gzipped."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


@dataclass(frozen=True)
class Document:
    """A feed cut into what stands before its items, the items, and the rest."""

    head: bytes
    items: tuple[bytes, ...]
    tail: bytes

    def cut(self, items: int) -> Document:
        """The same with its first items, so many at most."""
        return replace(self, items=self.items[:items])

    def written(self, base: str, number: int, leave_out: int) -> bytes:
        """The feed with links to `base` and ids of its own; without its first items."""
        items = [_led_to(item, base, number, index) for index, item in enumerate(self.items)]
        return self.head + b"\n".join(items[leave_out:]) + self.tail


def _led_to(item: bytes, base: str, number: int, index: int) -> bytes:
    bare = _GUID.sub(b"", _LINK.sub(b"", item))
    name = f"{number}-{index}"
    own = f'<link>{base}/p/{name}</link><guid isPermaLink="false">bench {name}</guid>'.encode()
    return re.sub(rb"^<item([^>]*)>", lambda match: match[0] + own, bare, count=1)


def documents() -> list[Document]:
    """RSS feeds, each with more items than are kept back."""
    real = [document for body in feed_bodies() if (document := _document(body))]
    return real or [_made_feed(random.Random(seed)) for seed in range(50)]


def feed_bodies() -> list[bytes]:
    """The captured feed documents; none where there is no such folder."""
    return [gzip.decompress(path.read_bytes()) for path in sorted((DATA / "feeds").glob("*.xml.gz"))]


def pages() -> list[bytes]:
    """Article pages."""
    real = [gzip.decompress(path.read_bytes()) for path in sorted((DATA / "pages").glob("*.html.gz"))]
    return real or [_made_page(random.Random(seed)) for seed in range(100)]


def kind() -> str:
    """What the material is, for the report."""
    return "captured from real sites" if (DATA / "pages").is_dir() else "made up"


def _document(body: bytes) -> Document | None:
    items = list(_ITEM.finditer(body))
    if len(items) <= FRESH or len(body) > LONGEST_FEED or not _is_plain(body):
        return None
    return Document(body[: items[0].start()], tuple(item[0] for item in items), body[items[-1].end() :])


def _is_plain(body: bytes) -> bool:
    return b"<rss" in body[:2000] and b"<!DOCTYPE" not in body[:500]


# -- made up ----------------------------------------------------------------------------------------------------------


def _sentence(dice: random.Random) -> str:
    return " ".join(dice.choices(WORDS, k=dice.randint(8, 24))).capitalize() + "."


def _paragraphs(dice: random.Random, number: int) -> str:
    return "".join(f"<p>{' '.join(_sentence(dice) for _ in range(dice.randint(2, 5)))}</p>\n" for _ in range(number))


def _made_feed(dice: random.Random) -> Document:
    newest = datetime(2026, 11, 24, tzinfo=UTC)
    items = []
    for index in range(dice.randint(15, 60)):
        date = newest - timedelta(hours=index * dice.randint(1, 5))
        text = escape(_paragraphs(dice, dice.choice([1, 1, 8])))
        items.append(
            f"<item><title>{_sentence(dice)}</title><pubDate>{date:%a, %d %b %Y %H:%M:%S} GMT</pubDate>"
            f"<category>{dice.choice(WORDS)}</category><description>{text}</description></item>".encode()
        )
    return Document(b'<rss version="2.0"><channel><title>Made up</title>', tuple(items), b"</channel></rss>")


def _made_page(dice: random.Random) -> bytes:
    links = "".join(f'<li><a href="/{word}/{n}">{word}</a></li>' for n, word in enumerate(WORDS * 4))
    script = f"<script>{json.dumps({word: _sentence(dice) for word in WORDS * 3})}</script>"
    return (
        f'<!doctype html><html lang="en"><head><title>{_sentence(dice)} | Made up</title>{script}</head><body>'
        f"<nav><ul>{links}</ul></nav><article><h1>{_sentence(dice)}</h1>{_paragraphs(dice, dice.randint(6, 25))}"
        f"</article><aside><ul>{links}</ul></aside><footer>{_paragraphs(dice, 1)}</footer></body></html>"
    ).encode()
