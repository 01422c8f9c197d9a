"""Clippings -> Parquet, in groups of rows that are written as they fill up. The only room for pyarrow."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import BinaryIO

from watchfloor.errors import ConfigurationError
from watchfloor.model import Clipping

try:
    import pyarrow
    from pyarrow import parquet
except ModuleNotFoundError as error:
    raise ConfigurationError(
        f"Parquet needs the package {error.name}", hint="pip install 'watchfloor[parquet]'"
    ) from None

GROUP = 10_000  # rows of a group: some 30 MB of articles
NAMES, TIME = pyarrow.list_(pyarrow.string()), pyarrow.timestamp("us", tz="UTC")
SCHEMA = pyarrow.schema(
    {
        "id": pyarrow.int64(),
        "title": pyarrow.string(),
        "url": pyarrow.string(),
        "source": pyarrow.string(),
        "publisher": pyarrow.string(),
        "country": pyarrow.string(),
        "language": pyarrow.string(),
        "authors": NAMES,
        "published": TIME,
        "first_seen": TIME,
        "grade": pyarrow.string(),
        "relevant": pyarrow.bool_(),
        "score": pyarrow.float64(),
        "topics": NAMES,
        "entities": NAMES,
        "story": pyarrow.int64(),
        "page_sha256": pyarrow.string(),
        "text": pyarrow.string(),
    }
)


def write(clippings: Iterable[Clipping], out: BinaryIO) -> int:
    """Write them; how many."""
    count, rest = 0, iter(clippings)
    with parquet.ParquetWriter(out, SCHEMA, compression="zstd") as writer:
        while group := list(islice(rest, GROUP)):
            columns = dict(zip(Clipping._fields, zip(*group, strict=True), strict=True))
            writer.write_table(pyarrow.table(columns, schema=SCHEMA))
            count += len(group)
    return count
