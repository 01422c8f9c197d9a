"""Clippings -> the formats in which they leave the house, a piece at a time: whatever their number, memory stays flat.

JSON lines and CSV for programs and spreadsheets; BibTeX, RIS and CSL-JSON to cite them, each with the times at which an
article was published and first seen and the hash of its page, so that a reader can tell what stood there, and when.
`watchfloor.parquet` makes the one format that is not text.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from io import StringIO

import orjson

from watchfloor.model import Clipping

COLUMNS = Clipping._fields


def jsonl(clippings: Iterable[Clipping]) -> Iterator[bytes]:
    """An object a line; times as ISO 8601."""
    for clipping in clippings:
        yield orjson.dumps(dict(zip(COLUMNS, clipping, strict=True)), option=orjson.OPT_APPEND_NEWLINE)


# -- spreadsheets -----------------------------------------------------------------------------------------------------


def as_csv(clippings: Iterable[Clipping]) -> Iterator[bytes]:
    """A row each, with a head; names within a cell are divided by semicolons."""
    return (lines.encode() for lines in csv_lines(COLUMNS, clippings))


def csv_lines(columns: Iterable[object], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """CSV that no spreadsheet runs: every cell in quotation marks, what begins like a formula behind an apostrophe."""
    line = StringIO()
    writer = csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    for cells in rows:
        writer.writerow([_harmless(_cell(cell)) for cell in cells])
        if line.tell() > 65_536:
            yield line.getvalue()
            line.seek(0)
            line.truncate()
    yield line.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value))
    return "" if value is None else str(value)


def _harmless(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") or text[:1].isspace() else text


# -- citations --------------------------------------------------------------------------------------------------------


def provenance(clipping: Clipping) -> str:
    """When the article was published and first seen, and the hash of its page, in one line."""
    published = clipping.published.isoformat() if clipping.published else "at an unknown time"
    page = f"; SHA-256 of the page {clipping.page_sha256}" if clipping.page_sha256 else ""
    return f"published {published}; first seen {clipping.first_seen.isoformat()}{page}"


_TEX = str.maketrans(
    {sign: f"\\{sign}" for sign in "{}$&%#_"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\n": " ", "\t": " "}
)
_TEX_LINK = str.maketrans({"{": "%7B", "}": "%7D", "\\": "%5C", " ": "%20"})


def bibtex(clippings: Iterable[Clipping]) -> Iterator[bytes]:
    """An entry each; @online, as biblatex, Zotero and JabRef know it."""
    for clipping in clippings:
        fields = {
            "title": f"{{{clipping.title.translate(_TEX)}}}",
            "author": " and ".join(map(_tex_name, clipping.authors)),
            "organization": clipping.publisher.translate(_TEX),
            "date": _day(clipping.published, "-"),
            "url": (clipping.url or "").translate(_TEX_LINK),
            "urldate": _day(clipping.first_seen, "-"),
            "note": provenance(clipping).translate(_TEX),
        }
        lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
        yield f"@online{{watchfloor{clipping.id},\n{lines}\n}}\n".encode()


def _tex_name(name: str) -> str:
    """A name that BibTeX would take for two, or for a last name first, is kept together by braces."""
    plain = name.translate(_TEX)
    return f"{{{plain}}}" if "," in plain or " and " in f" {plain} " else plain


def ris(clippings: Iterable[Clipping]) -> Iterator[bytes]:
    """A record each, as reference managers import it."""
    for clipping in clippings:
        values = [("TY", "NEWS"), ("ID", f"watchfloor{clipping.id}"), ("TI", clipping.title)]
        values += [("AU", name) for name in clipping.authors]
        values += [
            ("PB", clipping.publisher),
            ("PY", clipping.published.strftime("%Y") if clipping.published else ""),
            ("DA", _day(clipping.published, "/")),
            ("Y2", _day(clipping.first_seen, "/")),
            ("LA", clipping.language or ""),
            ("UR", clipping.url or ""),
            ("N1", provenance(clipping)),
        ]
        lines = [f"{tag}  - {' '.join(value.split())}" for tag, value in values if value]
        yield "\r\n".join([*lines, "ER  - ", "", ""]).encode()


def csl_json(clippings: Iterable[Clipping]) -> Iterator[bytes]:
    """One array, an item each, as citeproc reads it."""
    before = b"[\n"
    for clipping in clippings:
        yield before + orjson.dumps(_csl_item(clipping))
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def _csl_item(clipping: Clipping) -> Mapping[str, object]:
    item = {
        "id": f"watchfloor{clipping.id}",
        "type": "article-newspaper",
        "title": clipping.title,
        "author": [{"literal": name} for name in clipping.authors],
        "container-title": clipping.publisher,
        "issued": _date_parts(clipping.published),
        "accessed": _date_parts(clipping.first_seen),
        "URL": clipping.url,
        "language": clipping.language,
        "note": provenance(clipping),
    }
    return {name: value for name, value in item.items() if value}


def _date_parts(moment: datetime | None) -> Mapping[str, object] | None:
    return {"date-parts": [[moment.year, moment.month, moment.day]]} if moment else None


def _day(moment: datetime | None, sign: str) -> str:
    return moment.strftime(f"%Y{sign}%m{sign}%d") if moment else ""


FORMATS: Mapping[str, Callable[[Iterable[Clipping]], Iterator[bytes]]] = {
    "jsonl": jsonl,
    "csv": as_csv,
    "bibtex": bibtex,
    "ris": ris,
    "csl-json": csl_json,
}
