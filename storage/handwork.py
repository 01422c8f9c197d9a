"""What an analyst decides of stories by hand: mute, follow, join, split. Grouping and alerting heed it from then on.

An id of a story that turned out to be an older one's means that one.
"""

from __future__ import annotations

from sqlalchemy import Connection, and_, delete, false, insert, or_, select, update

from storage.judging import merge_stories, part_stories, refresh_stories, states_of
from storage.outbox import alerts_of_story
from storage.reading import briefs
from storage.schema import ArticleRow, PartedRow, RelatedRow, StoryRow
from watchfloor.errors import ArchiveError
from watchfloor.model import StoryRecord


def find_story(connection: Connection, story_id: int) -> StoryRecord | None:
    """All that is known of a story; None if there is none, or none of its articles is relevant any more."""
    known = _survivor(connection, story_id)
    states = states_of(connection, [known] if known is not None else [])
    if not states:
        return None
    state = states[0]
    return StoryRecord(
        brief=state.brief,
        articles=state.articles,
        muted=state.muted,
        followed=state.followed,
        related=tuple(briefs(connection, _related(connection, state.brief.story_id))),
        postings=tuple(alerts_of_story(connection, state.brief.story_id)),
    )


def mark_story(connection: Connection, story_id: int, **marks: bool) -> None:
    """Set `muted` or `followed` of a story."""
    connection.execute(update(StoryRow).where(StoryRow.id == _known(connection, story_id)).values(marks))


def join_stories(connection: Connection, one: int, other: int) -> int:
    """Make one story of two; the id that stays, the older one. That they were once parted is forgotten."""
    older, younger = sorted((_known(connection, one), _known(connection, other)))
    if older == younger:
        raise ArchiveError(f"{one} and {other} are one story already")
    connection.execute(delete(PartedRow).where(PartedRow.story_id == older, PartedRow.other_id == younger))
    merge_stories(connection, younger, older)
    refresh_stories(connection, states_of(connection, [older]))
    return older


def split_article(connection: Connection, article_id: int) -> int:
    """Give an article a story of its own, which was told nowhere yet; the new story's id."""
    story_id = connection.execute(select(ArticleRow.story_id).where(ArticleRow.id == article_id)).scalar()
    if story_id is None:
        raise ArchiveError(f"article {article_id} is in no story")
    if len(_members(connection, story_id)) == 1:
        raise ArchiveError(f"article {article_id} is the only one of story {story_id}")
    as_it_was = select(StoryRow.title, StoryRow.first_seen, StoryRow.updated, false(), false())
    columns = ["title", "first_seen", "updated", "muted", "followed"]
    split_off = insert(StoryRow).from_select(columns, as_it_was.where(StoryRow.id == story_id))
    made: int = connection.execute(split_off.returning(StoryRow.id)).scalar_one()
    connection.execute(update(ArticleRow).where(ArticleRow.id == article_id).values(story_id=made))
    part_stories(connection, [(story_id, made)])
    refresh_stories(connection, states_of(connection, [story_id, made]))
    return made


def _members(connection: Connection, story_id: int) -> list[int]:
    inside = and_(ArticleRow.story_id == story_id, ArticleRow.duplicate_of.is_(None))
    return list(connection.execute(select(ArticleRow.id).where(inside)).scalars())


def _survivor(connection: Connection, story_id: int) -> int | None:
    """The story that this id stands for now; None for an id that was never given."""
    row = connection.execute(select(StoryRow.id, StoryRow.merged_into).where(StoryRow.id == story_id)).one_or_none()
    return (row.merged_into or row.id) if row else None


def _known(connection: Connection, story_id: int) -> int:
    known = _survivor(connection, story_id)
    if known is None:
        raise ArchiveError(f"the archive knows no story {story_id}")
    return known


def _related(connection: Connection, story_id: int) -> list[int]:
    """Other stories with an article that may be about this one's event, newest first."""
    members = select(ArticleRow.id).where(ArticleRow.story_id == story_id).scalar_subquery()
    pairs = connection.execute(
        select(RelatedRow.article_id, RelatedRow.other_id).where(
            or_(RelatedRow.article_id.in_(members), RelatedRow.other_id.in_(members))
        )
    )
    articles = {id for pair in pairs for id in pair}
    stories = connection.execute(select(ArticleRow.story_id).where(ArticleRow.id.in_(articles))).scalars()
    return sorted({id for id in stories if id not in (None, story_id)}, reverse=True)
