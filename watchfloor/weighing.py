"""An article -> all that is kept of the judgement on it: the verdict and, where it is relevant, its sketch. Pure."""

from __future__ import annotations

from watchfloor import stories
from watchfloor.match import Matcher
from watchfloor.model import Article
from watchfloor.ports import Judged


def weigh(matcher: Matcher, article: Article) -> Judged:
    """The verdict on an article and, where it is relevant, the sketch that grouping compares."""
    verdict = matcher.judge(article.title, article.text, language=article.language)
    if not verdict.relevant:
        return Judged(article, verdict)
    sketch = stories.sketch(
        title=article.title,
        text=article.text,
        publisher=article.publisher,
        published=article.published,
        first_seen=article.first_seen,
        entities=[entity.name for entity in verdict.entities],
        language=verdict.language,
    )
    return Judged(article, verdict, sketch)
