"""An article -> all that is kept of the judgement on it: the verdict and, where it is relevant, its sketch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from watchfloor import stories
from watchfloor.match import Matcher
from watchfloor.model import Article, Mention, Verdict
from watchfloor.ports import Gists, Judged, Namer
from watchfloor.sketches import LEAD, with_gist


def weigh(matcher: Matcher, article: Article) -> Judged:
    """The verdict on an article and, where it is relevant, the sketch that grouping compares."""
    verdict = matcher.judge(article.title, article.text, language=article.language)
    return Judged(article, verdict, sketch_of(article, verdict) if verdict.relevant else None)


def sketch_of(article: Article, verdict: Verdict) -> bytes:
    """What grouping remembers of an article."""
    return stories.sketch(
        title=article.title,
        text=article.text,
        publisher=article.publisher,
        published=article.published,
        first_seen=article.first_seen,
        entities=named_early(verdict, article.text),
        language=verdict.language,
    )


def named_early(verdict: Verdict, text: str) -> dict[str, str]:
    """The entities that the title or the opening of a text names, each with its kind: what it is about.

    Those further down are the background, which all stories of a crisis share.
    """
    return {
        entity.name: entity.kind
        for entity in verdict.entities
        if any(_is_early(mention, text) for mention in entity.mentions)
    }


def _is_early(mention: Mention, text: str) -> bool:
    return mention.field == "title" or len(text[: mention.start].split()) < LEAD


def named(judged: Sequence[Judged], namer: Namer) -> list[Judged]:
    """The same with the names that a model adds to the verdicts; sketches, and so grouping, do not see them."""
    verdicts = namer([(one.article.title, one.article.text, one.verdict) for one in judged])
    return [replace(one, verdict=verdict) for one, verdict in zip(judged, verdicts, strict=True)]


def with_gists(judged: Sequence[Judged], gists: Gists) -> list[Judged]:
    """The same, and the sketches know what a model says the articles are about."""
    sketched = [one for one in judged if one.sketch is not None]
    found = iter(gists([(one.article.title, one.article.text) for one in sketched]))
    return [one if one.sketch is None else replace(one, sketch=with_gist(one.sketch, next(found))) for one in judged]
