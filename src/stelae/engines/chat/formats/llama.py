"""Llama 3: an object in JSON that is the whole answer, or stands behind ``<|python_tag|>``.

Source: the chat templates of meta-llama/Llama-3.1-8B-Instruct and Llama-3.2-3B-Instruct. Several
calls stand one after the other, perhaps with ``;`` between them.
"""

from __future__ import annotations

from collections.abc import Sequence

from stelae.engines.chat.formats.format import Format
from stelae.engines.chat.formats.json_text import quoted
from stelae.engines.chat.formats.objects import attempt, read_object
from stelae.engines.chat.formats.shapes import Shape, Tool, framed
from stelae.engines.chat.formats.tape import Reading, Step, Tape

TAG = "<|python_tag|>"


def read(tape: Tape, tools: Sequence[Tool]) -> Reading:
    """Find calls in a text; without the tag, only names of tools count."""
    names = {tool.name for tool in tools}
    tape.hold()
    calls = yield from attempt(tape, 0, read_object(tape, names))
    while calls:
        calls = yield from _another(tape)
    while (yield from tape.say_until((TAG,))) is not None:
        calls = yield from attempt(tape, len(TAG), read_object(tape))
        while calls:
            calls = yield from _another(tape)


def _another(tape: Tape) -> Step[bool]:
    """Whether one more call follows."""
    tape.hold()
    return (yield from attempt(tape, 0, _next(tape)))


def _next(tape: Tape) -> Step[None]:
    yield from tape.skip()
    if (yield from tape.peek()) in (";", ","):
        yield from tape.next()
    yield from read_object(tape)


def shape(tools: Sequence[Tool], several: bool) -> Shape:
    """The form of calls; the family's own templates make one at a time."""
    del several
    calls = framed(tools, lambda name: f'{{"name": {quoted(name)}, "parameters": ', "}")
    return Shape(begin=(), calls=calls, several=False)


LLAMA = Format("llama", frozenset({TAG}), read, shape)
