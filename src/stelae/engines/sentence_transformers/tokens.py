"""The library's tokenizer without its silent cut."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase

from stelae.errors import UnsupportedCheckpoint
from stelae.types import Truncate


class LibraryTokenizer:
    """Texts to ids exactly as the library makes them.

    Args:
        tokenizer: The library's tokenizer.

    Attributes:
        vocabulary: Number of ids.
        prefix: Special tokens before a text.
        suffix: Special tokens after a text.
        middle: Special tokens between two texts; pairs are not read here.
        typed: Whether the second text of a pair has token type ids of its own.
    """

    middle: list[int]
    typed = False

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.vocabulary: int = self._tokenizer.get_vocab_size(with_added_tokens=True)
        self.prefix, self.suffix = self._specials()
        self.middle = []

    def read(self, texts: Sequence[str], room: int, truncate: Truncate) -> list[list[int]]:
        """Ids of each text, whole."""
        del room, truncate
        found = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in found]

    def _specials(self) -> tuple[list[int], list[int]]:
        """Special tokens before and after a text."""
        encoding = self._tokenizer.encode("a")
        own = [i for i, special in enumerate(encoding.special_tokens_mask) if not special]
        if not own:
            raise UnsupportedCheckpoint("the tokenizer makes nothing but special tokens of 'a'")
        return encoding.ids[: own[0]], encoding.ids[own[-1] + 1 :]
