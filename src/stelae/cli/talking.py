"""A conversation in a terminal, or one message and its answer."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import msgspec
from rich.text import Text

from stelae.catalog.state import state_folder
from stelae.cli import prompt, reach
from stelae.cli.output import Output, console, printable
from stelae.client import Client, Reply
from stelae.errors import InvalidInput, StelaeError
from stelae.types import Delta, Message, Speaker, TextPart

HISTORY = "chat_history"
"""File with what was typed, in the user's folder for states."""


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
    talks = request.message is None and sys.stdin.isatty()
    text = "" if talks else _message(request)
    with reach.either(request.model, request.server, request.key, local=request.local) as client:
        talk = Talk(client, request, out, system=request.system)
        if not talks:
            talk.say(text)
            return
        out.note("/help tells what can be typed, /exit ends.")
        with prompt.remembered(state_folder() / HISTORY):
            talk.go_on()


def _message(request: Request) -> str:
    text = sys.stdin.read().strip() if request.message is None else request.message
    if not text:
        raise InvalidInput("there is nothing to say: give a MESSAGE, or one on stdin")
    return text


@dataclass(slots=True)
class Talk:
    """One conversation.

    Attributes:
        client: Reaches the model.
        request: What the command line asks for.
        out: Says things.
        system: What the model is told first.
        told: What was said so far, on both sides.
    """

    client: Client
    request: Request
    out: Output
    system: str | None = None
    told: list[Message] = field(default_factory=list)

    def go_on(self) -> None:
        """Say what is typed until there is no more; a failure ends an answer, not the talk."""
        while (text := prompt.typed()) is not None:
            try:
                asked = prompt.command(text)
                if asked is not None and asked[0] == "/exit":
                    return
                if asked is not None:
                    self._obey(*asked)
                elif text:
                    self.say(text)
            except StelaeError as error:
                self.out.warn(str(error))

    def say(self, text: str) -> None:
        """Say something, and print the answer; if there is none, nothing was said.

        Raises:
            StelaeError: There is none.
        """
        said = [*self.told, _said(Speaker.USER, text)]
        first = [] if self.system is None else [_said(Speaker.SYSTEM, self.system)]
        answer = self._answer([*first, *said])
        self.told = [*said, answer.message]

    def _obey(self, command: str, rest: str) -> None:
        if command == "/clear":
            self.told = []
        elif command == "/help":
            self.out.note(prompt.HELP)
        elif rest:
            self.system = rest
        else:
            self.out.note("nothing" if self.system is None else self.system)

    def _answer(self, told: list[Message]) -> Reply:
        """Ask, and print the answer as it comes; an interrupted one is what came of it."""
        pieces: list[Delta] = []
        clock = Clock()
        model = None if self.request.local else self.request.model
        shown = Shown(thoughts=sys.stdout.isatty())
        made = self.client.stream_chat(told, model=model, **self.request.options)
        with closing(made):
            try:
                for piece in made:
                    clock.tick()
                    pieces.append(piece)
                    if not self.out.json:
                        shown.add(piece)
            except KeyboardInterrupt:
                self.out.note("\n(stopped)")
        answer = Reply.of(pieces)
        if self.out.json:
            self.out.document(msgspec.to_builtins(answer))
        else:
            self.out.line("")
            self.out.note(clock.told(pieces))
        return answer


def _said(who: Speaker, text: str) -> Message:
    return Message(role=who, content=[TextPart(text=text)])


class Shown:
    """Prints an answer as it comes: thoughts dim before it, calls of tools as lines.

    Args:
        thoughts: Whether thoughts are shown; in pipes they are not.
    """

    def __init__(self, *, thoughts: bool) -> None:
        self._thoughts = thoughts
        self._out = console(sys.stdout)
        self._thinking = False

    def add(self, piece: Delta) -> None:
        """Print a piece."""
        if piece.reasoning and self._thoughts:
            self._thinking = True
            self._print(piece.reasoning, dim=True)
        if not (piece.text or piece.tool):
            return
        if self._thinking:
            self._thinking = False
            self._print("\n\n")
        self._print(piece.text)
        if (tool := piece.tool) is not None:
            self._print((f"\n{tool.name}: " if tool.name else "") + tool.arguments)

    def _print(self, text: str, *, dim: bool = False) -> None:
        text = printable(text)
        if dim:
            self._out.print(Text(text, style="dim"), end="", soft_wrap=True)
        else:
            sys.stdout.write(text)
        sys.stdout.flush()


class Clock:
    """Tells how fast an answer came."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._first: float | None = None

    def tick(self) -> None:
        """A piece has come."""
        self._first = self._first or time.perf_counter()

    def told(self, pieces: Iterable[Delta]) -> str:
        """Tokens, the time of the first, and how many came a second after it."""
        tokens = sum(len(piece.tokens) for piece in pieces)
        first = self._first or self._started
        seconds = time.perf_counter() - first
        rate = f", {(tokens - 1) / seconds:.1f} tokens/s" if tokens > 1 and seconds > 0 else ""
        return f"({tokens} tokens, first after {first - self._started:.2f} s{rate})"
