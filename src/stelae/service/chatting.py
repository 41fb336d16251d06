"""What can be said of a chat call without knowing the model."""

from __future__ import annotations

import math
from typing import Any

import msgspec
from msgspec.structs import replace

from stelae.errors import InvalidInput
from stelae.types import ChatCall, Message, NamedTool, Sampling, Speaker, Structure

MESSAGES = 10_000
TEXTS = 64
STOPS, STOP_LETTERS = 64, 256
SALT_LETTERS = 1024
TOP_LOGPROBS = 20
BIASES = 1024
TOOLS, TOOL_LETTERS = 1024, 256
TOKENS = 2**31
"""Most of each that one call may have."""

ANSWER_BYTES = 64 << 10
"""Assumed size of one text, with what is held of it on the way."""

RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 100.0),
    "top_p": (0.0, 1.0),
    "top_k": (0, TOKENS),
    "min_p": (0.0, 1.0),
    "repetition_penalty": (0.0, 10.0),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
    "top_logprobs": (0, TOP_LOGPROBS),
}
"""Least and most of each number."""

POSITIVE = frozenset({"top_p", "repetition_penalty"})
"""Numbers that cannot be 0."""


def check_chat(call: ChatCall) -> int:
    """Refuse a call that no model can answer.

    Returns:
        Bytes that the call and its answer are expected to take.

    Raises:
        InvalidInput: What is wrong, and where.
    """
    given = (call.prompt is not None, bool(call.prompt_tokens), bool(call.messages))
    if sum(given) != 1:
        raise _wrong("messages", "is empty: give at least one message (or a prompt, not both)")
    if len(call.messages) > MESSAGES:
        raise _wrong("messages", f"has {len(call.messages)} messages, at most {MESSAGES} are taken")
    if not 1 <= call.n <= TEXTS:
        raise _wrong("n", f"is {call.n}; choose 1..{TEXTS}")
    _check_sampling(call.sampling)
    known: set[str] = set()
    for index, message in enumerate(call.messages):
        _check_message(message, f"messages[{index}]", known)
    if call.continues and (not call.messages or call.messages[-1].role is not Speaker.ASSISTANT):
        raise _wrong("messages", "ends with no message of the assistant to go on with")
    if len(call.cache_salt) > SALT_LETTERS:
        raise _wrong("cache_salt", f"has {len(call.cache_salt)} letters, at most {SALT_LETTERS}")
    _check_tools(call)
    if call.structure is not None:
        _check_structure(call.structure)
    return call.n * ANSWER_BYTES + 3 * _size(call)


def _check_sampling(how: Sampling) -> None:
    for name, (least, most) in RANGES.items():
        value = getattr(how, name)
        if not least <= value <= most or (name in POSITIVE and value == 0):
            low = "more than 0" if name in POSITIVE else f"{least:g}"
            raise _wrong(name, f"is {value}; choose {low} to {most:g}")
    if how.max_tokens is not None and not 1 <= how.max_tokens < TOKENS:
        raise _wrong("max_tokens", f"is {how.max_tokens}; choose 1 to {TOKENS - 1}")
    if len(how.stop) > STOPS or not all(0 < len(stop) <= STOP_LETTERS for stop in how.stop):
        raise _wrong("stop", f"takes up to {STOPS} texts of 1 to {STOP_LETTERS} letters")
    if len(how.stop_tokens) > STOPS or not all(0 <= token < TOKENS for token in how.stop_tokens):
        raise _wrong("stop_tokens", f"takes up to {STOPS} numbers of tokens")
    if len(how.logit_bias) > BIASES:
        raise _wrong("logit_bias", f"has {len(how.logit_bias)} tokens, at most {BIASES} are taken")
    for token, bias in how.logit_bias.items():
        if token < 0 or not -100 <= bias <= 100 or math.isnan(bias):
            raise _wrong("logit_bias", f"adds {bias} to token {token}; choose -100 to 100")
    if how.top_logprobs and not how.logprobs:
        raise _wrong("top_logprobs", "needs logprobs")


def _check_tools(call: ChatCall) -> None:
    if len(call.tools) > TOOLS:
        raise _wrong("tools", f"has {len(call.tools)} tools, at most {TOOLS} are taken")
    names = {_tool_name(tool, f"tools[{index}]") for index, tool in enumerate(call.tools)}
    if call.tool_choice == "required" and not names:
        raise _wrong("tool_choice", "requires a call, but no tools are given")
    if isinstance(call.tool_choice, NamedTool) and call.tool_choice.name not in names:
        raise _wrong("tool_choice", f"names {call.tool_choice.name[:64]!r}, which is not in tools")


def _tool_name(tool: dict[str, Any], place: str) -> str:
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or not 0 < len(name) <= TOOL_LETTERS:
        raise _wrong(place, f"has no function.name of 1 to {TOOL_LETTERS} letters")
    return name


def _check_structure(form: Structure) -> None:
    given = [
        name for name in form.__struct_fields__ if getattr(form, name) not in (None, False, [])
    ]
    if len(given) != 1:
        said = " and ".join(given) if given else "nothing"
        raise _wrong("structure", f"states {said}; exactly one form is taken")


def _check_message(message: Message, place: str, known: set[str]) -> None:
    said = message.text
    if not said.isascii() and any("\ud800" <= letter <= "\udfff" for letter in said):
        raise _wrong(place, "is not valid Unicode")
    if message.tool_calls and message.role is not Speaker.ASSISTANT:
        raise _wrong(place, f"calls tools, which a message of the {message.role} cannot")
    known.update(use.id for use in message.tool_calls)
    if message.role is not Speaker.TOOL:
        return
    if message.tool_call_id is None or message.tool_call_id not in known:
        raise _wrong(place, "answers no call of a tool that stands before it")


def _size(call: ChatCall) -> int:
    texts = sum(len(message.text) for message in call.messages) + len(call.prompt or "")
    texts += 8 * len(call.prompt_tokens)
    images = sum(len(image) for message in call.messages for image in message.images)
    return texts + images + (len(msgspec.json.encode(call.tools)) if call.tools else 0)


def bare_chat(call: ChatCall, model: str, key_id: str | None) -> ChatCall:
    """The call as workers need it: the model's own name, and whose memories it may share."""
    return replace(call, model=model, gpu=None, cache_salt=f"{key_id or ''}/{call.cache_salt}")


def _wrong(param: str, fault: str) -> InvalidInput:
    return InvalidInput(f"{param} {fault}", param=param)
