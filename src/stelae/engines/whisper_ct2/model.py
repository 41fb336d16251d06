"""ctranslate2's Whisper behind the loop of windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ctranslate2 import DataType, StorageView
from ctranslate2.models import Whisper

from stelae.engines.listening.hearer import HEARS, Aligned, Decoding, Floats, Written
from stelae.engines.listening.vocabulary import Vocabulary
from stelae.errors import UnsupportedTask

TICKS_PER_SECOND = 50

STOPPED = 1.0
"""Patience of the search: it ends with as many texts as it is wide."""


class Ct2Hearer:
    """A loaded model; see ``Hearer``.

    Args:
        model: The library's.
        vocabulary: Its tokens.
        written: Tokens of a window, prompt included.
    """

    def __init__(self, model: Whisper, vocabulary: Vocabulary, written: int) -> None:
        self._model, self._vocabulary, self._written = model, vocabulary, written

    @property
    def hears(self) -> int:
        return HEARS[self._model.device]

    def hear(self, features: Floats) -> list[Floats]:
        heard = self._model.encode(_view(features), to_cpu=True)
        return list(np.array(heard.to(DataType.float32)))

    def languages(self, heard: Sequence[Floats]) -> list[dict[int, float]]:
        if not self._model.is_multilingual:
            raise UnsupportedTask(
                "ctranslate2 cannot tell languages apart by this model, whose vocabulary lacks ''",
                param="language",
                hint="say which is spoken",
            )
        found = self._model.detect_language(_view(np.stack(heard)))
        ids = {f"<|{code}|>": token for code, token in self._vocabulary.languages.items()}
        return [{ids[name]: chance for name, chance in row if name in ids} for row in found]

    def write(
        self, heard: Sequence[Floats], prompts: Sequence[Sequence[int]], how: Decoding
    ) -> list[Written]:
        drawn = how.temperature > 0
        results = self._model.generate(
            _view(np.stack(heard)),
            [list(prompt) for prompt in prompts],
            beam_size=1 if drawn else how.beams,
            patience=STOPPED,
            length_penalty=1.0,
            max_length=self._written,
            sampling_topk=0 if drawn else 1,
            sampling_temperature=how.temperature if drawn else 1.0,
            return_scores=True,
            return_no_speech_prob=True,
        )
        return [_written(result) for result in results]

    def align(
        self,
        heard: Sequence[Floats],
        prefix: Sequence[int],
        texts: Sequence[Sequence[int]],
        frames: Sequence[int],
    ) -> list[Aligned]:
        found = self._model.align(
            _view(np.stack(heard)), list(prefix), [list(text) for text in texts], list(frames)
        )
        return [_aligned(one, len(text)) for one, text in zip(found, texts, strict=True)]

    def close(self) -> None:
        self._model.unload_model()


def _view(rows: Floats) -> Any:
    return StorageView.from_array(np.ascontiguousarray(rows))


def _written(result: Any) -> Written:
    tokens = list(result.sequences_ids[0])
    # The library divides by the number of tokens, to which the reference adds the end.
    total = result.scores[0] * len(tokens)
    return Written(tokens, total / (len(tokens) + 1), result.no_speech_prob)


def _aligned(found: Any, tokens: int) -> Aligned:
    """The first tick of each token, and the one of what follows the last."""
    first: dict[int, int] = {}
    for token, tick in found.alignments:
        first.setdefault(token, tick)
    last = found.alignments[-1][1] if found.alignments else 0
    ticks = [first.get(i, last) for i in range(tokens + 1)]
    return Aligned([tick / TICKS_PER_SECOND for tick in ticks], list(found.text_token_probs))
