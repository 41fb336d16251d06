"""Asks with the client of Anthropic."""

from __future__ import annotations

from typing import Any

from anthropic import Anthropic
from asking import LONGEST, Answer, ask_all, said


def asked(prompt: dict[str, Any]) -> dict[str, Any]:
    """What is sent; tools in the form of this protocol."""
    functions = [tool["function"] for tool in prompt["tools"]]
    tools = [
        {"name": f["name"], "description": f["description"], "input_schema": f["parameters"]}
        for f in functions
    ]
    more = {"tools": tools} if tools else {}
    how = {"extra_body": {"temperature": 0}, "max_tokens": LONGEST}  # no argument since 2.0
    return {"model": "talker", "messages": said(prompt), **how, **more}


def whole(address: str, prompt: dict[str, Any]) -> Answer:
    """In one piece."""
    client: Any = Anthropic(base_url=f"{address}/anthropic", api_key="any")
    return _read(client.messages.create(**asked(prompt)))


def streamed(address: str, prompt: dict[str, Any]) -> Answer:
    """In events, put together by the client."""
    client: Any = Anthropic(base_url=f"{address}/anthropic", api_key="any")
    with client.messages.stream(**asked(prompt)) as stream:
        return _read(stream.get_final_message())


def looped(address: str, prompt: dict[str, Any]) -> Answer:
    """What is said once the tool has answered."""
    client: Any = Anthropic(base_url=f"{address}/anthropic", api_key="any")
    ask = asked(prompt)
    content = client.messages.create(**ask).content
    (use,) = (block for block in content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": use.id, "content": prompt["result"]}
    ask["messages"] += [
        {"role": "assistant", "content": content},
        {"role": "user", "content": [result]},
    ]
    return _read(client.messages.create(**ask))


def _read(message: Any) -> Answer:
    text = "".join(block.text for block in message.content if block.type == "text")
    uses = [block for block in message.content if block.type == "tool_use"]
    assert message.stop_reason == ("tool_use" if uses else "end_turn")
    return text, [(use.name, use.input) for use in uses]


if __name__ == "__main__":
    ask_all(whole, streamed, after=looped)
