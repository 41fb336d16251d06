"""Tokens of Whisper: texts, times, and those that say what is wanted.

Source: Radford et al. 2022 (arXiv:2212.04356), section 2.3.
"""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer

from stelae.catalog.files import Json
from stelae.errors import UnsupportedCheckpoint

TICK = 0.02
"""Seconds from one time to the next."""


class Vocabulary:
    """Reads and writes tokens of a model.

    Args:
        tokenizer: Its tokenizer.
        languages: Codes of the languages that it knows; no tokens are told if that is one.

    Attributes:
        end: Token that ends a text.
        start: Token that opens a text.
        no_speech: Token of a window in which nothing is said.
        no_times: Token that asks for a text without times.
        first_time: Token of the time 0; those of later times follow.
        languages: Tokens of the languages, by code; none if the model knows one only.

    Raises:
        UnsupportedCheckpoint: A token is missing.
    """

    def __init__(self, tokenizer: Tokenizer, languages: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self.end = self._id("endoftext")
        self.start = self._id("startoftranscript")
        self.no_speech = self._id("nospeech", "nocaptions")
        self.no_times = self._id("notimestamps")
        self.first_time = self.no_times + 1
        self._before = self._id("startofprev")
        self._tasks = (self._id("transcribe"), self._id("translate"))
        several = languages if len(languages) > 1 else ()
        self.languages = {code: self._id(code) for code in several}

    def _id(self, *names: str) -> int:
        found = (self._tokenizer.token_to_id(f"<|{name}|>") for name in names)
        token = next((token for token in found if token is not None), None)
        if token is None:
            raise UnsupportedCheckpoint(f"the tokenizer lacks the token <|{names[0]}|>")
        return int(token)

    def prefix(self, language: str | None, *, translate: bool) -> list[int]:
        """Tokens that open a text and say what is wanted."""
        if not self.languages or language is None:
            return [self.start]
        return [self.start, self.languages[language], self._tasks[translate]]

    def before(self, tokens: Sequence[int], most: int) -> list[int]:
        """What stands before that: the end of the text so far, if there is any."""
        return [self._before, *tokens[-most:]] if tokens and most > 0 else []

    def names(self) -> list[str]:
        """All tokens as the tokenizer writes them, by id; ids without one are given a name."""
        tokens = {id_: token for token, id_ in self._tokenizer.get_vocab().items()}
        return [tokens.get(id_, f"<|unused {id_}|>") for id_ in range(max(tokens) + 1)]

    def encode(self, text: str) -> list[int]:
        """Tokens of a text that stands by itself."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return [token for token in ids if token < self.end]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, without times and other marks."""
        said = [token for token in tokens if token < self.end]
        text: str = self._tokenizer.decode(said, skip_special_tokens=False)
        return text

    def is_time(self, token: int) -> bool:
        """Whether it is a time."""
        return token >= self.first_time

    def tick(self, token: int) -> int:
        """The time that it is, in ticks."""
        return token - self.first_time


def alignment_heads(config: Json) -> list[list[int]]:
    """Heads whose attention shows when words are said: stated, or all of the upper half."""
    stated = config["generation"].get("alignment_heads")
    if stated:
        return [list(map(int, pair)) for pair in stated]
    layers, heads = config["decoder_layers"], config["decoder_attention_heads"]
    return [[layer, head] for layer in range(layers // 2, layers) for head in range(heads)]
