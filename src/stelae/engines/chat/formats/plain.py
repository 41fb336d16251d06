"""Models that show no signs: the whole answer is a call in JSON, or a list of calls.

It may stand between the fences of a block of code.
"""

from __future__ import annotations

from collections.abc import Sequence

from stelae.engines.chat.formats.format import Format
from stelae.engines.chat.formats.json_text import quoted
from stelae.engines.chat.formats.objects import attempt, read_list, read_object
from stelae.engines.chat.formats.shapes import Shape, Tool, Word, framed
from stelae.engines.chat.formats.tape import Reading, Step, Tape

FENCES = ("```json", "```")


def read(tape: Tape, tools: Sequence[Tool]) -> Reading:
    """Find calls in a text."""
    names = {tool.name for tool in tools}
    tape.hold()
    calls = yield from attempt(tape, 0, _whole(tape, names))
    while calls:
        tape.hold()
        calls = yield from attempt(tape, 0, read_object(tape, names))
    yield from tape.say_rest()


def _whole(tape: Tape, names: set[str]) -> Step[None]:
    fenced = yield from _fence(tape)
    yield from tape.skip()
    listed = (yield from tape.peek()) == "["
    yield from (read_list(tape, names) if listed else read_object(tape, names))
    if fenced:
        yield from tape.drop(FENCES[1])


def _fence(tape: Tape) -> Step[bool]:
    for fence in FENCES:
        if (yield from tape.drop(fence)):
            return True
    return False


def shape(tools: Sequence[Tool], several: bool) -> Shape:
    """The form of calls: an object, or a list of such where there may be several."""
    calls = framed(tools, lambda name: f'{{"name": {quoted(name)}, "arguments": ', "}")
    if not several:
        return Shape(begin=(), calls=calls, several=False)
    return Shape(begin=(Word("["),), calls=calls, between=(Word(", "),), end=(Word("]"),))


JSON = Format("json", frozenset(), read, shape)
