"""A conversation in a terminal, or one message and its answer."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import msgspec

from stelae.cli import reach
from stelae.cli.output import Output
from stelae.client import Client, Reply
from stelae.errors import InvalidInput
from stelae.types import Delta, Message, Speaker, TextPart

MORE = "\\"
"""At the end of a line: the message goes on in the next."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for.

    Attributes:
        model: Name of the model.
        message: What to say; ``None`` to read it.
        system: What the model is told first.
        options: Of ``Client.chat``.
        server: Address of the server.
        key: Key to show.
        local: Whether the model runs in this process.
    """

    model: str
    message: str | None
    system: str | None
    options: dict[str, Any]
    server: str | None
    key: str | None
    local: bool


def run(request: Request, out: Output) -> None:
    """Say what is asked for, and print what comes back.

    Raises:
        InvalidInput: There is nothing to say.
    """
    talk = request.message is None and sys.stdin.isatty()
    messages = _spoken(out) if talk else iter([_message(request)])
    with reach.either(request.model, request.server, request.key, local=request.local) as client:
        told = _beginning(request)
        for text in messages:
            if text == "/clear":
                told = _beginning(request)
                continue
            told.append(Message(role=Speaker.USER, content=[TextPart(text=text)]))
            answer = _answer(client, request, told, out)
            told.append(answer.message)


def _beginning(request: Request) -> list[Message]:
    if request.system is None:
        return []
    return [Message(role=Speaker.SYSTEM, content=[TextPart(text=request.system)])]


def _message(request: Request) -> str:
    text = sys.stdin.read().strip() if request.message is None else request.message
    if not text:
        raise InvalidInput("there is nothing to say: give a MESSAGE, or one on stdin")
    return text


def _spoken(out: Output) -> Iterator[str]:
    """Messages typed by a person."""
    out.note("A line is a message; /clear begins anew, /exit ends.")
    while (text := _typed()) is not None and text != "/exit":
        if text:
            yield text


def _typed() -> str | None:
    """The next message; ``None`` at the end of the input."""
    lines: list[str] = []
    while True:
        try:
            line = input("... " if lines else ">>> ")
        except EOFError:
            return "\n".join(lines).strip() or None
        if not line.endswith(MORE):
            return "\n".join([*lines, line]).strip()
        lines.append(line.removesuffix(MORE))


def _answer(client: Client, request: Request, told: list[Message], out: Output) -> Reply:
    """Ask, and print the answer as it comes; an interrupted one is what came of it."""
    pieces: list[Delta] = []
    started, first = time.perf_counter(), None
    model = None if request.local else request.model
    with closing(client.stream_chat(told, model=model, **request.options)) as made:
        try:
            for piece in made:
                first = first or time.perf_counter()
                pieces.append(piece)
                if not out.json:
                    sys.stdout.write(piece.text)
                    sys.stdout.flush()
        except KeyboardInterrupt:
            out.note("\n(stopped)")
    answer = Reply.of(pieces)
    if out.json:
        out.document(msgspec.to_builtins(answer))
    else:
        out.line("")
        out.note(_speed(answer, started, first or started))
    return answer


def _speed(answer: Reply, started: float, first: float) -> str:
    tokens = len(answer.tokens[0])
    seconds = time.perf_counter() - first
    rate = f", {(tokens - 1) / seconds:.1f} tokens/s" if tokens > 1 and seconds > 0 else ""
    return f"({tokens} tokens, first after {first - started:.2f} s{rate})"
