"""Classes by a model that judges whether a text supports a sentence.

Of each label a sentence is made, and each pair of a window and a sentence is an entry.
Windows are put together so that the best counts: a label fits a text if it fits a part.

Source: transformers 5.17, ``ZeroShotClassificationPipeline``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stelae.catalog.abilities import Classify
from stelae.catalog.finders import entailment
from stelae.engines.base import Prepared
from stelae.engines.extract.classes import ranked, softmax
from stelae.engines.extract.job import ExtractJob
from stelae.engines.extract.options import (
    LEAST_ROOM,
    check_call,
    check_count,
    labels_of,
    threshold_of,
)
from stelae.engines.extract.windows import bound, overlap_of, plan
from stelae.engines.text.features import Features, Output
from stelae.engines.text.intake import CHARS_PER_TOKEN, Ids, Intake, prepared
from stelae.engines.text.options import unreadable
from stelae.errors import InvalidInput, UnsupportedTask
from stelae.types import ExtractCall, Extraction, Truncate

HYPOTHESIS = "This example is {}."
"""The sentence made of a label, unless the caller gives one."""

PLACE = "{}"

NO_LIMIT = 2**31


def judge_job(call: ExtractCall, intake: Intake, fingerprint: str) -> ExtractJob[Features, Output]:
    """The job for a call.

    Raises:
        InvalidInput: The call as a whole cannot be run.
        UnsupportedTask: The model does not judge sentences.
    """
    scoring = intake.spec.scoring
    entails = entailment(scoring) if isinstance(scoring, Classify) else None
    if not isinstance(scoring, Classify) or entails is None:
        raise UnsupportedTask(f"model {intake.spec.name!r} finds nothing in texts")
    check_call(intake.spec, call, ("hypothesis", "multi_label"))
    reading = JudgeReading(call, intake, entails, contradiction(scoring, entails))
    return ExtractJob(call, reading, intake.spec.name, fingerprint)


def contradiction(scoring: Classify, entails: int) -> int:
    """Position of the class that says that a text rules a sentence out.

    Where no class says so by name, it is the first, or the last if the first is that
    which supports the sentence, as the library has it.
    """
    names = enumerate(scoring.labels)
    other = -1 if entails == 0 else 0
    return next((i for i, name in names if name.lower().startswith("contra")), other)


class JudgeReading:
    """How the texts of one call are read: every window beside every sentence.

    Args:
        call: What is asked; it has been checked.
        intake: Reads texts.
        entails: Position of the class that says that a text supports a sentence.
        contradicts: Position of the class that says that it rules it out.

    Raises:
        InvalidInput: A sentence cannot be made, or leaves no room for a text.
    """

    def __init__(self, call: ExtractCall, intake: Intake, entails: int, contradicts: int) -> None:
        self._intake, self._pair = intake, [contradicts, entails]
        self._labels = labels_of(intake.spec, call)
        check_count(self._labels)
        self._threshold = threshold_of(intake.spec, call)
        self._several = call.multi_label is True or len(self._labels) == 1
        self._sentences = self._read([_sentence(call, label) for label in self._labels])
        specials = intake.specials + len(intake.tokenizer.middle)
        self._beside = specials + max(map(len, self._sentences))
        self._room = intake.spec.max_tokens - self._beside
        if self._room < LEAST_ROOM:
            raise InvalidInput(
                f"labels: the longest label with its hypothesis is {self._beside} tokens, and "
                f"model {intake.spec.name!r} reads {intake.spec.max_tokens} together with the "
                "text; use shorter labels",
                param="labels",
            )

    def _read(self, texts: Sequence[str]) -> Sequence[Ids]:
        return self._intake.tokenizer.read(texts, NO_LIMIT, Truncate.END)

    def guess(self, text: str) -> int:
        return len(self._labels) * (1 + self._beside + len(text) // CHARS_PER_TOKEN)

    def most(self, text: str) -> int:
        return len(self._labels) * bound(text, self._room, NO_LIMIT)

    def windows(self, entries: int) -> int:
        return entries // len(self._labels)

    def read(self, text: str) -> list[Prepared[Features]]:
        ids = self._read([text])[0] if text.strip() else ()
        windows = plan([1] * len(ids), self._room, self._room, overlap_of(self._room))
        return [
            prepared(self._intake.pair(ids[a:b], sentence, Truncate.ERROR))
            for a, b in windows
            for sentence in self._sentences
        ]

    def gather(self, text: str, rows: Sequence[Output]) -> Extraction:
        del text
        if not rows:
            return Extraction()
        logits = np.stack([row.scores for row in rows if row.scores is not None])
        logits = logits.reshape(-1, len(self._labels), logits.shape[-1])[..., self._pair]
        if self._several:
            scores = softmax(logits)[..., 1].max(axis=0)
        else:
            scores = softmax(logits[..., 1].max(axis=0))
        return Extraction(classifications=ranked(self._labels, scores, self._threshold))


def _sentence(call: ExtractCall, label: str) -> str:
    """What is judged for a label."""
    hypothesis = HYPOTHESIS if call.hypothesis is None else call.hypothesis
    if PLACE not in hypothesis:
        raise InvalidInput(
            f"hypothesis: it has no place {PLACE} for the label; such as {HYPOTHESIS!r}",
            param="hypothesis",
        )
    if (reason := unreadable(hypothesis)) is not None:
        raise InvalidInput(f"hypothesis {reason}", param="hypothesis")
    return hypothesis.replace(PLACE, label)
