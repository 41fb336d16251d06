"""Are the vectors that were timed those of their texts? Asked when the timing is over."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.load import Load, Outcome

LIMIT = 0.99
"""Smallest cosine with the reference of a vector that is right; bf16 has 0.999 and more, the
vectors of two different texts have 0.9 and less."""

ROWS = 64
"""Vectors compared of one answer, evenly chosen."""

Vectors = NDArray[np.float32]

Embed = Callable[[Sequence[str]], Vectors]
"""Vectors of length one, a row per text."""


class Reference:
    """Vectors of texts by sentence-transformers in fp32, made when they are asked for."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._model: Any = None
        self._known: dict[str, Vectors] = {}

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """One row per text, ``(N, D)``, each of length one."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            rows = self._loaded().encode(
                missing, normalize_embeddings=True, show_progress_bar=False
            )
            self._known.update(zip(missing, rows, strict=True))
        return np.stack([self._known[text] for text in texts])

    def _loaded(self) -> Any:
        if self._model is None:
            # Takes seconds, and is not always used.
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging

            logging.disable_progress_bar()  # type: ignore[no-untyped-call]
            self._model = SentenceTransformer(self._folder, device="cpu")
        return self._model


def check(load: Load, outcome: Outcome, reference: Embed) -> None:
    """Compare what was kept; wrong answers count as failures. Forgets the answers."""
    for number, body in outcome.kept:
        smallest = _smallest_cosine(load.asked(number), body, reference)
        outcome.checked += 1
        outcome.worst = float(np.fmin(outcome.worst, smallest))
        if not smallest >= LIMIT:
            outcome.wrong += 1
            outcome.failed += 1
    outcome.kept.clear()


def _smallest_cosine(texts: Sequence[str], body: bytes, reference: Embed) -> float:
    """Smallest cosine of an answer's vectors; -1 where they are none, or not as many."""
    try:
        found = embeddings(body)
    except (KeyError, TypeError, ValueError):
        return -1.0
    if len(found) != len(texts):
        return -1.0
    step = max(1, len(texts) // ROWS)
    wanted = reference(texts[::step])
    rows = [np.asarray(row, np.float32) for row in found[::step]]
    if any(row.shape != wanted.shape[1:] for row in rows):
        return -1.0
    given = np.stack(rows)
    lengths = np.linalg.norm(given, axis=1)
    if not np.isfinite(lengths).all() or not lengths.all():
        return -1.0
    return float(((given * wanted).sum(axis=1) / lengths).min())


def embeddings(body: bytes) -> list[Vectors]:
    """The vectors of an answer in OpenAI's form, numbers or base64, in the order of the texts.

    Raises:
        KeyError, TypeError, ValueError: The body is no such answer.
    """
    data = sorted(orjson.loads(body)["data"], key=lambda entry: int(entry["index"]))
    return [_vector(entry["embedding"]) for entry in data]


def _vector(given: object) -> Vectors:
    if isinstance(given, str):
        return np.frombuffer(base64.b64decode(given), "<f4")
    return np.asarray(given, np.float32)
