"""A response as it is told: what it was asked with, how it stands, and its events."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec

from stelae.dialects.openai.responses.schema import (
    InputDetails,
    OutputDetails,
    ResponseAnswer,
    ResponseRequest,
    ResponseUsage,
)
from stelae.dialects.openai.responses.write import Event, Output
from stelae.dialects.writing import new_id
from stelae.types import ChatUsage, Delta, Finish


class Telling:
    """One response, from its first piece to its last.

    Args:
        request: What was asked.
        model: Name of the model.

    Attributes:
        id: Name of the response.
    """

    def __init__(self, request: ResponseRequest, model: str) -> None:
        self.id, self._created = new_id("resp_"), int(time.time())
        self._request, self._model = request, model
        self._output, self._finish = Output(), Finish.STOP
        self._usage: ChatUsage | None = None

    async def events(self, made: AsyncGenerator[list[Delta]]) -> AsyncGenerator[Event]:
        """What is told of the steps while they are made.

        Raises:
            StelaeError: As the answer does.
        """
        async with aclosing(made):
            async for pieces in made:
                for piece in pieces:
                    for event in self._output.add(piece):
                        yield event
                    self._finish = piece.finish or self._finish
                    self._usage = piece.usage or self._usage
        for event in self._output.close(self.status):
            yield event

    @property
    def status(self) -> str:
        """How it ends."""
        return "incomplete" if self._finish is Finish.LENGTH else "completed"

    def begun(self) -> ResponseAnswer:
        """How it stands at first."""
        return self._answer("in_progress", stored=self._request.store is not False)

    def over(self, *, stored: bool) -> ResponseAnswer:
        """How it stands at last."""
        return self._answer(self.status, stored=stored)

    def failed(self, code: str, message: str) -> ResponseAnswer:
        """How it stands if it went wrong."""
        return self._answer("failed", stored=False, error={"code": code, "message": message})

    def _answer(
        self, status: str, *, stored: bool, error: dict[str, Any] | None = None
    ) -> ResponseAnswer:
        asked, over = self._request, status in ("completed", "incomplete")
        cut = {"reason": "max_output_tokens"} if status == "incomplete" else None
        effort = None if asked.reasoning is None else asked.reasoning.effort
        form = None if asked.text is None else asked.text.format
        return ResponseAnswer(
            id=self.id,
            object="response",
            created_at=self._created,
            completed_at=int(time.time()) if status == "completed" else None,
            status=status,
            model=self._model,
            output=self._output.items if over else [],
            error=error,
            incomplete_details=cut,
            usage=usage(self._usage) if over and self._usage else None,
            store=stored,
            previous_response_id=asked.previous_response_id,
            instructions=asked.instructions,
            max_output_tokens=asked.max_output_tokens,
            temperature=1.0 if asked.temperature is None else asked.temperature,
            top_p=1.0 if asked.top_p is None else asked.top_p,
            top_logprobs=asked.top_logprobs or 0,
            tools=asked.tools or [],
            tool_choice=asked.tool_choice or "auto",
            parallel_tool_calls=asked.parallel_tool_calls is not False,
            text={"format": form or {"type": "text"}},
            reasoning={"effort": effort, "summary": None},
            metadata=asked.metadata or {},
            user=asked.user,
        )


def usage(used: ChatUsage) -> ResponseUsage:
    """Tokens of an answer, as responses tell them."""
    return ResponseUsage(
        input_tokens=used.prompt_tokens,
        input_tokens_details=InputDetails(cached_tokens=used.cached_tokens),
        output_tokens=used.completion_tokens,
        output_tokens_details=OutputDetails(reasoning_tokens=used.reasoning_tokens),
        total_tokens=used.total_tokens,
    )


class Numbered:
    """Writes events with their places in the sequence."""

    def __init__(self) -> None:
        self._next = 0

    def __call__(self, event: Event) -> bytes:
        """An event as it is sent."""
        body = msgspec.json.encode({**event, "sequence_number": self._next}, enc_hook=str)
        self._next += 1
        return f"event: {event['type']}\ndata: ".encode() + body + b"\n\n"
