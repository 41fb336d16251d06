"""The size and shape of Python source, room by room, to see where to read next.

    python tools/measure.py [PATH ...]     files or folders; src/stelae if none is given

Columns, all counted on the syntax tree:

    files, lines        source files and their lines, blank ones included
    file, function      median / 90th percentile / largest, in lines; a function's docstring
                        is not counted
    branchy             functions with more than 10 decisions
    typed               parameters and returns that are annotated, of all
    documented          public functions, methods and classes with a docstring
    shared              code lines in blocks of 6 that stand in another file too; generated
                        code is left out
    broad               handlers that catch every exception, and all handlers
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = 6
DECISIONS = 10
LONGEST = 5
GENERATED = "_sync"
BROAD = {"Exception", "BaseException"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef
Text = ast.Module | Definition

HEAD = (
    "", "files", "lines", "file", "functions", "function",
    "branchy", "typed", "documented", "shared", "broad",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """One function: where it is and how large."""

    place: str
    lines: int
    decisions: int


@dataclass(slots=True)
class Sums:
    """What is counted, of one file or of several."""

    files: list[tuple[int, str]] = field(default_factory=list)
    functions: list[Shape] = field(default_factory=list)
    typed: list[bool] = field(default_factory=list)
    documented: list[bool] = field(default_factory=list)
    shared: list[bool] = field(default_factory=list)
    broad: list[bool] = field(default_factory=list)

    def add(self, other: Sums) -> None:
        """Count what ``other`` has counted too."""
        for name in self.__slots__:
            getattr(self, name).extend(getattr(other, name))


def main(arguments: list[str]) -> int:
    """Print the tables; returns the exit code."""
    for path in map(Path, arguments or ["src/stelae"]):
        if not path.exists():
            print(f"measure: no such path: {path}", file=sys.stderr)
            return 2
        rooms = rooms_of(path)
        total = Sums()
        for sums in rooms.values():
            total.add(sums)
        table = [HEAD, *(row(name, sums) for name, sums in rooms.items()), row("all", total)]
        print(f"{path}\n\n{aligned(table)}\n\n{read_next(total)}\n")
    return 0


def rooms_of(path: Path) -> dict[str, Sums]:
    """Sums by direct child of a folder: each folder in it, and its own files together."""
    files = [path] if path.is_file() else sorted(path.rglob("*.py"))
    trees = {file: ast.parse(file.read_text("utf-8")) for file in files}
    copies = copied({file: tree for file, tree in trees.items() if GENERATED not in file.parts})
    rooms: dict[str, Sums] = defaultdict(Sums)
    for file, tree in trees.items():
        inner = file.relative_to(path).parts
        sums = measured(file, tree)
        sums.shared = copies.get(file, [])
        rooms[f"{inner[0]}/" if len(inner) > 1 else "(files)"].add(sums)
    return rooms


def measured(file: Path, tree: ast.Module) -> Sums:
    """Everything about one file but what it shares with others."""
    sums = Sums(files=[(len(file.read_text("utf-8").splitlines()), str(file))])
    for node in ast.walk(tree):
        if isinstance(node, Function):
            sums.functions.append(shape(file, node))
            sums.typed += annotated(node)
        elif isinstance(node, ast.ExceptHandler):
            sums.broad.append(is_broad(node))
    sums.documented = [ast.get_docstring(node) is not None for node in public(tree)]
    return sums


def shape(file: Path, node: Function) -> Shape:
    """Size of a function, without its docstring and decorators."""
    said = docstring_lines(node)
    lines = (node.end_lineno or node.lineno) - node.lineno + 1 - len(said)
    return Shape(f"{file}:{node.lineno} {node.name}", lines, sum(map(decisions, ast.walk(node))))


def decisions(node: ast.AST) -> int:
    """Ways to go on that a node adds."""
    match node:
        case ast.BoolOp():
            return len(node.values) - 1
        case ast.comprehension():
            return 1 + len(node.ifs)
        case ast.Match():
            return len(node.cases) - 1
        case ast.If() | ast.IfExp() | ast.For() | ast.AsyncFor() | ast.While():
            return 1
        case ast.ExceptHandler() | ast.Assert():
            return 1
        case _:
            return 0


def annotated(node: Function) -> list[bool]:
    """Whether each parameter, and the return, has a type; ``self`` and ``cls`` aside."""
    known = node.args
    given = [*known.posonlyargs, *known.args, *known.kwonlyargs, known.vararg, known.kwarg]
    told = [a.annotation is not None for a in given if a and a.arg not in ("self", "cls")]
    return [*told, node.returns is not None]


def public(tree: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    """Functions, classes and methods without an underscore; overloads are one function."""
    for node in tree.body:
        if not isinstance(node, Definition) or node.name.startswith("_"):
            continue
        if any(
            isinstance(mark, ast.Name) and mark.id == "overload" for mark in node.decorator_list
        ):
            continue
        yield node
        if isinstance(node, ast.ClassDef):
            yield from public(node)


def is_broad(node: ast.ExceptHandler) -> bool:
    """Whether a handler catches every exception."""
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(c is None or (isinstance(c, ast.Name) and c.id in BROAD) for c in caught)


def copied(trees: dict[Path, ast.Module]) -> dict[Path, list[bool]]:
    """For each code line of each file, whether it stands in a block that another file has."""
    lines = {file: code_lines(file, tree) for file, tree in trees.items()}
    homes: dict[tuple[str, ...], set[Path]] = defaultdict(set)
    for file, code in lines.items():
        for block in blocks(code):
            homes[block].add(file)
    marked: dict[Path, list[bool]] = {}
    for file, code in lines.items():
        marks = [False] * len(code)
        for start, block in enumerate(blocks(code)):
            if len(homes[block]) > 1:
                marks[start : start + BLOCK] = [True] * BLOCK
        marked[file] = marks
    return marked


def blocks(code: list[str]) -> Iterator[tuple[str, ...]]:
    """Every run of ``BLOCK`` lines."""
    return (tuple(code[start : start + BLOCK]) for start in range(len(code) - BLOCK + 1))


def code_lines(file: Path, tree: ast.Module) -> list[str]:
    """Lines that say something of their own: no docstrings, imports, comments, lone brackets."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, Text):
            skipped.update(docstring_lines(node))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            skipped.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    text = enumerate(file.read_text("utf-8").splitlines(), start=1)
    kept = (line.strip() for number, line in text if number not in skipped)
    return [line for line in kept if line.strip("()[]{}, ") and not line.startswith("#")]


