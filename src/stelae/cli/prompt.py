"""What a person types in a conversation: messages of one line or of several, and commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

from stelae.errors import InvalidInput

MORE = "\\"
"""At the end of a line: the message goes on in the next."""

BLOCK = '"""'
"""Around a message of several lines."""

FIRST, NEXT = ">>> ", "... "

KEPT = 1000
"""Lines of the history at most."""

COMMANDS = {
    "/system": "TEXT is what the model is told first; alone: what it was told",
    "/clear": "begin a new conversation",
    "/help": "this list",
    "/exit": "end; as the end of the input does",
}

HELP = "\n".join(
    [
        *(f"{name:<9}{meaning}" for name, meaning in COMMANDS.items()),
        f"A line is a message; one that ends with {MORE} goes on in the next, and {BLOCK} begins",
        "and ends one of several lines. Ctrl-C stops an answer.",
    ]
)

_COMMAND = re.compile(r"(/[a-z]+)(?:\s+(.*))?", re.DOTALL)


@contextmanager
def remembered(file: Path) -> Iterator[None]:
    """Arrow keys reach what was typed, today and before; lines are kept in a file.

    Where the line editor is not there, lines are plain ones and nothing is kept.
    """
    try:
        editor = import_module("readline")
    except ImportError:
        yield
        return
    with suppress(OSError):  # nothing typed before, or nothing that can be read
        editor.read_history_file(file)
    try:
        yield
    finally:
        editor.set_history_length(KEPT)
        with suppress(OSError):  # a full or foreign disk is no reason to fail
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.touch(mode=0o600)
            editor.write_history_file(file)


def typed() -> str | None:
    """The next message; ``None`` at the end of the input. Ctrl-C drops what was begun."""
    while True:
        try:
            return _message()
        except KeyboardInterrupt:
            print()  # noqa: T201 - the terminal's line is left, as shells do


def _message() -> str | None:
    lines: list[str] = []
    block = False
    while True:
        try:
            line = input(NEXT if lines or block else FIRST)
        except EOFError:
            return "\n".join(lines).strip() or None
        if not lines and not block and line.lstrip().startswith(BLOCK):
            block, line = True, line.lstrip().removeprefix(BLOCK)
        if block and line.rstrip().endswith(BLOCK):
            return "\n".join([*lines, line.rstrip().removesuffix(BLOCK)]).strip()
        if not block and not line.endswith(MORE):
            return "\n".join([*lines, line]).strip()
        lines.append(line if block else line.removesuffix(MORE))


def command(text: str) -> tuple[str, str] | None:
    """The command in a message and what follows it; ``None`` if it is a message.

    Raises:
        InvalidInput: It looks like a command and is none.
    """
    found = _COMMAND.fullmatch(text)
    if found is None:
        return None
    if found[1] not in COMMANDS:
        raise InvalidInput(f"{found[1]} is no command; there are {', '.join(COMMANDS)}")
    return found[1], (found[2] or "").strip()
