"""The alerts file -> targets and routes. Apprise's own YAML (`urls` with tags), and `routes` beside it.

    alerts.yaml -> urls   -> Apprise -> one Address per recipient     \\
                -> routes -> watchfloor.routes.read                   /-> bind -> Policy

Apprise skips a bad line in silence and prints its URL, so each entry is read alone and counted here. No error quotes a
URL: they hold secrets.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from watchfloor import routes
from watchfloor.errors import AlertsError
from watchfloor.ports import Target
from watchfloor.routes import PlacedTarget, Route
from watchfloor.settings import Settings

if TYPE_CHECKING:
    from apprise.plugins.base import NotifyBase

KEYS = ["version", "tag", "tags", "urls", "routes"]


@dataclass(frozen=True, slots=True)
class Address:
    """A target and the URL that leads there. The URL is a secret and is not shown."""

    target: Target
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Policy:
    """Where alerts go, and which go where."""

    targets: tuple[Address, ...]
    routes: tuple[Route, ...]

    @property
    def ops(self) -> tuple[str, ...]:
        """The ids of the targets for messages about the monitor itself."""
        return tuple(one.target.id for one in self.targets if routes.OPS_TAG in one.target.tags)


def load(settings: Settings) -> Policy:
    """The policy in force: of the alerts file, else of APPRISE_URLS, else nobody is told.

    Raises:
        AlertsError: the file is missing or does not say what it should; names file and line.
    """
    if path := settings.alerts_path:
        return parse(_read(path), path, settings)
    urls = settings.apprise_urls.get_secret_value().split()
    addresses = [
        one
        for number, url in enumerate(urls, start=1)
        for one in _addresses(url, {}, f"URL {number} of APPRISE_URLS", None, None)
    ]
    return _with_default(addresses)


def parse(text: str, path: Path | str | None, settings: Settings) -> Policy:
    """The same from the text of an alerts file; `path` is only what errors name.

    Raises:
        AlertsError: as `load`.
    """
    document = _document(text, path)
    placed = [
        (address, line)
        for entry, line in _entries(document, path)
        for address in _addresses(entry, document, "this entry of `urls`", path, line)
    ]
    _check_twins(placed, path)
    listed = document.get("routes")
    if listed is None:
        return _with_default([address for address, _ in placed])
    if not isinstance(listed, CommentedSeq):
        raise AlertsError("`routes` is no list", path=path, line=document.lc.key("routes")[0] + 1)
    read = routes.read(listed, path, settings.zone)
    bound = routes.bind(read, [PlacedTarget(address.target, line) for address, line in placed], path)
    return Policy(tuple(address for address, _ in placed), bound)


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
    for key in document:
        if key not in KEYS:
            raise routes.unknown("key", str(key), KEYS, path, document.lc.key(key)[0] + 1)
    return document


def _entries(document: CommentedMap, path: Path | str | None) -> Iterator[tuple[Any, int]]:
    listed = document.get("urls")
    if listed is None:
        return
    if not isinstance(listed, CommentedSeq):
        raise AlertsError("`urls` is no list", path=path, line=document.lc.key("urls")[0] + 1)
    for number, entry in enumerate(listed):
        yield entry, listed.lc.item(number)[0] + 1


def _check_twins(placed: Sequence[tuple[Address, int]], path: Path | str | None) -> None:
    first: dict[str, int] = {}
    for address, line in placed:
        if (known := first.setdefault(address.target.id, line)) != line:
            hint = f"the first is on line {known}; give that one both tags"
            raise AlertsError("this target stands twice", path=path, line=line, hint=hint)


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
    return [Address(_target(single, tags), plugins.address_of(single)) for single, tags in singles]


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
    name = plugin.url(privacy=True).split("?")[0].rstrip("/")
    parts = [str(part) for part in plugin.url_identifier if part and part != plugin.password]
    made = hashlib.sha256("\n".join((*parts, name)).encode()).hexdigest()[:12]
    return Target(f"{parts[0]}-{made}", name, tuple(sorted(str(tag) for tag in tags)))
