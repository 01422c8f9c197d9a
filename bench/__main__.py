"""`make bench`: everything in docs/speed.md, in one run. `python -m bench [PART ...] [--scale 0.2] [--rounds 3]`.

A scale of 1 is 500 feeds and 2,000 pages; a fifth of that tells the same in minutes.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from bench import cycles, export, flow, growth, material, parsing, startup, workers
from bench.runs import Table

PARTS: dict[str, Callable[..., None]] = {
    "parsing": parsing.measure,
    "startup": startup.measure,
    "export": export.measure,
    "cycles": cycles.measure,
    "flow": flow.measure,
    "growth": growth.measure,
    "workers": workers.measure,
}


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Ours and what else one would take, in turn.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which parts; all by default")
    parser.add_argument("--scale", type=float, default=0.2, help="of 500 feeds and 2,000 pages")
    parser.add_argument("--rounds", type=int, default=3, help="each contender so often, in turn")
    given = parser.parse_args()
    table, before = Table(), os.getloadavg()[0]
    print(f"scale {given.scale}, {given.rounds} rounds, material {material.kind()}, load {before:.1f}", flush=True)
    for name in given.parts or PARTS:
        PARTS[name](table, scale=given.scale, rounds=given.rounds)
    about = {
        "scale": given.scale,
        "rounds": given.rounds,
        "material": material.kind(),
        "load": [before, os.getloadavg()[0]],
    }
    print(f"kept in {table.keep(about)}")


if __name__ == "__main__":
    main()
