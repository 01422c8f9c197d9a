"""sources.yaml -> Source, additions to it that keep its comments, and OPML in and out.

sources.yaml -> parse -> Source          errors name file, line and column
Source -> add -> sources.yaml
OPML <-> Source
"""

from __future__ import annotations

import difflib
import itertools
import os
import re
import shutil
import tempfile
import textwrap
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from babel import Locale
from lxml import etree
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError
from slugify import slugify

from watchfloor.errors import ConfigurationError, SourcesError
from watchfloor.model import Source

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
LONGEST_FLOOR = timedelta(days=366)
LONGEST_URL = 2048
LONGEST_NAME = 200
LONGEST_ID = 80
Place = tuple[int, int]  # line and column, from 0, as ruamel.yaml counts
LARGEST_OPML = 10_000_000  # bytes; the largest subscription lists seen have some 100 kB


def read_duration(text: str) -> timedelta:
    """`30m`, `2h`, `1d`: a number and one of s, m, h, d, w.

    Raises:
        ConfigurationError: it is nothing of the kind.
    """
    found = re.fullmatch(r"(\d{1,6})\s*([smhdw])", text.strip())
    if not found or not int(found[1]):
        raise ConfigurationError(f"{text!r} is not a duration", hint="write a number and a unit, such as 30m, 2h or 1d")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


# -- what one source may say ------------------------------------------------------------------------------------------


def _duration(value: object) -> timedelta:
    try:
        span = read_duration(str(value))
    except ConfigurationError as error:
        raise ValueError(str(error)) from None
    if span > LONGEST_FLOOR:
        raise ValueError(f"{str(value)!r} is longer than a year")
    return span


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or len(value) > LONGEST_URL or not value.isprintable() or " " in value:
        raise ValueError(f"{value[:100]!r} is not the address of a feed (it should begin with https:// or http://)")
    if parts.username is not None:
        raise ValueError("an address must not hold a user name or password")
    return value


def _text(value: str) -> str:
    clean = " ".join(value.split())
    if not clean or len(clean) > LONGEST_NAME or not clean.isprintable():
        raise ValueError(f"should be some words, at most {LONGEST_NAME} characters")
    return clean


def _id(value: str) -> str:
    if not re.fullmatch(rf"[a-z0-9][a-z0-9-]{{0,{LONGEST_ID - 1}}}", value):
        raise ValueError(f"{value!r} is not an id (small letters, digits and hyphens)")
    return value


@cache
def _english() -> Locale:
    return Locale("en")


def _country(value: str) -> str:
    if not re.fullmatch("[A-Z]{2}", value) or value not in _english().territories or value == "ZZ":
        raise ValueError(
            f"{value!r} is not a country (two capital letters of ISO 3166, such as US, GB, DE; also EU, UN)"
        )
    return value


def _language(value: str) -> str:
    if not re.fullmatch("[a-z]{2,3}", value) or value not in _english().languages:
        raise ValueError(f"{value!r} is not a language (two small letters of ISO 639, such as en, de, uk)")
    return value


Words = Annotated[str, AfterValidator(_text)]


