"""What a model writes, as Ollama's answers: whole, or line by line."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from stelae.dialects.ollama.schema import OllamaAnswer
from stelae.dialects.writing import Called, Gathered, Written
from stelae.types import Delta, Finish, TokenLogprob, TopToken

REASONS = {Finish.LENGTH: "length"}
"""Why a text ends; all others are ``stop``."""


def stamp(seconds: float | None = None) -> str:
    """A time as this protocol writes it; now if none is given."""
    moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat().replace("+00:00", "Z")


@dataclass(slots=True)
class Clock:
    """How long the parts of an answer take, on the clock of ``time.perf_counter``.

    Attributes:
        started: When the request came.
        loaded: Whether the model was there then.
        first: When the first piece came.
    """

    started: float
    loaded: bool
    first: float | None = None

    def tick(self) -> None:
        """A piece has come."""
        self.first = self.first or time.perf_counter()

    @property
    def durations(self) -> dict[str, int]:
        """Nanoseconds of each part, if it ends now."""
        now = time.perf_counter()
        first = self.first or now
        before = _nanoseconds(first - self.started)
        return {
            "total_duration": _nanoseconds(now - self.started),
            "load_duration": 0 if self.loaded else before,
            "prompt_eval_duration": before if self.loaded else 1,
            "eval_duration": _nanoseconds(now - first),
        }


def _nanoseconds(seconds: float) -> int:
    return max(1, round(seconds * 1e9))


class Teller:
    """Makes the lines of one answer.

    Args:
        model: The name that was asked for.
        clock: Began with the request.
        chat: Whether it is a message, or a response alone.
    """

    def __init__(self, model: str, clock: Clock, *, chat: bool) -> None:
        self._model, self._clock, self._chat = model, clock, chat
        self._gathered = Gathered(1)
        self._told = 0

    def begin(self) -> None:
        """The first piece has come."""
        self._clock.tick()

    def lines(self, pieces: Iterable[Delta]) -> list[OllamaAnswer]:
        """What these pieces add; calls of tools are told once they are whole."""
        self.begin()
        made = []
        for piece in pieces:
            self._gathered.add([piece])
            calls = self._calls(whole=piece.finish is not None)
            if piece.text or piece.reasoning or calls or piece.logprobs:
                part = Written(piece.text, piece.reasoning, calls, logprobs=piece.logprobs)
                made.append(self._line(part))
        return made

    def _calls(self, *, whole: bool) -> list[Called]:
        """Calls that are whole now and were not told yet: all but the last, or all."""
        calls = self._gathered.texts[0].calls
        known = len(calls) if whole else max(len(calls) - 1, 0)
        fresh, self._told = calls[self._told : known], max(known, self._told)
        return fresh

    def last(self) -> OllamaAnswer:
        """The line that ends the answer."""
        return self._ended(Written())

    def whole(self, gathered: Gathered) -> OllamaAnswer:
        """The answer in one."""
        self._gathered = gathered
        return self._ended(gathered.texts[0])

    def loaded(self, reason: str) -> OllamaAnswer:
        """The answer to a request that says nothing."""
        line = self._line(Written(), done=True, done_reason=reason)
        spent = {"total_duration": self._clock.durations["total_duration"]}
        return msgspec.structs.replace(line, **spent)

    def _ended(self, written: Written) -> OllamaAnswer:
        usage = self._gathered.usage
        return self._line(
            written,
            done=True,
            done_reason=REASONS.get(self._gathered.texts[0].finish, "stop"),
            prompt_eval_count=usage.prompt_tokens,
            eval_count=usage.completion_tokens,
            **self._clock.durations,
        )

    def _line(self, written: Written, *, done: bool = False, **more: Any) -> OllamaAnswer:
        return OllamaAnswer(
            model=self._model,
            created_at=stamp(),
            done=done,
            logprobs=[_logprob(token) for token in written.logprobs] or None,
            **self._said(written),
            **more,
        )

    def _said(self, written: Written) -> dict[str, Any]:
        beside: dict[str, Any] = {}
        if written.reasoning:
            beside["thinking"] = written.reasoning
        if written.calls:
            beside["tool_calls"] = [_call(call) for call in written.calls]
        if not self._chat:
            return {"response": written.text, **beside}
        return {"message": {"role": "assistant", "content": written.text, **beside}}


def _call(call: Called) -> dict[str, Any]:
    return {"id": call.id, "function": {"name": call.name, "arguments": call.fields}}


def _logprob(token: TokenLogprob) -> dict[str, Any]:
    return {**_token(token), "top_logprobs": [_token(top) for top in token.top]}


def _token(token: TopToken) -> dict[str, Any]:
    known = None if "\ufffd" in token.token else list(token.token.encode())
    return {"token": token.token, "logprob": token.logprob, "bytes": known}
