"""Rows of the tables <-> types of the model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields
from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from zlib import crc32

from pydantic import TypeAdapter
from sqlalchemy import Row

from storage.schema import ArticleRow, DeliveryRow, EntryRow, SourceRow
from watchfloor.model import (
    Alert,
    Article,
    Brief,
    Delivery,
    EntityHit,
    Entry,
    Evidence,
    FeedState,
    Grade,
    Mention,
    Source,
    Verdict,
)

OFFICIAL = "official"  # the tag of a source that speaks for a state or an alliance
STATE_FIELDS = tuple(field.name for field in fields(FeedState))


def host_of(url: str | None) -> str:
    """The host of a URL, '' where there is none."""
    return (urlsplit(url).hostname or "") if url else ""


def host_values(url: str | None) -> dict[str, Any]:
    """The columns by which work is kept apart by host."""
    host = host_of(url)
    return {"host": host, "host_hash": crc32(host.encode()) & 0x7FFFFFFF}


# -- sources and entries ----------------------------------------------------------------------------------------------


def source_values(source: Source) -> dict[str, Any]:
    """The columns that sources.yaml decides."""
    values = asdict(source)
    del values["every"]
    return {
        **values,
        "tags": list(source.tags),
        "every_seconds": round(source.every.total_seconds()),
        **host_values(source.url),
    }


SOURCE_COLUMNS = tuple(getattr(SourceRow, field.name) for field in fields(Source) if field.name != "every")


def source_of(row: Row[Any], prefix: str = "") -> Source:
    """A source from a row that has the columns of `sources`."""
    got = row._mapping
    values = {field.name: got[prefix + field.name] for field in fields(Source) if field.name not in ("every", "tags")}
    return Source(**values, tags=tuple(got[prefix + "tags"]), every=timedelta(seconds=got[prefix + "every_seconds"]))


def state_of(row: Row[Any]) -> FeedState:
    """What is remembered of a source, from a row that has the columns of `sources`."""
    return FeedState(**{name: row._mapping[name] for name in STATE_FIELDS})


def state_values(state: FeedState) -> dict[str, Any]:
    """The columns that a poll decides."""
    return {name: getattr(state, name) for name in STATE_FIELDS}


def entry_values(entry: Entry) -> dict[str, Any]:
    """The columns of an entry that the feed decides."""
    values = {field.name: getattr(entry, field.name) for field in fields(Entry) if field.name != "keys"}
    return {**values, "authors": list(entry.authors)}


ENTRY_COLUMNS = tuple(getattr(EntryRow, field.name) for field in fields(Entry) if field.name != "keys")


def entry_of(row: Row[Any], keys: Iterable[str]) -> Entry:
    """An entry from a row of `entries` and its keys, strongest first."""
    values = {field.name: row._mapping[field.name] for field in fields(Entry) if field.name not in ("keys", "authors")}
    return Entry(keys=tuple(keys), authors=tuple(row._mapping["authors"]), **values)


# -- articles and verdicts --------------------------------------------------------------------------------------------

ARTICLE_COLUMNS = (
    ArticleRow.id,
    ArticleRow.source_id,
    SourceRow.publisher,
    ArticleRow.title,
    ArticleRow.text,
    ArticleRow.grade,
    ArticleRow.text_from,
    ArticleRow.first_seen,
    ArticleRow.url,
    SourceRow.country,
    ArticleRow.authors,
    ArticleRow.language,
    ArticleRow.published,
    ArticleRow.baseline,
    SourceRow.tags.label("source_tags"),
)


def article_of(row: Row[Any]) -> Article:
    """An article from a row that has ARTICLE_COLUMNS."""
    got = row._mapping
    taken = ("grade", "authors", "official")
    values = {field.name: got[field.name] for field in fields(Article) if field.name not in taken}
    return Article(
        **values, grade=Grade(got["grade"]), authors=tuple(got["authors"]), official=OFFICIAL in got["source_tags"]
    )


def verdict_values(verdict: Verdict) -> dict[str, Any]:
    """The columns of `verdicts` that the verdict itself decides."""
    plain = ("judged", "language", "relevant", "score", "threshold", "watchlist")
    return {
        **{name: getattr(verdict, name) for name in plain},
        "evidence": [evidence._asdict() for evidence in verdict.evidence],
    }


def verdict_of(row: Row[Any], topics: Iterable[str], entities: Iterable[EntityHit]) -> Verdict:
    """A verdict from a row of `verdicts` and what belongs to it, in order."""
    got = row._mapping
    return Verdict(
        judged=got["judged"],
        language=got["verdict_language"],
        relevant=got["relevant"],
        score=got["score"],
        threshold=got["threshold"],
        topics=tuple(topics),
        entities=tuple(entities),
        evidence=tuple(Evidence(**evidence) for evidence in got["evidence"]),
        watchlist=got["watchlist"],
    )


def mention_values(position: int, hit: EntityHit) -> dict[str, Any]:
    """The columns of `mentions` for one entity of a verdict."""
    places = [list(place) for place in hit.mentions]
    return {
        "entity": hit.name,
        "kind": hit.kind,
        "by": hit.by,
        "position": position,
        "mentions": len(places),
        "places": places,
    }


def entity_of(row: Row[Any]) -> EntityHit:
    """An entity of a verdict from a row of `mentions`."""
    return EntityHit(row.entity, row.kind, tuple(Mention(*place) for place in row.places), row.by)


# -- alerts -----------------------------------------------------------------------------------------------------------


@lru_cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    """Made when first used: most commands read no alert."""
    return TypeAdapter(kind)


def alert_payload(alert: Alert) -> dict[str, Any]:
    """An alert as plain JSON."""
    payload: dict[str, Any] = _adapter(Alert).dump_python(alert, mode="json")
    return payload


def alert_of_payload(payload: dict[str, Any]) -> Alert:
    """The alert that `alert_payload` was given."""
    alert: Alert = _adapter(Alert).validate_python(payload)
    return alert


def brief_payload(brief: Brief) -> dict[str, Any]:
    """A brief as plain JSON."""
    payload: dict[str, Any] = _adapter(Brief).dump_python(brief, mode="json")
    return payload


def brief_of_payload(payload: dict[str, Any]) -> Brief:
    """The brief that `brief_payload` was given."""
    brief: Brief = _adapter(Brief).validate_python(payload)
    return brief


NO_COLUMNS = ("alert", "refers_to")
DELIVERY_COLUMNS = tuple(getattr(DeliveryRow, field.name) for field in fields(Delivery) if field.name not in NO_COLUMNS)


def delivery_of(row: Row[Any]) -> Delivery:
    """A delivery from a row that has DELIVERY_COLUMNS and the alert's payload."""
    values = {field.name: row._mapping[field.name] for field in fields(Delivery) if field.name not in NO_COLUMNS}
    return Delivery(**values, alert=alert_of_payload(row.payload))
