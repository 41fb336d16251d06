"""What a chat template may use up while it runs, and the parts of Jinja that count it.

A template comes with a checkpoint and is a program. Besides Jinja's sandbox, which keeps it
from Python's insides, every loop, call, sum and filter of it is counted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

STEPS = 200_000
"""Turns of loops, and calls, of one run."""

LETTERS = 8 << 20
"""Longest text that a template may make."""

FILTERS = frozenset({
    "abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float",
    "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject",
    "rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr", "sort", "string",
    "sum", "title", "tojson", "trim", "unique", "upper", "indent",
})  # fmt: skip
"""Those of Jinja's filters that templates of chats use."""

LARGE = 1 << 12
"""Largest number that a method or a filter of a text may be given."""


class Bounds:
    """What one run has used up."""

    def __init__(self) -> None:
        self._left = STEPS

    def count(self, steps: int = 1) -> None:
        """Use up steps.

        Raises:
            SecurityError: There are no more.
        """
        self._left -= steps
        if self._left < 0:
            raise SecurityError(f"it takes more than {STEPS} steps")

    def counted(self, values: Iterable[Any]) -> list[Any]:
        """The values of a loop, each a step."""
        found = []
        for value in values:
            self.count()
            found.append(value)
        return found


_RUN: ContextVar[Bounds] = ContextVar("stelae_template_run")
"""Bounds of the run under way."""


@contextmanager
def bounded() -> Iterator[None]:
    """Within it one run is counted."""
    token = _RUN.set(Bounds())
    try:
        yield
    finally:
        _RUN.reset(token)


def counted(values: Iterable[Any]) -> list[Any]:
    """The values of a loop, each a step of this run."""
    return _RUN.get().counted(values)


def small(value: Any) -> Any:
    """A value, if it is not too long a text.

    Raises:
        SecurityError: It is.
    """
    if isinstance(value, str | list | tuple) and len(value) > LETTERS:
        raise SecurityError(f"it makes a text of more than {LETTERS} letters")
    return value


def check_call(function: Any, arguments: Iterable[Any]) -> None:
    """Refuse to call a method of a text that could make a huge one of it.

    Raises:
        SecurityError: It could.
    """
    given = list(arguments)
    if any(isinstance(v, int) and abs(v) > LARGE for v in given):
        raise SecurityError(f"it uses a number over {LARGE}")
    own = getattr(function, "__self__", None)
    name = getattr(function, "__name__", "")
    if isinstance(own, str) and name in {"replace", "join", "format", "format_map", "translate"}:
        sizes = [len(v) for v in given if isinstance(v, str | list | tuple)]
        if (len(own) + 1) * max([1, *sizes]) > LETTERS:
            raise SecurityError("it makes a text that may be huge")


class Counting(NodeTransformer):
    """Puts ``counted`` around what loops run over, and ``glued`` in place of ``~``."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # Jinja's naming
        """Count the turns of a loop."""
        self.generic_visit(node)
        over = cast("nodes.Expr", node.iter)
        node.iter = _called("stelae_counted", [over], node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:
        """Bound what is put together."""
        self.generic_visit(node)
        return _called("stelae_glued", node.nodes, node.lineno)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Expr:
        """Bound what a filter makes."""
        self.generic_visit(node)
        if node.name not in FILTERS:
            raise SecurityError(f"it uses the filter {node.name!r}")
        if node.node is None:
            raise SecurityError("it filters blocks")
        return _called("stelae_small", [node], node.lineno)


def _called(name: str, arguments: list[nodes.Expr], line: int) -> nodes.Call:
    function = nodes.Name(name, "load", lineno=line)
    return nodes.Call(function, arguments, [], None, None, lineno=line)


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, with bounds; what it compiled runs within ``bounded``."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.globals["range"] = self._range
        self.globals.update(stelae_counted=counted, stelae_glued=_glued, stelae_small=small)
        self.filters = {name: f for name, f in self.filters.items() if name in FILTERS}
        self.filters["replace"] = _replace
        self.filters["indent"] = _indent

    def call(self, context: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a function of a template."""
        _RUN.get().count()
        check_call(function, [*args, *kwargs.values()])
        return small(super().call(context, function, *args, **kwargs))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Add, multiply, raise or format."""
        _RUN.get().count()
        if operator == "**" or (operator == "%" and isinstance(left, str)):
            raise SecurityError(f"it uses {operator!r}")
        sizes = [len(v) for v in (left, right) if isinstance(v, str | list | tuple)]
        numbers = [v for v in (left, right) if isinstance(v, int)]
        if operator == "*" and sizes and sizes[0] * max([0, *numbers]) > LETTERS:
            raise SecurityError(f"it makes a text of more than {LETTERS} letters")
        return small(super().call_binop(context, operator, left, right))

    def _range(self, *numbers: int) -> range:
        made = range(*numbers)
        _RUN.get().count(len(made))
        return made


def joined(pieces: Iterator[str]) -> str:
    """All that a template writes.

    Raises:
        SecurityError: It is too long.
    """
    made, size = [], 0
    for piece in pieces:
        size += len(piece)
        if size > LETTERS:
            raise SecurityError(f"it writes more than {LETTERS} letters")
        made.append(piece)
    return "".join(made)


def _glued(*values: Any) -> str:
    parts = [str(value) for value in values]
    if sum(map(len, parts)) > LETTERS:
        raise SecurityError(f"it makes a text of more than {LETTERS} letters")
    return "".join(parts)


def _replace(text: Any, old: str, new: str, count: int | None = None) -> str:
    whole = str(text)
    if (len(whole) + 1) * max(1, len(new)) > LETTERS:
        raise SecurityError("it makes a text that may be huge")
    return whole.replace(old, new, -1 if count is None else count)


def _indent(text: Any, width: int = 4, first: bool = False, blank: bool = False) -> str:
    if not 0 <= width <= 64:
        raise SecurityError(f"it indents by {width}")
    pad = " " * width
    lines = str(text).split("\n")
    made = [pad + line if line or blank else line for line in lines]
    return "\n".join(made if first else [lines[0], *made[1:]])
