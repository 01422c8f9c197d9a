"""The demo's newspaper: real feeds and pages over real HTTP, on loopback.

Five feeds (RSS 2.0, Atom, JSON Feed, RDF and a broken one), four page layouts, ETags, and a log of what was asked.
`Newspaper.publish(2)` brings the second edition out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from importlib.resources import files
from typing import Any

from aiohttp import web
from ruamel.yaml import YAML

FURNITURE = (
    '<div class="share">Share this <a href="#">Facebook</a> <a href="#">X</a></div>',
    "<p>Read also: <a href='/'>all stories of the day</a></p>",
    '<p><a href="https://news.example/">Google News button</a></p>',
)


@dataclass(frozen=True, slots=True)
class Story:
    """A story of the newspaper. `matters`: what a desk on defence policy would say. `body`: its paragraphs."""

    id: str
    feed: str
    edition: int
    layout: str
    matters: bool
    title: str
    summary: str
    body: tuple[str, ...]
    copy_of: str | None = None

    @property
    def path(self) -> str:
        """The address of its page, from the root."""
        return f"/{self.feed}/{self.id}.html"


@dataclass(frozen=True, slots=True)
class NewsFeed:
    """A feed of the newspaper, with what sources.yaml says of it."""

    id: str
    path: str
    dialect: str
    name: str
    publisher: str
    country: str
    tags: tuple[str, ...]


def read_newspaper() -> tuple[tuple[NewsFeed, ...], tuple[Story, ...]]:
    """What newspaper.yaml holds."""
    text = files("watchfloor.demo").joinpath("newspaper.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    feeds = tuple(NewsFeed(**{**item, "tags": tuple(item["tags"])}) for item in data["feeds"])
    stories = tuple(Story(**{**item, "body": tuple(item["body"])}) for item in data["stories"])
    return feeds, stories


@dataclass
class Newspaper:
    """The newspaper while it is served. `asked` logs (path, status) of every request."""

    feeds: tuple[NewsFeed, ...]
    stories: tuple[Story, ...]
    now: datetime
    base: str = ""
    edition: int = 1
    asked: list[tuple[str, int]] = field(default_factory=list)

    def publish(self, edition: int) -> None:
        """Bring an edition out: from now on the feeds hold its stories too."""
        self.edition = edition

    def sources_yaml(self) -> str:
        """A sources.yaml for this newspaper."""
        items = "".join(
            f"  - {{id: {feed.id}, name: {json.dumps(feed.name)}, url: {self.base}{feed.path}, "
            f"publisher: {json.dumps(feed.publisher)}, country: {feed.country}, language: en, "
            f"tags: [{', '.join(feed.tags)}]}}\n"
            for feed in self.feeds
        )
        return f"sources:\n{items}"

    def out(self, feed: NewsFeed) -> list[Story]:
        """The stories that a feed holds now, newest first."""
        return [story for story in reversed(self.stories) if story.feed == feed.id and story.edition <= self.edition]

    def published(self, story: Story) -> datetime:
        """When a story came out: the first edition some hours ago, the second just now."""
        age = timedelta(hours=6) if story.edition == 1 else timedelta(minutes=5)
        return (self.now - age + timedelta(seconds=self.stories.index(story))).replace(microsecond=0)

    async def answer(self, request: web.Request) -> web.Response:
        """Any request: a feed, a page, or 404; conditional requests are honoured."""
        response = self._answer(request)
        self.asked.append((request.path, response.status))
        return response

    def _answer(self, request: web.Request) -> web.Response:
        document = self._document(request.path)
        if document is None:
            return web.Response(status=404, text="not here")
        content_type, body = document
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=body, headers={"Content-Type": content_type, "ETag": etag})

    def _document(self, path: str) -> tuple[str, bytes] | None:
        for feed in self.feeds:
            if feed.path == path:
                content_type, write = DIALECTS[feed.dialect]
                return content_type, write(self, feed).encode()
        for story in self.stories:
            if story.path == path and story.edition <= self.edition:
                return "text/html; charset=utf-8", LAYOUTS[story.layout](self, story).encode()
        return None


@asynccontextmanager
async def serve(now: datetime | None = None) -> AsyncIterator[Newspaper]:
    """Serve the newspaper on a free port of 127.0.0.1 until the block ends."""
    paper = Newspaper(*read_newspaper(), now=now or datetime.now(UTC))
    app = web.Application()
    app.router.add_get("/{path:.*}", paper.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        paper.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield paper
    finally:
        await runner.cleanup()


# -- dialects ---------------------------------------------------------------------------------------------------------


def _rss(paper: Newspaper, feed: NewsFeed) -> str:
    items = "".join(
        f"<item><title>{escape(story.title)}</title><link>{paper.base}{story.path}?utm_source=rss</link>"
        f'<guid isPermaLink="false">{story.id}</guid><description>{escape(story.summary)}</description>'
        f"<pubDate>{format_datetime(paper.published(story))}</pubDate></item>"
        for story in paper.out(feed)
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>{escape(feed.name)}</title>'
        f"<link>{paper.base}/</link><description>News</description>{items}</channel></rss>"
    )


def _atom(paper: Newspaper, feed: NewsFeed) -> str:
    items = "".join(
        f"<entry><title>{escape(story.title)}</title><link href='{story.path}'/><id>tag:{story.id}</id>"
        f"<updated>{paper.published(story).isoformat()}</updated>"
        f"<published>{paper.published(story).isoformat()}</published><summary>{escape(story.summary)}</summary></entry>"
        for story in paper.out(feed)
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en">'
        f"<title>{escape(feed.name)}</title><id>{feed.id}</id><updated>{paper.now.isoformat()}</updated>{items}</feed>"
    )


def _json_feed(paper: Newspaper, feed: NewsFeed) -> str:
    items = [
        {
            "id": story.id,
            "url": paper.base + story.path,
            "title": story.title,
            "summary": story.summary,
            "date_published": paper.published(story).isoformat(),
        }
        for story in paper.out(feed)
    ]
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": feed.name, "items": items})


def _rdf(paper: Newspaper, feed: NewsFeed) -> str:
    items = "".join(
        f'<item rdf:about="{paper.base}{story.path}"><title>{escape(story.title)}</title>'
        f"<link>{paper.base}{story.path}</link><description>{escape(story.summary)}</description>"
        f"<dc:date>{paper.published(story).isoformat()}</dc:date></item>"
        for story in paper.out(feed)
    )
    return (
        '<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<channel rdf:about="{paper.base}{feed.path}"><title>{escape(feed.name)}</title></channel>{items}</rdf:RDF>'
    )


def _broken(paper: Newspaper, feed: NewsFeed) -> str:
    return f"<!doctype html><html><title>{escape(feed.name)}</title><h1>We have moved our feeds</h1></html>"


DIALECTS = {
    "rss": ("application/rss+xml", _rss),
    "atom": ("application/atom+xml", _atom),
    "json": ("application/feed+json", _json_feed),
    "rdf": ("application/rdf+xml", _rdf),
    "broken": ("text/html", _broken),
}


# -- layouts ----------------------------------------------------------------------------------------------------------


def _page(paper: Newspaper, story: Story, main: str) -> str:
    links = "".join(f'<li><a href="{other.path}">{escape(other.title)}</a></li>' for other in _others(paper, story))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(story.title)}</title>'
        f'<link rel="canonical" href="{paper.base}{story.path}"></head><body>'
        f'<nav><ul><li><a href="/">Home</a></li><li><a href="/">World</a></li></ul></nav>{main}'
        f"<aside><h3>Most read</h3><ul>{links}</ul></aside><footer><p>All rights reserved. We use cookies to "
        "improve your experience.</p></footer></body></html>"
    )


def _others(paper: Newspaper, story: Story) -> Iterator[Story]:
    return (other for other in paper.stories[:8] if other != story and other.edition <= paper.edition)


def _semantic(paper: Newspaper, story: Story) -> str:
    body = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in story.body)
    time = f'<time datetime="{paper.published(story).isoformat()}">today</time>'
    return _page(
        paper,
        story,
        f"<main><article><header><h1>{escape(story.title)}</h1>{time}</header>{body}{FURNITURE[0]}{FURNITURE[2]}"
        "</article></main>",
    )


def _divs(paper: Newspaper, story: Story) -> str:
    body = "".join(f'<div class="par">{escape(paragraph)}</div>' for paragraph in story.body)
    return _page(
        paper,
        story,
        f'<div id="wrap"><h1>{escape(story.title)}</h1><div class="story-body">{body}</div>{FURNITURE[1]}</div>',
    )


def _breaks(paper: Newspaper, story: Story) -> str:
    body = "<br><br>".join(escape(paragraph) for paragraph in story.body)
    return _page(paper, story, f'<h1>{escape(story.title)}</h1><div class="content">{body}</div>{FURNITURE[0]}')


def _table(paper: Newspaper, story: Story) -> str:
    body = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in story.body)
    return _page(
        paper,
        story,
        f"<table><tr><td width='150'><a href='/'>Sections</a></td><td><h2>{escape(story.title)}</h2>{body}"
        f"{FURNITURE[1]}</td></tr></table>",
    )


LAYOUTS = {"semantic": _semantic, "divs": _divs, "breaks": _breaks, "table": _table}
