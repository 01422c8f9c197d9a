"""What is made of a watchlist, kept from one process to the next in the folder of the archive.

    the text of the list  -- read -->     Watchlist   watchlist.read
    the list's version    -- compile -->  Lexicon     watchlist.compiled

Each file begins with a digest of what it was made of, of the program that made it and of all that follows; where that
is another, or there is no file, the thing is made anew and put in its place. What follows is a pickle of the records
below. Its reader knows no other names, so that nothing in it can run.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import tempfile
from collections.abc import Callable
from dataclasses import fields
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar, get_args

from watchfloor import __version__, query
from watchfloor.lexicon import Item, Layer, Lexicon, NumberedRule, Patterns, Use, compile_watchlist
from watchfloor.watchlist import Entity, Keyword, NearRule, QueryRule, Spelling, Watchlist, parse, text_of

READ, COMPILED = "watchlist.read", "watchlist.compiled"
RECORDS: tuple[type, ...] = (
    *(Watchlist, Spelling, Keyword, Entity, NearRule, QueryRule, *get_args(query.Node)),
    *(Lexicon, Patterns, Item, Use, NumberedRule),
)
_NAMES = {(kind.__module__, kind.__name__): kind for kind in (*RECORDS, Layer)}
_DIGEST = hashlib.sha256().digest_size

T = TypeVar("T")


def load_watchlist(path: Path, folder: Path) -> Watchlist:
    """The list that is in a file. Raises WatchlistError as `watchlist.load` does."""
    content = text_of(path)
    return _kept(folder / READ, content, lambda: parse(content, path=path))


def lexicon_of(watchlist: Watchlist, folder: Path) -> Lexicon:
    """The list compiled."""
    return _kept(folder / COMPILED, watchlist.version, lambda: compile_watchlist(watchlist))


def _kept(file: Path, made_of: str, make: Callable[[], T]) -> T:
    """What the file holds, if that is what `make` would make of this; else what it makes, which is then kept."""
    try:
        with file.open("rb") as source:
            digest, body = source.read(_DIGEST), source.read()
    except OSError:
        digest, body = b"", b""
    if digest == _digest(made_of, body):
        kept: T = _Reader(BytesIO(body)).load()
        return kept
    made = make()
    _keep(file, made_of, made)
    return made


def _keep(file: Path, made_of: str, made: object) -> None:
    """In place of what was there, in one stroke; where there is no folder, or no room in it, nothing is kept."""
    out = BytesIO()
    writer = pickle.Pickler(out, protocol=5)
    writer.dispatch_table = _CALLS
    writer.dump(made)
    body = out.getbuffer()
    try:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    except OSError:
        return
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as target:
            target.write(_digest(made_of, body))
            target.write(body)
        beside.replace(file)
    except OSError:
        return
    finally:
        beside.unlink(missing_ok=True)


def _digest(made_of: str, body: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(_PROGRAM)
    digest.update(hashlib.sha256(made_of.encode()).digest())
    digest.update(body)
    return digest.digest()


def _program() -> bytes:
    """All else that decides what is made: code, Python with its tables of characters, Babel with names of countries."""
    modules = sorted(Path(__file__).parent.glob("*.py"))
    code = [(module.name, (state := module.stat()).st_size, state.st_mtime_ns) for module in modules]
    return repr((__version__, sys.version, version("babel"), version("ruamel.yaml"), code)).encode()


_PROGRAM = _program()  # as it is when it is imported, not as it lies there a day later


def _call(kind: type) -> Callable[[Any], tuple[type, tuple[object, ...]]]:
    """A record as a call with its fields: half of what pickle's own way takes, which sets one by one."""
    names = [field.name for field in fields(kind)]
    return lambda record: (kind, tuple([getattr(record, name) for name in names]))


_CALLS = {kind: _call(kind) for kind in RECORDS}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _NAMES:
            return _NAMES[module, name]
        raise pickle.UnpicklingError(f"{module}.{name} is no record of a watchlist")
