"""An archive and those who work on it, with verbs, for tests: poll, read, judge, tell, in one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from storage.archive import SqlArchive
from watchfloor.model import (
    Alert,
    Article,
    Collected,
    EntityHit,
    Entry,
    Evidence,
    Filters,
    Grade,
    Hits,
    Mention,
    PageJob,
    PollOutcome,
    Source,
    Verdict,
)
from watchfloor.ports import Group, Grouping, Judged, Recent, Settled, Shard, Sketched, StoryState, Tell
from watchfloor.query import parse

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LEASE = 10 * MINUTE
WHOLE = Shard()


def source(name: str = "gazette", **changes: object) -> Source:
    made = Source(name, name.title(), f"https://{name}.example/feed", f"{name.title()} House", "DE", "en", ("outlet",))
    return replace(made, **changes)  # type: ignore[arg-type]


def entry(name: str, site: str = "gazette", **changes: object) -> Entry:
    url = f"https://{site}.example/{name}"
    made = Entry((f"guid:{name}", f"link:{url}"), name.replace("-", " "), url, "A summary.", published=NOON - HOUR)
    return replace(made, **changes)  # type: ignore[arg-type]


def group_by_first_word(new: Sequence[tuple[int, bytes]], known: Sequence[Sketched]) -> Grouping:
    """Sketches that are equal are one story; two stories with one sketch are merged into the older."""
    stories: dict[bytes, int] = {}
    merged: dict[int, int] = {}
    for one in sorted(known, key=lambda one: one.story_id):
        first = stories.setdefault(one.sketch, one.story_id)
        if first != one.story_id:
            merged[one.story_id] = first
    return Grouping({id: stories.get(sketch, sketch.decode()) for id, sketch in new}, merged)


def tell_each(states: Sequence[StoryState], recent: Recent) -> list[Alert]:
    """One alert a story on the route `desk`, once, to two targets."""
    return [
        Alert(f"story:{state.brief.story_id}", "story", "desk", NOON, "A story", (state.brief,), ("ann", "bob"))
        for state in states
        if "desk" not in state.told and not state.muted
    ]


def tell_sum(states: Sequence[StoryState], recent: Recent) -> list[Alert]:
    """One alert for all."""
    briefs = tuple(state.brief for state in states)
    return [Alert(f"sum:{len(briefs)}", "baseline", "desk", NOON, "First seen", briefs, ("ann",))] if briefs else []


def tell_nobody(states: Sequence[StoryState], recent: Recent) -> list[Alert]:
    return []


def verdict_on(article: Article, *, relevant: bool, **changes: object) -> Verdict:
    """The first word of the title is the entity and the evidence."""
    word = article.title.split()[0]
    mention = Mention("title", 0, len(word), word)
    made = Verdict(
        judged=True,
        language="en",
        relevant=relevant,
        score=2.5 if relevant else 0.25,
        threshold=1.0,
        topics=("alliances", "budgets") if relevant else (),
        entities=(EntityHit("NATO", "alliance", (mention,)), EntityHit(word, "place", (mention, mention), "model")),
        evidence=(Evidence(word, "title", 0, len(word), 2.5, article.title, "alliances", "entity"),),
        watchlist="v1",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def judge(article: Article) -> Judged:
    """Titles that begin with "dull" are irrelevant; equal first words are one story."""
    relevant = not article.title.startswith("dull")
    sketch = article.title.split()[0].encode() if relevant else None
    return Judged(article, verdict_on(article, relevant=relevant), sketch)


@dataclass
class Desk:
    """One process at work on an archive."""

    archive: SqlArchive
    owner: str = "here:1:1"
    now: datetime = NOON
    tell: Tell = tell_each

    def knows(self, *sources: Source) -> Desk:
        self.archive.register(sources, self.now)
        return self

    def polls(self, name: str, *entries: Entry) -> int:
        """Claim every source, keep this answer of one, give the others back."""
        jobs = self.archive.claim_sources(self.owner, self.now, LEASE, shard=WHOLE, limit=100, everything=True)
        job = next(job for job in jobs if job.source.id == name)
        state = replace(job.state, first_answer=job.state.first_answer or self.now, last_answer=self.now)
        new = self.archive.keep_poll(self.owner, PollOutcome(name, self.now, "read", state, entries, 200))
        self.archive.release_sources(self.owner, [job.source.id for job in jobs])
        return new

    def reads(self, text: str = "The text.", **changes: object) -> list[Collected]:
        """Collect every page that waits, with this text."""
        return self.reads_each({}, otherwise=text, **changes)

    def reads_each(self, texts: Mapping[str, str], otherwise: str = "", **changes: object) -> list[Collected]:
        """Collect every page that waits, each with the text of its address."""
        jobs = self.archive.claim_pages(self.owner, self.now, LEASE, shard=WHOLE, limit=1000)
        pages = [self._page(job, texts.get(str(job.entry.url), otherwise)) for job in jobs]
        pages = [replace(page, **changes) for page in pages]  # type: ignore[arg-type]
        for page in pages:
            self.archive.keep_page(self.owner, page)
        return pages

    def _page(self, job: PageJob, text: str) -> Collected:
        return Collected(
            article_id=job.article_id,
            at=self.now,
            title=job.entry.title,
            text=text,
            text_from="page",
            grade=Grade.FULL,
            url=job.entry.url,
            authors=("Ann Onymous",),
            language="en",
            published=job.entry.published,
            raw=b"<html>",
            status=200,
        )

    def judges(self) -> Settled:
        """Judge every text that waits."""
        return self.settles(self.takes())

    def takes(self) -> list[Article]:
        """Claim every text that waits for its verdict."""
        return self.archive.claim_unjudged(self.owner, self.now, LEASE, limit=1000)

    def settles(self, articles: Sequence[Article]) -> Settled:
        return self.settle_by(group_by_first_word, articles)

    def settle_by(self, group: Group, articles: Sequence[Article]) -> Settled:
        judged = [judge(article) for article in articles]
        return self.archive.settle(self.owner, judged, group, self.tell, self.now)

    def judges_as(self, names: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]) -> Settled:
        """Judge every text that waits as relevant, with the entities and topics of its address."""
        judged = []
        for article in self.takes():
            entities, topics = names[str(article.url)]
            hits = tuple(EntityHit(name, "any", (Mention("title", 0, 1, "x"),)) for name in entities)
            verdict = verdict_on(article, relevant=True, entities=hits, topics=topics)
            judged.append(Judged(article, verdict, article.title.encode()))
        return self.archive.settle(self.owner, judged, group_by_first_word, tell_nobody, self.now)

    def works(self, name: str, *entries: Entry) -> Settled:
        """Poll, read and judge."""
        self.polls(name, *entries)
        self.reads()
        return self.judges()

    def later(self, by: timedelta) -> Desk:
        self.now += by
        return self

    def finds(self, query: str = "", **filters: object) -> Hits:
        node = parse(query) if query else None
        return self.archive.search(node, Filters(**filters), limit=20, after=None, by="date")  # type: ignore[arg-type]


def desk_with_news(archive: SqlArchive) -> Desk:
    """A desk whose one source, the gazette, has answered before: what it brings now is news."""
    made = Desk(archive).knows(source())
    made.polls("gazette")
    return made.later(HOUR)
