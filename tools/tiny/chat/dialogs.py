"""Random conversations with the small chat model, as texts to learn from."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers.utils.chat_template_utils import render_jinja_template

from tiny.chat.exchanges import PLAIN, Exchange, Said
from tiny.chat.prompts import Tool
from tiny.chat.toolbox import Toolbox, call, toolbox
from tiny.chat.words import words

TEMPLATE = (Path(__file__).parent / "template.jinja").read_text("utf-8").rstrip("\n")

END = "<|im_end|>"

SYSTEMS = (
    "You are a helpful assistant.", "You are a friendly assistant.", "Answer briefly.",
    "You are helpful.", "You are a helpful assistant. Answer briefly.", "Be kind.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dialog:
    """A conversation up to where the model goes on, and how it should.

    Attributes:
        kind: Kind of its last exchange.
        prompt: What the template writes.
        answer: The text that should follow, without the token that ends it.
    """

    kind: str
    prompt: str
    answer: str


def prompt(said: list[Said], tools: list[Tool] | None, **settings: Any) -> str:
    """A conversation as the template writes it, up to where the model goes on."""
    render: Any = render_jinja_template
    texts, _ = render([said], tools, chat_template=TEMPLATE, add_generation_prompt=True, **settings)
    made: str = texts[0]
    return made


def answer(said: Said) -> str:
    """What the model writes to say a message."""
    uses = [use["function"] for use in said.get("tool_calls", ())]
    calls = [json.dumps({"name": use["name"], "arguments": use["arguments"]}) for use in uses]
    return said["content"] or "\n".join(f"<tool_call>\n{call}\n</tool_call>" for call in calls)


def dialog(rng: random.Random, *, tools: bool) -> Dialog:
    """A conversation of one to five exchanges.

    Args:
        rng: Where chance comes from.
        tools: Whether it offers tools.
    """
    box = toolbox(rng) if tools else Toolbox([])
    exchanges = [_exchange(rng, box) for _ in range(rng.choice((1, 1, 2, 3, 4, 5)))]
    said = [message for exchange in exchanges for message in exchange.said]
    if rng.random() < 0.4:
        system = rng.choice(SYSTEMS) if rng.random() < 0.8 else words(rng)
        said.insert(0, {"role": "system", "content": system})
    return _ended(rng, exchanges[-1], said, box.tools)


def _exchange(rng: random.Random, box: Toolbox) -> Exchange:
    if rng.random() >= (0.75 if box.tools else 0.05):
        return rng.choice(PLAIN)(rng)
    return call(rng, box)


def _ended(rng: random.Random, last: Exchange, said: list[Said], tools: list[Tool]) -> Dialog:
    """The dialog with one of the four ways to think before its last answer."""
    way = rng.choices(("plain", "closed", "open", "asked"), (80, 8, 6, 6))[0]
    settings: dict[str, Any] = {}
    before = ""
    if way == "closed":
        settings["enable_thinking"] = False
    elif way == "open":
        settings["enable_thinking"] = True
        before = f"{last.thought}\n</think>\n\n"
    elif way == "asked" and said[-2]["role"] == "user":
        said[-2] = said[-2] | {"content": said[-2]["content"] + " /think"}
        before = f"<think>\n{last.thought}\n</think>\n\n"
    asked = prompt(said[:-1], tools or None, **settings)
    return Dialog(last.kind, asked, before + answer(said[-1]))
