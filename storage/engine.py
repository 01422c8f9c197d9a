"""A database URL -> transactions, and the archive at its door: made, upgraded or refused.

SQLite runs in WAL mode: readers never wait. A write begins with BEGIN IMMEDIATE, because a transaction that reads first
and writes later is refused at once when another wrote in between, whatever the busy timeout. `synchronous=NORMAL`
survives kill -9 whole; a power cut may take the last commits back, and since validators, texts and alerts go back
together, the next cycle does that work again. Only what the world has seen must not go back: a transaction before and
after a sending is `durable`, it waits for the disk, and with it for all that was committed before.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    DBAPIError,
    NoSuchModuleError,
    OperationalError,
)

from watchfloor.errors import ArchiveError, ConfigurationError, RowRefused

if TYPE_CHECKING:
    from storage.archive import SqlArchive
    from storage.library import Library

HEAD = "0009"  # the migration this program was written for; a test compares it with the scripts
AnyLibrary = TypeVar("AnyLibrary", bound="Library")
SWITCH_SECONDS = 0.05  # between two tries to switch a new archive to the write-ahead log
BUSY_SECONDS = 30  # how long a writer waits for another; the longest of ours takes tenths of a second
CONNECT_SECONDS = 10
CACHE = 8 << 20  # bytes of a SQLite connection; four times that saves a cycle nothing, and it has five of them
_OF_A_ROW = ("22", "54")  # PostgreSQL's classes of errors: data exception, program limit exceeded
POSTGRES_KEY = 0x77617463  # "watc": of the advisory lock that keeps two upgrades apart


class Database:
    """Transactions on one archive. `write` excludes other writers on SQLite and locks rows on PostgreSQL."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._reads = _make_engine(url)
        self._writes = self._reads.execution_options(begin="BEGIN IMMEDIATE", synchronous="NORMAL")
        self._durable = self._reads.execution_options(begin="BEGIN IMMEDIATE", synchronous="FULL")

    @property
    def is_sqlite(self) -> bool:
        """Whether the archive is a SQLite file."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def file(self) -> Path | None:
        """The file of a SQLite archive."""
        return Path(str(self.url.database)) if self.is_sqlite else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads.

        Raises:
            ArchiveError: the database cannot be reached, is locked or damaged.
        """
        with _in_words(self.url), self._reads.begin() as connection:
            yield connection

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        """A transaction that writes; `durable`: on the disk before this returns, whatever happens to the power."""
        with _in_words(self.url), (self._durable if durable else self._writes).begin() as connection:
            yield connection

    @contextmanager
    def write_alone(self, key: int) -> Iterator[Connection]:
        """A transaction that no other one with the same key overlaps, on any machine."""
        with self.write() as connection:
            if not self.is_sqlite:  # SQLite has one writer anyway
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
            yield connection

    def close(self) -> None:
        """Give back all connections. May be used again: the next transaction opens another."""
        self._reads.dispose()


@contextmanager
def _in_words(url: URL) -> Iterator[None]:
    """Turn what the driver raises for a broken or unreachable database into one line without the password.

    Raises RowRefused where it is a row's own fault: a number too large, a text that no index holds.
    """
    try:
        yield
    except OverflowError as error:  # SQLite's driver, of a whole number
        raise RowRefused(f"the database refuses it: {error}") from error
    except DatabaseError as error:
        if isinstance(error, DataError) or str(getattr(error.orig, "sqlstate", "")).startswith(_OF_A_ROW):
            raise RowRefused(f"the database refuses it: {_reason(error)}") from error
        if type(error) in (OperationalError, DatabaseError):  # the other kinds are faults of ours
            raise ArchiveError(f"{_show(url)}: {_reason(error)}") from error
        raise


def _reason(error: DBAPIError) -> str:
    lines = str(error.orig).strip().splitlines()
    return lines[0] if lines else type(error.orig).__name__


def _show(url: URL) -> str:
    return url.render_as_string(hide_password=True)


def _make_engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        return _make_sqlite_engine(url)
    return sa.create_engine(
        url,
        pool_pre_ping=True,  # a server that was restarted in the night costs no cycle
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )


