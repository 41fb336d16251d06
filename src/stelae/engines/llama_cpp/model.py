"""A model of llama.cpp, run step by step."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
import torch
from torch import Tensor

from stelae.engines.chat.stepping import Share
from stelae.engines.llama_cpp import library
from stelae.engines.llama_cpp.places import Place, Places
from stelae.errors import EngineFailed, OutOfMemory

FULL = 1
"""What the library answers when there is no room for keys and values."""


class SteppedModel:
    """The library's model; see ``Stepper``.

    Args:
        model: The library's, freed with this one.
        context: What runs it, likewise.
        vocabulary: Tokens that it knows.

    Attributes:
        most: Texts that can have keys and values at once.
        forks: Whether what it keeps of a text's beginning can be told from the rest.
    """

    def __init__(self, model: Any, context: Any, vocabulary: int) -> None:
        self._model, self._context, self.vocabulary = model, context, vocabulary
        self.forks = not (lib.llama_model_is_recurrent(model) or lib.llama_model_is_hybrid(model))
        self._places = Places(context, self._longest(model))
        self.most = self._places.most

    def _longest(self, model: Any) -> int:
        """Tokens of a text of whose keys and values the library gives all that it keeps."""
        if not self.forks:
            return 0
        # Of layers that see a window it gives only what the next token sees.
        return int(lib.llama_model_n_swa(model)) or sys.maxsize

    def memory(self) -> Place:
        """A memory for one more text, empty."""
        return self._places.take()

    def fork(self, memory: Place, tokens: int) -> Place:
        """A memory that begins as another does; the keys and values are shared, not copied."""
        return self._places.fork(memory, tokens)

    def scores(self, shares: Sequence[Share[Place]]) -> Tensor:
        """See ``Stepper``."""
        for place in self._places.settle([share.memory for share in shares]):
            self._read_again(place)
        batch = self._run(shares)
        for share in shares:
            share.memory.ids += share.ids
        rows = [self._row(place) for place in batch.lasts]
        return torch.from_numpy(np.stack(rows))

    def _read_again(self, place: Place) -> None:
        for start in range(0, len(place.ids), library.STEP_TOKENS):
            self._run([Share(place.ids[start : start + library.STEP_TOKENS], start, place)])

    def _run(self, shares: Sequence[Share[Place]]) -> _Batch:
        batch = _Batch(shares)
        answer = lib.llama_decode(self._context, batch.native)
        if answer == FULL:
            raise OutOfMemory("there is no room left for keys and values", retry_after=1.0)
        if answer != 0:
            raise EngineFailed(f"llama.cpp failed with the code {answer}")
        return batch

    def _row(self, place: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        found = lib.llama_get_logits_ith(self._context, place)
        return np.ctypeslib.as_array(found, (self.vocabulary,))

    def close(self) -> None:
        """Free what it holds."""
        lib.llama_free(self._context)
        lib.llama_model_free(self._model)


class _Batch:
    """Tokens of several texts end to end, as the library wants them.

    Attributes:
        lasts: Where each text's last token lies.
        native: The library's own form; valid as long as this is.
    """

    def __init__(self, shares: Sequence[Share[Place]]) -> None:
        sizes = [len(share.ids) for share in shares]
        count = sum(sizes)
        self.lasts = [end - 1 for end in accumulate(sizes)]
        self._ids = np.array([i for share in shares for i in share.ids], dtype=np.int32)
        starts = [np.arange(len(s.ids), dtype=np.int32) + s.start for s in shares]
        self._positions = np.concatenate(starts)
        numbers = np.array([share.memory.number for share in shares], dtype=np.int32)
        self._texts = np.repeat(numbers, sizes)
        self._ones = np.ones(count, dtype=np.int32)
        # The library wants a pointer to each token's list of texts, which has one entry here.
        first, step = self._texts.ctypes.data, self._texts.itemsize
        self._lists = np.arange(count, dtype=np.uintp) * step + first
        self._wanted = np.zeros(count, dtype=np.int8)
        self._wanted[self.lasts] = 1
        self.native = lib.llama_batch(
            n_tokens=count,
            token=_pointer(self._ids, ctypes.c_int32),
            embd=None,
            pos=_pointer(self._positions, ctypes.c_int32),
            n_seq_id=_pointer(self._ones, ctypes.c_int32),
            seq_id=_pointer(self._lists, ctypes.POINTER(ctypes.c_int32)),
            logits=_pointer(self._wanted, ctypes.c_int8),
        )


def _pointer(values: np.ndarray[Any, Any], kind: Any) -> Any:
    return values.ctypes.data_as(ctypes.POINTER(kind))
