"""The archive: each method is one short transaction over the functions of the rooms beside this one.

polling.py   sources, entries              outbox.py    alerts, deliveries
pages.py     texts                         reading.py   what is known, as types of the model
judging.py   verdicts, stories, alerts     care.py      leases of the dead, retention, back-up, size
words.py     the full-text index           search.py    questions to it
handwork.py  what an analyst decides       facets.py    what its matches have in common
desk.py      what the pages show           saved.py      searches with a name
incidents.py what is wrong with the monitor
library.py   the questions, on their own   exporting.py  all that is found, as a stream
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from storage import (
    care,
    census,
    desk,
    handwork,
    incidents,
    judging,
    labels,
    moving,
    outbox,
    pages,
    past,
    polling,
    quiet,
    reading,
    saved,
    suggesting,
    words,
)
from storage.care import TableSize
from storage.desk import Card, Company, Narrowing, Standing, TermUse
from storage.dialects import put
from storage.library import Library
from storage.reading import SourceOverview
from storage.schema import CycleRow, NoteRow
from watchfloor.model import (
    Alert,
    Article,
    Brief,
    Census,
    Collected,
    Coverage,
    Delivery,
    DeliveryState,
    FeedState,
    Labelled,
    PageJob,
    PollJob,
    PollOutcome,
    Posting,
    Record,
    SavedSearch,
    SendOutcome,
    Source,
    StoryRecord,
    Vitals,
)
from watchfloor.ports import Decide, Digested, Group, Judged, Settled, Shard, Sketched, StoryState, SumUp, Target, Tell
from watchfloor.suggesting import Frequent

if TYPE_CHECKING:
    from watchfloor.backtesting import Past


class SqlArchive(Library):
    """`watchfloor.ports.Archive` on SQLite or PostgreSQL, made by `storage.engine.open_archive`.

    Safe to use from several threads; a process that forks opens its own. Every method raises ArchiveError when the
    database cannot be reached, is locked for longer than half a minute, full or damaged.
    """

    # -- sources and polling ------------------------------------------------------------------------------------------

    def register(self, sources: Iterable[Source], now: datetime) -> None:
        """See `ports.Archive`. Sources that are not named stop being polled; nothing of theirs is deleted."""
        with self._database.write() as connection:
            polling.register(connection, sources, now)

    def claim_sources(
        self,
        owner: str,
        now: datetime,
        lease: timedelta,
        *,
        shard: Shard,
        limit: int,
        everything: bool = False,
        but_not: Collection[str] = (),
    ) -> list[PollJob]:
        """See `ports.Archive`. ValueError for a lease longer than `leases.LONGEST_LEASE`, as of every claim."""
        with self._database.write() as connection:
            return polling.claim_sources(
                connection, owner, now, lease, shard=shard, limit=limit, everything=everything, but_not=but_not
            )

    def known_entries(self, source_id: str, limit: int) -> Mapping[str, datetime | None]:
        """See `ports.Archive`."""
        with self._database.read() as connection:
            return polling.known_entries(connection, source_id, limit)

    def keep_poll(self, owner: str, outcome: PollOutcome) -> int:
        """See `ports.Archive`. Writes nothing and returns 0 if the source is no longer leased by `owner`."""
        with self._database.write() as connection:
            return polling.keep_poll(connection, owner, outcome)

    def keep_polls(self, owner: str, outcomes: Sequence[PollOutcome]) -> Sequence[int]:
        """See `ports.Archive`. One transaction on SQLite; on PostgreSQL those that brought nothing are one, and each of
        the others one, since they lock what others may want.
        """
        unchanged = [outcome for outcome in outcomes if polling.is_quiet(outcome)]
        changed = [outcome for outcome in outcomes if not polling.is_quiet(outcome)]
        together = [changed] if self._database.is_sqlite else [[outcome] for outcome in changed]
        new: dict[str, int] = {}
        if unchanged:
            with self._database.write() as connection:
                polling.keep_quiet(connection, owner, unchanged)
        for some in together:
            with self._database.write() as connection:
                new.update((outcome.source_id, polling.keep_poll(connection, owner, outcome)) for outcome in some)
        return [new.get(outcome.source_id, 0) for outcome in outcomes]

    def release_sources(self, owner: str, ids: Iterable[str]) -> None:
        """See `ports.Archive`."""
        if ids := list(ids):
            with self._database.write() as connection:
                polling.release_sources(connection, owner, ids)

    def states(self) -> Mapping[str, FeedState]:
        """See `ports.Archive`. Active sources only."""
        with self._database.read() as connection:
            return reading.states(connection)

    def sources_overview(self) -> Sequence[SourceOverview]:
        """All active sources by name, with what is remembered of them and their articles by grade."""
        with self._database.read() as connection:
            return reading.sources_overview(connection)

    # -- pages --------------------------------------------------------------------------------------------------------

    def claim_pages(self, owner: str, now: datetime, lease: timedelta, *, shard: Shard, limit: int) -> list[PageJob]:
        """See `ports.Archive`."""
        with self._database.write() as connection:
            return pages.claim_pages(connection, owner, now, lease, shard=shard, limit=limit)

    def keep_page(self, owner: str, collected: Collected) -> None:
        """See `ports.Archive`. Writes nothing if the article is no longer leased by `owner`."""
        self.keep_pages(owner, [collected])

    def keep_pages(self, owner: str, collected: Sequence[Collected]) -> Sequence[None]:
        """See `ports.Archive`. One transaction."""
        raw = pages.squeeze(collected)  # before others have to wait for us
        with self._database.write() as connection:
            pages.keep_pages(connection, owner, collected, raw)
        return [None] * len(collected)

    def release_pages(self, owner: str, article_ids: Iterable[int]) -> None:
        """See `ports.Archive`."""
        if ids := list(article_ids):
            with self._database.write() as connection:
                pages.release_pages(connection, owner, ids)

    # -- judging, grouping, alerting ----------------------------------------------------------------------------------

    def claim_unjudged(self, owner: str, now: datetime, lease: timedelta, *, limit: int) -> list[Article]:
        """See `ports.Archive`. Articles that wait for their verdict, longest waiting first."""
        with self._database.write() as connection:
            return judging.claim_unjudged(connection, owner, now, lease, limit=limit)

    def settle(self, owner: str, judged: Sequence[Judged], group: Group, tell: Tell, now: datetime) -> Settled:
        """See `ports.Archive`. Articles that are no longer leased by `owner` are passed over."""
        documents = {one.article.id: _document(one) for one in judged}  # before others have to wait for us
        with self._database.write_alone(judging.SETTLERS) as connection:
            return judging.settle(connection, owner, judged, documents, group, tell, now)

    def settle_rested(self, tell: Tell, rest: timedelta, now: datetime) -> tuple[Alert, ...]:
        """See `ports.Archive`."""
        with self._database.write_alone(judging.SETTLERS) as connection:
            return judging.settle_rested(connection, tell, rest, now)

    def settle_baseline(self, tell: Tell, now: datetime) -> tuple[Alert, ...]:
        """See `ports.Archive`."""
        with self._database.write_alone(judging.SETTLERS) as connection:
            return judging.settle_baseline(connection, tell, now)

    def release_held(self, sum_up: SumUp, now: datetime) -> int:
        """See `ports.Archive`."""
        with self._database.write_alone(judging.SETTLERS) as connection:
            return outbox.release_held(connection, sum_up, now)

    def raise_alert(self, alert: Alert) -> bool:
        """See `ports.Archive`."""
        with self._database.write_alone(judging.SETTLERS) as connection:
            return bool(outbox.store_alerts(connection, [alert]))

    def stories_between(self, since: datetime, until: datetime) -> Sequence[Brief]:
        """Stories that were new or changed in this time (`until` excluded), latest change first."""
        with self._database.read() as connection:
            return reading.stories_between(connection, since, until)

    def states_between(self, since: datetime, until: datetime) -> Sequence[StoryState]:
        """See `ports.Archive`."""
        with self._database.read() as connection:
            return judging.states_between(connection, since, until)

    def digested(self, route: str, now: datetime) -> Digested:
        """See `ports.Archive`."""
        with self._database.read() as connection:
            until, known = outbox.digested_until(connection, route), outbox.known_since(connection, route)
        if known is None:
            known = now
            with self._database.write() as connection:
                outbox.note_route(connection, route, now)
        return Digested(until, known)

    def coverage(self, since: datetime, until: datetime) -> Coverage:
        """See `ports.Archive`."""
        with self._database.read() as connection:
            return reading.coverage(connection, since, until)

    def work_left(self, now: datetime) -> Mapping[str, int]:
        """How many articles are due at each stage: "collect", "judge", "sum up"; those in somebody's hands included."""
        with self._database.read() as connection:
            return reading.work_left(connection, now)

    # -- stories by hand ----------------------------------------------------------------------------------------------

    def find_story(self, story_id: int) -> StoryRecord | None:
        """All that is known of a story, by its id or that of one that turned out to be it; None if there is none."""
        with self._database.read() as connection:
            return handwork.find_story(connection, story_id)

    def mute_story(self, story_id: int, muted: bool) -> None:
        """Tell nothing more of a story, or again. ArchiveError if there is none, as of the next two."""
        with self._database.write_alone(judging.SETTLERS) as connection:
            handwork.mark_story(connection, story_id, muted=muted)

    def follow_story(self, story_id: int, followed: bool) -> None:
        """Tell of every further article of a story, or of material news only."""
        with self._database.write_alone(judging.SETTLERS) as connection:
            handwork.mark_story(connection, story_id, followed=followed)

    def join_stories(self, one: int, other: int) -> int:
        """Make one story of two and return the id that stays: the older one. ArchiveError if they are one already."""
        with self._database.write_alone(judging.SETTLERS) as connection:
            return handwork.join_stories(connection, one, other)

    def split_article(self, article_id: int) -> int:
        """Give an article a story of its own and return its id; grouping does not join the two again.

        ArchiveError if it is in no story, or alone in one.
        """
        with self._database.write_alone(judging.SETTLERS) as connection:
            return handwork.split_article(connection, article_id)

    # -- deliveries ---------------------------------------------------------------------------------------------------

    def claim_deliveries(
        self,
        owner: str,
        now: datetime,
        lease: timedelta,
        *,
        targets: Sequence[str],
        limit: int,
        resting: Collection[str] = (),
    ) -> list[Delivery]:
        """See `ports.Archive`. `attempts` counts the one that begins. On the disk before it returns."""
        with self._database.write(durable=True) as connection:
            return outbox.claim_deliveries(connection, owner, now, lease, targets=targets, limit=limit, resting=resting)

    def keep_delivery(
        self, owner: str, delivery_id: int, outcome: SendOutcome, next_at: datetime | None, now: datetime
    ) -> None:
        """See `ports.Archive`. Writes nothing if the delivery is no longer leased by `owner`."""
        with self._database.write(durable=True) as connection:
            outbox.keep_delivery(connection, owner, delivery_id, outcome, next_at, now)

    def pending_deliveries(self) -> Mapping[str, int]:
        """See `ports.Archive`. States without a delivery are left out."""
        with self._database.read() as connection:
            return outbox.count_deliveries(connection)

    def list_deliveries(self, state: DeliveryState | None = None, *, limit: int = 50) -> Sequence[Delivery]:
        """Deliveries (None: in any state), newest first."""
        with self._database.read() as connection:
            return outbox.list_deliveries(connection, state, limit)

    def list_alerts(self, state: DeliveryState | None = None, *, limit: int = 50) -> Sequence[Posting]:
        """Alerts with their deliveries, newest first; with a state those that have a delivery in it."""
        with self._database.read() as connection:
            return outbox.list_alerts(connection, state, limit)

    def retry_deliveries(self, ids: Sequence[int] | None, now: datetime) -> int:
        """Let dead deliveries (None: all of them) begin anew; by id also those whose end is unknown. How many."""
        with self._database.write() as connection:
            return outbox.retry_deliveries(connection, ids, now)

    # -- incidents ----------------------------------------------------------------------------------------------------

    def vitals(self, targets: Sequence[Target], now: datetime) -> Vitals:
        """See `ports.Archive`."""
        with self._database.read() as connection:
            return incidents.vitals(connection, self._database.file, targets, now)

    def review_incidents(self, decide: Decide, now: datetime) -> tuple[Alert, ...]:
        """See `ports.Archive`."""
        with self._database.write_alone(judging.SETTLERS) as connection:
            return incidents.review(connection, decide, now)

    # -- cycles and leases --------------------------------------------------------------------------------------------

    def keep_cycle(self, began: datetime, ended: datetime, report: Mapping[str, Any]) -> None:
        """See `ports.Archive`."""
        with self._database.write() as connection:
            connection.execute(insert(CycleRow), {"began": began, "ended": ended, "report": dict(report)})

    def keep_quiet(self, files: str, until: datetime | None) -> None:
        """See `ports.Archive`."""
        with self._database.write() as connection:
            put(connection, NoteRow, [{"name": quiet.NOTE, "value": quiet.note(files, until)}], key=["name"])

    def is_quiet(self, files: str, now: datetime) -> bool:
        """Whether a cycle would find nothing to do: nothing is due or in somebody's hands, and the files are as they
        were when all was done."""
        with self._database.read() as connection:
            return quiet.is_quiet(connection, files, now)

    def knows(self, files: str) -> bool:
        """Whether these files of the user's were read well, and all was done with them, by an earlier cycle."""
        with self._database.read() as connection:
            return quiet.knows(connection, files)

    def census(self, now: datetime) -> Census:
        """The archive in numbers."""
        with self._database.read() as connection:
            return census.take(connection, now)

    def rest(self) -> None:
        """See `ports.Archive`: each idle connection to SQLite holds up to 32 MB of pages."""
        self._database.close()

    def last_cycle(self) -> datetime | None:
        """See `ports.Archive`."""
        with self._database.read() as connection:
            return reading.last_cycle(connection)

    def free_dead_leases(self, host: str, alive: Callable[[str], bool], now: datetime) -> int:
        """See `ports.Archive`. The number of rows freed."""
        with self._database.read() as connection:
            dead = [owner for owner in sorted(care.owners_on(connection, host)) if not alive(owner)]
        with self._database.write() as connection:
            care.forget_the_future(connection, now)
            return care.free_leases(connection, dead, now)

    # -- reading ------------------------------------------------------------------------------------------------------

    def find_article(self, id_or_url: int | str) -> Record | None:
        """All that is known of one article, by its number or an address of it; None if there is none."""
        with self._database.read() as connection:
            return reading.find_article(connection, id_or_url)

    # -- learning -----------------------------------------------------------------------------------------------------

    def count_past(self, since: datetime, until: datetime) -> tuple[int, int]:
        """See `trials.PastArchive`."""
        with self._database.read() as connection:
            return past.count(connection, since, until), past.count_pruned(connection, since, until)

    def past(self, since: datetime, until: datetime, *, at_once: int) -> Iterator[Sequence[Past]]:
        """See `trials.PastArchive`. Others may write between two batches."""
        return past.stream(self._database.read, since, until, at_once)

    def sketches(self, since: datetime, until: datetime) -> list[tuple[datetime, Sketched]]:
        """See `trials.PastArchive`."""
        with self._database.read() as connection:
            return past.sketches(connection, since, until)

    def frequent_names(self, since: datetime, until: datetime, *, at_least: int) -> Sequence[Frequent]:
        """Names that a model found in at least so many articles first seen in this time, most frequent first."""
        with self._database.read() as connection:
            return suggesting.frequent_names(connection, since, until, at_least=at_least)

    # -- the desk's pages ---------------------------------------------------------------------------------------------

    def standings(self, since: datetime, until: datetime, narrowing: Narrowing) -> Sequence[Standing]:
        """What ranks the stories that were new or changed in this time (`until` excluded), latest change first."""
        with self._database.read() as connection:
            return desk.standings(connection, since, until, narrowing)

    def cards(self, story_ids: Sequence[int]) -> Sequence[Card]:
        """These stories for a list, in this order; one without a relevant article is left out."""
        with self._database.read() as connection:
            return desk.cards(connection, story_ids)

    def folded(self, article_ids: Sequence[int]) -> Mapping[int, Sequence[Article]]:
        """Of each of these articles the other appearances of the same page, which were folded into it."""
        with self._database.read() as connection:
            return desk.folded(connection, article_ids)

    def labels_of(self, article_ids: Sequence[int]) -> Mapping[int, bool]:
        """The judgements of those of these articles that have one."""
        with self._database.read() as connection:
            return desk.labels(connection, article_ids)

    def days(self, tag: str, since: date, until: date) -> Mapping[date, int]:
        """How many relevant articles have a tag of `storage.words`, day by day in UTC (`until` excluded)."""
        with self._database.read() as connection:
            return desk.days(connection, tag, since, until)

    def company(self, tag: str) -> Company:
        """Who and what the newest relevant articles with a tag of `storage.words` name."""
        with self._database.read() as connection:
            return desk.company(connection, tag)

    def save_search(self, search: SavedSearch, now: datetime) -> None:
        """Keep a search under its name; one that had the name is replaced."""
        with self._database.write() as connection:
            saved.save(connection, search, now)

    def forget_search(self, name: str) -> bool:
        """Whether there was one of that name; there is none now."""
        with self._database.write() as connection:
            return saved.forget(connection, name)

    def saved_searches(self) -> Sequence[SavedSearch]:
        """All searches that were given a name, by name."""
        with self._database.read() as connection:
            return saved.saved_searches(connection)

    def term_uses(self, since: datetime) -> Sequence[TermUse]:
        """How many of the articles first seen since then have each term as evidence, by the verdicts that stand.

        At most the newest 50,000 are counted, which takes two seconds.
        """
        with self._database.read() as connection:
            return desk.term_uses(connection, since)

    def term_labels(self) -> Sequence[TermUse]:
        """The same by what analysts said of the articles that they labelled."""
        with self._database.read() as connection:
            return desk.term_labels(connection)

    def sources_lately(self, since: datetime) -> Sequence[SourceOverview]:
        """All active sources by name, with their articles first seen since then by grade."""
        with self._database.read() as connection:
            return desk.sources_lately(connection, since)

    # -- care ---------------------------------------------------------------------------------------------------------

    def label(self, article_id: int, relevant: bool | None, now: datetime) -> None:
        """Keep an analyst's judgement of an article that exists; None withdraws it."""
        with self._database.write() as connection:
            labels.keep_label(connection, article_id, relevant, now)

    def labelled(self, *, limit: int | None = None) -> Sequence[Labelled]:
        """The judgements with their articles, the latest first."""
        with self._database.read() as connection:
            return labels.labelled(connection, limit=limit)

    def prune(self, now: datetime, *, raw: timedelta, text: timedelta) -> Mapping[str, int]:
        """Let go raw pages older than `raw` and unmatched, unlabelled texts older than `text`; how many of each.

        In small transactions; identities stay, so nothing that was read comes back as new.
        """
        return {
            "raw pages": care.until_none(partial(self._step, care.prune_raw, now - raw)),
            "texts": care.until_none(partial(self._step, care.prune_texts, now - text, now)),
        }

    def _step(self, step: Callable[..., int], *arguments: Any) -> int:
        with self._database.write() as connection:
            return step(connection, *arguments)

    def stats(self) -> Sequence[TableSize]:
        """Rows and bytes of each table, largest first."""
        with self._database.read() as connection:
            return care.stats(connection)

    def backup(self, path: Path) -> None:
        """Copy a SQLite archive to a new file while it is in use. ArchiveError if it cannot be, or for PostgreSQL."""
        care.backup(self._database, path)

    def move_to(
        self, target: SqlArchive, progress: moving.Progress = lambda table, rows, total: None
    ) -> Mapping[str, int]:
        """Copy everything into an empty archive, all or nothing; the rows of each table. Nobody can write meanwhile.

        Raises:
            ArchiveError: the target is not empty, or what arrived is not what was sent.
        """
        return moving.move(self._database, target._database, progress)

    def check(self) -> Sequence[str]:
        """What is wrong with the archive, in words; nothing if all is well. Reads all of it."""
        with self._database.read() as connection:
            return care.check(connection)


def _document(judged: Judged) -> words.Document:
    article, verdict = judged.article, judged.verdict
    return words.compose(
        article_id=article.id,
        dated=article.published or article.first_seen,
        title=article.title,
        body=article.text,
        source_id=article.source_id,
        language=verdict.language,
        relevant=verdict.relevant,
        topics=verdict.topics,
        entities=(entity.name for entity in verdict.entities),
    )
