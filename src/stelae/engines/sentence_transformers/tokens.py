"""The library's tokenizer, cut by our own hand so that a cut can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase

from stelae.errors import InputTooLong, StelaeError, UnsupportedCheckpoint
from stelae.types import Truncate


@dataclass(frozen=True, slots=True)
class Tokens:
    """Ids ready to run, special tokens included, and whether something was cut."""

    ids: list[int]
    truncated: bool


class LibraryTokenizer:
    """Texts to ids exactly as the library makes them, but for the cut.

    Args:
        tokenizer: The library's tokenizer.
        max_tokens: Longest result, special tokens included.

    Raises:
        UnsupportedCheckpoint: The special tokens leave no room for a text.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> None:
        self._tokenizer = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.vocabulary: int = self._tokenizer.get_vocab_size(with_added_tokens=True)
        self._before, self._after = self._specials()
        self._room = max_tokens - len(self._before) - len(self._after)
        if self._room < 1:
            raise UnsupportedCheckpoint(
                f"max_tokens={max_tokens}: the special tokens leave no room for a text"
            )

    def encode(self, texts: Sequence[str], truncate: Truncate) -> list[Tokens | StelaeError]:
        """Tokens or the error of each text, in order; texts must be valid Unicode."""
        found = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [self.wrap(encoding.ids, truncate) for encoding in found]

    def wrap(self, ids: Sequence[int], truncate: Truncate) -> Tokens | StelaeError:
        """Put special tokens around ids, cut to the limit if the policy allows."""
        cut = len(ids) > self._room
        if cut and truncate is Truncate.ERROR:
            return InputTooLong(
                f"the text has {len(ids)} tokens, the model reads at most {self._room} beside "
                f"{len(self._before) + len(self._after)} special ones; shorten it or choose "
                "truncate 'end' or 'start'",
                param="items",
                details={"tokens": len(ids), "max_tokens": self._room},
            )
        if cut:
            ids = ids[-self._room :] if truncate is Truncate.START else ids[: self._room]
        return Tokens([*self._before, *ids, *self._after], cut)

    def prompt_length(self, prompt: str) -> int:
        """Tokens that a prompt takes, special ones before it included."""
        ids = self._tokenizer.encode(prompt, add_special_tokens=False).ids
        return len(self._before) + min(len(ids), self._room)

    def _specials(self) -> tuple[list[int], list[int]]:
        """Special tokens before and after a text."""
        encoding = self._tokenizer.encode("a")
        own = [i for i, special in enumerate(encoding.special_tokens_mask) if not special]
        if not own:
            raise UnsupportedCheckpoint("the tokenizer makes nothing but special tokens of 'a'")
        return encoding.ids[: own[0]], encoding.ids[own[-1] + 1 :]
