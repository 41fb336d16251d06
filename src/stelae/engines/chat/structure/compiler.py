"""From what a call asks for to guides of its texts, with grammars kept for the next call."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from llguidance import LLMatcher, LLParserLimits, LLTokenizer

from stelae.engines.chat.structure.grammar import PARAM
from stelae.engines.chat.structure.guide import Guide, fault
from stelae.errors import InvalidInput, ShuttingDown

Writes = Callable[[LLTokenizer], str]
"""Writes a grammar."""

KEPT = 64
"""Compiled grammars that are kept."""

THREADS = 8
"""Texts for which what may come next is found out at a time."""

STACK = 128 << 20
"""Bytes of address space for the stack of who compiles: the library goes down a chain of rules
by calling itself, and the longest chain that fits the bounds takes some 60 MB."""

LIMITS = LLParserLimits(
    initial_lexer_fuel=1_000_000,
    step_lexer_fuel=100_000,
    step_max_items=50_000,
    max_lexer_states=20_000,
    max_grammar_size=100_000,
    verbose_errors=False,
)
"""Work and memory that a grammar may take, in the library's units: compiling stays under a
second or so, a token under some 50 ms, a grammar under some 50 MB."""


class Compiler:
    """Compiles grammars for one model, in a thread of its own; see ``guides``.

    Args:
        tokenizer: Makes the library's view of the model's tokenizer, when first needed.
        vocabulary: Tokens that the model knows.
    """

    def __init__(self, tokenizer: Callable[[], LLTokenizer], vocabulary: int) -> None:
        self._make, self._vocabulary = tokenizer, vocabulary
        self._kept: OrderedDict[str, LLMatcher] = OrderedDict()
        self._thread = _deep_thread()
        self._masks = ThreadPoolExecutor(THREADS, "stelae-masks")
        self._closed = False

    @cached_property
    def tokenizer(self) -> LLTokenizer:
        """The library's view of the tokenizer; made on the compiler's thread."""
        return self._make()

    async def guides(self, grammar: Writes, texts: int, param: str = PARAM) -> list[Guide]:
        """Guides for some texts of one form.

        Args:
            grammar: Writes the grammar; called on the compiler's thread.
            texts: How many.
            param: The argument that asks for the form.

        Raises:
            InvalidInput: The grammar is not understood, or takes too much to compile.
            ShuttingDown: The model is being unloaded.
        """
        if self._closed:
            raise ShuttingDown("the model is being unloaded", retry_after=1.0)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._guides, grammar, texts, param)

    def close(self) -> None:
        """Let go of what is kept."""
        self._closed = True
        self._thread.shutdown()
        self._masks.shutdown()
        self._kept.clear()

    def _guides(self, grammar: Writes, texts: int, param: str) -> list[Guide]:
        matcher = self._matcher(grammar(self.tokenizer), param)
        return [
            Guide(matcher.deep_copy(), self._vocabulary, param, self._masks) for _ in range(texts)
        ]

    def _matcher(self, grammar: str, param: str) -> LLMatcher:
        made = self._kept.pop(grammar, None) or self._compiled(grammar, param)
        self._kept[grammar] = made
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return made

    def _compiled(self, grammar: str, param: str) -> LLMatcher:
        made = LLMatcher(self.tokenizer, grammar, log_level=0, limits=LIMITS)
        tried = made.deep_copy()
        tried.compute_bitmask()
        if tried.is_error():
            raise InvalidInput(f"the form asked for cannot be kept to: {fault(tried)}", param=param)
        return made


def _deep_thread() -> ThreadPoolExecutor:
    """An executor of one thread with a large stack."""
    made = ThreadPoolExecutor(1, "stelae-forms")
    before = threading.stack_size(STACK)
    try:
        made.submit(int).result()
    finally:
        threading.stack_size(before)
    return made
