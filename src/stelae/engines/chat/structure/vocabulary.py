"""A model's tokenizer as the library of grammars sees it."""

from __future__ import annotations

from collections.abc import Collection

from llguidance import LLTokenizer

from stelae.engines.chat.tokens import FileTokens
from stelae.errors import InvalidInput


def of_file(tokens: FileTokens, vocabulary: int, ends: Collection[int]) -> LLTokenizer:
    """The library's view of a ``tokenizer.json``.

    Args:
        tokens: The tokenizer.
        vocabulary: Tokens that the model knows, perhaps more than the file names.
        ends: Tokens that end a text.

    Raises:
        InvalidInput: The library does not know such tokenizers.
    """
    try:
        return LLTokenizer(tokens.file, n_vocab=vocabulary, eos_token=sorted(ends) or None)
    except ValueError as error:
        raise InvalidInput(
            f"texts of this model cannot be held to a form: {error}",
            param="response_format",
            hint="ask for the form in words",
        ) from error
