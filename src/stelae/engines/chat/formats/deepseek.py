"""DeepSeek V3 and R1 (arguments in a block of code) and V3.1 (arguments alone).

Source: the chat templates of deepseek-ai/DeepSeek-V3-0324, DeepSeek-R1-0528 and DeepSeek-V3.1.
"""

from __future__ import annotations

from collections.abc import Sequence

from stelae.engines.chat.formats.format import Format
from stelae.engines.chat.formats.mistral import read_arguments
from stelae.engines.chat.formats.objects import attempt
from stelae.engines.chat.formats.shapes import Mark, Shape, Tool, Value, Word
from stelae.engines.chat.formats.tape import NoCall, Reading, Step, Tape

BAR, BLOCK = "\uff5c", "\u2581"


def _mark(*words: str) -> str:
    return f"<{BAR}{BLOCK.join(words)}{BAR}>"


BEGIN, END = _mark("tool", "calls", "begin"), _mark("tool", "calls", "end")
OPEN, CLOSE = _mark("tool", "call", "begin"), _mark("tool", "call", "end")
SEPARATOR = _mark("tool", "sep")
MARKS = frozenset({BEGIN, END, OPEN, CLOSE, SEPARATOR})

FENCE = "```"


def read(tape: Tape, tools: Sequence[Tool]) -> Reading:
    """Find calls in a text, of either kind."""
    del tools
    while (mark := (yield from tape.say_until((BEGIN, OPEN)))) is not None:
        yield from attempt(tape, len(mark), _call(tape, opened=mark == OPEN))


def _call(tape: Tape, *, opened: bool) -> Step[None]:
    if not opened:
        yield from tape.skip()
        yield from tape.take(OPEN)
    first = yield from tape.name(SEPARATOR)
    yield from tape.skip()
    if (yield from tape.peek()) == "{":
        yield from read_arguments(tape, first)
    else:
        yield from _fenced(tape)
    yield from tape.drop(CLOSE)
    yield from tape.drop(END)


def _fenced(tape: Tape) -> Step[None]:
    """A name, and arguments in a block of code."""
    name = yield from tape.name("\n")
    if not (yield from tape.drop(f"{FENCE}json")):
        raise NoCall
    yield from read_arguments(tape, name)
    yield from tape.drop(FENCE)


def fenced_shape(tools: Sequence[Tool], several: bool) -> Shape:
    """The form of calls with blocks of code."""
    calls = tuple(
        (
            Mark(OPEN),
            Word("function"),
            Mark(SEPARATOR),
            Word(f"{tool.name}\n{FENCE}json\n"),
            Value(tool.schema),
            Word(f"\n{FENCE}"),
            Mark(CLOSE),
        )
        for tool in tools
    )
    return Shape((Mark(BEGIN),), calls, (Word("\n"),), (Mark(END),), several)


def plain_shape(tools: Sequence[Tool], several: bool) -> Shape:
    """The form of calls with arguments alone."""
    calls = tuple(
        (Mark(OPEN), Word(tool.name), Mark(SEPARATOR), Value(tool.schema), Mark(CLOSE))
        for tool in tools
    )
    return Shape((Mark(BEGIN),), calls, (), (Mark(END),), several)


DEEPSEEK_V3 = Format("deepseek-v3", MARKS, read, fenced_shape)
DEEPSEEK_V31 = Format("deepseek-v3.1", MARKS, read, plain_shape)
