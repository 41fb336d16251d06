"""Asks with the client of Ollama."""

from __future__ import annotations

from typing import Any

from asking import LONGEST, Answer, ask_all, said
from ollama import Client


def asked(prompt: dict[str, Any]) -> dict[str, Any]:
    """What is sent; tools as they are."""
    how = {"temperature": 0, "num_predict": LONGEST}
    tools = prompt["tools"] or None
    return {"model": "talker", "messages": said(prompt), "tools": tools, "options": how}


def whole(address: str, prompt: dict[str, Any]) -> Answer:
    """In one piece."""
    message: Any = Client(address).chat(**asked(prompt)).message
    return message.content or "", _calls(message)


def streamed(address: str, prompt: dict[str, Any]) -> Answer:
    """In lines."""
    text = ""
    calls = []
    parts: Any = Client(address).chat(**asked(prompt), stream=True)
    for part in parts:
        text += part.message.content or ""
        calls += _calls(part.message)
    return text, calls


def looped(address: str, prompt: dict[str, Any]) -> Answer:
    """What is said once the tool has answered."""
    ask = asked(prompt)
    message: Any = Client(address).chat(**ask).message
    result = {"role": "tool", "tool_name": prompt["tool"], "content": prompt["result"]}
    ask["messages"] += [message, result]
    made: Any = Client(address).chat(**ask).message
    return made.content or "", _calls(made)


def _calls(message: Any) -> list[tuple[str, dict[str, Any]]]:
    uses = [call.function for call in message.tool_calls or []]
    return [(use.name, dict(use.arguments)) for use in uses]


if __name__ == "__main__":
    ask_all(whole, streamed, after=looped)
