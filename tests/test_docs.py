"""The documents say what the code does: every command, option and setting, and the other way round."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from watchfloor.cli import COMMANDS, GROUPS, make_app
from watchfloor.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
COMMANDS_DOC = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
CONFIGURATION_DOC = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


def leaves(app: App, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """Every command that does something, with its words."""
    for name in app:
        if name.startswith("-"):
            continue
        child = app[name]
        if child.default_command:
            yield (*path, name), child
        else:
            yield from leaves(child, (*path, name))


ALL = list(leaves(make_app()))


def options(app: App) -> set[str]:
    return {
        name
        for argument in app.assemble_argument_collection()
        for name in argument.names
        if name.startswith("--") and not name.startswith("--no-")
    }


def test_every_command_is_known() -> None:
    assert {words[0] for words, _ in ALL} == {*COMMANDS, *GROUPS}


@pytest.mark.parametrize(("words", "app"), ALL, ids=[" ".join(words) for words, _ in ALL])
def test_every_command_and_option_is_documented(words: tuple[str, ...], app: App) -> None:
    assert f"watchfloor {' '.join(words)}" in COMMANDS_DOC
    missing = {name for name in options(app) if not re.search(rf"{re.escape(name)}\b", COMMANDS_DOC)}
    assert not missing


def test_no_option_is_documented_that_does_not_exist() -> None:
    known = {name for _, app in ALL for name in options(app)} | {"--help"}
    assert set(re.findall(r"--[a-z][a-z-]+", COMMANDS_DOC)) <= known


def variables() -> set[str]:
    return {
        "APPRISE_URLS" if name == "apprise_urls" else f"WATCHFLOOR_{name.upper()}" for name in Settings.model_fields
    }


def test_every_setting_is_documented_and_no_other() -> None:
    assert set(re.findall(r"^\| `([A-Z_]+)`", CONFIGURATION_DOC, re.MULTILINE)) == variables()


def test_every_setting_is_an_option_of_run() -> None:
    run = dict(ALL)[("run",)]
    assert {f"--{name.replace('_', '-')}" for name in Settings.model_fields} <= options(run)


def test_every_target_of_make_has_words() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
