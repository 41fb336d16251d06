"""Runs in the environment of a real client: asks all prompts, one line of JSON each.

The prompts come as JSON on standard input. A line has the prompt's name, how it was asked, the
text of the answer and its calls of tools, each a name and arguments.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

Answer = tuple[str, list[tuple[str, dict[str, Any]]]]
"""Text, and calls."""

Ask = Callable[[str, dict[str, Any]], Answer]
"""Asks a prompt at an address."""

LONGEST = 120
"""Tokens of the longest answer."""


def ask_all(*ways: Ask, after: Ask) -> None:
    """Ask all prompts.

    Args:
        ways: In each of these ways.
        after: And so, where a tool has a result, which is told back.
    """
    address = sys.argv[1]
    for prompt in json.load(sys.stdin):
        for way in (*ways, after) if prompt["tool"] else ways:
            line = [prompt["name"], way.__name__, *way(address, prompt)]
            sys.stdout.write(json.dumps(line) + "\n")


def said(prompt: dict[str, Any]) -> list[Any]:
    """The conversation of a prompt."""
    return [{"role": "user", "content": prompt["user"]}]
