"""Names that are not on the watchlist, found by a statistical model. spaCy lives here only, and is loaded when needed.

    title, text, Verdict (relevant, in the model's language)
      | the beginning of the text      names that matter come early, and the model reads 40 words a millisecond
      | the model                      in batches
      | known or overlapping           what the list named, or knows and did not name here, is its business
      | one person, one name           "Kurilla" after "Erik Kurilla" is he
    Verdict with further entities, by="model"

What the model says is a guess: it is marked as the model's, it adds nothing to the score, and grouping does not see it.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from watchfloor.errors import ConfigurationError
from watchfloor.model import EntityHit, Field, Mention, Verdict
from watchfloor.ports import Told
from watchfloor.tokens import search_tokens
from watchfloor.voices import is_wire

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

READ = 1_200  # characters of a text, whole words: two hundred words, the lead and what explains it
AT_ONCE = 32  # texts in a batch of the model
ACRONYM = 6  # capitals in a row; more of them begin a dispatch, or shout
LONGEST = 60  # characters; what is longer is a sentence that the model took for a name

# What the model calls it -> what the list calls it. Numbers, dates, peoples, languages and works of art are no names
# that a desk follows.
KINDS = {
    "PERSON": "person",
    "ORG": "agency",
    "GPE": "region",
    "LOC": "region",
    "FAC": "base",
    "PRODUCT": "weapon",
    "EVENT": "operation",
    "LAW": "treaty",
}
# What the name itself says of an organisation, before the model's word for it.
TELLING = (
    ("base", re.compile(r"\b(?:Base|Barracks|Airfield|Airport|Fort|Garrison)$|^(?:Camp|Fort) ")),
    ("weapon", re.compile(r"^(?:USS|USNS|HMS|HMAS|HMCS|INS|JS|KRI|FS) ")),
    ("ministry", re.compile(r"\b(?:Ministry|Department) of\b|\bMinistry$")),
    ("command", re.compile(r"\bCommand\b")),
    ("service", re.compile(r"\b(?:Army|Navy|Air Force|Marine Corps|Marines|Guards?|Corps|Fleet|Brigade|Regiment)\b")),
    ("official-body", re.compile(r"\b(?:Committee|Commission|Council|Parliament|Senate|Court|Assembly|Board)\b")),
    ("firm", re.compile(
        r"\b(?:Inc|Corp|Corporation|Co|Ltd|LLC|PLC|GmbH|AG|SA|Group|Industries|Systems|Technologies|Technology|Aerospace"
        r"|Dynamics|Aviation|Shipbuilding|Shipyards?|Shipyard|Motors|Defen[cs]e Solutions|Holdings?)\b"
    )),
)  # fmt: skip
# Words that alone are no name, though the model often thinks so.
_GENERIC = frozenset(
    """administration bay border camp capitol center central coast cold command commission committee council court
    defence defense democrat democrats department east embassy federal fleet force forces foreign general gov
    government house interior islam islamic jihadi joint justice law marine middle military minister ministry
    nation national north office operation parliament party president press republican republicans reserve
    secretary service soldier south space state states treasury union unit war watch west western work world""".split()
)
_NOT_OF_THE_NAME = re.compile(r"^(?:(?:the|a|an)\s+|[\"'“”‘’(\[]+)|(?:['’]s?|[\"“”)\].,;:]+)$", re.IGNORECASE)

Known = Callable[[str], str | None]  # a name -> the canonical name of the list's entity, None if it has none


@dataclass(frozen=True, slots=True)
class Found:
    """A name as the model found it."""

    mention: Mention
    kind: str


# -- what of it is new ------------------------------------------------------------------------------------------------


def add(verdict: Verdict, found: Sequence[Found], known: Known) -> Verdict:
    """The verdict with what the model found and the list neither named nor knows, first mentioned first. Pure."""
    taken = {_folded(name) for hit in verdict.entities for name in (hit.name, *(m.text for m in hit.mentions))}
    spans = [(m.field, m.start, m.end) for hit in verdict.entities for m in hit.mentions]
    fresh = [
        one
        for one in _confirmed(found)
        if not _overlaps(one.mention, spans) and _folded(one.mention.text) not in taken and not known(one.mention.text)
    ]
    return replace(verdict, entities=(*verdict.entities, *_gathered(fresh))) if fresh else verdict


def _confirmed(found: Sequence[Found]) -> Iterator[Found]:
    """Headlines in capitals mislead the model: where there is a text, what only the headline names is no name."""
    in_text = {_folded(one.mention.text) for one in found if one.mention.field == "text"}
    words = {word for name in in_text for word in name.split()}
    for one in found:
        if one.mention.field == "text" or not in_text or words.issuperset(search_tokens(one.mention.text)):
            yield one


def _folded(name: str) -> str:
    return " ".join(search_tokens(name))


def _overlaps(mention: Mention, spans: Iterable[tuple[Field, int, int]]) -> bool:
    return any(field == mention.field and start < mention.end and mention.start < end for field, start, end in spans)


def _gathered(found: Sequence[Found]) -> Iterator[EntityHit]:
    """One entity for each name; a person's last name alone is that person."""
    persons = {_folded(one.mention.text) for one in found if one.kind == "person"}
    whole = {name.rpartition(" ")[2]: name for name in sorted(persons) if " " in name}
    groups: dict[str, list[Found]] = {}
    for one in found:
        name = _folded(one.mention.text)
        groups.setdefault(whole.get(name, name), []).append(one)
    for members in groups.values():
        longest = max(members, key=lambda one: len(one.mention.text))
        yield EntityHit(longest.mention.text, longest.kind, tuple(one.mention for one in members), by="model")


