"""A reader of the desk's page, with verbs, without a browser: opens, submits, follows, keeps cookies."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import httpx

from storage.archive import SqlArchive
from tests.archives import NOON
from tests.watching import ROOT
from watchfloor import watchlist
from watchfloor.web.app import make_app
from watchfloor.web.desk import Desk
from watchfloor.web.guard import Access, Guard

LIST = watchlist.load(ROOT / "watchlist.yaml")


class Clock:
    """The time, which passes when a test says so."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now.astimezone(UTC)

    def passes(self, by: timedelta) -> None:
        self.now += by


def page_over(archive: SqlArchive, clock: Clock | None = None, access: Access | None = None, **changes: Any) -> Guard:
    """The application over an archive, at noon."""
    desk = Desk(
        archive=archive,
        clock=clock or Clock(),
        zone=ZoneInfo("UTC"),
        watchlist=changes.pop("watchlist", lambda: LIST),
        access=access or Access(),
        **changes,
    )
    return make_app(desk, every=timedelta(minutes=5))


class Reader:
    """Somebody at a browser. `headers` are sent with everything."""

    def __init__(self, app: Guard, host: str = "127.0.0.1:8700", **headers: str) -> None:
        self.app, self.host, self.headers = app, host, headers
        self.cookies = httpx.Cookies()
        self.token = ""

    def asks(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=("192.0.2.7", 4711))
            async with httpx.AsyncClient(
                transport=transport, base_url=f"http://{self.host}", cookies=self.cookies, headers=self.headers
            ) as client:
                answer = await client.request(method, path, **options)
                self.cookies = client.cookies
                return answer

        answer = asyncio.run(ask())
        if found := re.search(r'name="token" value="([^"]+)"', answer.text):
            self.token = found[1]
        return answer

    def opens(self, path: str) -> httpx.Response:
        return self.asks("GET", path)

    def submits(self, path: str, **fields: str) -> httpx.Response:
        """A form of the page that was opened last."""
        body = urlencode({"token": self.token, **fields})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://{self.host}"}
        return self.asks("POST", path, content=body, headers=headers)


class Outline(HTMLParser):
    """What a page holds as a browser would read it: its elements and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.text += " " if tag in ("td", "th", "li", "p") else ""

    def handle_data(self, data: str) -> None:
        self.text += data

    def hrefs(self) -> list[str]:
        return [attributes["href"] or "" for tag, attributes in self.elements if tag == "a" and "href" in attributes]
