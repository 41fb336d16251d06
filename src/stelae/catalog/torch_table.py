"""The pickle in a ``.pt`` file, followed as data: a table of tensors or nothing.

A pickle is a program, and may call whatever it likes. Here its instructions are taken
one by one; those that a table of tensors needs are followed on values of our own, and
any other is refused with its name. Nothing is imported, nothing is called.

Source: torch 2.13, ``torch/serialization.py`` and ``_utils.py`` (what a table is made
of); ``pickletools`` of the standard library (instructions).
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

STORAGES = {
    "torch FloatStorage": ("F32", 4), "torch DoubleStorage": ("F64", 8),
    "torch HalfStorage": ("F16", 2), "torch BFloat16Storage": ("BF16", 2),
    "torch LongStorage": ("I64", 8), "torch IntStorage": ("I32", 4),
    "torch ShortStorage": ("I16", 2), "torch CharStorage": ("I8", 1),
    "torch ByteStorage": ("U8", 1), "torch BoolStorage": ("BOOL", 1),
}  # fmt: skip
"""Classes of storage: the format of their numbers, and bytes for each."""

ITEM_BYTES = dict(STORAGES.values())
"""Bytes for each number, by format."""

REBUILD = "torch._utils _rebuild_tensor_v2"
ORDERED = "collections OrderedDict"
NAMES = frozenset({REBUILD, ORDERED, *STORAGES})
"""All names that a table of tensors has."""

SHOWN = 80
"""Characters of a foreign name that are shown."""


class OddTable(Exception):
    """Why a pickle is no table of tensors."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Bytes of numbers, somewhere else in the file.

    Attributes:
        dtype: Format of the numbers, as safetensors calls it.
        bytes_each: Bytes for each.
        key: Where they are.
        count: How many.
    """

    dtype: str
    bytes_each: int
    key: str
    count: int


@dataclass(frozen=True, slots=True)
class View:
    """A tensor as the table says; none of it has been checked.

    Attributes:
        storage: Its numbers, and perhaps others'.
        offset: The first of them.
        shape: Its shape.
        strides: Numbers from one entry to the next, by axis.
    """

    storage: Storage
    offset: int
    shape: tuple[Any, ...]
    strides: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Name:
    """A name that the pickle would import; here it is only compared."""

    text: str


_MARK = object()


@dataclass(slots=True)
class _Machine:
    """A pickle half-way: its bytes, a stack, and what was remembered."""

    data: bytes
    at: int = 0
    stack: list[Any] = field(default_factory=list)
    memory: dict[int, Any] = field(default_factory=dict)

    def take(self, count: int) -> bytes:
        """The next bytes."""
        part = self.data[self.at : self.at + count]
        if len(part) != count:
            raise OddTable("its table ends too early")
        self.at += count
        return part

    def number(self, form: str) -> int:
        """The next number, in a form of ``struct``."""
        (value,) = struct.unpack(form, self.take(struct.calcsize(form)))
        return int(value)

    def line(self) -> str:
        """The next line."""
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise OddTable("its table ends too early")
        text = self.data[self.at : end].decode("utf-8", "replace")
        self.at = end + 1
        return text

    def pop(self) -> Any:
        """The value on top of the stack, taken off."""
        if not self.stack:
            raise OddTable("its table takes from an empty stack")
        return self.stack.pop()

    def to_mark(self) -> list[Any]:
        """All values down to the last mark, taken off."""
        found: list[Any] = []
        while (value := self.pop()) is not _MARK:
            found.append(value)
        return found[::-1]

    def table(self) -> dict[Any, Any]:
        """The table on top of the stack."""
        if not self.stack or not isinstance(self.stack[-1], dict):
            raise OddTable("its table changes something that is no table")
        return self.stack[-1]


Follow = Callable[[_Machine], None]


def read_table(data: bytes) -> dict[str, View]:
    """The tensors that a pickle names.

    Raises:
        OddTable: It is, or does, anything else.
    """
    machine = _Machine(data)
    while (code := machine.take(1)) != b".":
        follow = FOLLOWED.get(code)
        if follow is None:
            raise OddTable(f"its table has the instruction {_called(code)}, which no tensor needs")
        follow(machine)
    result = machine.pop()
    if machine.stack or not isinstance(result, dict):
        raise OddTable("it holds something else than tensors by name")
    for name, value in result.items():
        if not isinstance(value, View):
            raise OddTable(f"{name[:SHOWN]!r} in it is no tensor")
    return result


def _called(code: bytes) -> str:
    letter = code.decode("latin-1")
    return next((op.name for op in pickletools.opcodes if op.code == letter), repr(code))


def _version(machine: _Machine) -> None:
    """The number of the pickle's format; an instruction means the same in all."""
    machine.number("<B")