# -- the model --------------------------------------------------------------------------------------------------------


class ModelNamer:
    """Adds the names that a spaCy model finds in relevant stories of its language. Loads it when the first one comes.

    Raises ConfigurationError at once if spaCy or the model is not installed. Safe in several threads: spaCy's pipes are
    only read.
    """

    def __init__(self, model: str, known: Known) -> None:
        _check(model)
        self._model, self._known = model, known
        self._nlp: Language | None = None

    def __call__(self, told: Sequence[Told]) -> list[Verdict]:
        """The verdicts, in order, those of relevant stories with what the model found besides."""
        verdicts = [verdict for _, _, verdict in told]
        if not any(verdict.relevant for verdict in verdicts):
            return verdicts
        nlp = self._nlp = self._nlp or _load(self._model)
        chosen = [n for n, verdict in enumerate(verdicts) if verdict.relevant and verdict.language == nlp.lang]
        texts = [text for n in chosen for text in (told[n][0], beginning(told[n][1]))]
        docs = nlp.pipe(texts, batch_size=AT_ONCE)
        for number, title, text in zip(chosen, docs, docs, strict=True):  # two of the same iterator: in pairs
            found = [*_found("title", title), *_found("text", text)]
            verdicts[number] = add(verdicts[number], found, self._known)
        return verdicts


def beginning(text: str) -> str:
    """The part of a text that the model reads: whole words."""
    if len(text) <= READ:
        return text
    return text[: max(text.rfind(" ", 0, READ), text.rfind("\n", 0, READ))] if re.search(r"\s", text[:READ]) else ""


def _found(field: Field, doc: Doc) -> Iterator[Found]:
    for entity in doc.ents:
        kind = KINDS.get(entity.label_)
        if kind and (mention := _trimmed(field, entity.start_char, entity.end_char, doc.text)):
            yield Found(mention, _kind(kind, entity.label_, mention.text))


def _trimmed(field: Field, start: int, end: int, text: str) -> Mention | None:
    """The place of the name alone, without article, quotation marks and possessive; None if that is no name."""
    while match := _NOT_OF_THE_NAME.search(text[start:end]):
        if not match[0]:
            break
        start, end = (start + match.end(), end) if match.start() == 0 else (start, start + match.start())
    name = text[start:end]
    return Mention(field, start, end, name) if _may_be(name) else None


def _may_be(name: str) -> bool:
    shouted = name.isupper() and " " not in name and len(name) > ACRONYM
    generic = name.lower() in _GENERIC or name == name.lower()
    return not (shouted or generic or "\n" in name or is_wire(name)) and 2 <= len(name) <= LONGEST


def _kind(kind: str, label: str, name: str) -> str:
    if label != "PERSON":
        return next((telling for telling, pattern in TELLING if pattern.search(name)), kind)
    return kind


def _check(model: str) -> None:
    if importlib.util.find_spec("spacy") is None:
        raise ConfigurationError("WATCHFLOOR_NER_MODEL needs spaCy", hint="pip install 'watchfloor[ner]'")
    if not Path(model).is_dir() and (not model.isidentifier() or importlib.util.find_spec(model) is None):
        raise ConfigurationError(
            f"WATCHFLOOR_NER_MODEL: the model {model!r} is not installed", hint=f"python -m spacy download {model}"
        )


def _load(model: str) -> Language:
    import spacy

    unused = ["tagger", "parser", "attribute_ruler", "lemmatizer", "senter"]
    nlp = spacy.load(model, exclude=unused)
    if "ner" not in nlp.pipe_names:
        raise ConfigurationError(
            f"WATCHFLOOR_NER_MODEL: the model {model!r} finds no names", hint="en_core_web_sm does"
        )
    architecture = nlp.config["components"]["ner"]["model"].get("tok2vec", {}).get("@architectures", "")
    if "Listener" not in architecture and "tok2vec" in nlp.pipe_names:
        nlp.remove_pipe("tok2vec")  # the small models' ner has its own
    return nlp
