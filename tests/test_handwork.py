"""What an analyst decides of stories by hand, on both databases: it holds for what comes in later."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from storage.archive import SqlArchive
from tests.archives import HOUR, MINUTE, NOON, Desk, desk_with_news, entry, source
from watchfloor.errors import ArchiveError
from watchfloor.ports import Grouping, Sketched, StoryState


@pytest.fixture
def desk(archive: SqlArchive) -> Desk:
    """Two stories, 1 (summit) and 2 (budget), each of one article, both told."""
    made = desk_with_news(archive)
    made.works("gazette", entry("summit-one"))
    made.works("gazette", entry("budget-one"))
    return made


def stories_of(desk: Desk, *articles: int) -> list[int | None]:
    found = [desk.archive.find_article(id) for id in articles]
    return [one.story.story_id if one and one.story else None for one in found]


def all_as_one(new: Sequence[tuple[int, bytes]], known: Sequence[Sketched]) -> Grouping:
    """Whatever is there turns out to be the oldest story, but for stories that were parted from it."""
    oldest = min(one.story_id for one in known)
    others = {one.story_id for one in known if oldest not in one.parted}
    return Grouping({id: oldest for id, _ in new}, dict.fromkeys(others - {oldest}, oldest))


def test_a_muted_story_says_so_to_the_next_decision(desk: Desk) -> None:
    seen: list[StoryState] = []
    desk.tell = lambda states, recent: seen.extend(states) or []  # type: ignore[func-returns-value]
    desk.archive.mute_story(1, True)
    desk.archive.follow_story(2, True)
    desk.works("gazette", entry("summit-two"), entry("budget-two"))
    assert [(state.brief.story_id, state.muted, state.followed) for state in seen] == [
        (1, True, False),
        (2, False, True),
    ]
    desk.archive.mute_story(1, False)
    desk.archive.follow_story(2, False)
    record = desk.archive.find_story(1)
    assert record is not None
    assert (record.muted, record.followed) == (False, False)


def test_a_record_of_a_story_says_all_that_is_known(desk: Desk) -> None:
    record = desk.archive.find_story(1)
    assert record is not None
    assert [article.title for article in record.articles] == ["summit one"]
    assert [posting.alert.key for posting in record.postings] == ["story:1"]
    assert (record.brief.headline, record.related) == ("summit one", ())
    assert record.as_json()["id"] == 1
    assert desk.archive.find_story(77) is None


def test_two_stories_joined_by_hand_are_one_and_stay_one(desk: Desk) -> None:
    desk.archive.mute_story(2, True)
    assert desk.archive.join_stories(2, 1) == 1
    record = desk.archive.find_story(2)
    assert record is not None
    assert (record.brief.story_id, len(record.articles), record.muted) == (1, 2, True)
    assert [posting.alert.key for posting in record.postings] == ["story:2", "story:1"]
    desk.works("gazette", entry("budget-two"))  # its words are those of story 2
    assert stories_of(desk, 1, 2, 3) == [1, 1, 1]
    with pytest.raises(ArchiveError, match="one story already"):
        desk.archive.join_stories(1, 2)


def test_an_article_that_was_split_off_is_not_joined_again(desk: Desk) -> None:
    desk.archive.join_stories(1, 2)
    made = desk.archive.split_article(2)
    assert stories_of(desk, 1, 2) == [1, made]
    record = desk.archive.find_story(made)
    assert record is not None
    assert (record.brief.headline, record.postings) == ("budget one", ())
    desk.later(MINUTE).polls("gazette", entry("summit-two"))
    desk.reads()
    judged = desk.takes()
    desk.settle_by(all_as_one, judged)
    assert stories_of(desk, 1, 2, 3) == [1, made, 1]


def test_what_was_parted_stays_so_when_one_turns_out_to_be_an_older_story(desk: Desk) -> None:
    """3 was split off 2; 2 becomes 1: so 3 must not become 1."""
    desk.later(HOUR).works("gazette", entry("budget-two"))
    made = desk.archive.split_article(3)
    desk.archive.join_stories(1, 2)
    desk.later(MINUTE).polls("gazette", entry("summit-two"))
    desk.reads()
    desk.settle_by(all_as_one, desk.takes())
    assert stories_of(desk, 1, 2, 3, 4) == [1, 1, made, 1]


def test_joined_by_hand_the_parted_may_meet_again(desk: Desk) -> None:
    desk.archive.join_stories(1, 2)
    made = desk.archive.split_article(2)
    assert desk.archive.join_stories(made, 1) == 1
    assert stories_of(desk, 1, 2) == [1, 1]


def test_what_does_not_exist_or_cannot_be_split_says_so(desk: Desk) -> None:
    for decide in (desk.archive.mute_story, desk.archive.follow_story):
        with pytest.raises(ArchiveError, match="no story 77"):
            decide(77, True)
    with pytest.raises(ArchiveError, match="no story 77"):
        desk.archive.join_stories(1, 77)
    with pytest.raises(ArchiveError, match="in no story"):
        desk.archive.split_article(77)
    with pytest.raises(ArchiveError, match="the only one of story 1"):
        desk.archive.split_article(1)


def test_a_decision_by_hand_does_not_make_old_stories_new(archive: SqlArchive) -> None:
    desk = desk_with_news(archive)
    desk.works("gazette", entry("summit-one"))
    desk.works("gazette", entry("budget-one"))
    settled = desk.now
    desk.archive.join_stories(1, 2)
    desk.archive.split_article(2)
    assert len(desk.archive.states_between(settled, settled + MINUTE)) == 2
    assert desk.archive.states_between(settled + MINUTE, settled + 24 * HOUR) == []


def test_sources_of_a_second_house(archive: SqlArchive) -> None:
    """A story joined of two sources names both publishers."""
    desk = Desk(archive, now=NOON).knows(source(), source("harbour"))
    desk.polls("gazette")
    desk.polls("harbour")
    desk.later(HOUR).works("gazette", entry("summit-one"))
    desk.works("harbour", entry("budget-one", site="harbour"))
    desk.archive.join_stories(1, 2)
    record = desk.archive.find_story(1)
    assert record is not None
    assert {record.brief.publisher, *record.brief.others} == {"Gazette House", "Harbour House"}
