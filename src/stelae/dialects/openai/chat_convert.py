"""Between OpenAI's chats and completions and the calls and pieces of the house."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from stelae.dialects.openai.chat_schema import (
    Answered,
    ChatChoice,
    ChatCompletion,
    ChatMessage,
    ChatRequest,
    Completion,
    CompletionRequest,
    Logprob,
    Logprobs,
    TextChoice,
    TextLogprobs,
    ToolCall,
    TopLogprob,
    Usage,
)
from stelae.errors import InvalidInput
from stelae.types import (
    ChatCall,
    ChatUsage,
    Delta,
    Finish,
    Message,
    Part,
    Sampling,
    TextPart,
    TokenLogprob,
    ToolUse,
    TopToken,
)

NUMBERS = (
    "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty",
    "frequency_penalty", "seed",
)  # fmt: skip
"""Fields of a request that a call has too; ``null`` leaves the call's own."""


def chat_call(request: ChatRequest) -> ChatCall:
    """The call that a request for a chat means.

    Raises:
        InvalidInput: Something in it is not implemented, or is no call.
    """
    _check_format(request.response_format)
    tokens = request.max_completion_tokens
    return ChatCall(
        model=request.model,
        messages=[_message(m, f"messages[{i}]") for i, m in enumerate(request.messages)],
        tools=request.tools or [],
        tool_choice=_tool_choice(request.tool_choice),
        n=1 if request.n is None else request.n,
        sampling=msgspec.structs.replace(
            _sampling(request),
            max_tokens=request.max_tokens if tokens is None else tokens,
            logprobs=bool(request.logprobs),
            top_logprobs=request.top_logprobs or 0,
        ),
    )


def completion_call(request: CompletionRequest) -> ChatCall:
    """The call that a request for a completion means.

    Raises:
        InvalidInput: Something in it is not implemented.
    """
    prompts = [request.prompt] if isinstance(request.prompt, str) else request.prompt
    if len(prompts) != 1:
        raise InvalidInput(f"prompt: one text was expected, not {len(prompts)}", param="prompt")
    for name in ("echo", "suffix"):
        if getattr(request, name):
            raise InvalidInput(f"{name} is not implemented; leave it out", param=name)
    return ChatCall(
        model=request.model,
        prompt=prompts[0],
        n=1 if request.n is None else request.n,
        sampling=msgspec.structs.replace(
            _sampling(request),
            max_tokens=16 if request.max_tokens is None else request.max_tokens,
            logprobs=request.logprobs is not None,
            top_logprobs=request.logprobs or 0,
        ),
    )


def _sampling(request: ChatRequest | CompletionRequest) -> Sampling:
    given = {name: getattr(request, name) for name in NUMBERS}
    stop = [request.stop] if isinstance(request.stop, str) else request.stop or []
    biases = {_token(key): bias for key, bias in (request.logit_bias or {}).items()}
    fields = {name: value for name, value in given.items() if value is not None}
    return Sampling(stop=stop, logit_bias=biases, **fields)


def _token(key: str) -> int:
    if not (key.isascii() and key.isdigit() and len(key) < 10):
        raise InvalidInput(f"logit_bias: {key[:32]!r} is no token's number", param="logit_bias")
    return int(key)


def _message(message: ChatMessage, place: str) -> Message:
    return Message(
        role=message.role,
        content=_content(message, place),
        name=message.name,
        tool_calls=[_tool_use(c, f"{place}.tool_calls") for c in message.tool_calls or []],
        tool_call_id=message.tool_call_id,
    )


def _content(message: ChatMessage, place: str) -> list[Part]:
    given = message.content
    if given is None:
        if not message.tool_calls:
            raise InvalidInput(f"{place}.content is missing", param=f"{place}.content")
        return []
    if isinstance(given, str):
        return [TextPart(text=given)]
    for index, part in enumerate(given):
        if part.type != "text" or part.text is None:
            where = f"{place}.content[{index}]"
            raise InvalidInput(
                f"{where} is of type {part.type[:32]!r}; this model reads texts only", param=where
            )
    return [TextPart(text=part.text or "") for part in given]


