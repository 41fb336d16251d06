"""Texts that call tools, as each format writes them, and what is found in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from stelae.engines.chat.formats.shapes import Tool
from stelae.engines.chat.formats.table import FORMATS
from stelae.engines.chat.formats.tape import Argued, Called, Ended, Said, Tape

BAR, BLOCK = "\uff5c", "\u2581"
BEGIN, END, OPEN, CLOSE, SEP = (
    f"<{BAR}tool{BLOCK}{word}{BAR}>"
    for word in (
        f"calls{BLOCK}begin", f"calls{BLOCK}end", f"call{BLOCK}begin", f"call{BLOCK}end", "sep",
    )
)  # fmt: skip

Use = tuple[str, dict[str, Any]]
"""A tool and its arguments."""


@dataclass
class Call:
    """A call that was found.

    Attributes:
        name: The tool.
        pieces: Pieces of its arguments.
        whole: Whether it ended.
    """

    name: str
    pieces: list[str]
    whole: bool = False

    @property
    def arguments(self) -> Any:
        return json.loads("".join(self.pieces))


def found(name: str, pieces: Iterable[str], tools: Sequence[Tool] = ()) -> tuple[str, list[Call]]:
    """Text and calls that a format finds."""
    tape = Tape()
    reading = FORMATS[name].read(tape, tools)
    next(reading, None)
    for piece in pieces:
        tape.give(piece)
        next(reading, None)
    tape.over = True
    next(reading, None)
    said, calls = "", list[Call]()
    for each in tape.found:
        match each:
            case Said(text=text):
                said += text
            case Called(name=name):
                calls.append(Call(name, []))
            case Argued(text=text):
                calls[-1].pieces.append(text)
            case Ended():
                calls[-1].whole = True
    return said, calls


def dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _objects(key: str) -> Callable[[Use], str]:
    return lambda use: dumped({"name": use[0], key: use[1]})


def _hermes(uses: Sequence[Use]) -> str:
    calls = map(_objects("arguments"), uses)
    return "\n".join(f"<tool_call>\n{call}\n</tool_call>" for call in calls)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else dumped(value)


def _qwen_xml(uses: Sequence[Use]) -> str:
    return "\n".join(
        f"<tool_call>\n<function={name}>\n"
        + "".join(f"<parameter={k}>\n{_plain(v)}\n</parameter>\n" for k, v in arguments.items())
        + "</function>\n</tool_call>"
        for name, arguments in uses
    )


def _glm_45(uses: Sequence[Use]) -> str:
    return "\n".join(
        f"<tool_call>{name}\n"
        + "".join(
            f"<arg_key>{k}</arg_key>\n<arg_value>{_plain(v)}</arg_value>\n"
            for k, v in arguments.items()
        )
        + "</tool_call>"
        for name, arguments in uses
    )


def _listed(begin: str, uses: Sequence[Use], end: str = "") -> str:
    return f"{begin}[{', '.join(map(_objects('arguments'), uses))}]{end}"


def _python(use: Use) -> str:
    return f"{use[0]}({', '.join(f'{key}={value!r}' for key, value in use[1].items())})"


def _called(begin: str, end: str, quote: str) -> Callable[[Sequence[Use]], str]:
    def value(given: Any) -> str:
        match given:
            case str():
                return f"{quote}{given}{quote}"
            case list():
                return f"[{','.join(map(value, given))}]"
            case dict():
                return f"{{{','.join(f'{k}:{value(v)}' for k, v in given.items())}}}"
        return dumped(given)

    return lambda uses: "".join(f"{begin}call:{name}{value(args)}{end}" for name, args in uses)


WRITERS: dict[str, Callable[[Sequence[Use]], str]] = {
    "hermes": _hermes,
    "qwen-xml": _qwen_xml,
    "llama": lambda uses: "; ".join(map(_objects("parameters"), uses)),
    "llama-pythonic": lambda uses: f"[{', '.join(map(_python, uses))}]",
    "mistral": lambda uses: _listed("[TOOL_CALLS] ", uses),
    "mistral-args": lambda uses: "".join(
        f"[TOOL_CALLS]{name}[ARGS]{dumped(arguments)}" for name, arguments in uses
    ),
    "glm-4": lambda uses: "<|assistant|>".join(f"{n}\n{dumped(a)}" for n, a in uses),
    "glm-4.5": _glm_45,
    "deepseek-v3": lambda uses: (
        BEGIN
        + "\n".join(
            f"{OPEN}function{SEP}{name}\n```json\n{dumped(arguments)}\n```{CLOSE}"
            for name, arguments in uses
        )
        + END
    ),
    "deepseek-v3.1": lambda uses: (
        BEGIN
        + "".join(f"{OPEN}{name}{SEP}{dumped(arguments)}{CLOSE}" for name, arguments in uses)
        + END
    ),
    "gemma": lambda uses: "```tool_code\n" + "\n".join(map(_python, uses)) + "\n```",
    "function-gemma": _called("<start_function_call>", "<end_function_call>", "<escape>"),
    "gemma4": _called("<|tool_call>", "<tool_call|>", '<|"|>'),
    "granite": lambda uses: _listed("<|tool_call|>", uses),
    "json": lambda uses: _listed("", uses) if len(uses) > 1 else _objects("arguments")(uses[0]),
}
"""What the template of each format makes of calls."""

BARE = frozenset({"llama", "llama-pythonic", "glm-4", "json"})
"""Formats whose calls stand at the beginning of a text."""
