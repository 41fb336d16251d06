"""VITS and the models of MMS: letters in, a waveform out, in one pass for each sentence.

Source: Kim, Kong and Son 2021 (arXiv:2106.06103); transformers 5.17, ``models/vits``.
"""

from __future__ import annotations

import unicodedata
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import VitsTokenizer

from stelae.catalog.spec import ModelSpec
from stelae.engines.extract.loading import LIBRARY_ERRORS
from stelae.engines.speech.letters import Letters
from stelae.engines.speech.reader import LONGEST, Manner, Samples
from stelae.engines.speech.sentences import sentences
from stelae.errors import EngineFailed, ModelLoadFailed

WORDS = "write numbers and signs in words, and the text in the model's language ({})"
ROMAN = "write the text in Latin letters first, as the program uroman does ({})"


class VitsReader:
    """Reads aloud with a VITS.

    Args:
        spec: The model.
        model: The library's ``VitsModel``, on its device.

    Attributes:
        paced: That it reads faster or slower by itself.
    """

    paced = True

    def __init__(self, spec: ModelSpec, model: Any) -> None:
        self._model = model
        self._tokenizer = tokenizer_of(spec)
        self._most = spec.max_tokens
        frame = 1
        for rate in model.config.upsample_rates:
            frame *= rate
        self._frames = LONGEST * model.config.sampling_rate / frame
        advice = ROMAN if self._tokenizer.is_uroman else WORDS
        self._tokenizer.is_uroman = False  # it would run another program for each sentence
        told = ", ".join(spec.speaking.languages if spec.speaking else ()) or "not stated"
        self._letters = Letters(self._knows, advice.format(told))

    def voice(self, language: str) -> int:
        """The first; all voices read the same language."""
        del language
        return 0

    def prepare(self, text: str) -> list[str]:
        """Each sentence in the letters that the model knows.

        Raises:
            InvalidInput: The model does not know some of the letters.
        """
        parts = sentences(unicodedata.normalize("NFC", text), self._most)
        return [read for part in parts if (read := self._letters.read(part))]

    @torch.inference_mode()
    def speak(self, sentence: str, manner: Manner) -> Samples:
        """The sound of a sentence.

        Raises:
            EngineFailed: It would not come to an end.
        """
        model = self._model
        several = model.config.num_speakers > 1
        ids = self._tokenizer(sentence, return_tensors="pt").input_ids
        pace = manner.speed * model.speaking_rate
        guard = model.duration_predictor.register_forward_hook(partial(self._check, pace))
        try:
            made = model(
                ids.to(model.device),
                speaker_id=manner.voice if several else None,
                speaking_rate=pace,
            )
        finally:
            guard.remove()
        sound: Samples = made.waveform[0].float().cpu().numpy()
        return sound

    def _check(self, pace: float, module: Any, given: Any, durations: Tensor) -> None:
        """Refuse a sentence that the model would stretch without end, before it does."""
        del module, given
        frames = float(torch.exp(durations.double()).sum()) / pace
        if not frames <= self._frames:
            raise EngineFailed(f"the model would make a sentence last longer than {LONGEST:g} s")

    def _knows(self, letter: str) -> bool:
        read, _ = self._tokenizer.prepare_for_tokenization(letter)
        return bool(read)


def tokenizer_of(spec: ModelSpec) -> Any:
    """The library's tokenizer.

    Raises:
        ModelLoadFailed: The library cannot read its files.
    """
    try:
        return VitsTokenizer.from_pretrained(Path(spec.folder), local_files_only=True)
    except LIBRARY_ERRORS as error:
        raise ModelLoadFailed(
            f"model {spec.name!r}: transformers cannot read the tokenizer in {spec.folder}: {error}"
        ) from error
