"""The alerts file -> targets and routes. Apprise's own YAML (`urls` with tags), and `routes` beside it.

    alerts.yaml -> urls   -> Apprise -> one Address per recipient     \\
                -> routes -> watchfloor.routes.Reader                 /-> bind -> Policy

Apprise skips a bad line in silence and prints its URL, so each entry is read alone and counted here. All faults of the
file are said at once. No error quotes a URL: they hold secrets.
"""

from __future__ import annotations

import hashlib
import io
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from watchfloor import routes
from watchfloor.errors import AlertsError, AlertsErrors, Faults
from watchfloor.ports import Target
from watchfloor.routes import Known, PlacedTarget, Route
from watchfloor.settings import Settings

if TYPE_CHECKING:
    from apprise.plugins.base import NotifyBase

KEYS = ["version", "tag", "tags", "urls", "routes"]


@dataclass(frozen=True, slots=True)
class Address:
    """A target and the URL that leads there. The URL is a secret and is not shown, nor are the `secrets` in it.

    `apart`: seconds between two messages.
    """

    target: Target
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    apart: float = 0.0


@dataclass(frozen=True, slots=True)
class Policy:
    """Where alerts go, and which go where."""

    targets: tuple[Address, ...]
    routes: tuple[Route, ...]

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must not be shown anywhere."""
        return tuple(secret for one in self.targets for secret in (one.url, *one.secrets))

    @property
    def ops(self) -> tuple[str, ...]:
        """The ids of the targets for messages about the monitor itself."""
        return tuple(one.target.id for one in self.targets if routes.OPS_TAG in one.target.tags)


def load(settings: Settings, known: Known | None = None) -> Policy:
    """The policy in force: of the alerts file, else of APPRISE_URLS, else nobody is told.

    `known`: what routes may ask for; None: that is not looked at.

    Raises:
        AlertsError: the file is missing or does not say what it should; names file and line of each fault.
    """
    if path := settings.alerts_path:
        return parse(_read(path), path, settings, known)
    urls = settings.apprise_urls.get_secret_value().split()
    faults, addresses = Faults(AlertsErrors), []
    for number, url in enumerate(urls, start=1):
        with faults:
            addresses += _addresses(url, {}, f"URL {number} of APPRISE_URLS", None, None)
    faults.raise_all()
    return _with_default(addresses)


def parse(text: str, path: Path | str | None, settings: Settings, known: Known | None = None) -> Policy:
    """The same from the text of an alerts file; `path` is only what errors name.

    Raises:
        AlertsError: as `load`.
    """
    document, faults = _document(text, path), Faults(AlertsErrors)
    with faults:
        _check_keys(document, path)
    addresses: list[Address] = []
    placed: list[PlacedTarget] = []
    for entry, line in _listed(document, "urls", path, faults):
        read: list[Address] = []
        with faults:
            read = _addresses(entry, document, "this entry of `urls`", path, line)
        addresses += read
        placed += [PlacedTarget(one.target, one.target.tags, line) for one in read]
        if not read:
            placed.append(PlacedTarget(None, _tags_in(entry, document), line))
    _check_twins(placed, path, faults)
    if document.get("routes") is None:
        faults.raise_all()
        return _with_default(addresses)
    listed = list(_listed(document, "routes", path, faults))
    if not isinstance(document["routes"], CommentedSeq):
        faults.raise_all()
    reader = routes.Reader(path, settings.zone, text.splitlines(), faults, known)
    bound = routes.bind([reader.read_one(item, line) for item, line in listed], placed, path, faults)
    faults.raise_all()
    return Policy(tuple(addresses), bound)


def _with_default(addresses: Sequence[Address]) -> Policy:
    """Without routes everything goes to everybody, but for targets that want to hear of the monitor only."""
    told = [one.target for one in addresses if one.target.tags != (routes.OPS_TAG,)]
    return Policy(tuple(addresses), routes.everything_to(told))


# -- the file ---------------------------------------------------------------------------------------------------------


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise AlertsError("there is no such file", path=path, hint="`watchfloor init` writes one") from None
    except UnicodeDecodeError:
        raise AlertsError("not UTF-8", path=path, hint="save the file as UTF-8") from None
    except OSError as error:
        raise AlertsError(error.strerror or "cannot be read", path=path) from None


def _document(text: str, path: Path | str | None) -> CommentedMap:
    try:
        document = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = (error.problem or "not valid YAML").splitlines()[0]
        raise AlertsError(reason, path=path, line=mark.line + 1 if mark else None) from None
    except Exception:  # its conversions raise what they will, and their words may quote a secret
        raise AlertsError("not valid YAML", path=path) from None
    if document is None:
        return CommentedMap()  # all of it is commented out, as `watchfloor init` writes it
    if not isinstance(document, CommentedMap):
        raise AlertsError("there is no list `urls:`", path=path, line=1, hint="`watchfloor init` writes an example")
    return document


def _check_keys(document: CommentedMap, path: Path | str | None) -> None:
    for key in document:
        if key not in KEYS:
            raise routes.unknown("key", str(key), KEYS, path, document.lc.key(key)[0] + 1)


def _listed(document: CommentedMap, key: str, path: Path | str | None, faults: Faults) -> Iterator[tuple[Any, int]]:
    """The items of one of the file's lists, each with its line."""
    listed = document.get(key)
    if listed is None:
        return
    if isinstance(listed, CommentedSeq):
        yield from ((item, listed.lc.item(number)[0] + 1) for number, item in enumerate(listed))
        return
    with faults:
        hint = "write each of them after a dash, on a line of its own"
        raise AlertsError(f"`{key}` is no list", path=path, line=document.lc.key(key)[0] + 1, hint=hint)


