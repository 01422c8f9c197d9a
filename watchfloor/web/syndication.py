"""Hits of a search -> a feed that any reader can subscribe to, Atom or JSON Feed. Pure.

One item for each story, by its newest article that the search finds; an article without a story is an item of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree

from watchfloor.model import Hit
from watchfloor.web import shows

ATOM = "http://www.w3.org/2005/Atom"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Item:
    """What a reader shows. `page`: the story's or article's page on the desk."""

    id: str
    title: str
    url: str | None
    page: str
    published: datetime
    updated: datetime
    summary: str
    publisher: str
    tags: tuple[str, ...]


def items_of(hits: Iterable[Hit], base: str) -> Iterator[Item]:
    """The items of a feed, in the order of the hits. `base`: the address of the desk, without a slash behind it."""
    told: set[int] = set()
    for hit in hits:
        if hit.story is not None and hit.story in told:
            continue
        told.update([hit.story] if hit.story is not None else [])
        path = f"/article/{hit.id}" if hit.story is None else f"/story/{hit.story}"
        yield Item(
            id=uuid5(NAMESPACE_URL, f"watchfloor:{path}").urn,
            title=_clean(hit.title) or "(no headline)",
            url=shows.web_link(hit.url),
            page=f"{base}{path}",
            published=hit.published or hit.first_seen,
            updated=hit.first_seen,
            summary=_clean(hit.snippet),
            publisher=_clean(hit.publisher),
            tags=tuple(_clean(tag) for tag in (*hit.topics, *hit.entities)),
        )


def _clean(text: str) -> str:
    return _NOT_XML.sub("", shows.seen(text)).strip()


def atom(title: str, items: Iterable[Item], *, here: str, page: str, now: datetime) -> bytes:
    """An Atom feed. `here` is its own address, `page` that of the same search on the desk."""
    ElementTree.register_namespace("", ATOM)
    feed = ElementTree.Element(f"{{{ATOM}}}feed")
    found = list(items)
    _say(feed, "id", uuid5(NAMESPACE_URL, f"watchfloor:{here}").urn)
    _say(feed, "title", _clean(title))
    _say(feed, "updated", max((item.updated for item in found), default=now).isoformat())
    _point(feed, "self", here)
    _point(feed, "alternate", page)
    for item in found:
        _entry(feed, item)
    body: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return body


def _entry(feed: ElementTree.Element, item: Item) -> None:
    entry = ElementTree.SubElement(feed, f"{{{ATOM}}}entry")
    _say(entry, "id", item.id)
    _say(entry, "title", item.title)
    _say(entry, "published", item.published.isoformat())
    _say(entry, "updated", item.updated.isoformat())
    _say(entry, "summary", item.summary)
    _point(entry, "alternate", item.url or item.page)
    _point(entry, "related", item.page)
    author = ElementTree.SubElement(entry, f"{{{ATOM}}}author")
    _say(author, "name", item.publisher or "unknown")
    for tag in item.tags:
        ElementTree.SubElement(entry, f"{{{ATOM}}}category", term=tag)


def _say(element: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(element, f"{{{ATOM}}}{name}").text = text


def _point(element: ElementTree.Element, rel: str, href: str) -> None:
    ElementTree.SubElement(element, f"{{{ATOM}}}link", rel=rel, href=_clean(href))


def json_feed(title: str, items: Iterable[Item], *, here: str, page: str) -> bytes:
    """A JSON Feed of version 1.1."""
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": _clean(title),
        "home_page_url": page,
        "feed_url": here,
        "items": [
            {
                "id": item.id,
                "url": item.url or item.page,
                "external_url": item.page,
                "title": item.title,
                "content_text": item.summary,
                "date_published": item.published.isoformat(),
                "date_modified": item.updated.isoformat(),
                "authors": [{"name": item.publisher}],
                "tags": list(item.tags),
            }
            for item in items
        ],
    }
    return json.dumps(feed, ensure_ascii=False, indent=1).encode()
