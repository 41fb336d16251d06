"""Whatever a request for a text holds, it is read or refused by name: nothing else happens."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stelae.dialects.openai.chat_read import chat_call, completion_calls
from stelae.dialects.openai.chat_routes import CHAT, COMPLETION
from stelae.dialects.openai.options import understood
from stelae.dialects.openai.responses.read import items_of, response_call
from stelae.dialects.openai.responses.routes import RESPONSE
from stelae.errors import InvalidInput
from stelae.security.fetch import Fetcher
from stelae.service.chatting import check_chat

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
KINDS = st.sampled_from(
    ["text", "image_url", "input_text", "input_image", "message", "function_call", "reasoning",
     "function_call_output", "function", "json_schema", "allowed_tools", "user", "tool"]
)  # fmt: skip


def things(*names: str) -> Any:
    """Objects with some of these fields, which hold anything."""
    return st.fixed_dictionaries(
        {"type": KINDS}, optional={name: ANY | KINDS | st.just("{}") for name in names}
    )


PARTS = things("text", "image_url", "detail")
CALLS = things("id", "function", "name", "arguments")
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "function", "wizard"])},
    optional={
        "content": ANY | st.lists(PARTS, max_size=3),
        "tool_calls": ANY | st.lists(CALLS, max_size=2),
        "tool_call_id": ANY,
        "function_call": ANY | CALLS,
        "name": ANY,
        "reasoning_content": ANY,
    },
)
STEPS = things("id", "role", "content", "call_id", "name", "arguments", "output")
OPTIONS = [
    "tools", "tool_choice", "functions", "function_call", "response_format", "guided_json",
    "guided_choice", "stop", "n", "seed", "logit_bias", "chat_template_kwargs", "extra_body",
    "stream_options", "reasoning_effort", "text", "reasoning", "metadata", "include",
]  # fmt: skip
MORE = st.dictionaries(
    st.sampled_from(OPTIONS), ANY | CALLS | st.lists(CALLS, max_size=2), max_size=3
)


def passes_or_is_refused(read: Any) -> None:
    with suppress(InvalidInput):
        for call in read():
            check_chat(call)


@pytest.mark.slow
@given(st.lists(MESSAGES, max_size=3), MORE)
def test_chats(messages: list[Any], more: dict[str, Any]) -> None:
    body = msgspec.json.encode({"model": "m", "messages": messages, **more})

    def read() -> list[Any]:
        return [asyncio.run(chat_call(understood(CHAT, body), Fetcher()))]

    passes_or_is_refused(read)


@pytest.mark.slow
@given(ANY | st.lists(st.integers(-1, 9)) | st.lists(st.text(max_size=3)), MORE)
def test_completions(prompt: Any, more: dict[str, Any]) -> None:
    body = msgspec.json.encode({"model": "m", "prompt": prompt, **more})
    passes_or_is_refused(lambda: completion_calls(understood(COMPLETION, body)))


@pytest.mark.slow
@given(ANY | st.lists(STEPS, max_size=4), MORE)
def test_responses(steps: Any, more: dict[str, Any]) -> None:
    body = msgspec.json.encode({"model": "m", "input": steps, **more})

    def read() -> list[Any]:
        asked = understood(RESPONSE, body)
        assert items_of(asked) is not None
        return [asyncio.run(response_call(asked, (), Fetcher()))]

    passes_or_is_refused(read)