class SourceItem(BaseModel):
    """One item of sources.yaml, as the user writes it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Words
    url: Annotated[str, AfterValidator(_url)]
    id: Annotated[str, AfterValidator(_id)] | None = None
    publisher: Words | None = None
    country: Annotated[str, AfterValidator(_country)] | None = None
    language: Annotated[str, AfterValidator(_language)] | None = None
    tags: list[Words] = []
    every: Annotated[timedelta, BeforeValidator(_duration)] = Field(default=timedelta(minutes=30))
    full_text: bool = False

    def source(self) -> Source:
        """The source that this item describes; its id is made from the name unless the item gives one."""
        return Source(
            id=self.id or made_id(self.name),
            name=self.name,
            url=self.url,
            publisher=self.publisher or self.name,
            country=self.country,
            language=self.language,
            tags=tuple(str(tag) for tag in self.tags),
            every=self.every,
            full_text=self.full_text,
        )


def made_id(name: str) -> str:
    """The id of a source that gives none: its name in small ASCII letters, so that it is stable and can be typed."""
    return slugify(name, max_length=LONGEST_ID) or "source"


# -- reading sources.yaml ---------------------------------------------------------------------------------------------


def load(path: Path) -> tuple[Source, ...]:
    """The sources that a file names, in its order.

    Raises:
        SourcesError: the file is missing or does not say what it should; names the file, line and column.
    """
    return parse(_read(path), path)


def parse(text: str, path: Path | str | None = None) -> tuple[Source, ...]:
    """The same from a text; `path` is only what errors name.

    Raises:
        SourcesError: as `load`.
    """
    items = _items(_document(text, path), path)
    sources = _sources(items, path)
    _check_twins(sources, items, path)
    return tuple(sources)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SourcesError("there is no such file", path=path, hint="`watchfloor init` writes one") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SourcesError("not UTF-8", path=path, line=line, hint="save the file as UTF-8") from None
    except OSError as error:
        raise SourcesError(error.strerror or "cannot be read", path=path) from None


def _document(text: str, path: Path | str | None) -> Any:
    try:
        return YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        reason = (error.problem or "not valid YAML").splitlines()[0]
        raise SourcesError(reason, path=path, line=line, column=column) from None
    except Exception as error:  # its conversions raise what they will: `!!int` alone is an IndexError
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise SourcesError(f"not valid YAML: {reason}", path=path) from None


def _items(document: Any, path: Path | str | None) -> CommentedSeq:
    if not isinstance(document, CommentedMap) or "sources" not in document:
        raise SourcesError("there is no list `sources:`", path=path, line=1, hint="`watchfloor init` writes one")
    for key in document:
        if key != "sources":
            raise _at(document.lc.key(key), f"unknown key {key!r}", path, hint=_meant(str(key), ["sources"]))
    listed = document["sources"]
    if listed is None:
        return CommentedSeq()
    if not isinstance(listed, CommentedSeq):
        raise _at(document.lc.value("sources"), "`sources` is no list", path, hint="begin each item with `- name:`")
    return listed


def _sources(items: CommentedSeq, path: Path | str | None) -> list[Source]:
    return [_source(item, items.lc.item(number), path) for number, item in enumerate(items)]


def _source(item: Any, place: Place, path: Path | str | None) -> Source:
    if not isinstance(item, CommentedMap):
        raise _at(place, "a source is `name:`, `url:` and what else is known of it", path)
    try:
        return SourceItem.model_validate(dict(item)).source()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason, hint = _in_words(first)
        raise _at(_place_of(first, item, place), reason, path, hint=hint) from None


def _place_of(error: ErrorDetails, item: CommentedMap, place: Place) -> Place:
    key = error["loc"][0]
    if error["type"] == "missing" or key not in (item.lc.data or {}):  # what `<<` merged in has no place of its own
        return place
    if error["type"] == "extra_forbidden":
        return _pair(item.lc.key(key))
    if len(error["loc"]) > 1 and isinstance(item[key], CommentedSeq):
        return _pair(item[key].lc.item(error["loc"][1]))
    return _pair(item.lc.value(key))


def _in_words(error: ErrorDetails) -> tuple[str, str | None]:
    key = str(error["loc"][0])
    if error["type"] == "missing":
        return f"a source without `{key}`", None
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}", _meant(key, list(SourceItem.model_fields))
    if error["type"] == "value_error":
        return f"{key}: {error['msg'].removeprefix('Value error, ')}", None
    hint = "put it in quotes" if error["type"] == "string_type" else None
    return f"{key}: {error['msg'][0].lower()}{error['msg'][1:]}", hint


def _meant(wrong: str, known: list[str]) -> str:
    close = difflib.get_close_matches(wrong, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"


def _check_twins(sources: Sequence[Source], items: CommentedSeq, path: Path | str | None) -> None:
    """Neither an id nor an address may stand twice: one feed would be asked twice, or two would share a memory."""
    seen: dict[str, int] = {}
    for number, source in enumerate(sources):
        for what, key in (("id", source.id), ("url", same_url(source.url))):
            if (first := seen.setdefault(f"{what} {key}", number)) != number:
                line = items.lc.item(first)[0] + 1
                hint = f"the first is on line {line}" + ("; give one of them an `id`" if what == "id" else "")
                raise _at(items.lc.item(number), f"{what} {key!r} stands twice", path, hint=hint)


def same_url(url: str) -> str:
    """What two spellings of one feed's address have in common: no scheme, no `www.`, no slash at the end."""
    parts = urlsplit(url)
    host = parts.netloc.lower().removeprefix("www.")
    return f"{host}{parts.path.rstrip('/')}{'?' if parts.query else ''}{parts.query}"


