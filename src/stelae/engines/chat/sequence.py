"""One text on its way, and the call that it belongs to."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import deque
from collections.abc import Hashable
from collections.abc import Sequence as Several
from dataclasses import dataclass, field
from typing import Any

import torch
from msgspec.structs import replace
from torch import Tensor

from stelae.engines.chat.prefixes import Ids, Read
from stelae.engines.chat.sampling import Sampler
from stelae.engines.chat.stepping import Memory, blocks
from stelae.engines.chat.writing import Decode, Writer
from stelae.errors import StelaeError, from_info
from stelae.types import ChatCall, ChatUsage, Delta, Finish, TokenLogprob, TopToken

AHEAD = 64
"""Pieces of a call that are made ahead of who takes them."""


class Request:
    """A call: takes pieces on the token loop's thread, gives them on the event loop's.

    Args:
        prompt: Tokens of the conversation.
        texts: How many texts are wanted.

    Attributes:
        written: Tokens written, over all texts.
        cached: Tokens of the conversation that did not have to run.
        read: Whether one of the texts has run all of it.
        dropped: Whether nobody waits for it any more.
        loop: The event loop of who takes the pieces.
    """

    def __init__(self, prompt: Several[int], texts: int) -> None:
        self.prompt = prompt
        self.left = texts
        self.written = 0
        self.cached = 0
        self.read = False
        self.dropped = False
        self._told = self._begun = False
        self.loop = asyncio.get_running_loop()
        self._stir = asyncio.Event()
        self._lock = threading.Lock()
        self._pieces: deque[Delta] = deque()
        self._error: StelaeError | None = None

    @property
    def ahead(self) -> bool:
        """Whether enough pieces wait to be taken."""
        return len(self._pieces) >= AHEAD

    @property
    def presses(self) -> bool:
        """Whether its pieces should not wait for more: the first, the last, and too many."""
        ended = not self.left or self._error is not None
        return ended or not self._begun or len(self._pieces) >= AHEAD // 2

    def put(self, piece: Delta) -> None:
        """A piece was made."""
        with self._lock:
            self._pieces.append(piece if self._told else self._first(piece))
            if piece.finish is not None:
                self.left -= 1
                if not self.left:
                    usage = ChatUsage(
                        prompt_tokens=len(self.prompt),
                        completion_tokens=self.written,
                        cached_tokens=self.cached,
                    )
                    self._pieces.append(Delta(usage=usage))

    def _first(self, piece: Delta) -> Delta:
        self._told = True
        read = ChatUsage(prompt_tokens=len(self.prompt), cached_tokens=self.cached)
        return replace(piece, read=read)

    def fail(self, error: StelaeError) -> None:
        """No further piece will come."""
        with self._lock:
            self._error = self._error or error

    def stir(self) -> None:
        """Wake who takes the pieces; on the event loop."""
        self._stir.set()

    async def take(self) -> list[Delta]:
        """All pieces made since the last time, at least one.

        Raises:
            StelaeError: The call failed; raised once the pieces made before are taken.
        """
        while True:
            with self._lock:
                made, self._pieces = list(self._pieces), deque()
                error = self._error
            if made:
                self._begun = True
                return made
            if error is not None:
                raise from_info(error.info)
            await self._stir.wait()
            self._stir.clear()


def _digest(image: bytes) -> bytes:
    return hashlib.blake2b(image, digest_size=16).digest()


@dataclass(slots=True, eq=False)
class Sequence:
    """One text.

    Attributes:
        request: Its call.
        index: Which of the call's texts it is.
        ids: Tokens of the conversation and, behind them, of the text.
        limit: Most tokens of the text.
        sampler: Chooses them.
        writer: Makes text of them.
        call: What was asked.
        lora: The adapter that it runs with.
        sight: The pictures of its conversation, if it has any.
        memory: Keys and values of the tokens that ran; ``None`` before the first did.
        ran: How many did.
        done: Whether it has ended.
        broken: Whether its memory may be in any state.
        kind: What keys and values depend on, besides tokens, and whose they are.
    """

    request: Request
    index: int
    ids: list[int]
    limit: int
    sampler: Sampler
    writer: Writer
    call: ChatCall
    lora: Any = None
    sight: Any = None
    memory: Memory | None = None
    ran: int = 0
    done: bool = False
    broken: bool = False
    kind: Hashable = field(init=False)

    def __post_init__(self) -> None:
        seen = [_digest(image) for message in self.call.messages for image in message.images]
        self.kind = (self.call.cache_salt, self.call.lora, *seen)

    @property
    def waits(self) -> int:
        """Tokens that have yet to run."""
        return len(self.ids) - self.ran

    @property
    def follows(self) -> bool:
        """Whether another text of its call reads the conversation first."""
        return self.index > 0 and not self.request.read and not self.ran

    @property
    def over(self) -> bool:
        """Whether it needs no further step."""
        return self.done or self.request.dropped

    def needs(self, tokens: int) -> int:
        """Room in the memory once so many more have run."""
        return blocks(self.ran + tokens)

    def borrow(self, memory: Memory, tokens: int) -> None:
        """Begin with a memory of its first tokens."""
        self.memory, self.ran = memory, tokens
        if self.index == 0 and not self.request.read:
            self.request.cached = tokens

    def read(self) -> Read[Memory] | None:
        """What has run, with its memory, if anything has."""
        if self.memory is None:
            return None
        return Read(self.kind, Ids(self.ids[: self.ran]), self.memory)

    def forget(self) -> None:
        """Give the memory back; the tokens run again later."""
        if self.memory is not None:
            self.memory.release()
        self.memory, self.ran = None, 0

    def advance(self, scores: Tensor, ends: frozenset[int], decode: Decode) -> None:
        """Choose the next token and tell what became certain."""
        self.request.read = True
        token = self.sampler.choose(scores)
        self.request.written += 1
        if token in ends or token in self.call.sampling.stop_tokens:
            self._finish(Finish.STOP, self.writer.rest())
            return
        self.ids.append(token)
        logprobs = self._logprobs(scores, token, decode)
        text = self.writer.add(token)
        written = len(self.ids) - len(self.request.prompt)
        finish = None
        if self.writer.stopped:
            finish = Finish.STOP
        elif self.sampler.over:
            text += self.writer.rest()
            finish = Finish.STOP
        elif written >= self.limit:
            text += self.writer.rest()
            finish = Finish.STOP if self.writer.stopped else Finish.LENGTH
        self._put(Delta(index=self.index, text=text, tokens=[token], logprobs=logprobs), finish)

    def _put(self, piece: Delta, finish: Finish | None) -> None:
        self.request.put(piece)
        if finish is not None:
            self._finish(finish, "")

    def _finish(self, finish: Finish, text: str) -> None:
        self.done = True
        stopped_by = self.writer.stopped_by
        self.request.put(Delta(index=self.index, text=text, finish=finish, stopped_by=stopped_by))

    def _logprobs(self, scores: Tensor, token: int, decode: Decode) -> list[TokenLogprob]:
        how = self.call.sampling
        if not how.logprobs:
            return []
        chances = torch.log_softmax(scores, 0)
        values, ids = torch.topk(chances, min(how.top_logprobs, len(chances)))
        top = [
            TopToken(token=decode([i]), id=i, logprob=value)
            for i, value in zip(ids.tolist(), values.tolist(), strict=True)
        ]
        chosen = float(chances[token])
        return [TokenLogprob(token=decode([token]), id=token, logprob=chosen, top=top)]
