"""The library's tokenizer without its silent cut."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Encoding, Tokenizer
from transformers import PreTrainedTokenizerBase

from stelae.errors import UnsupportedCheckpoint
from stelae.types import Truncate

TYPES = "token_type_ids"


class LibraryTokenizer:
    """Texts to ids exactly as the library makes them.

    Args:
        tokenizer: The library's tokenizer.
        pairs: Whether two texts are read together.

    Attributes:
        vocabulary: Number of ids.
        prefix: Special tokens before a text.
        suffix: Special tokens after a text.
        middle: Special tokens between the two texts of a pair.
        typed: Whether the second text of a pair may have a token type of its own; what
            the types are, ``types`` says.
        told: Whether the transformer is told token types at all.

    Raises:
        UnsupportedCheckpoint: Special tokens stand in a way that is not implemented.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, pairs: bool = False) -> None:
        self._tokenizer = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.vocabulary: int = self._tokenizer.get_vocab_size(with_added_tokens=True)
        self.told = TYPES in tokenizer.model_input_names
        one = self._tokenizer.encode("a")
        start, stop = _own(one)
        self.prefix, self.suffix = one.ids[:start], one.ids[stop:]
        self._single = one.type_ids[: start + 1], one.type_ids[stop:]
        self.middle: list[int] = []
        self.surplus: dict[int, str] = {}
        self.typed = pairs and self.told
        if pairs:
            self._read_pair(one.ids[start:stop])

    def read(self, texts: Sequence[str], room: int, truncate: Truncate) -> list[list[int]]:
        """Ids of each text, whole."""
        del room, truncate
        found = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in found]

    def types(self, length: int, second: int | None) -> list[int]:
        """Token types of a text, or of a pair.

        Args:
            length: Its tokens, special ones included.
            second: First token of the second text of a pair.
        """
        if second is None:
            before, after = self._single
            return _spread(before, length - len(after)) + after
        before, between, after = self._double
        return (
            _spread(_spread(before, second - len(self.middle)) + between, length - len(after))
            + after
        )

    def _read_pair(self, own: list[int]) -> None:
        """What stands between two texts, and all token types, found by looking."""
        pair = self._tokenizer.encode("a", "a")
        start = len(self.prefix) + len(own)
        stop = len(pair.ids) - len(self.suffix) - len(own)
        self.middle = pair.ids[start:stop]
        if pair.ids != [*self.prefix, *own, *self.middle, *own, *self.suffix]:
            raise UnsupportedCheckpoint(
                "the tokenizer puts other special tokens around two texts than around one; this "
                "is not implemented"
            )
        end = len(pair.ids) - len(self.suffix)
        types = pair.type_ids
        self._double = types[: len(self.prefix) + 1], types[start : stop + 1], types[end:]


def _own(encoding: Encoding) -> tuple[int, int]:
    """Where a text's own tokens begin and end."""
    own = [i for i, special in enumerate(encoding.special_tokens_mask) if not special]
    if not own:
        raise UnsupportedCheckpoint("the tokenizer makes nothing but special tokens of 'a'")
    return own[0], own[-1] + 1


def _spread(types: list[int], length: int) -> list[int]:
    """The types with the last one repeated up to a length."""
    return types[:length] + types[-1:] * (length - len(types))
