"""The archive for those who only ask: search, facets, export. It is imported in half the time of the whole."""

from __future__ import annotations

from collections.abc import Iterator

from storage import exporting, facets, search, words
from storage.engine import Database
from watchfloor.model import Clipping, Facets, Filters, Hits
from watchfloor.query import Node

WORDS = 0x776F7264  # "word": the key under which two who would fill the index exclude each other


class Library:
    """Questions to an archive on SQLite or PostgreSQL, made by `storage.engine.open_library`.

    Safe to use from several threads; a process that forks opens its own. Every method raises ArchiveError when the
    database cannot be reached, is locked for longer than half a minute, full or damaged.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def close(self) -> None:
        """Give back all connections."""
        self._database.close()

    def search(self, query: Node | None, filters: Filters, *, limit: int, after: str | None, by: str) -> Hits:
        """Find articles; `by` is "relevance" or "date". An empty query finds everything that the filters let pass.

        Raises:
            QueryError: `after` is not a key that a page of this search gave.
            ArchiveError: it took longer than `search.SECONDS`.
        """
        return search.search(self._database, query, filters, limit=limit, after=after, by=by)

    def facets(self, query: Node | None, filters: Filters, *, most: int = facets.MOST) -> Facets:
        """What all matches of a search are about and where they are from; of each kind the `most` frequent values.

        At most some thousand matches are counted: `Facets` says how. Raises as `search` does.
        """
        return facets.facets(self._database, query, filters, most=most)

    def export(self, query: Node | None, filters: Filters) -> Iterator[Clipping]:
        """All that a search finds, oldest first, as a stream over one moment of the archive; memory stays flat.

        The transaction lasts until the iterator ends or is closed, and there is no limit of time.
        """
        return exporting.export(self._database, query, filters)

    def refresh_words(self) -> int:
        """Fill the full-text index anew if an older rule filled it; the number of documents, 0 if it is current."""
        with self._database.read() as connection:
            if words.is_current(connection):
                return 0
        with self._database.write_alone(WORDS) as connection:
            return 0 if words.is_current(connection) else words.fill(connection)
