"""What is installed without a clone holds what the commands need."""

from __future__ import annotations

import tomllib

from tests.watching import ROOT
from watchfloor.cli.setup import FILES


def test_the_wheel_carries_what_init_lays_out() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    carried = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    origins = {origin for origin, _ in FILES.values()}
    assert {name: carried.get(name) for name in origins} == {name: f"watchfloor/shipped/{name}" for name in origins}
    assert all((ROOT / name).exists() for name in carried)