def _pair(place: Any) -> Place:
    return place[0], place[1]


def _at(place: Any, reason: str, path: Path | str | None, *, hint: str | None = None) -> SourcesError:
    line, column = _pair(place)
    return SourcesError(reason, path=path, line=line + 1, column=column + 1, hint=hint)


# -- adding to sources.yaml -------------------------------------------------------------------------------------------


def make(name: str, url: str, known: Iterable[Source] = (), **fields: Any) -> Source:
    """A new source beside the `known` ones; `fields` are further keys of sources.yaml. Its id is one they do not have.

    Raises:
        SourcesError: a field says what it may not, or the address is known already.
    """
    known = tuple(known)
    source = _checked({"name": name, "url": url, **fields})
    for other in known:
        if same_url(other.url) == same_url(source.url):
            raise SourcesError(f"{url} is known already, as {other.name!r}")
    return replace(source, id=_free_id(source.id, {other.id for other in known}))


def _checked(item: dict[str, Any]) -> Source:
    try:
        return SourceItem.model_validate(item).source()
    except ValidationError as error:
        reason, hint = _in_words(error.errors(include_url=False)[0])
        raise SourcesError(reason, hint=hint) from None


def _free_id(wanted: str, taken: Container[str]) -> str:
    candidates = itertools.chain([wanted], (f"{wanted[: LONGEST_ID - 4]}-{number}" for number in itertools.count(2)))
    return next(candidate for candidate in candidates if candidate not in taken)


def add(path: Path, *added: Source) -> None:
    """Append sources to a file, comments and all else in it untouched. The file changes wholly or not at all.

    Raises:
        SourcesError: the file is missing or wrong, or would be with these in it.
    """
    text = _read(path)
    parse(text, path)
    longer = with_items(text, added)
    parse(longer, path)
    _replace_file(path, longer)


def _as_item(source: Source) -> dict[str, Any]:
    """Only what differs from what is assumed, in the order in which the shipped file says it."""
    item: dict[str, Any] = {"name": source.name, "url": source.url}
    if source.id != made_id(source.name):
        item["id"] = source.id
    if source.publisher != source.name:
        item["publisher"] = source.publisher
    item |= {key: value for key in ("country", "language") if (value := getattr(source, key))}
    if source.tags:
        item["tags"] = CommentedSeq(source.tags)
        item["tags"].fa.set_flow_style()
    if source.every != SourceItem.model_fields["every"].default:
        item["every"] = write_duration(source.every)
    if source.full_text:
        item["full_text"] = True
    return item


def write_duration(span: timedelta) -> str:
    """The shortest way to write it for `read_duration`, to the second."""
    seconds = int(span.total_seconds())
    for unit, name in reversed(UNITS.items()):
        length = int(timedelta(**{name: 1}).total_seconds())
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def with_items(text: str, added: Iterable[Source]) -> str:
    """The text of a sources.yaml with further items at its end; only a list in flow style is written anew for it."""
    items = [_as_item(source) for source in added]
    document = _document(text, None)
    listed = document["sources"]
    if listed and not listed.fa.flow_style():
        return f"{text.rstrip()}\n{_block(items, indent=listed.lc.item(0)[1] - 2)}"
    document["sources"] = CommentedSeq([*(listed or ()), *items])
    return _dumped(document)


def _block(items: list[dict[str, Any]], indent: int) -> str:
    return textwrap.indent(_dumped(items, offset=0), " " * max(indent, 0))


