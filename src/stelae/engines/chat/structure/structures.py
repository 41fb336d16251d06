"""The form that a call's texts must have, from all that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from llguidance import LLTokenizer

from stelae.catalog.spec import Generation
from stelae.engines.chat.formats.shapes import Shape, forced, tools_of
from stelae.engines.chat.formats.table import format_of
from stelae.engines.chat.structure.compiler import Compiler
from stelae.engines.chat.structure.grammar import PARAM, Grammar
from stelae.engines.chat.structure.guide import Guide
from stelae.engines.chat.thought import left_open
from stelae.engines.chat.writing import Decode
from stelae.types import ChatCall

TAIL = 16
"""Tokens at the end of a conversation in which the mark of a thought is looked for."""


class Structures:
    """Makes guides for the calls of one model.

    Args:
        generation: How it calls tools and shows its thought.
        decode: Of its tokenizer.
        view: Makes the library's view of the tokenizer, when first needed.
        vocabulary: Tokens that it knows.
    """

    def __init__(
        self,
        generation: Generation,
        decode: Decode,
        view: Callable[[], LLTokenizer],
        vocabulary: int,
    ) -> None:
        self._generation, self._decode = generation, decode
        self._compiler = Compiler(view, vocabulary)

    async def guides(self, call: ChatCall, prompt: Sequence[int]) -> Sequence[Guide | None]:
        """A guide for each text of a call; ``None`` where any text will do.

        Args:
            call: What is asked.
            prompt: Tokens of its conversation.

        Raises:
            InvalidInput: The form asked for is too large, not understood, or cannot be kept to.
        """
        if call.structure is None and not forced(call):
            return [None] * call.n
        written = self._decode(prompt[-TAIL:])
        param = "tools" if forced(call) else PARAM
        return await self._compiler.guides(partial(self._grammar, call, written), call.n, param)

    def close(self) -> None:
        """Let go of what is kept."""
        self._compiler.close()

    def _grammar(self, call: ChatCall, written: str, tokenizer: LLTokenizer) -> str:
        """The grammar of a call's texts, where a conversation ends as written."""
        grammar = Grammar(tokenizer)
        forms = []
        if call.structure is not None and not forced(call):
            forms.append(grammar.form(call.structure))
        if shape := self._shape(call):
            forms.append(grammar.calls(shape))
        thought = self._thought(call, written, grammar)
        return grammar.text(f"{thought} ({' | '.join(forms)})")

    def _shape(self, call: ChatCall) -> Shape | None:
        """How tools are called, if the model may call any."""
        tools = tools_of(call)
        if not tools:
            return None
        return format_of(self._generation).shape(tools, call.parallel_tool_calls)

    def _thought(self, call: ChatCall, written: str, grammar: Grammar) -> str:
        marks = self._generation.reasoning
        if not marks or not call.messages:
            return ""
        if left_open(written, marks):
            return grammar.thought(*marks, begun=True)
        if call.reasoning is False or written.rstrip().endswith(marks[1].rstrip()):
            return ""
        return grammar.thought(*marks, begun=False)
