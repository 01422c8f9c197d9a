"""The application: pages, liveness and static files, behind the guard.

guard ── /healthz         whether cycles still end well, for systemd, a load balancer or a person
  ├───── pages, feeds     HTML for people, Atom and JSON Feed for readers
  ├───── /api             JSON for machines
  └───── /static          one style sheet, one script
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from watchfloor.errors import QueryError, WatchfloorError
from watchfloor.web import guard, metrics
from watchfloor.web.api import make_api
from watchfloor.web.desk import Desk, Templates
from watchfloor.web.pages import Pages

MISSED_CYCLES = 3  # one may be slow, two may be bad luck


class Cycles(Protocol):
    """What liveness asks of the archive."""

    def last_cycle(self) -> datetime | None:
        """When the last cycle ended well."""
        ...


def make_app(desk: Desk, *, every: timedelta) -> guard.Guard:
    """The application. It is healthy until no cycle has ended well for three times `every`, counted from now."""
    pages = Pages(desk, Templates(desk))
    doorkeeper = guard.Doorkeeper(desk.access, desk.clock)
    app = Starlette(
        routes=[
            Route("/healthz", liveness(desk.archive, every, desk.clock)),
            Mount("/api", make_api(desk)),
            Mount("/static", Assets(directory=str(files("watchfloor.web").joinpath("static")))),
            metrics.route(desk.archive, desk.clock),
            *pages.routes(),
        ],
        exception_handlers={
            guard.NotOurs: pages.not_ours,
            HTTPException: pages.not_found,
            QueryError: pages.misread,
            WatchfloorError: pages.broken,
        },
    )
    app.state.doorkeeper = doorkeeper
    return guard.Guard(app, doorkeeper)


class Assets(StaticFiles):
    """Files of the package. Their address changes with their content, so a browser need not ask again."""

    async def get_response(self, path: str, scope: object) -> Response:
        """As it is, to be kept."""
        response: Response = await super().get_response(path, scope)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def liveness(archive: Cycles, every: timedelta, clock: Callable[[], datetime]) -> Callable[[Request], object]:
    """The answer of /healthz, which tells nothing that needs a password."""
    began = clock()

    async def healthz(_: Request) -> Response:
        now = clock()
        try:
            last = await asyncio.to_thread(archive.last_cycle)
        except WatchfloorError as error:
            return JSONResponse({"ok": False, "reason": str(error)}, status_code=503)
        quiet_since = max(last, began) if last else began
        ok = now - quiet_since <= MISSED_CYCLES * every
        body = {
            "ok": ok,
            "last_cycle": last.isoformat() if last else None,
            "reason": None if ok else f"no cycle has ended since {quiet_since:%Y-%m-%d %H:%M} UTC",
        }
        return JSONResponse(body, status_code=200 if ok else 503)

    return healthz
