"""An engine around a model that runs step by step: conversations through the token loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from collections.abc import Sequence as Several
from typing import Any

from stelae.engines.base import EngineInfo, StreamStats
from stelae.engines.chat.intake import Intake
from stelae.engines.chat.loop import TokenLoop
from stelae.engines.chat.prefixes import MOST
from stelae.engines.chat.sampling import Sampler
from stelae.engines.chat.sequence import Request, Sequence
from stelae.engines.chat.stepping import Stepper
from stelae.engines.chat.structure.guide import Guide
from stelae.engines.chat.structure.structures import Structures
from stelae.engines.chat.writing import Writer
from stelae.engines.text.adapters import Library, NoAdapters
from stelae.engines.text.features import Adapted
from stelae.types import ChatCall, ChatUsage, Delta


class LoopEngine:
    """A chat model; see ``StreamEngine``.

    Args:
        intake: Reads calls.
        model: What computes.
        ends: Tokens that end a text.
        info: What it says of itself.
        room: Tokens whose keys and values are kept at once.
        kept: Memories of texts that have ended, kept at most; with 0 no text begins with what
            another read, so that its numbers are the same bit for bit.
        adapters: Those that calls may name; ``None`` if the engine runs without.
        structures: Holds texts to a form; ``None`` if the engine cannot.
    """

    def __init__(
        self,
        intake: Intake,
        model: Stepper[Any],
        ends: frozenset[int],
        info: EngineInfo,
        room: int,
        kept: int = MOST,
        adapters: Library | None = None,
        structures: Structures | None = None,
    ) -> None:
        self._intake, self._model, self._info = intake, model, info
        self._adapters = adapters or NoAdapters(f"{intake.engine} runs without adapters")
        self._structures = structures
        self._loop = TokenLoop(model, ends, intake.tokens.decode, room, kept)

    @property
    def info(self) -> EngineInfo:
        """What is loaded, and how."""
        return self._info

    @property
    def stats(self) -> StreamStats:
        """Its counters."""
        return self._loop.stats

    async def stream(self, call: ChatCall) -> AsyncGenerator[list[Delta]]:
        """Answer a call; see ``StreamEngine``."""
        prompt, sight = await asyncio.to_thread(self._intake.take, call)
        if call.count_only:
            yield [Delta(usage=ChatUsage(prompt_tokens=len(prompt)))]
            return
        limit = self._intake.limit(call, len(prompt))
        lora = None if call.lora is None else self._adapters.take(call.lora)
        samplers = await self._samplers(call, prompt)
        request = Request(prompt, call.n)
        self._loop.add([self._text(call, request, s, limit, lora, sight) for s in samplers])
        try:
            while True:
                made = await request.take()
                self._loop.stir()
                yield made
                if made[-1].usage is not None:
                    return
        finally:
            request.dropped = True
            self._loop.stir()

    async def aclose(self) -> None:
        """End what is under way and free what the engine holds."""
        await asyncio.to_thread(self._loop.close)
        self._model.close()
        self._adapters.close()
        if self._structures is not None:
            await asyncio.to_thread(self._structures.close)

    async def _samplers(self, call: ChatCall, prompt: Several[int]) -> list[Sampler]:
        """What chooses the tokens of each text."""
        guides: Several[Guide | None] = [None] * call.n
        if self._structures is not None:
            guides = await self._structures.guides(call, prompt)
        return [Sampler(call.sampling, prompt, i, guide) for i, guide in enumerate(guides)]

    def _text(
        self,
        call: ChatCall,
        request: Request,
        sampler: Sampler,
        limit: int,
        lora: Adapted | None,
        sight: Any,
    ) -> Sequence:
        return Sequence(
            request=request,
            index=sampler.index,
            ids=list(request.prompt),
            limit=limit,
            sampler=sampler,
            writer=Writer(self._intake.tokens.decode, call.sampling.stop),
            call=call,
            lora=lora,
            sight=sight,
        )
