"""Calls of models that write: what no model can answer is refused, and named."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from stelae.errors import InvalidInput
from stelae.service.chatting import check_chat
from stelae.types import (
    ChatCall,
    ImagePart,
    Message,
    NamedTool,
    Sampling,
    Speaker,
    Structure,
    TextPart,
)

HELLO = [Message(role=Speaker.USER, content=[TextPart(text="hello")])]
TOOLS: list[dict[str, Any]] = [{"type": "function", "function": {"name": "add"}}]
CALL = ChatCall(model="m", messages=HELLO, tools=TOOLS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tool_choice": "required", "tools": []}, "requires a call, but no tools are given"),
        ({"tool_choice": NamedTool(name="sub")}, "names 'sub', which is not in tools"),
        ({"tools": [{"type": "function"}]}, r"tools\[0\] has no function.name"),
        ({"tools": [{"function": {"name": "x" * 257}}]}, r"tools\[0\] has no function.name"),
        ({"tools": TOOLS * 1025}, "at most 1024"),
        ({"prompt_tokens": [1]}, "not both"),
        ({"messages": []}, "is empty"),
        ({"continues": True}, "no message of the assistant"),
        ({"structure": Structure()}, "states nothing; exactly one form"),
        ({"structure": Structure(regex="a", choice=["b"])}, "states regex and choice"),
        ({"sampling": Sampling(stop_tokens=[-1])}, "stop_tokens"),
    ],
)
def test_wrong_calls_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        check_chat(replace(CALL, **change))


def test_whole_calls_pass() -> None:
    said = [*HELLO, Message(role=Speaker.ASSISTANT, content=[TextPart(text="He")])]
    for change in (
        {"tool_choice": NamedTool(name="add")},
        {"tool_choice": "required"},
        {"messages": said, "continues": True},
        {"structure": Structure(json_object=True)},
        {"messages": [], "prompt_tokens": [1, 2]},
    ):
        assert check_chat(replace(CALL, **change)) > 0


def test_pictures_count_for_the_size() -> None:
    seen = [Message(role=Speaker.USER, content=[ImagePart(image=b"x" * 100_000)])]
    assert check_chat(replace(CALL, messages=seen)) - check_chat(CALL) >= 3 * 99_990


@pytest.mark.parametrize("given", [0, 2**31, 10**18])
def test_lengths_out_of_bounds_are_refused_with_the_bounds(given: int) -> None:
    with pytest.raises(InvalidInput, match=r"choose 1 to 2147483647"):
        check_chat(replace(CALL, sampling=Sampling(max_tokens=given)))