def _check_twins(placed: Sequence[PlacedTarget], path: Path | str | None, faults: Faults) -> None:
    first: dict[str, int] = {}
    for one in placed:
        if one.target and (known := first.setdefault(one.target.id, one.line)) != one.line:
            with faults:
                hint = f"the first is on line {known}; give that one both tags"
                raise AlertsError("this target stands twice", path=path, line=one.line, hint=hint)


def _tags_in(entry: Any, document: CommentedMap) -> tuple[str, ...]:
    """The tags of an entry that cannot be read, so that the routes that name them are not found fault with."""
    given: list[Any] = [document]
    if isinstance(entry, dict):
        given += [options for value in entry.values() if isinstance(value, list) for options in value]
    said = [str(one.get("tag", one.get("tags", ""))) for one in given if isinstance(one, dict)]
    return tuple(re.findall(r"[^\s,'\[\]]+", " ".join(said)))


# -- an entry -> its targets ------------------------------------------------------------------------------------------


def _addresses(
    entry: Any, document: dict[str, Any], what: str, path: Path | str | None, line: int | None
) -> list[Address]:
    """The targets of one entry, each recipient by itself."""
    from alerts import plugins  # and with it Apprise: a third of a second, for nothing where nobody is told

    loaded = _by_apprise(entry, document)
    if len(loaded) != _expected(entry):
        hint = "Apprise knows how to write it: https://appriseit.com"
        raise AlertsError(f"{what} is not a notification URL that can be read", path=path, line=line, hint=hint)
    for plugin in loaded:
        if (reason := plugins.complaint(plugin)) is not None:
            raise AlertsError(f"{what}: {reason}", path=path, line=line)
    singles = [(single, plugin.tags) for plugin in loaded for single in plugins.each(plugin)]
    if any(len(single) > 1 for single, _ in singles):
        raise AlertsError(f"{what} has several recipients", path=path, line=line, hint="write an own URL for each")
    return [
        Address(_target(single, tags), plugins.address_of(single), plugins.secrets_of(single), plugins.apart(single))
        for single, tags in singles
    ]


def _by_apprise(entry: Any, document: dict[str, Any]) -> list[NotifyBase]:
    """Apprise's own reading of one entry, with the tags that the file gives to all."""
    from apprise.config.base import ConfigBase
    from apprise.plugins.base import NotifyBase

    alone = {"version": document.get("version", 1), "tag": document.get("tag", document.get("tags")), "urls": [entry]}
    text = io.StringIO()
    YAML(typ="rt").dump({key: value for key, value in alone.items() if value is not None}, text)
    with _silence():
        loaded, _ = ConfigBase.config_parse_yaml(text.getvalue())
    return [plugin for plugin in loaded if isinstance(plugin, NotifyBase)]


def _expected(entry: Any) -> int:
    """How many plugins an entry should give: one a URL, or one for each set of options under it."""
    if not isinstance(entry, dict):
        return 1
    return sum(len(options) if isinstance(options, list) and options else 1 for options in entry.values())


@contextmanager
def _silence() -> Iterator[None]:
    """Apprise's complaints quote URLs; ours name the line."""
    logger = logging.getLogger("apprise")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _target(plugin: Any, tags: Iterable[object]) -> Target:
    """The id stays the same when a password or an option changes, and gives neither away."""
    from alerts import plugins

    parts = [str(part) for part in plugin.url_identifier if part and part != plugin.password]
    made = hashlib.sha256("\n".join((*parts, plugins.masked(plugin))).encode()).hexdigest()[:12]
    return Target(f"{parts[0]}-{made}", plugins.name_of(plugin), tuple(sorted(str(tag) for tag in tags)))
