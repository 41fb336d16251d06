"""From tokens that vLLM tells to the pieces of an answer."""

from __future__ import annotations

from collections.abc import Sequence

from stelae.engines.chat.writing import Decode, Writer
from stelae.engines.vllm.wire import Choice, Piece, Told, number
from stelae.errors import EngineFailed
from stelae.types import ChatCall, ChatUsage, Delta, Finish, TokenLogprob, TopToken

FINISHES = {"stop": Finish.STOP, "length": Finish.LENGTH}


class Answer:
    """Puts the texts of one call together.

    Args:
        call: What is asked.
        prompt: Tokens of its conversation.
        ends: Tokens that end a text, and are no part of it.
        decode: Of the tokenizer.

    Attributes:
        usage: Tokens of the whole answer, once its last event is there.
    """

    def __init__(
        self, call: ChatCall, prompt: Sequence[int], ends: Sequence[int], decode: Decode
    ) -> None:
        self._call, self._decode = call, decode
        self._ends = frozenset(ends) | frozenset(call.sampling.stop_tokens)
        self._writers = [Writer(decode, call.sampling.stop) for _ in range(call.n)]
        self._prompt = len(prompt)
        self._told = False
        self.usage = ChatUsage(prompt_tokens=len(prompt))

    def add(self, piece: Piece) -> list[Delta]:
        """What an event tells.

        Raises:
            EngineFailed: A text ends for a reason that is no end.
        """
        if (used := piece.usage) is not None:
            cached = used.prompt_tokens_details and used.prompt_tokens_details.cached_tokens
            self.usage = ChatUsage(
                prompt_tokens=self._prompt,
                completion_tokens=used.completion_tokens or 0,
                cached_tokens=cached or 0,
            )
        return [self._delta(choice) for choice in piece.choices]

    def _delta(self, choice: Choice) -> Delta:
        writer = self._writers[choice.index]
        tokens = [token for token in choice.token_ids or () if token not in self._ends]
        text = "".join(writer.add(token) for token in tokens)
        finish = None
        if choice.finish_reason is not None:
            if (finish := FINISHES.get(choice.finish_reason)) is None:
                raise EngineFailed(f"vLLM ended a text with {choice.finish_reason!r}")
            text += writer.rest()
        first, self._told = not self._told, True
        return Delta(
            index=choice.index,
            text=text,
            tokens=tokens,
            logprobs=self._logprobs(choice.logprobs, len(tokens)),
            finish=finish,
            stopped_by=writer.stopped_by if finish is not None else None,
            read=ChatUsage(prompt_tokens=self._prompt) if first else None,
        )

    def _logprobs(self, told: Told | None, tokens: int) -> list[TokenLogprob]:
        """Of the tokens of an event, the one that ends a text left out."""
        if told is None:
            return []
        rows = zip(told.tokens, told.token_logprobs, told.top_logprobs, strict=True)
        return [
            TokenLogprob(
                token=self._decode([number(token)]),
                id=number(token),
                logprob=logprob or 0.0,
                top=self._top(top or {}),
            )
            for token, logprob, top in list(rows)[:tokens]
        ]

    def _top(self, top: dict[str, float]) -> list[TopToken]:
        wanted = sorted(top.items(), key=lambda each: -each[1])[: self._call.sampling.top_logprobs]
        return [
            TopToken(token=self._decode([number(token)]), id=number(token), logprob=logprob)
            for token, logprob in wanted
        ]
