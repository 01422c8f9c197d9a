"""The JSON API: what the pages show and do, for machines; /api/openapi.json describes it.

Lists and records have the fields that the commands print with `--format json`. A request that changes something takes
JSON or nothing; with a token it may come from anywhere, without one only from a page of ours (`guard`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from storage import words
from storage.desk import Card, Company, TermUse
from watchfloor import __version__
from watchfloor.errors import ArchiveError, QueryError, WatchfloorError
from watchfloor.model import Brief, DeliveryState, Facets, Hits, SavedSearch
from watchfloor.web import asking, shows
from watchfloor.web.address import FILTERS, Address
from watchfloor.web.asking import SAVED_NAME
from watchfloor.web.desk import Desk

LATELY = timedelta(days=30)
MOST_DAYS = 366

Number = Annotated[int, Path(ge=1, lt=1 << 63)]
Limit = Annotated[int, Query(ge=1, le=200)]
Word = Annotated[str | None, Query(max_length=20_000)]
Words = Annotated[list[str], Query(max_length=50)]
Name = Annotated[str, Path(pattern=f"^{SAVED_NAME}$")]


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def _address(request: Request) -> Address:
    return Address.of("/", request.query_params.multi_items())


TheDesk = Annotated[Desk, Depends(_desk)]
Asked = Annotated[Address, Depends(_address)]


# -- what is answered -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request was not answered."""

    detail: str


@dataclass(frozen=True, slots=True)
class ReasonGiven:
    """A term that stands for or against a story, with what it adds to the score."""

    term: str
    kind: str
    weight: float


@dataclass(frozen=True, slots=True)
class StoryGiven:
    """A story as it stands. `told`: route -> when it was last told there."""

    id: int
    story: Brief
    updated: datetime
    muted: bool
    followed: bool
    told: dict[str, datetime]
    reasons: list[ReasonGiven]

    @classmethod
    def of(cls, card: Card) -> StoryGiven:
        """From the card of a page."""
        reasons = [ReasonGiven(one.first.term, one.first.kind, one.weight) for one in shows.why(card)]
        told = dict(card.told)
        return cls(card.brief.story_id, card.brief, card.updated, card.muted, card.followed, told, reasons)


@dataclass(frozen=True, slots=True)
class Stories:
    """A page of stories."""

    total: int
    stories: list[StoryGiven]
    after: str | None


@dataclass(frozen=True, slots=True)
class Subject:
    """A name or a topic: relevant articles a day (UTC), and its company."""

    kind: str
    name: str
    days: dict[date, int]
    company: Company


@dataclass(frozen=True, slots=True)
class SheetGiven:
    """The terms of the watchlist by how they do."""

    counted_since: datetime
    hits: tuple[TermUse, ...]
    silent: dict[str, tuple[str, ...]]
    noisy: tuple[TermUse, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """The story that is there now."""

    story: int


@dataclass(frozen=True, slots=True)
class Count:
    """How many."""

    count: int


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "the question makes no sense"},
    401: {"model": Problem, "description": "a token is needed"},
    403: {"description": "a request from another page"},
    503: {"model": Problem, "description": "the archive cannot answer now, or took too long"},
}
MISSING: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "there is none"}}
CONFLICT: dict[int | str, dict[str, Any]] = {409: {"model": Problem, "description": "it cannot be done as things are"}}

router = APIRouter(responses=REFUSALS)


# -- reading ----------------------------------------------------------------------------------------------------------


@router.get("/stories")
def stories(
    desk: TheDesk,
    asked: Asked,
    within: Literal["1d", "3d", "7d", "31d"] = "1d",
    by: Literal["important", "newest"] = "important",
    topic: Words = [],  # noqa: B006 - FastAPI's way to say it, and read only
    entity: Words = [],  # noqa: B006
    source: Words = [],  # noqa: B006
    muted: bool = False,
    limit: Limit = 25,
    after: Word = None,
) -> Stories:
    """Stories as they stand."""
    found = asking.stories_of(desk, asked, limit)
    return Stories(found.total, [StoryGiven.of(card) for card in found.cards], found.after)