def _tool_use(call: ToolCall, place: str) -> ToolUse:
    try:
        arguments = msgspec.json.decode(call.function.arguments or "{}", type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(
            f"{place}: arguments are no JSON object: {error}", param=place
        ) from error
    return ToolUse(id=call.id, name=call.function.name, arguments=arguments)


def _tool_choice(given: str | dict[str, Any] | None) -> Any:
    if given in (None, "auto"):
        return "auto"
    if given == "none":
        return "none"
    shown = given[:32] if isinstance(given, str) else "a named tool"
    raise InvalidInput(
        f"tool_choice={shown!r} is not implemented; choose 'auto' or 'none'", param="tool_choice"
    )


def _check_format(given: dict[str, Any] | None) -> None:
    if given is not None and given.get("type") != "text":
        kind = str(given.get("type"))[:32]
        raise InvalidInput(
            f"response_format: type {kind!r} is not implemented; only 'text'",
            param="response_format",
        )


@dataclass(slots=True)
class Written:
    """One text of an answer, put together."""

    text: str = ""
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish: Finish = Finish.STOP


@dataclass(slots=True)
class Gathered:
    """An answer, put together."""

    texts: list[Written]
    usage: ChatUsage = field(default_factory=ChatUsage)

    def add(self, pieces: Iterable[Delta]) -> None:
        """More of it."""
        for piece in pieces:
            if piece.usage is not None:
                self.usage = piece.usage
                continue
            written = self.texts[piece.index]
            written.text += piece.text
            written.logprobs += piece.logprobs
            written.finish = piece.finish or written.finish


class Shape:
    """Makes the answer to one request, whole or in events.

    Args:
        model: Name of the model.
        prefix: How the name of the answer starts.
        kind: Its ``object``, whole.
        part: Its ``object``, in events.
    """

    def __init__(self, model: str, prefix: str, kind: str, part: str) -> None:
        self._id, self._created = f"{prefix}-{uuid.uuid4().hex}", int(time.time())
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
    """Answers of ``/v1/chat/completions``."""

    def __init__(self, model: str) -> None:
        super().__init__(model, "chatcmpl", "chat.completion", "chat.completion.chunk")

    def whole(self, gathered: Gathered) -> ChatCompletion:
        """The answer."""
        choices = [
            ChatChoice(
                index=index,
                message=Answered(role="assistant", content=written.text),
                logprobs=logprobs(written.logprobs),
                finish_reason=written.finish,
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

    def opening(self, index: int) -> Any:
        """Who speaks."""
        said = {"role": "assistant", "content": ""}
        return {"index": index, "delta": said, "logprobs": None, "finish_reason": None}

    def choice(self, piece: Delta) -> Any:
        """A piece as the choice of an event."""
        return {
            "index": piece.index,
            "delta": {"content": piece.text} if piece.text else {},
            "logprobs": logprobs(piece.logprobs),
            "finish_reason": piece.finish,
        }


class CompletionShape(Shape):
    """Answers of ``/v1/completions``."""

    def __init__(self, model: str) -> None:
        super().__init__(model, "cmpl", "text_completion", "text_completion")
        self._told: dict[int, int] = {}

    def whole(self, gathered: Gathered) -> Completion:
        """The answer."""
        choices = [
            TextChoice(
                index=index,
                text=written.text,
                logprobs=text_logprobs(written.logprobs, 0),
                finish_reason=written.finish,
            )
            for index, written in enumerate(gathered.texts)
        ]
        return Completion(
            id=self._id,
            created=self._created,
            object=self._kind,
            model=self._model,
            choices=choices,
            usage=usage(gathered.usage),
        )

    def opening(self, index: int) -> None:
        """There is none."""
        del index

    def choice(self, piece: Delta) -> Any:
        """A piece as the choice of an event."""
        start = self._told.get(piece.index, 0)
        told = text_logprobs(piece.logprobs, start)
        self._told[piece.index] = start + sum(len(lp.token) for lp in piece.logprobs)
        return TextChoice(
            index=piece.index, text=piece.text, logprobs=told, finish_reason=piece.finish
        )


def usage(used: ChatUsage) -> Usage:
    """Tokens of an answer, as this protocol tells them."""
    return Usage(
        prompt_tokens=used.prompt_tokens,
        completion_tokens=used.completion_tokens,
        total_tokens=used.total_tokens,
    )


def logprobs(told: list[TokenLogprob]) -> Logprobs | None:
    """Log-probabilities of a chat."""
    if not told:
        return None
    content = [
        Logprob(
            token=lp.token,
            logprob=lp.logprob,
            bytes=_bytes(lp),
            top_logprobs=[
                TopLogprob(token=top.token, logprob=top.logprob, bytes=_bytes(top))
                for top in lp.top
            ],
        )
        for lp in told
    ]
    return Logprobs(content=content)


def text_logprobs(told: list[TokenLogprob], start: int) -> TextLogprobs | None:
    """Log-probabilities of a completion; ``start`` is where its first token stands."""
    if not told:
        return None
    offsets = [start]
    for lp in told[:-1]:
        offsets.append(offsets[-1] + len(lp.token))
    return TextLogprobs(
        tokens=[lp.token for lp in told],
        token_logprobs=[lp.logprob for lp in told],
        top_logprobs=[{top.token: top.logprob for top in lp.top} for lp in told],
        text_offset=offsets,
    )


def _bytes(token: TopToken) -> list[int] | None:
    return None if "\ufffd" in token.token else list(token.token.encode())
