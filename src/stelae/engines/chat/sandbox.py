"""The parts of Jinja that keep a chat template within its bounds.

A template comes with a checkpoint and is a program. Besides Jinja's sandbox, which keeps it
from Python's insides, every loop, call, sum, list and filter of it is counted; see ``bounds``.
"""

from __future__ import annotations

from typing import Any, cast

from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from stelae.engines.chat.bounds import BITS, bound, check_call, counted, run, sliced, small

FILTERS = frozenset({
    "abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float",
    "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject",
    "rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr", "sort", "string",
    "sum", "title", "tojson", "trim", "unique", "upper", "indent",
})  # fmt: skip
"""Those of Jinja's filters that templates of chats use."""


class Counting(NodeTransformer):
    """Puts ``counted`` around what loops run over, and bounds around all that makes values."""

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
        return _small(node)

    def visit_Output(self, node: nodes.Output) -> nodes.Output:
        """Bound what is written, within a macro too."""
        self.generic_visit(node)
        node.nodes = [
            each if isinstance(each, nodes.TemplateData) else _small(each) for each in node.nodes
        ]
        return node

    def visit_List(self, node: nodes.List) -> nodes.Expr:
        """Bound what a list holds."""
        self.generic_visit(node)
        return _small(node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Expr:
        """Bound what a dict holds."""
        self.generic_visit(node)
        return _small(node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:
        """Bound what a tuple holds, where it is no target."""
        self.generic_visit(node)
        return _small(node) if node.ctx == "load" else node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:
        """Bound parts of texts."""
        self.generic_visit(node)
        cut = isinstance(node.arg, nodes.Slice) and node.ctx == "load"
        return _called("stelae_sliced", [node], node.lineno) if cut else node


def _small(node: nodes.Expr) -> nodes.Call:
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
        self.globals.update(stelae_counted=counted, stelae_glued=_glued)
        self.globals.update(stelae_small=small, stelae_sliced=sliced)
        self.filters = {name: f for name, f in self.filters.items() if name in FILTERS}
        self.filters["replace"] = _replace
        self.filters["join"] = self._join
        self.filters["indent"] = _indent

    def call(self, context: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a function of a template."""
        run().count()
        check_call(function, [*args, *kwargs.values()])
        return small(super().call(context, function, *args, **kwargs))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Add, multiply, raise or format."""
        run().count()
        if operator == "**" or (operator == "%" and isinstance(left, str)):
            raise SecurityError(f"it uses {operator!r}")
        sizes = [len(v) for v in (left, right) if isinstance(v, str | list | tuple)]
        numbers = [v for v in (left, right) if isinstance(v, int)]
        if operator == "*" and sizes:
            bound(sizes[0] * max([0, *numbers]))
        elif sum(number.bit_length() for number in numbers) > BITS:
            raise SecurityError(f"it makes a number of more than {BITS} bits")
        return small(super().call_binop(context, operator, left, right))

    def _range(self, *numbers: int) -> range:
        made = range(*numbers)
        run().count(len(made))
        return made

    def _join(self, values: Any, between: str = "", attribute: Any = None) -> str:
        found = values if attribute is None else (self.getitem(v, attribute) for v in values)
        parts = [str(value) for value in found]
        bound(sum(map(len, parts)) + len(parts) * len(between))
        return str(between).join(parts)


def _glued(*values: Any) -> str:
    parts = [str(value) for value in values]
    bound(sum(map(len, parts)))
    return str(small("".join(parts)))


def _replace(text: Any, old: str, new: str, count: int | None = None) -> str:
    whole = str(text)
    bound((len(whole) + 1) * max(1, len(new)))
    return whole.replace(old, new, -1 if count is None else count)


def _indent(text: Any, width: int = 4, first: bool = False, blank: bool = False) -> str:
    if not 0 <= width <= 64:
        raise SecurityError(f"it indents by {width}")
    pad = " " * width
    lines = str(text).split("\n")
    made = [pad + line if line or blank else line for line in lines]
    return "\n".join(made if first else [lines[0], *made[1:]])