@router.get("/stories/{story}", responses=MISSING)
def story(desk: TheDesk, story: Number) -> dict[str, Any]:
    """One story: articles, what may be the same event, what was told of it."""
    record = desk.archive.find_story(story)
    if record is None:
        raise HTTPException(404, "there is no such story")
    return record.as_json()


@router.get("/articles/{article}", responses=MISSING)
def article(desk: TheDesk, article: Number) -> dict[str, Any]:
    """One article: text, verdict with all its evidence, story, deliveries."""
    record = desk.archive.find_article(article)
    if record is None:
        raise HTTPException(404, "the archive knows no such article")
    return record.as_json()


class Narrowed(BaseModel):
    """What a search may ask, in its address."""

    q: Annotated[str | None, Field(max_length=20_000, description="the query language of `watchfloor search`")] = None
    since: Annotated[str | None, Field(max_length=40, description="a date, a time, or an age such as 7d")] = None
    until: Annotated[str | None, Field(max_length=40)] = None
    source: Annotated[list[str], Field(max_length=50)] = []
    publisher: Annotated[list[str], Field(max_length=50)] = []
    country: Annotated[list[str], Field(max_length=50)] = []
    language: Annotated[list[str], Field(max_length=50)] = []
    topic: Annotated[list[str], Field(max_length=50)] = []
    entity: Annotated[list[str], Field(max_length=50)] = []
    all: Annotated[bool, Field(description="also what was judged irrelevant, or not at all")] = False
    saved: Annotated[str | None, Field(max_length=60, description="a saved search, in place of all of these")] = None


class Paged(Narrowed):
    """The same with an order and a page."""

    by: Literal["relevance", "date"] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 20
    after: Annotated[str | None, Field(max_length=100, description="the key that the page before gave")] = None


class Counted(Narrowed):
    """The same with how many values of a kind are wanted."""

    most: Annotated[int, Field(ge=1, le=200)] = 20


@router.get("/search")
def search(desk: TheDesk, asked: Asked, question: Annotated[Paged, Query()]) -> Hits:
    """Articles, by the query language and filters, or by a saved search."""
    found = asking.question_of(desk, asked)
    return asking.hits_of(desk, found, limit=question.limit, after=asked.get("after"))


@router.get("/facets")
def facets(desk: TheDesk, asked: Asked, question: Annotated[Counted, Query()]) -> Facets:
    """What all matches of a search have in common."""
    found = asking.question_of(desk, asked)
    return desk.archive.facets(found.node, found.filters, most=question.most)


@router.get("/subject")
def subject(
    desk: TheDesk,
    kind: Literal["entity", "topic"],
    name: Annotated[str, Query(min_length=1, max_length=500)],
    days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 90,
) -> Subject:
    """A name's or topic's days, and who and what is named with it."""
    until = desk.clock().date() + timedelta(days=1)
    tag = words.tag(kind, name)
    counts = desk.archive.days(tag, until - timedelta(days=days), until)
    return Subject(kind, name, dict(counts), desk.archive.company(tag))


@router.get("/sources")
def sources(desk: TheDesk) -> list[dict[str, Any]]:
    """The sources, how each does, and their articles of the last 30 days by grade."""
    return [asdict(one) for one in desk.archive.sources_lately(desk.clock() - LATELY)]


@router.get("/deliveries")
def deliveries(desk: TheDesk, state: DeliveryState | None = None, limit: Limit = 50) -> list[dict[str, Any]]:
    """Alerts with what became of them at each target, newest first."""
    return [posting.as_json() for posting in desk.archive.list_alerts(state, limit=limit)]


@router.get("/watchlist")
def watchlist(desk: TheDesk) -> SheetGiven:
    """The terms of the watchlist: hits of the last 30 days, those never found, those that are only noise."""
    since = desk.clock() - LATELY
    sheet = shows.sheet(desk.watchlist(), desk.archive.term_uses(since), desk.archive.term_labels())
    return SheetGiven(since, sheet.hits, dict(sheet.silent), sheet.noisy)