def _dumped(document: Any, offset: int = 2) -> str:
    yaml = YAML(typ="rt")
    yaml.indent(mapping=2, sequence=offset + 2, offset=offset)
    yaml.width = LONGEST_URL * 2  # an address is never broken over lines
    yaml.allow_unicode = True
    with StringIO() as out:
        yaml.dump(document, out)
        return out.getvalue()


def _replace_file(path: Path, text: str) -> None:
    """Through a new file beside it, so that a crash leaves the old one."""
    real = path.resolve()
    handle, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        shutil.copymode(real, name)
        Path(name).replace(real)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise SourcesError(error.strerror or "cannot be written", path=path) from None


# -- OPML -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Imported:
    """What a list of subscriptions held: new sources, addresses that were known, and what cannot be used, with why."""

    sources: tuple[Source, ...]
    known: tuple[str, ...] = ()
    unusable: tuple[tuple[str, str], ...] = ()


def import_opml(content: bytes, known: Iterable[Source] = ()) -> Imported:
    """The sources of an OPML document that are not among the `known`. Folders and categories become tags.

    Raises:
        SourcesError: it is no OPML, or names no feed.
    """
    outlines = [outline for outline in _opml(content).iter("outline") if _attribute(outline, "xmlurl")]
    if not outlines:
        raise SourcesError("names no feeds", hint="an OPML file has an <outline xmlUrl=...> for each")
    found = {same_url(source.url): source for source in known}
    old = set(found)
    repeated: list[str] = []
    unusable: list[tuple[str, str]] = []
    for outline in outlines:
        try:
            source = _checked(_outline_as_item(outline))
        except SourcesError as error:
            unusable.append((_attribute(outline, "xmlurl"), error.reason))
            continue
        if same_url(source.url) in found:
            repeated.append(source.url)
            continue
        found[same_url(source.url)] = replace(source, id=_free_id(source.id, {other.id for other in found.values()}))
    new = tuple(source for key, source in found.items() if key not in old)
    return Imported(new, tuple(repeated), tuple(unusable))


def _opml(content: bytes) -> Any:
    if len(content) > LARGEST_OPML:
        raise SourcesError(f"larger than {LARGEST_OPML // 1_000_000} MB", hint="is this an OPML file?")
    # What real programs export has bare ampersands and stray tags, so libxml2 may mend it; it fetches nothing.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=True)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SourcesError(f"not XML: {error}") from None
    if root is None or etree.QName(root).localname.lower() != "opml":
        raise SourcesError("not an OPML file")
    return root


def _outline_as_item(outline: Any) -> dict[str, Any]:
    url = _attribute(outline, "xmlurl")
    host = _host(_attribute(outline, "htmlurl")) or _host(url)
    language = _attribute(outline, "language").lower()[:2]
    return {
        "name": _attribute(outline, "title") or _attribute(outline, "text") or host or url[:LONGEST_NAME],
        "url": url,
        "publisher": host or None,
        "language": language if language in _english().languages else None,
        "tags": _outline_tags(outline),
    }


def _outline_tags(outline: Any) -> list[str]:
    folders = [_attribute(folder, "title") or _attribute(folder, "text") for folder in outline.iterancestors("outline")]
    categories = re.split("[,/]", _attribute(outline, "category"))
    return list(dict.fromkeys(tag for name in (*reversed(folders), *categories) if (tag := slugify(name))))


def _attribute(outline: Any, name: str) -> str:
    """An attribute whatever its capitals (`xmlUrl`, `xmlurl`), as one clean line; '' where there is none."""
    for key, value in outline.attrib.items():
        if key.lower() == name:
            printable = "".join(character if character.isprintable() else " " for character in value)
            return " ".join(printable.split())[: LONGEST_URL if name.endswith("url") else LONGEST_NAME]
    return ""


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def export_opml(sources: Iterable[Source], title: str = "Watchfloor") -> bytes:
    """An OPML 2.0 document that other readers import: one flat list, tags as categories."""
    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = title
    body = etree.SubElement(root, "body")
    for source in sources:
        told = {"text": source.name, "title": source.name, "type": "rss", "xmlUrl": source.url}
        told |= {"category": ",".join(source.tags)} if source.tags else {}
        told |= {"language": source.language} if source.language else {}
        etree.SubElement(body, "outline", told)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))
