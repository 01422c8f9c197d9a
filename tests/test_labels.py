"""`label`: kept, changed, withdrawn, listed; by number and by address."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from storage.archive import SqlArchive
from tests.archives import MINUTE, Desk, desk_with_news, entry, source
from watchfloor.cli import run

Says = Callable[..., tuple[int, str, str]]


@pytest.fixture
def says(archive: SqlArchive, archive_url: str, capsys: pytest.CaptureFixture[str]) -> Says:
    """Runs a command on the archive: its exit code and what it printed."""

    def say(*arguments: str) -> tuple[int, str, str]:
        code = run([*arguments, "--database-url", archive_url])
        return code, *capsys.readouterr()

    return say


@pytest.fixture
def desk(archive: SqlArchive) -> Desk:
    made = desk_with_news(archive)
    made.works("gazette", entry("summit"))
    made.works("gazette", entry("dull-two"))
    return made


def kept(desk: Desk) -> dict[int, bool]:
    return {one.article.id: one.label for one in desk.archive.labelled()}


def test_a_label_by_number_and_by_address(desk: Desk, says: Says) -> None:
    assert says("label", "1", "yes")[:2] == (0, "Kept: yes for summit\n")
    assert says("label", "https://gazette.example/dull-two", "no")[:2] == (0, "Kept: no for dull two\n")
    assert kept(desk) == {1: True, 2: False}


def test_a_label_may_be_changed_and_withdrawn(desk: Desk, says: Says) -> None:
    for judgement, left in (("yes", {1: True}), ("no", {1: False}), ("none", {}), ("none", {})):
        assert says("label", "1", judgement)[0] == 0
        assert kept(desk) == left


def test_the_label_of_a_copy_is_that_of_the_article_it_was_folded_into(desk: Desk, says: Says) -> None:
    desk.knows(source(), source("herald"))
    desk.polls("herald")
    desk.polls("gazette", entry("copy", title="summit"))
    desk.reads(url="https://gazette.example/summit")
    record = desk.archive.find_article(3)
    assert record is not None
    assert record.duplicate_of == 1
    says("label", "3", "yes")
    assert kept(desk) == {1: True}


def test_labels_are_listed_latest_first_beside_the_verdict(desk: Desk, says: Says) -> None:
    desk.archive.label(1, False, desk.now)
    desk.archive.label(2, False, desk.now + MINUTE)
    listed = json.loads(says("label", "--list", "--format", "json")[1])
    assert [(one["id"], one["label"], one["relevant"], one["score"]) for one in listed] == [
        (2, False, False, 0.25),
        (1, False, True, 2.5),
    ]
    assert "dull two" in says("label", "--list")[1]


@pytest.mark.parametrize("arguments", [(), ("1",), ("1", "--list"), ("1", "yes", "--list")])
def test_half_a_label_is_refused(says: Says, arguments: tuple[str, ...]) -> None:
    code, _, err = says("label", *arguments)
    assert code == 2
    assert "label ID yes|no|none" in err


def test_what_is_not_there_is_not_labelled(desk: Desk, says: Says) -> None:
    code, _, err = says("label", "99", "yes")
    assert (code, err) == (1, "watchfloor: the archive knows no article 99\n")
    assert kept(desk) == {}
