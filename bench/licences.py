"""The licences of all that the lock installs, by the packages' own metadata; run as a module it writes the list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "docs" / "licences.md"
HEAD = """# Licences

What `requirements.lock` installs beside Watchfloor itself, and under which licence, as the packages say themselves.
`make licences` writes this list; a test holds it to the lock. None of them is changed or copied into this project.

| package | version | licence |
|---|---|---|
"""
# Installed on other systems or Pythons only, so that their metadata is not at hand here.
ELSEWHERE = {"async-timeout": "Apache-2.0", "pywin32": "PSF-2.0", "whenever": "MIT"}
_PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", re.MULTILINE)


def locked() -> Iterator[tuple[str, str]]:
    """Every package of the lock, with its versions."""
    versions: dict[str, list[str]] = {}
    for name, version in _PINNED.findall((ROOT / "requirements.lock").read_text(encoding="utf-8")):
        versions.setdefault(name, []).append(version)
    for name, several in versions.items():
        yield name, ", ".join(several)


def licence(name: str) -> str:
    """What the package says of itself: an expression, else a classifier, else the first line of a text."""
    if name in ELSEWHERE:
        return ELSEWHERE[name]
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return "not installed here"
    if expression := said.get("License-Expression"):
        return str(expression)
    classes = [line.rpartition(" :: ")[2] for line in said.get_all("Classifier") or [] if line.startswith("License")]
    if classes:
        return " or ".join(classes)
    return next(iter(str(said.get("License") or "").splitlines()), "not said")


def render() -> str:
    """The document."""
    return HEAD + "".join(f"| {name} | {version} | {licence(name)} |\n" for name, version in locked())


if __name__ == "__main__":
    LIST.write_text(render(), encoding="utf-8")
