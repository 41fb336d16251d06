"""Texts to token ids: once per text, truncation by our own hand so that it can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer
from tokenizers.normalizers import Lowercase, Normalizer
from tokenizers.normalizers import Sequence as Sequential

from stelae.errors import InputTooLong, StelaeError, UnsupportedCheckpoint
from stelae.nn.batch import Ids
from stelae.types import Truncate

CHARS_PER_TOKEN = 16
"""A text is first read up to so many characters per token wanted; rarely must it be read on."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Ids ready to run, special tokens included, and whether something was cut."""

    ids: Ids
    truncated: bool = False


class TextTokenizer:
    """A checkpoint's ``tokenizer.json`` with a length limit.

    Args:
        file: The ``tokenizer.json``.
        max_tokens: Longest result, special tokens included.
        lowercase: Whether texts are lower-cased first.
    """

    def __init__(self, file: Path, max_tokens: int, *, lowercase: bool = False) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # the library raises bare Exception
            raise UnsupportedCheckpoint(f"{file.name} cannot be read: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        if lowercase:
            self._tokenizer.normalizer = _lowered(self._tokenizer.normalizer)
        self.vocabulary = self._tokenizer.get_vocab_size(with_added_tokens=True)
        self.prefix, self.suffix = self._specials()
        self.room = max_tokens - len(self.prefix) - len(self.suffix)

    def encode(self, texts: Sequence[str], truncate: Truncate) -> list[Tokens | StelaeError]:
        """Tokenise texts.

        Args:
            texts: Strings of valid Unicode.
            truncate: What to do with texts longer than the limit.

        Returns:
            Tokens or the error of each text, in order.
        """
        if any(len(text) > CHARS_PER_TOKEN * self.room for text in texts):
            return [self.wrap(self._read(text, truncate), truncate) for text in texts]
        found = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [self.wrap(encoding.ids, truncate) for encoding in found]

    def wrap(self, ids: Sequence[int], truncate: Truncate) -> Tokens | StelaeError:
        """Put special tokens around ids, cut to the limit if the policy allows."""
        cut = len(ids) > self.room
        if cut and truncate is Truncate.ERROR:
            return InputTooLong(
                f"the text has {len(ids)} tokens, the model reads at most {self.room} "
                f"beside {len(self.prefix) + len(self.suffix)} special ones; "
                "shorten it or choose truncate 'end' or 'start'",
                details={"tokens": len(ids), "max_tokens": self.room},
            )
        if cut:
            ids = ids[-self.room :] if truncate is Truncate.START else ids[: self.room]
        return Tokens(np.array([*self.prefix, *ids, *self.suffix], np.int32), cut)

    def prompt_length(self, prompt: str) -> int:
        """Tokens at the start of a text that belong to its prompt, specials in front included."""
        return len(self.prefix) + len(self._tokenizer.encode(prompt, add_special_tokens=False).ids)

    def _read(self, text: str, truncate: Truncate) -> list[int]:
        """Ids of a text, or of so much of it that the limit is surely passed.

        The text is cut at white space only, where tokenizers break in any case, and
        the last id of a cut text is not relied on.
        """
        reach = CHARS_PER_TOKEN * self.room
        while truncate is not Truncate.ERROR and reach < len(text):
            part = _clip(text, reach, from_end=truncate is Truncate.START)
            ids: list[int] = self._tokenizer.encode(part, add_special_tokens=False).ids
            if len(ids) > self.room + 1:
                return ids
            reach *= 4
        whole: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return whole

    def _specials(self) -> tuple[list[int], list[int]]:
        """Special tokens before and after a single text, found by looking."""
        probe = "a"
        bare: list[int] = self._tokenizer.encode(probe, add_special_tokens=False).ids
        full: list[int] = self._tokenizer.encode(probe, add_special_tokens=True).ids
        for start in range(len(full) - len(bare) + 1):
            if full[start : start + len(bare)] == bare:
                return full[:start], full[start + len(bare) :]
        raise UnsupportedCheckpoint(
            "tokenizer.json changes a text's own tokens when it adds special ones; "
            "this is not implemented"
        )


def _lowered(normalizer: Normalizer | None) -> Normalizer:
    """Lower-casing before the tokenizer's own steps, which leaves special tokens alone."""
    lower = Lowercase()
    return lower if normalizer is None else Sequential([lower, normalizer])


def _clip(text: str, reach: int, *, from_end: bool) -> str:
    """A part of a text that starts or ends at white space, at least ``reach`` long."""
    if from_end:
        edge = max(text.rfind(" ", 0, len(text) - reach), text.rfind("\n", 0, len(text) - reach))
        return text[max(edge, 0) :]
    edges = [edge for edge in (text.find(" ", reach), text.find("\n", reach)) if edge >= 0]
    return text[: min(edges, default=len(text))]
