"""What is logged, and how: one line for each thing that happened, with the same keys on every line.

    say("polled", source="gazette", status=200) -> logging -> Line -> standard error, as text or as JSON

Secrets are taken out of every value, tracebacks included, at the last moment before a line is written.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import unquote, urlsplit

Form = Literal["quiet", "text", "json"]
KEYS = ("time", "level", "event", "source", "article", "url", "target", "status", "seconds", "detail", "trace")

SHORTEST_SECRET = 6  # characters: what is shorter is a word or a port, and would blot out half of each line
HIDDEN = "***"
_CREDENTIALS = re.compile(r"(?<=://)[^\s/@]+@")

_logger = logging.getLogger("watchfloor")


def say(event: str, *, level: int = logging.INFO, trace: BaseException | None = None, **about: object) -> None:
    """Log one thing that happened. `about`: what it is about, under names of KEYS."""
    if strange := about.keys() - set(KEYS):
        raise ValueError(f"a log line has no {', '.join(sorted(strange))}")
    _logger.log(level, event, exc_info=trace, extra={"about": about})


def warn(event: str, *, trace: BaseException | None = None, **about: object) -> None:
    """Log what somebody should look at."""
    say(event, level=logging.WARNING, trace=trace, **about)


def begin(form: Form, secrets: Iterable[str] = ()) -> None:
    """From now on write lines of this form; quiet: warnings alone, as text. May be called again; the last one holds."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Line(form, secrets))
    _logger.setLevel(logging.WARNING if form == "quiet" else logging.INFO)
    _logger.propagate = False
    _logger.handlers = [handler]
    root = logging.getLogger()
    if all(isinstance(one.formatter, Line) for one in root.handlers):  # else it is somebody else's, such as Prefect's
        root.handlers = [handler]


class Line(logging.Formatter):
    """A record of anybody's as one line with our keys; what is not known of it is empty."""

    def __init__(self, form: Form, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._form = form
        self._secrets = sorted({part for secret in secrets for part in _parts(secret)}, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        about: dict[str, object] = getattr(record, "about", {})
        ours = "about" in record.__dict__
        values: dict[str, object] = dict.fromkeys(KEYS) | {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage() if ours else record.name,
            "detail": None if ours else record.getMessage(),
            "trace": self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else None,
        }
        clean = {key: self._clean(value) for key, value in (values | about).items()}
        return json.dumps(clean, ensure_ascii=False) if self._form == "json" else _as_text(clean)

    def _clean(self, value: object) -> object:
        if value is None or isinstance(value, int | float):
            return value
        return _CREDENTIALS.sub(f"{HIDDEN}@", hide(str(value), self._secrets))


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text without these."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def _as_text(values: dict[str, object]) -> str:
    head = f"{values['time']} {values['level']} {_quoted(values['event'])}"
    return " ".join([head, *(f"{key}={_quoted(values[key])}" for key in KEYS[3:])])


def _quoted(value: object) -> str:
    if value is None:
        return "-"
    text = str(value)
    return text if re.fullmatch(r"[\w.:/@%+-]+", text) else json.dumps(text, ensure_ascii=False)


def _parts(secret: str) -> Iterable[str]:
    """A secret as it may appear: whole, blank by blank, and the password of an address, as spelt and as meant."""
    pieces = {secret, *secret.split()}
    for piece in tuple(pieces):
        try:
            password = urlsplit(piece).password
        except ValueError:
            continue
        pieces |= {password, unquote(password)} if password else set()
    return {piece for piece in pieces if len(piece) >= SHORTEST_SECRET}
