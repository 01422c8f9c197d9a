"""The pages: each reads the archive once or twice and shows it; what changes anything answers with the way back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from storage import words
from storage.desk import TermUse
from watchfloor.clippings import FORMATS
from watchfloor.errors import ArchiveError, QueryError, WatchlistError
from watchfloor.model import DeliveryState, Facets, Filters, Hits
from watchfloor.web import asking, charts, guard, shows, syndication
from watchfloor.web.address import FILTERS, Address
from watchfloor.web.desk import Desk, Templates, set_cookie

STORIES = 25  # of one page of Today: 90 KB of HTML with long sentences
HITS = 20
FEED = 100  # articles that a feed looks at
FACETS = 8  # values of each kind
SUBJECT_HITS, SUBJECT_STORIES = 200, 15  # articles that are looked at for a name's latest stories
DAYS = timedelta(days=90)  # of a name's picture
ALERTS = 50
STATES: tuple[DeliveryState, ...] = ("pending", "held", "sending", "sent", "folded", "dead", "unknown")
EXPORTS = {  # format -> how its file's name ends, and what it is
    "csv": ("csv", "text/csv"),
    "jsonl": ("jsonl", "application/jsonl"),
    "bibtex": ("bib", "application/x-bibtex"),
    "ris": ("ris", "application/x-research-info-systems"),
    "csl-json": ("json", "application/vnd.citationstyles.csl+json"),
}
COUNTED_FOR = timedelta(minutes=10)  # the uses of the watchlist's terms are not counted anew for so long
PICTURE = "default-src 'none'; style-src 'unsafe-inline'"  # an SVG's own; it is shown as a picture, without script
LATELY = timedelta(days=30)  # of the sources' grades


class Pages:
    """The endpoints; `routes` says which address each answers."""

    def __init__(self, desk: Desk, templates: Templates) -> None:
        self.desk = desk
        self.archive = desk.archive
        self.show = templates.page
        self._beside = ThreadPoolExecutor(4, "facets")  # the database counts on one core while it searches on another
        self._uses: tuple[datetime, Sequence[TermUse]] | None = None

    def routes(self) -> list[Route]:
        """Where everything is."""
        return [
            Route("/", self.today),
            Route("/story/{story:int}", self.story),
            Route("/article/{article:int}", self.article),
            Route("/article/{article:int}/label", self.label, methods=["POST"]),
            Route("/article/{article:int}/split", self.split, methods=["POST"]),
            Route("/story/{story:int}/mark", self.mark, methods=["POST"]),
            Route("/story/{story:int}/join", self.join, methods=["POST"]),
            Route("/entity", self.entity),
            Route("/topic", self.topic),
            Route("/days.svg", self.days),
            Route("/search", self.search),
            Route("/search/keep", self.keep, methods=["POST"]),
            Route("/search/forget", self.forget, methods=["POST"]),
            Route("/export", self.export),
            Route("/feed.atom", self.feed),
            Route("/feed.json", self.feed),
            Route("/sources", self.sources),
            Route("/deliveries", self.deliveries),
            Route("/deliveries/retry", self.retry, methods=["POST"]),
            Route("/watchlist", self.watchlist),
            Route("/login", self.login, methods=["GET", "POST"]),
            Route("/logout", self.logout, methods=["POST"]),
        ]

    # -- reading ------------------------------------------------------------------------------------------------------

    def today(self, request: Request) -> Response:
        """Stories as they stand, most important or latest first."""
        stand = asking.stories_of(self.desk, Address.of("/", request.query_params.multi_items()), STORIES)
        return self.show(request, "today", tab="today", stand=stand, choices=asking.WITHIN, topics=self._topics())

    def _topics(self) -> Mapping[str, str]:
        """The topics to choose from; none where the watchlist is broken, which its own page says."""
        try:
            return self.desk.watchlist().topics
        except WatchlistError:
            return {}

    def story(self, request: Request) -> Response:
        """One story, whole."""
        record = self.archive.find_story(_number(request, "story"))
        if record is None:
            return self._missing(request, "There is no such story, or none of its articles is relevant any more.")
        if record.brief.story_id != _number(request, "story"):
            return RedirectResponse(f"/story/{record.brief.story_id}", 301)
        card = self.archive.cards([record.brief.story_id])[0]
        ids = [one.article.id for one in card.judgements]
        return self.show(
            request,
            "story",
            record=record,
            card=card,
            versions=shows.versions(card.judgements),
            folded=self.archive.folded(ids),
            labels=self.archive.labels_of(ids),
        )

    def article(self, request: Request) -> Response:
        """One article, stage by stage."""
        from watchfloor.explaining import explanation

        record = self.archive.find_article(_number(request, "article"))
        if record is None:
            return self._missing(request, "The archive knows no such article.")
        lines = list(explanation(record, self.desk.zone))
        return self.show(request, "article", record=record, lines=lines)

    def search(self, request: Request) -> Response:
        """What was kept, by a query and filters, and what all of it has in common."""
        address = Address.of("/search", request.query_params.multi_items())
        kept = self.archive.saved_searches()
        if found := [one for one in kept if one.name == address.get("saved")]:
            return RedirectResponse(asking.address_of(found[0]), 303)
        hits, facets, error, status = Hits(0), Facets(0), None, 200
        question = asking.Question(address.get("q"), None, Filters(), "date")
        try:
            question = asking.question_of(self.desk, address)
            counting = self._beside.submit(self._facets, question, first=not address.get("after"))
            hits = asking.hits_of(self.desk, question, limit=HITS, after=address.get("after"))
            facets = counting.result()
        except QueryError as refused:
            error, status = str(refused), 400
        except ArchiveError as refused:
            error, status = str(refused), 503
        return self.show(
            request,
            "search",
            status=status,
            tab="search",
            words=question.words,
            question=question,
            hits=hits,
            facets=facets,
            filters=FILTERS,
            exports=EXPORTS,
            error=error,
            kept=kept,
        )

    def _facets(self, question: asking.Question, *, first: bool) -> Facets:
        """What narrows the search further, on its first page; none where counting takes too long."""
        try:
            return self.archive.facets(question.node, question.filters, most=FACETS) if first else Facets(0)
        except ArchiveError:
            return Facets(0)

    def feed(self, request: Request) -> Response:
        """The same search for those who subscribe, newest first: Atom or JSON Feed."""
        address = Address.of("/search", request.query_params.multi_items())
        question = replace(asking.question_of(self.desk, address), by="date")
        hits = asking.hits_of(self.desk, question, limit=FEED, after="")
        base = str(request.base_url).rstrip("/")
        items = syndication.items_of(hits.hits, base)
        asked = [question.words, *(value for name in FILTERS for value in address.all(name))]
        title = f"Watchfloor: {address.get('saved') or ', '.join(filter(None, asked)) or 'newest'}"
        here, page = str(request.url), base + address.but()
        if request.url.path.endswith(".json"):
            body, kind = syndication.json_feed(title, items, here=here, page=page), "application/feed+json"
        else:
            body = syndication.atom(title, items, here=here, page=page, now=self.desk.clock())
            kind = "application/atom+xml"
        etag = f'"{sha256(body).hexdigest()[:32]}"'
        known = etag in request.headers.get("if-none-match", "")
        return Response(b"" if known else body, 304 if known else 200, {"ETag": etag}, media_type=kind)

    def export(self, request: Request) -> Response:
        """All that a search finds, as a file."""
        address = Address.of("/search", request.query_params.multi_items())
        if address.get("format") not in EXPORTS:
            raise HTTPException(404)
        ending, kind = EXPORTS[address.get("format")]
        question = asking.question_of(self.desk, address)
        found = self.archive.export(question.node, question.filters)
        return StreamingResponse(
            FORMATS[address.get("format")](found),
            media_type=kind,
            headers={"Content-Disposition": f'attachment; filename="watchfloor.{ending}"'},
        )

    def entity(self, request: Request) -> Response:
        """A name: its days, who appears with it, its stories."""
        return self._subject(request, "entity", Filters(entities=(_name(request),)))

    def topic(self, request: Request) -> Response:
        """A topic: the same."""
        return self._subject(request, "topic", Filters(topics=(_name(request),)))

    def _subject(self, request: Request, kind: str, filters: Filters) -> Response:
        name = _name(request)
        until = self.desk.clock().date() + timedelta(days=1)
        tag = words.tag(kind, name)
        hits = self.archive.search(None, filters, limit=SUBJECT_HITS, after=None, by="date")
        stories = list(dict.fromkeys(hit.story for hit in hits.hits if hit.story))[:SUBJECT_STORIES]
        company = self.archive.company(tag)
        return self.show(
            request,
            "subject",
            kind=kind,
            name=name,
            days=self.archive.days(tag, until - DAYS, until),
            company=company,
            cards=self.archive.cards(stories),
            total=hits.total,
            exact=hits.total_exact,
            picture=charts.can_draw(),
        )

    def days(self, request: Request) -> Response:
        """The picture of a name's days."""
        if not charts.can_draw():
            raise HTTPException(404)
        kind = "topic" if request.query_params.get("kind") == "topic" else "entity"
        until = self.desk.clock().date() + timedelta(days=1)
        counts = self.archive.days(words.tag(kind, _name(request)), until - DAYS, until)
        asked = request.query_params
        drawn = charts.bars(counts, asked.get("theme", "light"), narrow="narrow" in asked)
        return Response(drawn, media_type="image/svg+xml", headers={"Content-Security-Policy": PICTURE})

    def sources(self, request: Request) -> Response:
        """How each feed does, against its own rhythm."""
        sources = self.archive.sources_lately(self.desk.clock() - LATELY)
        order = {"failing": 0, "gone": 0, "not-a-feed": 0, "silent": 1, "undated": 2, "churning": 2, "new": 3}
        ailing = sorted(sources, key=lambda one: order.get(one.state.health, 9))
        return self.show(request, "sources", tab="sources", sources=ailing)

    def deliveries(self, request: Request) -> Response:
        """What went where, what waits, what died."""
        state = request.query_params.get("state")
        chosen = next((one for one in STATES if one == state), None)
        postings = self.archive.list_alerts(chosen, limit=ALERTS)
        counts = self.archive.pending_deliveries()
        return self.show(
            request, "deliveries", tab="deliveries", postings=postings, counts=counts, states=STATES, state=chosen
        )

    def watchlist(self, request: Request) -> Response:
        """How the terms of the list do."""
        now = self.desk.clock()
        if self._uses is None or now - self._uses[0] > COUNTED_FOR:
            self._uses = (now, self.archive.term_uses(now - LATELY))
        counted, uses = self._uses
        sheet = shows.sheet(self.desk.watchlist(), uses, self.archive.term_labels())
        return self.show(request, "watchlist", tab="watchlist", sheet=sheet, counted=counted)

    # -- judging ------------------------------------------------------------------------------------------------------

    async def label(self, request: Request) -> Response:
        """Keep what an analyst says of an article."""
        fields = await guard.read_form(request)
        article = _number(request, "article")
        if fields.get("relevant") not in ("yes", "no"):
            return self._refused(request, "A label is yes or no.")
        record = await run_in_threadpool(self.archive.find_article, article)
        if record is None:
            return self._missing(request, "The archive knows no such article.")
        await run_in_threadpool(self.archive.label, article, fields["relevant"] == "yes", self.desk.clock())
        return self._back(fields, f"/article/{article}")

    async def keep(self, request: Request) -> Response:
        """Keep a search under a name."""
        fields = await guard.read_form(request)
        name = fields.get("name", "").strip().lower().replace(" ", "-")
        if not re.fullmatch(asking.SAVED_NAME, name):
            return self._refused(request, "A name has letters, digits and dashes, at most 60.")
        asked = Address.of("/search", parse_qsl(fields.get("question", "").removeprefix("/search").removeprefix("?")))
        await run_in_threadpool(self.archive.save_search, asking.kept_as(name, asked), self.desk.clock())
        return RedirectResponse(asking.address_of(asking.kept_as(name, asked)), 303)

    async def forget(self, request: Request) -> Response:
        """Let a kept search go, unless a route needs it."""
        fields = await guard.read_form(request)
        name = fields.get("name", "")
        if name in await run_in_threadpool(self.desk.routed):
            return self._refused(request, f"A route of the alerts file names the search {name}: change that first.")
        await run_in_threadpool(self.archive.forget_search, name)
        return RedirectResponse("/search", 303)

    async def split(self, request: Request) -> Response:
        """Another event: a story of its own for an article."""
        fields = await guard.read_form(request)
        try:
            made = await run_in_threadpool(self.archive.split_article, _number(request, "article"))
        except ArchiveError as error:
            return self._refused(request, str(error))
        return self._back(fields, f"/story/{made}")

    async def join(self, request: Request) -> Response:
        """The same event: one story of two."""
        fields = await guard.read_form(request)
        other = _digits(fields.get("other", ""))
        if other is None:
            return self._refused(request, "A story has a number.")
        try:
            stays = await run_in_threadpool(self.archive.join_stories, _number(request, "story"), other)
        except ArchiveError as error:
            return self._refused(request, str(error))
        return RedirectResponse(f"/story/{stays}", 303)

    async def mark(self, request: Request) -> Response:
        """Mute or follow a story, or no longer."""
        fields = await guard.read_form(request)
        story, wish = _number(request, "story"), fields.get("wish", "")
        acts = {"mute": self.archive.mute_story, "follow": self.archive.follow_story}
        act = acts.get(wish.removeprefix("un"))
        if act is None:
            return self._refused(request, "A story is muted or followed, or no longer.")
        try:
            await run_in_threadpool(act, story, not wish.startswith("un"))
        except ArchiveError as error:
            return self._refused(request, str(error))
        return self._back(fields, f"/story/{story}")

    async def retry(self, request: Request) -> Response:
        """Let deliveries that ended badly be tried again: one, or all that died."""
        fields = await guard.read_form(request)
        wanted = fields.get("delivery", "")
        delivery = _digits(wanted)
        if wanted and delivery is None:
            return self._refused(request, "A delivery has a number.")
        ids = None if delivery is None else [delivery]
        await run_in_threadpool(self.archive.retry_deliveries, ids, self.desk.clock())
        return self._back(fields, "/deliveries")

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

    def _refused(self, request: Request, said: str) -> Response:
        return self.show(request, "problem", status=400, title="Not done", said=said)

    async def not_ours(self, request: Request, _: Exception) -> Response:
        """A form of another page, or of ours from before the desk was started anew."""
        said = "This form is not from this page, or from before the desk was started anew. Go back, reload, try again."
        return self.show(request, "problem", status=403, title="Not done", said=said)

    async def misread(self, request: Request, error: Exception) -> Response:
        """A question that makes no sense."""
        return self._refused(request, str(error))

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


def _digits(text: str) -> int | None:
    """A number that a form sends, if it is one that a database holds."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _name(request: Request) -> str:
    """The name in the question."""
    name = request.query_params.get("name", "").strip()
    if not name:
        raise HTTPException(404)
    return name[:500]
