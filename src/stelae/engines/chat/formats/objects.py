"""Calls that are a JSON object with a name and arguments, alone or in a list."""

from __future__ import annotations

import json
from collections.abc import Collection

from stelae.engines.chat.formats.json_text import checked, read_string, read_value
from stelae.engines.chat.formats.tape import NoCall, Step, Tape

ARGUMENTS = frozenset({"arguments", "parameters"})
"""Keys of the arguments; models use both, whichever they were shown."""

BESIDE = frozenset({"type", "id", "index"})
"""Other keys of calls; without a sign, an object with further ones is soon known to be none."""


class _Call:
    """What is known of a call so far."""

    def __init__(self, tape: Tape, known: Collection[str] | None) -> None:
        self.tape, self._known = tape, known
        self.name: str | None = None
        self.arguments: str | None = None
        self.made = False
        self.inner = False

    @property
    def bare(self) -> bool:
        """Whether no sign says that it is a call, and nothing of it was told yet."""
        return self._known is not None and not self.made

    def named(self, name: str) -> None:
        """Its name has come."""
        if self.name is not None or (self._known is not None and name not in self._known):
            raise NoCall
        self.name = name
        if self.arguments is not None:
            self._make(self.arguments)

    def argued(self) -> Step[None]:
        """Its arguments come."""
        yield from self.tape.skip()
        if self.made or self.arguments is not None:
            raise NoCall
        if self.name is not None and (yield from self.tape.peek()) == "{":
            self._make("")
            yield from read_value(self.tape, self.tape.argue)
            return
        self.arguments = _as_object((yield from read_value(self.tape)))
        if self.name is not None:
            self._make(self.arguments)

    def close(self) -> None:
        """Nothing more comes of it; one without arguments has none."""
        if self.name is None:
            raise NoCall
        if not self.made:
            self._make("{}")
        self.tape.end()

    def _make(self, arguments: str) -> None:
        self.made = True
        self.tape.call(self.name or "")
        self.tape.argue(arguments)


def _as_object(text: str) -> str:
    """Arguments as a JSON object; some models put them into a string, or write ``null``."""
    if text.startswith('"'):
        text = checked(json.loads(text)) or ""
    if text == "null":
        return "{}"
    if not text.startswith("{"):
        raise NoCall
    return text


def read_object(tape: Tape, known: Collection[str] | None = None) -> Step[None]:
    """One call, ``{"name": ..., "arguments": {...}}``, its keys in any order, others passed over.

    The two may stand in an object of their own under ``function``.

    Args:
        tape: Stands before the object, perhaps with white space; letters are held.
        known: Names that count as a call; ``None`` for any.

    Raises:
        NoCall: It is no call, or breaks off.
    """
    call = _Call(tape, known)
    yield from _members(call)
    call.close()


def _members(call: _Call) -> Step[None]:
    tape = call.tape
    yield from tape.skip()
    yield from tape.take("{")
    while True:
        key = yield from read_string(tape)
        yield from tape.skip()
        yield from tape.take(":")
        yield from _member(call, key)
        yield from tape.skip()
        if (yield from tape.peek()) == "}":
            yield from tape.next()
            return
        yield from tape.take(",")


def _member(call: _Call, key: str) -> Step[None]:
    yield from call.tape.skip()
    first = yield from call.tape.peek()
    if key == "name" or (key == "function" and first == '"'):
        call.named((yield from read_string(call.tape)))
    elif key == "function" and first == "{" and not (call.name or call.inner):
        call.inner = True
        yield from _members(call)
    elif key in ARGUMENTS:
        yield from call.argued()
    elif call.bare and key not in BESIDE:
        raise NoCall
    else:
        yield from read_value(call.tape)


def read_list(tape: Tape, known: Collection[str] | None = None) -> Step[None]:
    """Calls in a JSON list; see ``read_object``.

    Raises:
        NoCall: It is no list of calls, or breaks off.
    """
    yield from tape.skip()
    yield from tape.take("[")
    yield from read_object(tape, known)
    while True:
        tape.hold()
        yield from tape.skip()
        if (yield from tape.peek()) == "]":
            yield from tape.next()
            tape.let_go()
            return
        yield from tape.take(",")
        yield from read_object(tape, known)


def attempt(tape: Tape, taken: int, body: Step[None]) -> Step[bool]:
    """Read what may be a call; if it is none, it is text.

    Args:
        tape: Letters are held.
        taken: Letters of the sign that made it look like a call, which are text then.
        body: Reads it.

    Returns:
        Whether it was one, and whole.
    """
    try:
        yield from body
    except NoCall:
        if tape.held:
            tape.refuse(taken)
        return False
    tape.let_go()
    yield from tape.skip()
    return True