def docstring_lines(node: Text) -> range:
    """Line numbers of a docstring."""
    if ast.get_docstring(node, clean=False) is None:
        return range(0)
    said = node.body[0]
    return range(said.lineno, (said.end_lineno or said.lineno) + 1)


def row(name: str, sums: Sums) -> tuple[str, ...]:
    """One line of the table."""
    files = [lines for lines, _ in sums.files]
    branchy = [shape.decisions > DECISIONS for shape in sums.functions]
    return (
        name,
        f"{len(files)}",
        f"{sum(files)}",
        spread(files),
        f"{len(sums.functions)}",
        spread([shape.lines for shape in sums.functions]),
        share(branchy),
        share(sums.typed),
        share(sums.documented),
        share(sums.shared),
        f"{sum(sums.broad)} of {len(sums.broad)}",
    )


def spread(values: list[int]) -> str:
    """Median, 90th percentile and maximum."""
    if not values:
        return "-"
    ranked, last = sorted(values), len(values) - 1
    return f"{ranked[last // 2]} / {ranked[last * 9 // 10]} / {ranked[last]}"


def share(marks: list[bool]) -> str:
    """How many of them are true."""
    return f"{100 * sum(marks) / len(marks):.1f} %" if marks else "-"


def aligned(table: Iterable[tuple[str, ...]]) -> str:
    """Columns under each other; all but the first to the right."""
    rows = list(table)
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(HEAD))]
    return "\n".join(
        "  ".join(
            [cells[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        ).rstrip()
        for cells in rows
    )


def read_next(sums: Sums) -> str:
    """The largest files, the longest functions and the branchiest ones."""
    files = sorted(sums.files, reverse=True)[:LONGEST]
    longest = sorted(sums.functions, key=lambda shape: -shape.lines)[:LONGEST]
    branchy = sorted(sums.functions, key=lambda shape: -shape.decisions)[:LONGEST]
    said = [f"  {lines:4} lines      {place}" for lines, place in files]
    said += [f"  {shape.lines:4} lines      {shape.place}" for shape in longest]
    said += [f"  {shape.decisions:4} decisions  {shape.place}" for shape in branchy]
    return "\n".join(["Read next:", *said])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
