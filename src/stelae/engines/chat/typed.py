"""What users type is text, even where it spells a special token.

While the template runs, special tokens that stand in messages are hidden behind letters that
stand in no message; those that the template writes itself are the true ones. The tokenizer then
reads a text in which each true special token goes by a name that nobody can guess, so that what
users typed is read as the plain letters that it is.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from tokenizers import Tokenizer

FIRST, LAST = 0x100000, 0x10FFFD
"""Letters for private use, which hide special tokens."""

PROBES = ("", "Hello there, it is 12:30.", "  Größe\n\nélan \t 東京 🙂\n", "<s>[x]</s> <|a|>")
"""Texts that both tokenizers must read alike."""


def spelled(specials: Collection[str]) -> re.Pattern[str] | None:
    """Finds special tokens in a text, the longest where several begin; ``None`` for none."""
    ordered = sorted(filter(None, specials), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None


class Typed:
    """Special tokens that were typed in one conversation.

    Args:
        pattern: Finds them; ``None`` finds none.

    Attributes:
        letters: What was typed, by the letters that hide it.
    """

    def __init__(self, pattern: re.Pattern[str] | None) -> None:
        self._pattern = pattern
        self.letters: dict[str, str] = {}

    def hide(self, value: Any) -> Any:
        """A value, whose texts hold no special token; called once."""
        texts = list(_texts(value)) if self._pattern is not None else []
        if self._pattern is None or not any(map(self._pattern.search, texts)):
            return value
        self._free = _unused(texts)
        self._hidden: dict[str, str] = {}
        return self._hide(value, self._pattern)

    def _hide(self, value: Any, pattern: re.Pattern[str]) -> Any:
        match value:
            case str():
                return pattern.sub(self._letter, value)
            case dict():
                return {self._hide(k, pattern): self._hide(v, pattern) for k, v in value.items()}
            case list() | tuple():
                return [self._hide(each, pattern) for each in value]
        return value

    def _letter(self, found: re.Match[str]) -> str:
        if found[0] not in self._hidden:
            letter = next(self._free)
            self._hidden[found[0]], self.letters[letter] = letter, found[0]
        return self._hidden[found[0]]


def shown(text: str, letters: Mapping[str, str]) -> str:
    """A text with what was typed in place of the letters that hide it."""
    return text.translate({ord(letter): typed for letter, typed in letters.items()})


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, inner in value.items():
                yield from _texts(key)
                yield from _texts(inner)
        case list() | tuple():
            for inner in value:
                yield from _texts(inner)


def _unused(texts: Sequence[str]) -> Iterator[str]:
    """Letters for private use that stand in none of the texts."""
    used = {
        letter for text in texts if not text.isascii() for letter in text if ord(letter) >= FIRST
    }
    return (letter for letter in map(chr, range(FIRST, LAST + 1)) if letter not in used)


class Renamed:
    """A tokenizer to which special tokens are known by secret names.

    Args:
        tokenizer: The checkpoint's own.
        specials: Its special tokens by their text.

    Raises:
        ValueError: It cannot be made, or would read ordinary texts otherwise.
    """

    def __init__(self, tokenizer: Tokenizer, specials: Mapping[str, int]) -> None:
        secret = secrets.token_hex(8)
        self._names = {text: f"stelae{secret}x{i}x" for text, i in specials.items()}
        self._pattern = spelled(specials)
        try:
            self._tokenizer: Tokenizer = Tokenizer.from_str(_renamed(tokenizer, self._names))
        except Exception as error:  # the library has no narrower one
            raise ValueError(f"its special tokens cannot be renamed: {error}") from error
        known = {text: self._tokenizer.token_to_id(name) for text, name in self._names.items()}
        if known != dict(specials) or not all(self._alike(tokenizer, text) for text in PROBES):
            raise ValueError("with special tokens renamed it reads texts otherwise")

    def encode(self, text: str, letters: Mapping[str, str], *, plain: bool) -> list[int]:
        """The tokens of a text in which special tokens that were typed are hidden."""
        named = (
            self._pattern.sub(lambda found: self._names[found[0]], text) if self._pattern else text
        )
        ids: list[int] = self._tokenizer.encode(shown(named, letters), add_special_tokens=plain).ids
        return ids

    def _alike(self, tokenizer: Tokenizer, text: str) -> bool:
        around = "".join([text, *self._names, text])
        return self.encode(around, {}, plain=True) == list(tokenizer.encode(around).ids)


def _renamed(tokenizer: Tokenizer, names: Mapping[str, str]) -> str:
    """The tokenizer's file with other names for special tokens."""
    content: dict[str, Any] = json.loads(tokenizer.to_str())
    for token in content["added_tokens"]:
        if token["special"]:
            token["content"] = names[token["content"]]
    model = content["model"]
    if isinstance(model["vocab"], dict):
        model["vocab"] = {names.get(text, text): i for text, i in model["vocab"].items()}
    else:
        model["vocab"] = [[names.get(text, text), score] for text, score in model["vocab"]]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    return json.dumps(content)
