"""Texts that a guide allows, drawn at random, as from a model that knows nothing."""

from __future__ import annotations

import random
from functools import cache

from llguidance import LLTokenizer
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from stelae.engines.chat.structure.compiler import Compiler
from stelae.engines.chat.structure.grammar import Grammar
from stelae.types import Structure

CLOSING = '"}]'
"""Letters that end things."""

MOST = 5000
"""Tokens of the longest text."""


@cache
def tokenizer() -> Tokenizer:
    """One token for each byte, and some of the signs that chat models have."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(letters)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(["<|end|>"])
    marks = ("<think>", "</think>", "<tool_call>", "</tool_call>")
    made.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in marks])
    return made


@cache
def compiler() -> Compiler:
    end = tokenizer().token_to_id("<|end|>")
    return Compiler(lambda: LLTokenizer(tokenizer().to_str(), eos_token=end), size())


def size() -> int:
    return int(tokenizer().get_vocab_size())


def plain(form: Structure) -> str:
    """The grammar of a text that has a form, and nothing before it."""
    grammar = Grammar(view())
    return grammar.text(grammar.form(form))


def view() -> LLTokenizer:
    return compiler().tokenizer


async def drawn(grammar: str, draws: random.Random, closing: float = 0.5) -> str | None:
    """A text of a grammar; ``None`` if it has no end.

    Args:
        grammar: Of the library.
        draws: Where chance comes from.
        closing: How likely what can be closed is closed.
    """
    (guide,) = await compiler().guides(lambda _: grammar, 1)
    closers = {tokenizer().token_to_id(letter) for letter in CLOSING}
    end = tokenizer().token_to_id("<|end|>")
    ids: list[int] = []
    while not guide.over:
        allowed = guide.allowed().tolist()
        close = [i for i in allowed if i in closers or i == end]
        token = draws.choice(close if close and draws.random() < closing else allowed)
        guide.accept(token)
        if token != end:
            ids.append(token)
        if len(ids) > MOST:
            return None
    return str(tokenizer().decode(ids, skip_special_tokens=False))
