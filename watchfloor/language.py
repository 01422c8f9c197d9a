"""Which language a text is in, so that the list's words are only tried on texts they can be in.

English is recognised by its commonest words, which costs a hundredth of the model and spares most texts it. What
remains goes to py3langid, kept to the languages of newspapers. A declared language (of feed or page) wins where the
text is too short to contradict it.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from watchfloor.tokens import Folded

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

DEFAULT = "en"
SHORT = 12  # words; of shorter texts the model takes every third for another language
SAMPLE = 600  # characters tell as much as the whole text
MARGIN = 12.0  # nats by which another language has to beat the expected one in a short text
CLOSE = (
    4.0  # nats within which, in a short text, a language to judge by is taken for its neighbour: Polish, not Croatian
)
_LOADING = Lock()  # a cache alone lets each of several threads load a model of its own
_ENGLISH = tuple(f" {word} " for word in "the to of and for that with at by from over says".split())  # commonest first
_ENGLISH_SHARE = 14  # one of these in so many words: running English has one in four, its headlines one in ten
# Without this the model finds Latgalian and Nigerian Pidgin in every other headline.
NEWS_LANGUAGES = (
    "en", "de", "fr", "es", "pl", "uk", "ru", "pt", "it", "nl", "sv", "no", "da", "fi", "et", "lv", "lt", "cs", "sk",
    "hu", "ro", "bg", "sr", "hr", "sl", "mk", "el", "tr", "ar", "he", "fa", "ur", "hi", "bn", "ta", "zh", "ja", "ko",
    "vi", "id", "ms", "th", "ka", "hy", "az", "kk", "sw",
)  # fmt: skip


def identify(title: Folded, text: Folded, declared: str | None = None, judged: Collection[str] = NEWS_LANGUAGES) -> str:
    """The language as a two-letter code. `declared` may be a tag such as en-GB.

    `judged`: languages that somebody has words for. A short text that may as well be in one of them is taken to be.
    """
    expected = declared.replace("_", "-").split("-")[0].lower() if declared else DEFAULT
    if expected == DEFAULT and _is_english(title.text + text.text[:SAMPLE]):
        return DEFAULT
    sample = f"{title.original} {text.original[:SAMPLE]}"
    scores = _scores(sample)
    best = max(scores, key=scores.__getitem__)
    if best == expected or len(sample.split()) >= SHORT:
        return best
    if expected in scores and scores[best] - scores[expected] < MARGIN:
        return expected
    near = max((language for language in scores if language in judged), key=scores.__getitem__, default=best)
    return near if scores[best] - scores[near] < CLOSE else best


def _is_english(folded: str) -> bool:
    missing = folded.count(" ") / _ENGLISH_SHARE
    for word in _ENGLISH:
        missing -= folded.count(word)
        if missing <= 0:
            return True
    return False


def _scores(sample: str) -> dict[str, float]:
    with _LOADING:
        model = _model()
    return {str(language): float(score) for language, score in model.rank(sample)}


@cache
def _model() -> LanguageIdentifier:
    """The model, restricted: half a second to load, so only when a text needs it."""
    from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier

    whole = LanguageIdentifier.from_modelpath(Path(MODEL_DIR) / MODEL_FILE)
    whole.set_languages(list(NEWS_LANGUAGES))
    # Made anew of what is left: the whole keeps what it knows of 95 languages more, 28 MB, to go back to.
    return LanguageIdentifier(
        whole.nb_ptc, whole.nb_pc, whole.nb_classes, whole.tk_nextmove, whole.tk_output, tk_row=whole.tk_row
    )
