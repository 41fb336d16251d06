"""The tokenizer that lies in a GGUF file, as llama.cpp reads it."""

from __future__ import annotations

import ctypes
import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

import llama_cpp.llama_cpp as lib
from llguidance import LLTokenizer
from llguidance.llamacpp import lltokenizer_from_vocab

from stelae.engines.chat.tokens import NOTHING
from stelae.engines.chat.typed import spelled

MARGIN = 16
"""Bytes beside those that tokens usually have."""


class LlamaTokens:
    """See ``Tokens``.

    Args:
        model: The library's.
        kept: Special tokens that are signs in a text.
    """

    def __init__(self, model: Any, kept: Collection[str] = ()) -> None:
        self._vocab = lib.llama_model_get_vocab(model)
        self.size = int(lib.llama_vocab_n_tokens(self._vocab))
        named = [self.encode(text, plain=False) for text in kept]
        self._kept = {ids[0] for ids in named if len(ids) == 1 and self._special(ids[0])}

    @cached_property
    def spelled(self) -> re.Pattern[str] | None:
        """See ``Tokens``."""
        control = filter(self._special, range(self.size))
        texts = (
            lib.llama_vocab_get_text(self._vocab, i).decode("utf-8", "replace") for i in control
        )
        return spelled(set(texts))

    def encode(self, text: str, *, plain: bool, typed: Mapping[str, str] = NOTHING) -> list[int]:
        """See ``Tokens``; what was typed is read by itself."""
        if not typed:
            return self._encoded(text, plain=plain, specials=True)
        ids: list[int] = []
        for part in re.split(f"([{''.join(typed)}])", text):
            own = typed.get(part)
            ids += self._encoded(
                part if own is None else own, plain=plain and not ids, specials=own is None
            )
        return ids

    def _encoded(self, text: str, *, plain: bool, specials: bool) -> list[int]:
        data = text.encode()
        room = len(data) + MARGIN
        while True:
            ids = (lib.llama_token * room)()
            count = lib.llama_tokenize(self._vocab, data, len(data), ids, room, plain, specials)
            if count >= 0:
                return list(ids[:count])
            room = -count

    def decode(self, ids: Sequence[int]) -> str:
        """See ``Tokens``."""
        if self._kept.isdisjoint(ids):
            return self._text(ids, specials=False)
        left = [i for i in ids if i in self._kept or not self._special(i)]
        return self._text(left, specials=True)

    def view(self, ends: Collection[int]) -> LLTokenizer:
        """The tokenizer as the library of grammars sees it; it may be used as long as this one."""
        with warnings.catch_warnings():
            # Quirk: llguidance 1.9 asks llama-cpp-python for a token's kind by an older name.
            warnings.simplefilter("ignore", DeprecationWarning)
            return lltokenizer_from_vocab(self._vocab, eos_token=sorted(ends) or None)

    def _text(self, ids: Sequence[int], *, specials: bool) -> str:
        given = (lib.llama_token * len(ids))(*ids)
        room = 8 * len(ids) + MARGIN
        while True:
            text = ctypes.create_string_buffer(room)
            count = lib.llama_detokenize(
                self._vocab, given, len(ids), text, room, False, specials
            )  # fmt: skip
            if count >= 0:
                return text.raw[:count].decode("utf-8", "replace")
            room = -count

    def _special(self, token: int) -> bool:
        return bool(lib.llama_vocab_is_control(self._vocab, token))
