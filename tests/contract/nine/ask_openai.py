"""Asks with the client of OpenAI."""

from __future__ import annotations

import json
from typing import Any

from asking import LONGEST, Answer, ask_all, said
from openai import OpenAI


def asked(prompt: dict[str, Any]) -> dict[str, Any]:
    """What is sent; tools as they are."""
    how = {"temperature": 0, "max_tokens": LONGEST}
    tools = {"tools": prompt["tools"]} if prompt["tools"] else {}
    return {"model": "talker", "messages": said(prompt), **how, **tools}


def whole(address: str, prompt: dict[str, Any]) -> Answer:
    """In one piece."""
    client: Any = OpenAI(base_url=f"{address}/v1", api_key="any")
    (choice,) = client.chat.completions.create(**asked(prompt)).choices
    calls = choice.message.tool_calls or []
    assert choice.finish_reason == ("tool_calls" if calls else "stop")
    assert all(call.id and call.type == "function" for call in calls)
    made = [(call.function.name, json.loads(call.function.arguments)) for call in calls]
    return choice.message.content or "", made


def streamed(address: str, prompt: dict[str, Any]) -> Answer:
    """In events."""
    client: Any = OpenAI(base_url=f"{address}/v1", api_key="any")
    text = ""
    calls: dict[int, list[str]] = {}
    for chunk in client.chat.completions.create(**asked(prompt), stream=True):
        delta = chunk.choices[0].delta
        text += delta.content or ""
        for piece in delta.tool_calls or []:
            call = calls.setdefault(piece.index, ["", ""])
            call[0] += piece.function.name or ""
            call[1] += piece.function.arguments or ""
    return text, [(name, json.loads(arguments)) for name, arguments in calls.values()]


def responded(address: str, prompt: dict[str, Any]) -> Answer:
    """By the newer of its two calls."""
    client: Any = OpenAI(base_url=f"{address}/v1", api_key="any")
    tools = [{"type": "function", **tool["function"]} for tool in prompt["tools"]]
    made = client.responses.create(
        model="talker", input=prompt["user"], tools=tools, temperature=0, max_output_tokens=LONGEST
    )
    calls = [item for item in made.output if item.type == "function_call"]
    return made.output_text, [(call.name, json.loads(call.arguments)) for call in calls]


def looped(address: str, prompt: dict[str, Any]) -> Answer:
    """What is said once the tool has answered."""
    client: Any = OpenAI(base_url=f"{address}/v1", api_key="any")
    ask = asked(prompt)
    message = client.chat.completions.create(**ask).choices[0].message
    (call,) = message.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": prompt["result"]}
    ask["messages"] += [message.model_dump(exclude_none=True), result]
    made = client.chat.completions.create(**ask).choices[0].message
    assert not made.tool_calls
    return made.content, []


if __name__ == "__main__":
    ask_all(whole, streamed, responded, after=looped)
