"""OpenAI's answers to chats, whole or in events."""

from __future__ import annotations

import time
import uuid
from typing import Any

import msgspec

from stelae.dialects.openai.chat_answers import (
    Answered,
    ChatChoice,
    ChatCompletion,
    Completion,
    CompletionDetails,
    Logprob,
    Logprobs,
    PromptDetails,
    TopLogprob,
    Usage,
)
from stelae.dialects.openai.chat_schema import Function, ToolCall
from stelae.dialects.writing import Called, Gathered, Written
from stelae.types import ChatUsage, Delta, Finish, TokenLogprob, ToolPiece, TopToken


class Shape:
    """Makes the answer to one request, whole or in events.

    Args:
        model: Name of the model.
        prefix: How the name of the answer starts.
        kind: Its ``object``, whole.
        part: Its ``object``, in events.
    """

    def __init__(self, model: str, prefix: str, kind: str, part: str) -> None:
        self._id, self._created = f"{prefix}-{uuid.uuid4()}", int(time.time())
        self._model, self._kind, self._part = model, kind, part

    def whole(self, gathered: Gathered) -> ChatCompletion | Completion:
        """The answer."""
        raise NotImplementedError

    def opening(self, index: int) -> Any | None:
        """The first choice of an event for a text, if there is one."""
        raise NotImplementedError

    def choice(self, piece: Delta) -> Any:
        """A piece as the choice of an event."""
        raise NotImplementedError

    def chunk(self, choices: list[Any], usage: Any = msgspec.UNSET) -> bytes:
        """An event's data."""
        said = {
            "id": self._id,
            "object": self._part,
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }
        if usage is not msgspec.UNSET:
            said["usage"] = usage
        return msgspec.json.encode(said)


class ChatShape(Shape):
    """Answers of ``/v1/chat/completions``.

    Args:
        model: Name of the model.
        older: Whether a call is told as ``function_call``, as requests with ``functions`` expect.
    """

    def __init__(self, model: str, *, older: bool = False) -> None:
        super().__init__(model, "chatcmpl", "chat.completion", "chat.completion.chunk")
        self._older = older

    def whole(self, gathered: Gathered) -> ChatCompletion:
        """The answer."""
        choices = [
            ChatChoice(
                index=index,
                message=self._message(written),
                logprobs=logprobs(written.logprobs),
                finish_reason=self._finish(written.finish),
            )
            for index, written in enumerate(gathered.texts)
        ]
        return ChatCompletion(
            id=self._id,
            created=self._created,
            object=self._kind,
            model=self._model,
            choices=choices,
            usage=usage(gathered.usage),
        )

    def _message(self, written: Written) -> Answered:
        calls = written.calls
        return Answered(
            role="assistant",
            content=written.text,
            refusal=None,
            reasoning_content=written.reasoning,
            tool_calls=[] if self._older else [_tool_call(call) for call in calls],
            function_call=_function(calls[0]) if self._older and calls else None,
        )

    def _finish(self, finish: Finish) -> str:
        return "function_call" if self._older and finish is Finish.TOOL_CALLS else finish.value

    def opening(self, index: int) -> Any:
        """Who speaks."""
        said = {"role": "assistant", "content": ""}
        return {"index": index, "delta": said, "logprobs": None, "finish_reason": None}

    def choice(self, piece: Delta) -> Any:
        """A piece as the choice of an event."""
        said: dict[str, Any] = {}
        if piece.reasoning:
            said["reasoning_content"] = piece.reasoning
        if piece.tool is not None:
            said |= self._tool(piece.tool)
        if piece.text or not said:
            said["content"] = piece.text
        return {
            "index": piece.index,
            "delta": said,
            "logprobs": logprobs(piece.logprobs),
            "finish_reason": None if piece.finish is None else self._finish(piece.finish),
        }

    def _tool(self, piece: ToolPiece) -> dict[str, Any]:
        function = {"arguments": piece.arguments}
        if piece.name is not None:
            function = {"name": piece.name, **function}
        if self._older:
            return {"function_call": function} if piece.index == 0 else {}
        named = {} if piece.id is None else {"id": piece.id, "type": "function"}
        return {"tool_calls": [{"index": piece.index, **named, "function": function}]}


def _tool_call(call: Called) -> ToolCall:
    return ToolCall(id=call.id, function=_function(call))


def _function(call: Called) -> Function:
    return Function(name=call.name, arguments=call.arguments)


def tells(piece: Delta) -> bool:
    """Whether there is anything in a piece that an event would tell."""
    said = piece.text or piece.reasoning or piece.logprobs
    return bool(said) or piece.tool is not None or piece.finish is not None


def usage(used: ChatUsage) -> Usage:
    """Tokens of an answer, as this protocol tells them."""
    return Usage(
        prompt_tokens=used.prompt_tokens,
        completion_tokens=used.completion_tokens,
        total_tokens=used.total_tokens,
        prompt_tokens_details=PromptDetails(cached_tokens=used.cached_tokens),
        completion_tokens_details=CompletionDetails(reasoning_tokens=used.reasoning_tokens),
    )


def logprobs(told: list[TokenLogprob]) -> Logprobs | None:
    """Log-probabilities of a chat."""
    return Logprobs(content=[logprob(lp) for lp in told]) if told else None


def logprob(told: TokenLogprob) -> Logprob:
    """That of one token."""
    return Logprob(
        token=told.token,
        logprob=told.logprob,
        bytes=_bytes(told),
        top_logprobs=[
            TopLogprob(token=top.token, logprob=top.logprob, bytes=_bytes(top)) for top in told.top
        ],
    )


def _bytes(token: TopToken) -> list[int] | None:
    return None if "\ufffd" in token.token else list(token.token.encode())
