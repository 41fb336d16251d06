"""Token ids of a checkpoint, where its files name tokens by their text."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from stelae.catalog.files import MAX_TOKENIZER_BYTES, inside, join, read_bytes, read_object
from stelae.catalog.wordpiece import is_words, open_tokenizer, read_words
from stelae.errors import ModelLoadFailed

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILES = ("tokenizer_config.json", "special_tokens_map.json")
"""Where special tokens are named; the first that names one counts."""

BERT = {
    "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}  # fmt: skip
ROBERTA = {
    "unk_token": "<unk>", "sep_token": "</s>", "pad_token": "<pad>", "cls_token": "<s>",
    "mask_token": "<mask>", "bos_token": "<s>", "eos_token": "</s>",
}  # fmt: skip
DEFAULTS = {
    "BertTokenizer": BERT,
    "DistilBertTokenizer": BERT,
    "ElectraTokenizer": BERT,
    "RobertaTokenizer": ROBERTA,
    "XLMRobertaTokenizer": ROBERTA,
    "CamembertTokenizer": ROBERTA,
    "MPNetTokenizer": ROBERTA | {"unk_token": "[UNK]"},
}
"""Special tokens that classes of transformers have where no file names them."""


class AddedToken(msgspec.Struct):
    """A token beside the vocabulary's pieces."""

    id: int
    content: str


class AddedTokens(msgspec.Struct):
    """The part of ``tokenizer.json`` that is quick to read."""

    added_tokens: list[AddedToken] = []


class Vocabulary:
    """A checkpoint's tokens; the tokenizer itself is read only where that is needed.

    Args:
        root: The checkpoint.
        file: Its ``tokenizer.json``, or its vocabulary.
        folder: Where the tokenizer's other files lie.
    """

    def __init__(self, root: Path, file: str, folder: str = "") -> None:
        self.root, self.file, self.folder = root, file, folder

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        words = read_words(self.root, self.file) if is_words(self.file) else None
        return open_tokenizer(inside(self.root, self.file), words)

    @cached_property
    def _added(self) -> dict[str, int]:
        """Tokens beside the vocabulary's pieces, special ones among them."""
        if is_words(self.file):
            return {}
        data = read_bytes(self.root, self.file, limit=MAX_TOKENIZER_BYTES) or b""
        try:
            found = msgspec.json.decode(data, type=AddedTokens).added_tokens
        except (msgspec.DecodeError, RecursionError) as error:
            raise ModelLoadFailed(
                f"{self.file} in {self.root} is not a tokenizer: {error}"
            ) from error
        return {token.content: token.id for token in found}

    @property
    def size(self) -> int:
        """Number of ids.

        Raises:
            UnsupportedCheckpoint: The tokenizer cannot be read.
        """
        count: int = self._tokenizer.get_vocab_size(with_added_tokens=True)
        return count

    def id_of(self, token: str) -> int | None:
        """The id of a token, or ``None`` if there is no such token.

        Raises:
            UnsupportedCheckpoint: The tokenizer cannot be read.
            ModelLoadFailed: Its file is broken.
        """
        if token in self._added:
            return self._added[token]
        found: int | None = self._tokenizer.token_to_id(token)
        return found

    def read(self, text: str, *, specials: bool = False) -> list[int]:
        """Ids of a text."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=specials).ids
        return ids

    def edges(self, text: str) -> list[int]:
        """Places in a text before and after each token that is added to the vocabulary.

        There a tokenizer cuts a text in any case.
        """
        added = set(self._tokenizer.get_added_tokens_decoder())
        found = self._tokenizer.encode(text, add_special_tokens=False)
        spans = [s for i, s in zip(found.ids, found.offsets, strict=True) if i in added]
        return sorted({edge for span in spans for edge in span})

    def special(self, name: str) -> str | None:
        """The token that plays a part such as ``mask_token``, if there is one."""
        kind = ""
        for file in FILES:
            config = read_object(self.root, join(self.folder, file)) or {}
            value = config.get(name)
            token = value.get("content") if isinstance(value, dict) else value
            if isinstance(token, str):
                return token
            kind = kind or str(config.get("tokenizer_class", "")).removesuffix("Fast")
        return DEFAULTS.get(kind, {}).get(name)

    def special_id(self, name: str) -> int | None:
        """The id of that token, if there is one."""
        token = self.special(name)
        return None if token is None else self.id_of(token)
