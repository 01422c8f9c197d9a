"""The pages: each reads the archive once or twice and shows it; what changes anything answers with the way back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from storage.desk import Narrowing
from watchfloor.errors import ArchiveError, QueryError
from watchfloor.model import Hits
from watchfloor.query import read_leniently
from watchfloor.web import guard, shows
from watchfloor.web.address import Address, filters_of
from watchfloor.web.desk import Desk, Templates, set_cookie

STORIES = 25  # of one page of Today: 90 KB of HTML with long sentences
HITS = 20
WITHIN = {"1d": "day", "3d": "3 days", "7d": "week", "31d": "month"}
LATELY = timedelta(days=30)  # of the sources' grades


class Pages:
    """The endpoints; `routes` says which address each answers."""

    def __init__(self, desk: Desk, templates: Templates) -> None:
        self.desk = desk
        self.archive = desk.archive
        self.show = templates.page

    def routes(self) -> list[Route]:
        """Where everything is."""
        return [
            Route("/", self.today),
            Route("/story/{story:int}", self.story),
            Route("/article/{article:int}", self.article),
            Route("/article/{article:int}/label", self.label, methods=["POST"]),
            Route("/search", self.search),
            Route("/sources", self.sources),
            Route("/login", self.login, methods=["GET", "POST"]),
            Route("/logout", self.logout, methods=["POST"]),
        ]

    # -- reading ------------------------------------------------------------------------------------------------------

    def today(self, request: Request) -> Response:
        """Stories as they stand, most important or latest first."""
        address = Address.of("/", request.query_params.multi_items())
        now = self.desk.clock()
        within = address.get("within") if address.get("within") in WITHIN else "1d"
        by = "newest" if address.get("by") == "newest" else "important"
        narrowing = Narrowing(
            address.all("topic"), address.all("entity"), address.all("source"), muted=bool(address.get("muted"))
        )
        since = now - timedelta(days=int(within[:-1]))
        standings = self.archive.standings(since, now + timedelta(days=1), narrowing)
        ids, more = shows.page_of(shows.ranked(standings, by, now), address.get("after"), STORIES)
        return self.show(
            request,
            "today",
            tab="today",
            cards=self.archive.cards(ids),
            total=len(standings),
            more=more,
            narrowing=narrowing,
            within=within,
            choices=WITHIN,
            by=by,
        )

    def story(self, request: Request) -> Response:
        """One story, whole."""
        dossier = self.archive.dossier(_number(request, "story"))
        if dossier is None:
            return self._missing(request, "There is no such story, or none of its articles is relevant any more.")
        versions = shows.versions(dossier.card.judgements)
        return self.show(request, "story", dossier=dossier, card=dossier.card, versions=versions)

    def article(self, request: Request) -> Response:
        """One article, stage by stage."""
        from watchfloor.explaining import explanation

        record = self.archive.find_article(_number(request, "article"))
        if record is None:
            return self._missing(request, "The archive knows no such article.")
        lines = list(explanation(record, self.desk.zone))
        return self.show(request, "article", record=record, lines=lines)

    def search(self, request: Request) -> Response:
        """What was kept, by a query and filters."""
        address = Address.of("/search", request.query_params.multi_items())
        words = address.get("q")
        reading = read_leniently(words) if words else None
        node = reading.node if reading else None
        by = address.get("by") if address.get("by") in ("relevance", "date") else "relevance" if node else "date"
        hits, error = Hits(0), None
        try:
            filters = filters_of(address, self.desk.zone, self.desk.clock())
            hits = self.archive.search(node, filters, limit=HITS, after=address.get("after") or None, by=by)
        except (QueryError, ArchiveError) as refused:
            error = str(refused)
        return self.show(
            request,
            "search",
            status=400 if error else 200,
            tab="search",
            words=words,
            hits=hits,
            error=error,
            note=reading.note if reading else None,
            by=by,
        )

    def sources(self, request: Request) -> Response:
        """How each feed does, against its own rhythm."""
        sources = self.archive.sources_lately(self.desk.clock() - LATELY)
        order = {"failing": 0, "gone": 0, "not-a-feed": 0, "silent": 1, "undated": 2, "churning": 2, "new": 3}
        ailing = sorted(sources, key=lambda one: order.get(one.state.health, 9))
        return self.show(request, "sources", tab="sources", sources=ailing)

    # -- judging ------------------------------------------------------------------------------------------------------

    async def label(self, request: Request) -> Response:
        """Keep what an analyst says of an article."""
        fields = await guard.read_form(request)
        article = _number(request, "article")
        if fields.get("relevant") not in ("yes", "no"):
            return await self._refused(request, "A label is yes or no.")
        record = await run_in_threadpool(self.archive.find_article, article)
        if record is None:
            return self._missing(request, "The archive knows no such article.")
        await run_in_threadpool(self.archive.label, article, fields["relevant"] == "yes", self.desk.clock())
        return self._back(fields, f"/article/{article}")

    def _back(self, fields: dict[str, str], otherwise: str) -> Response:
        back = fields.get("back", "")
        return RedirectResponse(guard.local_path(back) if back else otherwise, 303)

    # -- coming and going ---------------------------------------------------------------------------------------------

    async def login(self, request: Request) -> Response:
        """Ask for the password, and open a session."""
        doorkeeper: guard.Doorkeeper = request.app.state.doorkeeper
        back = guard.local_path(request.query_params.get("back", "/"))
        if doorkeeper.access.is_open:
            return RedirectResponse("/", 303)
        if request.method == "GET":
            return self.show(request, "login", back=back, error=None)
        fields = await guard.read_form(request)
        address = request.client.host if request.client else ""
        wait = doorkeeper.wait(address)
        if wait is not None:
            said = f"Too many tries. Try again in {shows.length(wait.total_seconds())}."
            response = self.show(request, "login", status=429, back=back, error=said)
            response.headers["Retry-After"] = str(max(int(wait.total_seconds()), 1))
            return response
        session = doorkeeper.admit(fields.get("password", ""), address)
        if session is None:
            return self.show(request, "login", status=403, back=back, error="That is not the password.")
        answer = RedirectResponse(back, 303)
        set_cookie(request, answer, guard.SESSION, session, max_age=int(guard.SESSION_LASTS.total_seconds()))
        return answer

    async def logout(self, request: Request) -> Response:
        """End the session."""
        await guard.read_form(request)
        request.app.state.doorkeeper.dismiss(request.cookies.get(guard.SESSION, ""))
        response = RedirectResponse("/login", 303)
        response.delete_cookie(guard.SESSION, path="/")
        return response

    # -- what went wrong ----------------------------------------------------------------------------------------------

    def _missing(self, request: Request, said: str) -> Response:
        return self.show(request, "problem", status=404, title="Not here", said=said)

    async def _refused(self, request: Request, said: str) -> Response:
        return self.show(request, "problem", status=400, title="Not done", said=said)

    async def not_ours(self, request: Request, _: Exception) -> Response:
        """A form of another page, or of ours from before the desk was started anew."""
        said = "This form is not from this page, or from before the desk was started anew. Go back, reload, try again."
        return self.show(request, "problem", status=403, title="Not done", said=said)

    async def broken(self, request: Request, error: Exception) -> Response:
        """The archive, or a file of the user's, says no."""
        return self.show(request, "problem", status=503, title="Not now", said=str(error))

    async def not_found(self, request: Request, error: Any) -> Response:
        """No such address, or no such method."""
        status = getattr(error, "status_code", 404)
        said = "There is no such page." if status == 404 else str(getattr(error, "detail", "Not done."))
        return self.show(request, "problem", status=status, title="Not here", said=said)


def _number(request: Request, name: str) -> int:
    """A number in the path; one that no database holds is nobody's."""
    number: int = request.path_params[name]
    if number >= 1 << 63:
        raise HTTPException(404)
    return number
