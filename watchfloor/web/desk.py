"""What the pages and the API work with, and how a page is put together."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import blake2s
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from watchfloor.errors import WatchlistError
from watchfloor.web import guard, shows
from watchfloor.web.address import Address

if TYPE_CHECKING:
    from storage.archive import SqlArchive
    from storage.desk import TermUse
    from watchfloor.watchlist import Watchlist

TABS = (
    ("today", "/", "Today"),
    ("search", "/search", "Search"),
    ("sources", "/sources", "Sources"),
    ("deliveries", "/deliveries", "Deliveries"),
    ("watchlist", "/watchlist", "Watchlist"),
)


@dataclass(frozen=True, slots=True)
class Desk:
    """All that a page needs. `watchlist` reads the list in force; it raises WatchlistError where that is broken."""

    archive: SqlArchive
    clock: Callable[[], datetime]
    zone: ZoneInfo
    watchlist: Callable[[], Watchlist]
    access: guard.Access
    routed: Callable[[], frozenset[str]] = frozenset  # saved searches that routes of the alerts file name


def version_of_assets() -> str:
    """Changes with the style sheet and the script, so that a browser may keep them for ever."""
    folder = files("watchfloor.web").joinpath("static")
    return blake2s(b"".join(folder.joinpath(name).read_bytes() for name in ("desk.css", "desk.js"))).hexdigest()[:10]


class Templates:
    """Pages from templates; every string is escaped, and what could reorder or hide text is left out of it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.environment = Environment(
            loader=PackageLoader("watchfloor.web", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_finalize,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters |= {
            "clock": partial(shows.clock, zone=desk.zone),
            "span": shows.length,
            "link": shows.web_link,
            "named": _named,
            "finding": _finding,
            "next_month": shows.next_month,
            "topic": self.topic_name,
        }
        self.environment.globals |= {
            "tabs": TABS,
            "pieces": shows.pieces,
            "paragraphs": shows.paragraphs,
            "why": shows.why,
            "assets": version_of_assets(),
        }

    def topic_name(self, topic: str) -> str:
        """The name that the watchlist gives a topic, else the topic's own."""
        try:
            return self.desk.watchlist().topics.get(topic, topic)
        except WatchlistError:  # its own page says what is wrong with it
            return topic

    def page(self, request: Request, template: str, /, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A page, with the cookie that its forms need."""
        cookie = request.cookies.get(guard.FORMS) or secrets.token_urlsafe(24)
        now = self.desk.clock()
        address = Address.of(request.url.path, request.query_params.multi_items())
        shown = {
            "address": address,
            "token": request.app.state.doorkeeper.form_token(cookie),
            "known": getattr(request.state, "known", None),
            "ago": partial(shows.ago, now=now),
            "tab": "",
            "words": "",
            **values,
        }
        response = HTMLResponse(self.environment.get_template(f"{template}.html.j2").render(shown), status)
        if guard.FORMS not in request.cookies:
            set_cookie(request, response, guard.FORMS, cookie)
        return response


def set_cookie(request: Request, response: HTMLResponse | Any, name: str, value: str, **options: Any) -> None:
    """A cookie that only this desk gets, and no script."""
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, httponly=True, samesite="strict", secure=secure, path="/", **options)


def _finalize(value: object) -> object:
    return shows.seen(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _finding(use: TermUse) -> str | None:
    """The search for the articles that a term of the watchlist stands in; a rule's name finds nothing."""
    if use.kind == "rule":
        return None
    asked = {"entity": use.term} if use.kind == "entity" else {"q": f'"{use.term}"' if " " in use.term else use.term}
    return f"/search?{urlencode({**asked, 'all': '1', 'by': 'date'})}"


def _named(name: str, path: str) -> str:
    """The address of a name's page: names may hold anything, so they stand in the question."""
    return f"{path}?{urlencode({'name': name}, quote_via=quote)}"