def _constant(value: Any) -> Follow:
    return lambda machine: machine.stack.append(value)


def _new_table(machine: _Machine) -> None:
    machine.stack.append({})


def _number(form: str) -> Follow:
    return lambda machine: machine.stack.append(machine.number(form))


def _long(machine: _Machine) -> None:
    data = machine.take(machine.number("<B"))
    machine.stack.append(int.from_bytes(data, "little", signed=True))


def _text(form: str) -> Follow:
    def follow(machine: _Machine) -> None:
        data = machine.take(machine.number(form))
        machine.stack.append(data.decode("utf-8", "replace"))

    return follow


def _name(machine: _Machine) -> None:
    text = f"{machine.line()} {machine.line()}"
    if text not in NAMES:
        shown = text.replace(" ", ".")[:SHOWN]
        raise OddTable(f"its table names {shown!r}, which is not part of a tensor")
    machine.stack.append(_Name(text))


def _tuple(machine: _Machine) -> None:
    machine.stack.append(tuple(machine.to_mark()))


def _last(count: int) -> Follow:
    def follow(machine: _Machine) -> None:
        machine.stack.append(tuple([machine.pop() for _ in range(count)][::-1]))

    return follow


def _remember(form: str) -> Follow:
    def follow(machine: _Machine) -> None:
        value = machine.pop()
        machine.stack.append(value)
        machine.memory[machine.number(form)] = value

    return follow


def _recall(form: str) -> Follow:
    def follow(machine: _Machine) -> None:
        place = machine.number(form)
        if place not in machine.memory:
            raise OddTable("its table remembers what was never there")
        machine.stack.append(machine.memory[place])

    return follow


def _storage(machine: _Machine) -> None:
    match machine.pop():
        case ("storage", _Name(text), str(key), str(), int(count)) if text in STORAGES:
            machine.stack.append(Storage(*STORAGES[text], key, count))
        case _:
            raise OddTable("its table names bytes in a way that torch does not")


def _reduce(machine: _Machine) -> None:
    """What ``name(*arguments)`` would be, for the two names that may stand there."""
    arguments, name = machine.pop(), machine.pop()
    match name, arguments:
        case _Name(text), () if text == ORDERED:
            machine.stack.append({})
        case (
            _Name(text),
            (Storage() as storage, int(offset), tuple(shape), tuple(strides), bool(), dict()),
        ) if text == REBUILD:
            machine.stack.append(View(storage, offset, shape, strides))
        case _:
            raise OddTable("its table calls something in a way that no tensor needs")


def _item(machine: _Machine) -> None:
    value, key = machine.pop(), machine.pop()
    _fill(machine, [key, value])


def _items(machine: _Machine) -> None:
    _fill(machine, machine.to_mark())


def _fill(machine: _Machine, pairs: list[Any]) -> None:
    keys, values = pairs[::2], pairs[1::2]
    if len(keys) != len(values) or not all(isinstance(key, str) for key in keys):
        raise OddTable("its table has names that are no texts")
    machine.table().update(zip(keys, values, strict=True))


def _state(machine: _Machine) -> None:
    """What torch notes beside a table of tensors; it decides no number."""
    machine.pop()
    machine.table()


FOLLOWED: dict[bytes, Follow] = {
    b"\x80": _version,
    b"(": _constant(_MARK),
    b"N": _constant(None),
    b"\x88": _constant(True),
    b"\x89": _constant(False),
    b"J": _number("<i"),
    b"K": _number("<B"),
    b"M": _number("<H"),
    b"\x8a": _long,
    b"X": _text("<I"),
    b")": _constant(()),
    b"}": _new_table,
    b"t": _tuple,
    b"\x85": _last(1),
    b"\x86": _last(2),
    b"\x87": _last(3),
    b"q": _remember("<B"),
    b"r": _remember("<I"),
    b"h": _recall("<B"),
    b"j": _recall("<I"),
    b"c": _name,
    b"Q": _storage,
    b"R": _reduce,
    b"s": _item,
    b"u": _items,
    b"b": _state,
}
"""Every instruction that is followed, by its code."""
