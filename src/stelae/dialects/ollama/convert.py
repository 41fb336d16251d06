"""From Ollama's requests to the calls of the house."""

from __future__ import annotations

import re
from collections import deque
from typing import Any

import msgspec

from stelae.dialects.decode import decode
from stelae.dialects.ollama.schema import (
    OllamaChatRequest,
    OllamaGenerateRequest,
    OllamaMessage,
    RuntimeOptions,
    Think,
    ToolCall,
)
from stelae.dialects.writing import arguments, base64_picture, new_id
from stelae.errors import InvalidInput
from stelae.security.fetch import Fetcher
from stelae.types import (
    ChatCall,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    Sampling,
    Speaker,
    Structure,
    TextPart,
    ToolUse,
)

DEFAULTS = {"temperature": 0.8, "top_k": 40, "top_p": 0.9}
"""Of this protocol, where a request has no other."""

RENAMED = {"repeat_penalty": "repetition_penalty", "num_predict": "max_tokens"}
"""Options that the house calls otherwise."""

LEVELS = ("low", "medium", "high")
"""How much a model may think, for templates that know ``reasoning_effort``."""

_OPTIONS = msgspec.json.Decoder(RuntimeOptions)
_PLACE = re.compile(r"{{-?\s*\.(System|Prompt|Response)\s*-?}}")


def ignored(options: dict[str, Any] | None) -> list[str]:
    """Options that mean nothing here."""
    return [name for name in options or () if name not in RuntimeOptions.__struct_fields__]


def chat_call(request: OllamaChatRequest, model: str, fetcher: Fetcher) -> ChatCall:
    """The call that a request for a chat means.

    Args:
        request: What was sent; it has messages.
        model: The model's name here.
        fetcher: Bounds the size of pictures.

    Raises:
        InvalidInput: Something in it cannot be read.
    """
    return ChatCall(
        model=model,
        messages=_messages(request.messages or [], fetcher),
        tools=request.tools or [],
        **_common(request),
    )


def generate_call(request: OllamaGenerateRequest, model: str, fetcher: Fetcher) -> ChatCall:
    """The call that a request to go on with a prompt means; see ``chat_call``."""
    _refuse(request)
    prompt, images = request.prompt or "", request.images or []
    common = _common(request)
    if request.raw or request.template:
        if images:
            raise InvalidInput("images need the model's own template", param="images")
        text = prompt if request.raw else _filled(request.template or "", request)
        return ChatCall(model=model, prompt=text, **common)
    said = [OllamaMessage(role=Speaker.USER, content=prompt, images=images)]
    if request.system:
        said.insert(0, OllamaMessage(role=Speaker.SYSTEM, content=request.system))
    return ChatCall(model=model, messages=_messages(said, fetcher), **common)


def _refuse(request: OllamaGenerateRequest) -> None:
    if request.suffix:
        raise InvalidInput("suffix: texts are not filled in here; leave it out", param="suffix")
    if request.context:
        raise InvalidInput(
            "context: nothing is kept between requests; leave it out",
            param="context",
            hint="send the conversation to /api/chat",
        )


def _common(request: OllamaChatRequest | OllamaGenerateRequest) -> dict[str, Any]:
    logprobs = bool(request.logprobs)
    sampling = msgspec.structs.replace(
        _sampling(request.options or {}),
        logprobs=logprobs,
        top_logprobs=(request.top_logprobs or 0) if logprobs else 0,
    )
    return {
        "sampling": sampling,
        "structure": _structure(request.format),
        **_reasoning(request.think),
    }


def _sampling(given: dict[str, Any]) -> Sampling:
    counted = {name: given[name] for name in RuntimeOptions.__struct_fields__ if name in given}
    try:
        read = decode(_OPTIONS, msgspec.json.encode(counted))
    except InvalidInput as error:
        raise InvalidInput(f"options.{error.message}", param=f"options.{error.param}") from error
    values = {name: getattr(read, name) for name in read.__struct_fields__}
    if isinstance(read.stop, str):
        values["stop"] = [read.stop]
    if read.num_predict is not None and read.num_predict <= 0:
        values["num_predict"] = None
    if read.seed is not None and read.seed < 0:
        values["seed"] = None
    chosen = {RENAMED.get(name, name): v for name, v in values.items() if v is not None}
    return Sampling(**(DEFAULTS | chosen))


def _structure(form: str | dict[str, Any] | None) -> Structure | None:
    if not form:
        return None
    if isinstance(form, dict):
        return Structure(json_schema=form)
    if form != "json":
        raise InvalidInput(
            f"format={form[:32]!r}: 'json' or a JSON Schema was expected", param="format"
        )
    return Structure(json_object=True)


def _reasoning(think: Think | None) -> dict[str, Any]:
    if think is None or isinstance(think, bool):
        return {"reasoning": think}
    if think not in LEVELS:
        raise InvalidInput(
            f"think={think[:32]!r}: true, false, {', '.join(LEVELS)} were expected", param="think"
        )
    return {"reasoning": True, "template_options": {"reasoning_effort": think}}


def _filled(template: str, request: OllamaGenerateRequest) -> str:
    """A template with its places filled, up to where the model goes on."""
    before = template
    for place in _PLACE.finditer(template):
        if place[1] == "Response":
            before = template[: place.start()]
            break
    if "{{" in _PLACE.sub("", before):
        raise InvalidInput(
            "template: only {{ .System }}, {{ .Prompt }} and {{ .Response }} are read",
            param="template",
            hint="leave it out for the model's own, or send a whole prompt with raw",
        )
    texts = {"System": request.system or "", "Prompt": request.prompt or ""}
    return _PLACE.sub(lambda place: texts[place[1]], before)


def _messages(given: list[OllamaMessage], fetcher: Fetcher) -> list[Message]:
    """Messages; results are matched with calls of tools, whose names few clients keep."""
    waiting: deque[ToolUse] = deque()
    made = []
    for index, message in enumerate(given):
        place = f"messages[{index}]"
        calls = [_use(call, f"{place}.tool_calls") for call in message.tool_calls or []]
        waiting.extend(calls)
        answers = _answered(message, waiting) if message.role is Speaker.TOOL else None
        made.append(
            Message(
                role=message.role,
                content=_content(message, place, fetcher),
                name=message.tool_name,
                tool_calls=calls,
                tool_call_id=answers,
            )
        )
    return made


def _use(call: ToolCall, place: str) -> ToolUse:
    given = call.function.arguments
    read = arguments(given, place) if isinstance(given, str) else given
    return ToolUse(id=call.id or new_id("call_"), name=call.function.name, arguments=read)


def _answered(message: OllamaMessage, waiting: deque[ToolUse]) -> str | None:
    """The call that a message of a tool answers: by its name, its tool's, or in order."""
    if message.tool_call_id is not None:
        matching = [use for use in waiting if use.id == message.tool_call_id]
    else:
        matching = [use for use in waiting if message.tool_name in (None, "", use.name)]
    if not matching:
        return message.tool_call_id
    waiting.remove(matching[0])
    return matching[0].id


def _content(message: OllamaMessage, place: str, fetcher: Fetcher) -> list[Part]:
    parts: list[Part] = []
    if message.thinking:
        parts.append(ReasoningPart(text=message.thinking))
    for index, image in enumerate(message.images or []):
        data = base64_picture(fetcher, image, f"{place}.images[{index}]")
        parts.append(ImagePart(image=data))
    if message.content or not parts:
        parts.append(TextPart(text=message.content or ""))
    return parts
