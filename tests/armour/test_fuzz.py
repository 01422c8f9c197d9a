"""Documents damaged by dice: each is read, or refused in words, and what is read of it is clean.

The dice are thrown by number, so that a number that failed can be thrown again: `damaged(4711)`.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from tests.armour import corpus
from tests.armour.harmless import is_harmless
from tests.servers import on_loop
from watchfloor.clean import LINK_LENGTH, OLDEST, TEXT_LENGTH, TITLE_LENGTH, clean_link
from watchfloor.demo.newspaper import DIALECTS, LAYOUTS, Newspaper, read_newspaper
from watchfloor.errors import ParseError
from watchfloor.model import Feed, Page
from watchfloor.parsers import ParserPool

ALL = os.environ.get("WATCHFLOOR_ARMOUR") == "all"
TIMES = 100_000 if ALL else 400
AT_ONCE = 16
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "https://paper.example/feed"


@cache
def documents() -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Feeds and pages of our own: the newspaper's, and hostile ones that are small."""
    paper = Newspaper(*read_newspaper(), now=NOW, base="https://paper.example", edition=2)
    feeds = [DIALECTS[feed.dialect][1](paper, feed).encode() for feed in paper.feeds]
    pages = [LAYOUTS[story.layout](paper, story).encode() for story in paper.stories]
    hostile_feeds = [body for name, body in corpus.feed_bodies() if len(body) < 3000 and not corpus.is_heavy(name)]
    hostile_pages = [body for name, body in corpus.page_bodies() if len(body) < 3000 and not corpus.is_heavy(name)]
    return (*feeds * 40, *hostile_feeds), (*pages * 20, *hostile_pages)


# -- damage -----------------------------------------------------------------------------------------------------------


def _flip(body: bytearray, dice: random.Random, others: Sequence[bytes]) -> None:
    body[dice.randrange(len(body))] = dice.randrange(256)


def _cut_out(body: bytearray, dice: random.Random, others: Sequence[bytes]) -> None:
    start = dice.randrange(len(body))
    del body[start : start + dice.choice((1, 5, 50, 500))]


def _repeat(body: bytearray, dice: random.Random, others: Sequence[bytes]) -> None:
    start = dice.randrange(len(body))
    body[start:start] = body[start : start + dice.choice((3, 30, 300))] * dice.choice((1, 2, 20))


def _insert(body: bytearray, dice: random.Random, others: Sequence[bytes]) -> None:
    start = dice.randrange(len(body))
    body[start:start] = dice.choice(corpus.TOKENS) * dice.choice((1, 1, 1, 2, 40))


def _splice(body: bytearray, dice: random.Random, others: Sequence[bytes]) -> None:
    other = dice.choice(others)
    start, from_ = dice.randrange(len(body)), dice.randrange(len(other) + 1)
    body[start:] = other[from_:]


def _end(body: bytearray, dice: random.Random, others: Sequence[bytes]) -> None:
    del body[dice.randrange(1, len(body) + 1) :]


DAMAGES: tuple[Callable[[bytearray, random.Random, Sequence[bytes]], None], ...] = (
    _flip, _flip, _cut_out, _repeat, _insert, _insert, _insert, _splice, _end,
)  # fmt: skip
TYPES = ("application/xml", "text/html", "", "application/json", "text/xml; charset=utf-16", "text/html; charset=x")


def damaged(number: int) -> tuple[str, bytes, str]:
    """The document of this number: whether it is a feed or a page, its bytes, and its content type."""
    dice = random.Random(number)
    kind = "page" if number % 3 == 0 else "feed"
    others = documents()[kind == "page"]
    body = bytearray(dice.choice(others))
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        if body:
            dice.choice(DAMAGES)(body, dice, others)
    return kind, bytes(body), dice.choice(TYPES)


# -- what must hold ---------------------------------------------------------------------------------------------------


def faults(read: Feed | Page) -> list[str]:
    """What of a document that was read should not have come through."""
    return _faults_of_feed(read) if isinstance(read, Feed) else _faults_of_page(read)


def _faults_of_feed(feed: Feed) -> list[str]:
    found = [f"title of the feed {feed.title!r}"] if not is_harmless(feed.title) else []
    for entry in feed.entries:
        texts = (entry.title, entry.summary, entry.content, *entry.authors, entry.language or "", *entry.keys)
        found += [f"{text!r:.100}" for text in texts if not is_harmless(text) or len(text) > TEXT_LENGTH]
        found += [f"no key: {entry!r:.100}"] if not entry.keys or not all(entry.keys) else []
        found += [f"no title: {entry!r:.100}"] if not entry.title or len(entry.title) > TITLE_LENGTH else []
        found += _faults_of_link(entry.url) + _faults_of_date(entry.published)
    keys = [entry.keys for entry in feed.entries]
    return found + (["keys twice"] if len(keys) != len(set(keys)) else [])


def _faults_of_page(page: Page) -> list[str]:
    texts = (page.text, page.title or "", *page.authors, page.language or "")
    found = [f"{text!r:.100}" for text in texts if not is_harmless(text) or len(text) > TEXT_LENGTH]
    return found + _faults_of_link(page.canonical_url) + _faults_of_date(page.published)


def _faults_of_link(link: str | None) -> list[str]:
    clean = link is None or (len(link) <= LINK_LENGTH and clean_link(link, "") == link)
    return [] if clean else [f"link {link!r:.100}"]


def _faults_of_date(date: datetime | None) -> list[str]:
    return [] if date is None or OLDEST <= date <= NOW + timedelta(hours=24) else [f"date {date}"]


@on_loop
async def test_each_is_read_or_refused_in_words() -> None:
    outcomes: Counter[str] = Counter()
    found: dict[int, list[str]] = {}
    numbers = iter(range(TIMES))
    async with ParserPool(workers=2) as parsers:

        async def one_after_the_other() -> None:
            for number in numbers:
                kind, body, content_type = damaged(number)
                read = parsers.feed if kind == "feed" else parsers.page
                try:
                    result: Feed | Page = await read(body, content_type=content_type, url=URL, now=NOW)
                except ParseError as error:
                    outcomes[f"{kind}: {type(error).__name__}"] += 1
                    continue
                outcomes[f"{kind}: read"] += 1
                if told := faults(result):
                    found[number] = told

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(one_after_the_other())
    print(f"\n{outcomes.total()} damaged documents: {dict(outcomes.most_common())}")
    assert found == {}
    assert outcomes.total() == TIMES
