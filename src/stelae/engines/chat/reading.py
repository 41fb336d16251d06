"""What is read out of the texts of any engine: calls of tools, and thought."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from functools import cached_property

from msgspec.structs import replace

from stelae.catalog.spec import Generation
from stelae.engines.base import EngineInfo, StreamEngine, StreamStats
from stelae.engines.chat.formats.calls import Calls
from stelae.engines.chat.formats.shapes import tools_of
from stelae.engines.chat.formats.table import format_of
from stelae.engines.chat.template import ChatTemplate, template_of
from stelae.engines.chat.thought import Thought, left_open
from stelae.errors import InvalidInput
from stelae.types import ChatCall, ChatUsage, Delta, Finish


class Reading:
    """A stream engine whose texts are read; see ``StreamEngine``.

    What goes on with a plain prompt is passed on as it is.

    Args:
        engine: Writes the texts.
        generation: How its model calls tools and shows its thought.
    """

    def __init__(self, engine: StreamEngine[ChatCall, Delta], generation: Generation) -> None:
        self.engine, self._generation = engine, generation

    @property
    def info(self) -> EngineInfo:
        """What is loaded, and how."""
        return self.engine.info

    @property
    def stats(self) -> StreamStats:
        """Its counters."""
        return self.engine.stats

    async def aclose(self) -> None:
        """End what is under way and free what the engine holds."""
        await self.engine.aclose()

    async def stream(self, call: ChatCall) -> AsyncGenerator[list[Delta]]:
        """Answer a call; see ``StreamEngine``."""
        texts = await self._texts(call)
        async with aclosing(self.engine.stream(call)) as pieces:
            async for made in pieces:
                if not texts:
                    yield made
                elif read := [delta for piece in made for delta in _read(texts, piece)]:
                    yield read
                if _ended(texts) and made[-1].usage is None:
                    break
            else:
                return
        yield [Delta(usage=await self._usage(call, texts))]

    async def _texts(self, call: ChatCall) -> list[Text]:
        """Readers of a call's texts; none if there is nothing to read."""
        tools, marks = tools_of(call), self._generation.reasoning
        if not call.messages or call.count_only or not (tools or marks):
            return []
        inside = bool(marks) and await asyncio.to_thread(self._thinks, call)
        return [
            Text(
                Calls(format_of(self._generation), tools) if tools else None,
                Thought(marks, inside=inside) if marks else None,
                several=call.parallel_tool_calls,
            )
            for _ in range(call.n)
        ]

    def _thinks(self, call: ChatCall) -> bool:
        """Whether the conversation ends within a thought; one that cannot be written does not.

        The engine refuses such a conversation itself.
        """
        try:
            return left_open(self._template.write(call), self._generation.reasoning)
        except InvalidInput:
            return False

    @cached_property
    def _template(self) -> ChatTemplate:
        return template_of(self._generation)

    async def _usage(self, call: ChatCall, texts: list[Text]) -> ChatUsage:
        """Tokens of an answer that was ended here."""
        told = [text.conversation for text in texts if text.conversation is not None]
        return replace(
            told[0] if told else await self._counted(call),
            completion_tokens=sum(text.tokens for text in texts),
            reasoning_tokens=sum(text.thoughts for text in texts),
        )

    async def _counted(self, call: ChatCall) -> ChatUsage:
        """Tokens of a conversation."""
        async with aclosing(self.engine.stream(replace(call, count_only=True))) as pieces:
            counted = [delta.usage async for made in pieces for delta in made if delta.usage]
        return counted[0] if counted else ChatUsage()


def _ended(texts: list[Text]) -> bool:
    """Whether all texts have ended, one of them here while the engine goes on with it."""
    return all(text.done for text in texts) and any(text.cut for text in texts)


def _read(texts: list[Text], piece: Delta) -> list[Delta]:
    if piece.usage is None:
        return texts[piece.index].read(piece)
    bare = Delta(usage=piece.usage)
    made = [] if piece == bare else texts[piece.index].read(replace(piece, usage=None))
    thoughts = sum(text.thoughts for text in texts)
    return [*made, Delta(usage=replace(piece.usage, reasoning_tokens=thoughts))]


class Text:
    """Reads one text.

    Args:
        calls: Finds calls, if any may be made.
        thought: Finds thought, if the model shows any.
        several: Whether several calls may be made; else the text ends behind the first.

    Attributes:
        tokens: Its tokens so far.
        thoughts: How many of them are thought.
        conversation: Tokens of the conversation, if the engine told them.
        done: Whether it has ended.
        cut: Whether it was ended here.
    """

    def __init__(self, calls: Calls | None, thought: Thought | None, *, several: bool) -> None:
        self._calls, self._thought, self._several = calls, thought, several
        self.tokens = self.thoughts = 0
        self.conversation: ChatUsage | None = None
        self.done = self.cut = False

    def read(self, piece: Delta) -> list[Delta]:
        """What a piece of the text holds; its tokens stay with the first of them."""
        if self.done:
            return []
        self.tokens += len(piece.tokens)
        self.conversation = self.conversation or piece.read
        if piece.tool is not None or piece.reasoning:  # the engine has read it itself
            self.thoughts += len(piece.tokens) if piece.reasoning else 0
            self.done = piece.finish is not None
            return [piece]
        made = list(self._parts(piece))
        finish = self._finish(piece)
        self.done = finish is not None
        self.cut = self.done and piece.finish is None
        if not made and not piece.tokens and finish is None and piece.read is None:
            return []
        made = made or [Delta(index=piece.index)]
        made[0] = replace(made[0], tokens=piece.tokens, logprobs=piece.logprobs, read=piece.read)
        made[-1] = replace(made[-1], finish=finish, stopped_by=piece.stopped_by)
        return made

    def _parts(self, piece: Delta) -> Iterator[Delta]:
        over, index = piece.finish is not None, piece.index
        text = piece.text
        if self._thought is not None:
            was = self._thought.inside
            thought, text = self._thought.feed(text, over=over)
            if was or self._thought.inside or thought:
                self.thoughts += len(piece.tokens)
            if thought:
                yield Delta(index=index, reasoning=thought)
        if self._calls is None:
            yield from [Delta(index=index, text=text)] if text else []
            return
        most = None if self._several else 1
        for part in self._calls.feed(text, over=over, most=most):
            if isinstance(part, str):
                yield Delta(index=index, text=part)
            else:
                yield Delta(index=index, tool=part)

    def _finish(self, piece: Delta) -> Finish | None:
        made = self._calls.whole if self._calls is not None else 0
        if made and not self._several and piece.finish is None:
            return Finish.TOOL_CALLS
        if made and piece.finish is Finish.STOP and piece.stopped_by is None:
            return Finish.TOOL_CALLS
        return piece.finish