# -- deciding ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether the desk should have been told; null for no judgement."""

    relevant: bool | None


@router.put("/articles/{article}/label", responses=MISSING, status_code=204)
def label(desk: TheDesk, article: Number, judgement: Judgement) -> None:
    """Keep an analyst's judgement; null withdraws it."""
    if desk.archive.find_article(article) is None:
        raise HTTPException(404, "the archive knows no such article")
    desk.archive.label(article, judgement.relevant, desk.clock())


@router.post("/articles/{article}/split", responses=CONFLICT)
def split(desk: TheDesk, article: Number) -> Made:
    """Another event: give an article a story of its own."""
    return Made(_done(lambda: desk.archive.split_article(article)))


@router.post("/stories/{story}/join", responses=CONFLICT)
def join(desk: TheDesk, story: Number, other: Annotated[int, Body(embed=True, ge=1, lt=1 << 63)]) -> Made:
    """The same event: make one story of two; the older one stays."""
    return Made(_done(lambda: desk.archive.join_stories(story, other)))


@router.patch("/stories/{story}", responses=CONFLICT, status_code=204)
def mark(
    desk: TheDesk,
    story: Number,
    muted: Annotated[bool | None, Body()] = None,
    followed: Annotated[bool | None, Body()] = None,
) -> None:
    """Mute or follow a story, or no longer; what is left out stays."""
    if muted is not None:
        _done(lambda: desk.archive.mute_story(story, muted))
    if followed is not None:
        _done(lambda: desk.archive.follow_story(story, followed))


@router.post("/deliveries/retry")
def retry(
    desk: TheDesk,
    ids: Annotated[list[Annotated[int, Body(ge=1, lt=1 << 63)]] | None, Body(embed=True, max_length=1000)] = None,
) -> Count:
    """Let dead deliveries be tried again, all of them without `ids`; by id also those whose end is unknown."""
    return Count(desk.archive.retry_deliveries(ids, desk.clock()))


T = TypeVar("T")


def _done(act: Callable[[], T]) -> T:
    try:
        return act()
    except ArchiveError as error:
        raise HTTPException(409, str(error)) from None


# -- saved searches ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Question:
    """What a saved search asks: a query, and filters of which one of each kind has to hold."""

    words: Annotated[str, Body(max_length=20_000)] = ""
    sources: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    everything: bool = False


@router.get("/searches")
def saved_searches(desk: TheDesk) -> list[SavedSearch]:
    """The searches that were given a name."""
    return list(desk.archive.saved_searches())


@router.put("/searches/{name}", status_code=204)
def save_search(desk: TheDesk, name: Name, question: Question) -> None:
    """Keep a search under a name; one that had the name is replaced."""
    desk.archive.save_search(SavedSearch(name, **_seen(question)), desk.clock())


@router.delete("/searches/{name}", responses=MISSING | CONFLICT, status_code=204)
def forget_search(desk: TheDesk, name: Name) -> None:
    """Let a saved search go, unless a route of the alerts file takes its stories from it."""
    if name in desk.routed():
        raise HTTPException(409, "a route of the alerts file names this search")
    if not desk.archive.forget_search(name):
        raise HTTPException(404, "no search is kept under that name")


def _seen(question: Question) -> dict[str, Any]:
    """What it asks, without characters that no database takes."""
    names = {name: tuple(map(shows.seen, getattr(question, name))) for name in FILTERS.values()}
    return {"words": shows.seen(question.words), "everything": question.everything, **names}


# -- the application --------------------------------------------------------------------------------------------------


def make_api(desk: Desk) -> FastAPI:
    """The API, to be mounted at /api."""
    api = FastAPI(title="Watchfloor", version=__version__, description=__doc__ or "", docs_url=None, redoc_url=None)
    api.include_router(router)
    api.state.desk = desk
    api.add_exception_handler(QueryError, _refused)
    api.add_exception_handler(WatchfloorError, _unable)
    return api


async def _refused(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 400)


async def _unable(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 503)
