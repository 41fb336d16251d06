"""A model's tokenizer as the library of grammars sees it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from llguidance import LLTokenizer
from tokenizers import Tokenizer

from stelae.engines.chat.tokens import FileTokens
from stelae.errors import InvalidInput

END = "<|no token of the model|>"
"""Ends texts of models that have no token for it."""


def of_file(tokens: FileTokens, vocabulary: int, ends: Collection[int]) -> LLTokenizer:
    """The library's view of a ``tokenizer.json``.

    Args:
        tokens: The tokenizer.
        vocabulary: Tokens that the model knows, perhaps more than the file names.
        ends: Tokens that end a text; if there are none, one that is made up does.

    Raises:
        InvalidInput: The library does not know such tokenizers.
    """
    known = Tokenizer.from_str(_known(tokens.file))
    if not ends:
        known.add_special_tokens([END])
        ends = [known.get_vocab_size() - 1]
    size = max(vocabulary, known.get_vocab_size())
    try:
        return LLTokenizer(known.to_str(), n_vocab=size, eos_token=sorted(ends))
    except ValueError as error:
        raise InvalidInput(
            f"texts of this model cannot be held to a form: {error}",
            param="response_format",
            hint="ask for the form in words",
        ) from error


def _known(file: str) -> str:
    """The same with a decoder that the library knows, where one means the same to each token."""
    said: dict[str, Any] = msgspec.json.decode(file)
    decoder = said.get("decoder") or {}
    if decoder.get("type") != "Metaspace":
        return file
    sign = {"String": decoder["replacement"]}
    spaces = {"type": "Replace", "pattern": sign, "content": " "}
    steps = [spaces, {"type": "ByteFallback"}, {"type": "Fuse"}]
    return msgspec.json.encode(
        {**said, "decoder": {"type": "Sequence", "decoders": steps}}
    ).decode()
