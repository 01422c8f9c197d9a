"""Everything that may go wrong, as a tree. The caller's question is: may this be tried again?

    WatchfloorError
    ├── ConfigurationError        a file or setting of the user's is wrong: exit 2, nothing was written
    │   ├── SourcesError          sources.yaml
    │   ├── WatchlistError        watchlist.yaml
    │   ├── QueryError            a query or rule does not parse (has .column and .hint)
    │   └── AlertsError           the alerts file
    ├── FetchError                no usable answer from .url
    │   ├── Refused               we will not ask: forbidden address, scheme, port, robots
    │   ├── Unreachable           DNS, connection, TLS, deadline                      (may be retried)
    │   ├── BadAnswer             too large, cut off, bad encoding, redirect loop
    │   └── HttpStatus            an answer with a status of 400 and above (retried if 408, 425, 429, 5xx)
    ├── ParseError                foreign bytes could not be read
    │   ├── NotAFeed              HTML or anything else where a feed was expected
    │   └── ParserKilled          the parser outran its memory and was killed
    │       └── ParserTimedOut    it outran its time, as on a busy machine it may        (may be retried)
    └── ArchiveError              the database is missing, locked or of another version

Expected failures of one feed, page or target are stored with their subject and stop nothing else; `retryable` says
whether the next cycle should try again by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar


class WatchfloorError(Exception):
    """Base of the tree. `retryable`: the same call may succeed later without anybody changing anything."""

    retryable = False


class ConfigurationError(WatchfloorError):
    """A file or setting of the user's is wrong. Prints as `FILE:LINE:COLUMN: what is wrong (hint)`.

    Attributes: path, line and column (1-based, None where unknown), reason, hint.
    """

    def __init__(
        self,
        reason: str,
        *,
        path: Path | str | None = None,
        line: int | None = None,
        column: int | None = None,
        hint: str | None = None,
    ) -> None:
        self.reason, self.path, self.line, self.column, self.hint = reason, path, line, column, hint
        super().__init__(str(self))

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.path, self.line, self.column) if part is not None)
        text = f"{where}: {self.reason}" if where else self.reason
        return f"{text} ({self.hint})" if self.hint else text

    @property
    def faults(self) -> tuple[ConfigurationError, ...]:
        """One by one what is wrong; there may be several at once, see Together."""
        return (self,)

    def as_json(self) -> dict[str, object]:
        """What a check prints of a fault."""
        place = {"path": self.path, "line": self.line, "column": self.column}
        return {**place, "reason": self.reason, "hint": self.hint}

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.reason, self.path, self.line, self.column, self.hint))


def _rebuild(
    kind: type[ConfigurationError],
    reason: str,
    path: Path | str | None,
    line: int | None,
    column: int | None,
    hint: str | None,
) -> ConfigurationError:
    """Unpickle: a worker process may raise one of these, and keyword-only arguments do not survive by themselves."""
    return kind(reason, path=path, line=line, column=column, hint=hint)


class SourcesError(ConfigurationError):
    """sources.yaml does not say what it should."""


class WatchlistError(ConfigurationError):
    """watchlist.yaml does not say what it should."""


class QueryError(ConfigurationError):
    """A query or rule does not parse; `column` counts code points of the query from 1."""


class AlertsError(ConfigurationError):
    """The alerts file does not say what it should. Never carries an Apprise URL: they hold secrets."""


class Together(ConfigurationError):
    """All that is wrong with a file, a line each; `faults` has them one by one, in the order of the file."""

    SHOWN = 20
    of: ClassVar[type[ConfigurationError]] = ConfigurationError  # what each of them is

    def __init__(self, faults: Iterable[ConfigurationError]) -> None:
        self._faults = tuple(sorted(faults, key=lambda one: one.line or 0))
        more = [f"and {len(self._faults) - self.SHOWN} more"] if len(self._faults) > self.SHOWN else []
        super().__init__("\n".join([*map(str, self._faults[: self.SHOWN]), *more]))

    @property
    def faults(self) -> tuple[ConfigurationError, ...]:
        """One by one what is wrong."""
        return self._faults

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self._faults,))


class AlertsErrors(Together, AlertsError):
    """Several at once."""

    of = AlertsError


class WatchlistErrors(Together, WatchlistError):
    """Several at once."""

    of = WatchlistError


class Faults:
    """Gathers what is wrong with a file, so that all of it is said at once.

    `with faults:` keeps what is raised inside, and goes on.
    """

    def __init__(self, together: type[Together]) -> None:
        self._together = together
        self._found: list[ConfigurationError] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if not isinstance(error, self._together.of):
            return False
        self._found += error.faults
        return True

    def raise_all(self) -> None:
        """Raise what was gathered, if anything was."""
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            raise self._together(self._found)


class FetchError(WatchfloorError):
    """No usable answer. Attributes: url (as asked), reason (in words), retry_after (as the server asked, else None).

    `busy_host`: the host that asked for `retry_after`, which may be another than that of `url`; None: it speaks of this
    address alone.
    """

    def __init__(
        self, url: str, reason: str, *, retry_after: timedelta | None = None, busy_host: str | None = None
    ) -> None:
        self.url, self.reason, self.retry_after, self.busy_host = url, reason, retry_after, busy_host
        super().__init__(f"{url}: {reason}")

    def __reduce__(self) -> tuple[object, ...]:
        return (_refetch, (type(self), self.url, self.reason, self.retry_after, self.busy_host))


def _refetch(
    kind: type[FetchError], url: str, what: Any, retry_after: timedelta | None, busy_host: str | None
) -> FetchError:
    """Unpickle, as `_rebuild` does; `what` is the reason, or the status of an HttpStatus."""
    return kind(url, what, retry_after=retry_after, busy_host=busy_host)


class Refused(FetchError):
    """We do not ask: the address, scheme, port or link is forbidden, or robots.txt says no."""


class Unreachable(FetchError):
    """Nobody answered: DNS, connection, TLS or the deadline."""

    retryable = True


class BadAnswer(FetchError):
    """An answer that cannot be used: too large, cut off, an encoding we did not ask for, redirects without end."""


class HttpStatus(FetchError):
    """An answer with a status of 400 and above. Attribute: status."""

    def __init__(
        self, url: str, status: int, *, retry_after: timedelta | None = None, busy_host: str | None = None
    ) -> None:
        self.status = status
        super().__init__(url, f"HTTP {status}", retry_after=retry_after, busy_host=busy_host)

    @property
    def retryable(self) -> bool:  # type: ignore[override]
        """True for the answers that pass by themselves: 408, 425, 429 and 5xx."""
        return self.status in (408, 425, 429) or self.status >= 500

    def __reduce__(self) -> tuple[object, ...]:
        return (_refetch, (type(self), self.url, self.status, self.retry_after, self.busy_host))


class ParseError(WatchfloorError):
    """Foreign bytes could not be read."""


class NotAFeed(ParseError):
    """HTML or anything else where a feed was expected."""


class ParserKilled(ParseError):
    """The parser outran its time or memory limit and was killed."""


class ParserTimedOut(ParserKilled):
    """The parser outran its time, for which the document may be to blame or a machine that had too much to do."""

    retryable = True


class ArchiveError(WatchfloorError):
    """The archive cannot be opened or is of another version."""


class RowRefused(WatchfloorError):
    """The database will not have what a row says, and never will; the rows beside it are none the worse."""
