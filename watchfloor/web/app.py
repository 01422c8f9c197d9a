"""The liveness address: `/healthz` says whether cycles still end well, for systemd, a load balancer or a person."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from watchfloor.errors import WatchfloorError

MISSED_CYCLES = 3  # one may be slow, two may be bad luck


class Cycles(Protocol):
    """What liveness asks of the archive."""

    def last_cycle(self) -> datetime | None:
        """When the last cycle ended well."""
        ...


def make_app(archive: Cycles, *, every: timedelta, clock: Callable[[], datetime], host: str) -> Starlette:
    """The application. It is healthy until no cycle has ended well for three times `every`, counted from now."""
    began = clock()

    async def healthz(_: Request) -> JSONResponse:
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

    hosts = ["*"] if host not in ("127.0.0.1", "::1", "localhost") else ["127.0.0.1", "localhost", "[::1]"]
    return Starlette(
        routes=[Route("/healthz", healthz)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
    )