def _make_sqlite_engine(url: URL) -> Engine:
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        pool_use_lifo=True,  # the connection whose cache is warm; in turn, each of five would fill a cache of its own
        connect_args={"timeout": BUSY_SECONDS},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by us, not guessed by the driver
    _write_ahead(connection)
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA cache_size=-{CACHE >> 10}")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Two that make the same archive at once: SQLite refuses one of them the switch, whatever its busy timeout."""
    ends = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > ends:
                raise
        time.sleep(SWITCH_SECONDS)


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if "synchronous" in options:  # of a transaction that writes
        connection.exec_driver_sql(f"PRAGMA synchronous={options['synchronous']}")
    connection.exec_driver_sql(options.get("begin", "BEGIN"))


# -- the door ---------------------------------------------------------------------------------------------------------


def read_url(text: str) -> URL:
    """The URL of an archive, with the driver that we use.

    Raises:
        ConfigurationError: not a URL, or of another database.
    """
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, NoSuchModuleError):
        raise ConfigurationError(
            "WATCHFLOOR_DATABASE_URL is not a database URL",
            hint="sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME",
        ) from None
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and url.database not in (None, "", ":memory:"):
        return url
    raise ConfigurationError(
        "WATCHFLOOR_DATABASE_URL: the archive is a SQLite file or a PostgreSQL database",
        hint="sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME",
    )


def open_archive(url: str) -> SqlArchive:
    """The archive at `url`; made if there is none, upgraded if it is older.

    Raises:
        ConfigurationError: `url` is not one, or its driver is not installed.
        ArchiveError: it cannot be reached or read, or a newer version of this program made it.
    """
    from storage.archive import SqlArchive

    return _opened(SqlArchive(connect(url)))


def open_library(url: str) -> Library:
    """The same archive for those who only ask. Made, upgraded and refused as by `open_archive`."""
    from storage.library import Library

    return _opened(Library(connect(url)))


def _opened(archive: AnyLibrary) -> AnyLibrary:
    database = archive._database
    try:
        if _version(database) != HEAD:
            _upgrade(database)
        archive.refresh_words()
    except BaseException:
        archive.close()
        raise
    return archive


def upgrade(url: str) -> bool:
    """Bring the schema to this program's version; False if it was already. Raises as `open_archive` does."""
    database = connect(url)
    try:
        return _version(database) != HEAD and _upgrade(database)
    finally:
        database.close()


def pending_migration(url: str) -> bool:
    """Whether the archive is missing or older than this program. Raises as `open_archive` does; makes nothing."""
    checked = read_url(url)
    if checked.get_backend_name() == "sqlite" and not Path(str(checked.database)).exists():
        return True
    database = connect(url)
    try:
        return _version(database) != HEAD
    finally:
        database.close()


def connect(text: str, *, make_folder: bool = True) -> Database:
    """The database at a URL, whatever it holds. Raises as `open_archive` does, but asks nothing of it yet."""
    url = read_url(text)
    if make_folder and url.get_backend_name() == "sqlite":
        _make_folder(Path(str(url.database)))
    try:
        return Database(url)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"PostgreSQL needs the package {error.name}", hint="pip install 'watchfloor[postgresql]'"
        ) from None


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArchiveError(f"{path.parent}: the folder of the archive cannot be made: {error.strerror}") from error


def _version(database: Database) -> str | None:
    """The revision in the database, None where there is none. Plain SQL: Alembic takes 100 ms to import."""
    with database.read() as connection:
        return version_in(connection)


def version_in(connection: Connection) -> str | None:
    """The same within a transaction."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return version


def _upgrade(database: Database) -> bool:
    """Run the migrations under a lock; a second process that starts now waits and finds them done."""
    with database.write_alone(POSTGRES_KEY) as connection:
        found = version_in(connection)
        if found == HEAD:
            return False
        run_migrations = _migrations()
        if not run_migrations(connection, found):
            raise ArchiveError(
                f"{_show(database.url)}: the archive is of version {found}, newer than this program knows ({HEAD})"
            )
        return True


def _migrations() -> Callable[[Connection, str | None], bool]:
    """Imported here and not above: only an upgrade needs Alembic."""
    from storage.migrations.run import run

    return run
