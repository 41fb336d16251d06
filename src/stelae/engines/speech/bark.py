"""Bark: text to meaning, meaning to sound, token by token, in a voice that was heard before.

Source: transformers 5.17, ``models/bark``.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import BarkProcessor, GenerationConfig

from stelae.catalog.bark import LANGUAGE, PARTS
from stelae.catalog.files import Json, inside
from stelae.catalog.spec import ModelSpec
from stelae.engines.extract.upstream import part_of, tokenizer_of
from stelae.engines.speech.reader import Manner, Samples
from stelae.engines.speech.sentences import sentences
from stelae.errors import InvalidInput, ModelLoadFailed

Tokens = NDArray[np.int64]

Voice = dict[str, Tensor]
"""What was said in it before, by part."""

CODEBOOKS = {"semantic_prompt": None, "coarse_prompt": 2, "fine_prompt": 8}
"""Rows of each part of a voice; ``None`` for one that has no rows."""


class BarkReader:
    """Reads aloud with a Bark.

    Args:
        spec: The model.
        model: The library's ``BarkModel``, on its device.

    Attributes:
        paced: That it reads at a pace of its own.
    """

    paced = False

    def __init__(self, spec: ModelSpec, model: Any) -> None:
        config = part_of(spec).config
        generation = config["generation"]
        model.generation_config = GenerationConfig(**generation)  # type: ignore[no-untyped-call]
        self._model = model
        self._processor = BarkProcessor(tokenizer_of(spec))  # type: ignore[no-untyped-call]
        self._letters = spec.max_tokens
        self._room: int = generation["semantic_config"].get("max_input_semantic_length", 256)
        self._names = spec.speaking.voices if spec.speaking is not None else ()
        self._voices = [
            _voice(Path(spec.folder), name, files, generation, model.device)
            for name, files in config["voices"].items()
        ]

    def voice(self, language: str) -> int:
        """The first voice of a language."""
        found = [LANGUAGE.fullmatch(name) for name in self._names]
        return next(i for i, match in enumerate(found) if match and match.group(1) == language)

    def prepare(self, text: str) -> list[dict[str, Tensor]]:
        """Ids of each sentence and which of them count, shape ``(1, room)`` each.

        Raises:
            InvalidInput: The model does not know some of the words.
        """
        parts = sentences(unicodedata.normalize("NFC", text), self._letters)
        return [self._read(part) for part in parts if any(map(str.isalnum, part))]

    def _read(self, sentence: str) -> dict[str, Tensor]:
        tokenizer = self._processor.tokenizer
        tokens = tokenizer.tokenize(sentence)
        if tokenizer.unk_token in tokens:
            unknown = [w for w in sentence.split() if tokenizer.unk_token in tokenizer.tokenize(w)]
            told = ", ".join(map(repr, unknown[:10]))
            raise InvalidInput(
                f"text has words that this model cannot read: {told}; write them otherwise",
                param="text",
            )
        if len(tokens) > self._room:
            raise InvalidInput(
                f"text has a sentence of {len(tokens)} tokens, the model reads {self._room} at "
                "once; put stops or commas into it",
                param="text",
            )
        return dict(self._processor(sentence, max_length=self._room))

    @torch.inference_mode()
    def speak(self, sentence: dict[str, Tensor], manner: Manner) -> Samples:
        """The sound of a sentence."""
        given = {name: tensor.to(self._model.device) for name, tensor in sentence.items()}
        voice = self._voices[manner.voice] if self._voices else None
        made = self._model.generate(**given, history_prompt=voice)
        sound: Samples = made[0].float().cpu().numpy()
        return sound


def _voice(
    root: Path, name: str, files: dict[str, str], generation: Json, device: torch.device
) -> Voice:
    """The voice in some files.

    Raises:
        ModelLoadFailed: They hold something else.
    """
    meanings: int = generation["semantic_config"].get("semantic_vocab_size", 10_000)
    codes: int = generation.get("codebook_size", 1024)
    voice: Voice = {}
    for part in PARTS:
        most = meanings if part == "semantic_prompt" else codes
        voice[part] = torch.from_numpy(_tokens(root, name, files[part], part, most)).to(device)
    return voice


def _tokens(root: Path, name: str, file: str, part: str, most: int) -> Tokens:
    try:
        found = np.load(inside(root, file), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ModelLoadFailed(f"{file} in {root}, of the voice {name!r}: {error}") from error
    rows = CODEBOOKS[part]
    shape = (None, len(found)) if found.ndim == 1 else found.shape
    good = found.dtype.kind in "iu" and len(shape) == 2 and shape[0] == rows and found.size
    if not (good and found.min() >= 0 and found.max() < most):
        raise ModelLoadFailed(
            f"{file} in {root}, of the voice {name!r}, holds {found.dtype} of shape {found.shape}; "
            f"whole numbers from 0 to {most - 1} in {rows or 'no'} rows were expected"
        )
    tokens: Tokens = found.astype(np.int64)
    return tokens
