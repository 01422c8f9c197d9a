"""The list of licences is that of the lock, and nothing is in it that the project could not be given away with."""

from __future__ import annotations

from bench.licences import LIST, locked, render


def test_the_list_is_current() -> None:
    assert LIST.read_text(encoding="utf-8") == render(), "make licences writes it again"


def test_every_package_says_its_licence() -> None:
    rows = [line.split(" | ") for line in LIST.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(list(locked()))
    assert not [row for row in rows if row[2].startswith("not ")]


def test_none_forbids_to_give_the_project_away() -> None:
    text = LIST.read_text(encoding="utf-8")
    assert not [word for word in ("AGPL", "Affero", "Proprietary", "Commercial", "Non-Commercial") if word in text]
