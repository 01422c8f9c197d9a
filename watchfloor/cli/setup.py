"""`init`: the files that a newcomer edits, laid out once and never overwritten."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from watchfloor.cli import DONE
from watchfloor.settings import shipped

FILES = {
    "sources.yaml": ("sources.yaml", "the feeds"),
    "watchlist.yaml": ("watchlist.yaml", "topics, keywords, entities"),
    "alerts.yaml": ("alerts.example.yaml", "where alerts go; all of it is commented out"),
}


def init(folder: Annotated[Path, Parameter(help="Where to write them.")] = Path(), /) -> int:
    """Write sources.yaml, watchlist.yaml and a commented alerts file where there are none."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (origin, what) in FILES.items():
        path = folder / name
        if path.exists():
            print(f"{path}: is there already, left alone")
            continue
        shutil.copyfile(shipped(origin), path)
        if name == "alerts.yaml":
            path.chmod(0o600)  # it will hold secrets
        print(f"{path}: {what}")
    print("Next: watchfloor run")
    return DONE
