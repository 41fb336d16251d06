"""What documents have, printed as tables and trees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from stelae.errors import MissingDependency

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.tree import Tree

    from stelae.clip.array import DocumentArray
    from stelae.clip.document import Document

HINT = "pip install 'stelae[clip]'"
INNER = ("matches", "chunks")
SHOWN = 60
"""Letters of a value in a document's summary."""


def show(*parts: RenderableType) -> None:
    """Print on standard output."""
    try:
        from rich.console import Console
    except ModuleNotFoundError as error:
        raise missing() from error
    console = Console()
    for part in parts:
        console.print(part)


def missing() -> MissingDependency:
    """The error for what is printed with ``rich``, where that is not installed."""
    return MissingDependency("this is printed by the package 'rich'", hint=HINT)


def of_array(documents: DocumentArray) -> Iterator[RenderableType]:
    """Two tables: how many documents have which attributes, and what each attribute holds."""
    try:
        from rich.panel import Panel
    except ModuleNotFoundError as error:
        raise missing() from error
    yield Panel(_of_documents(documents), title="Documents Summary", expand=False)
    names = sorted({name for document in documents for name in document.non_empty_fields})
    if names:
        yield Panel(_of_attributes(documents, names), title="Attributes Summary", expand=False)


def _of_documents(documents: DocumentArray) -> Table:
    from rich import box
    from rich.table import Table

    kinds = Counter(document.non_empty_fields for document in documents)
    table = Table(box=box.SIMPLE, show_header=False, highlight=True)
    table.add_row("Length", str(len(documents)))
    table.add_row("Homogenous Documents", str(len(kinds) == 1))
    nested = tuple(name for name in reversed(INNER) if any(name in kind for kind in kinds))
    if nested:
        table.add_row("Has nested Documents in", str(nested))
    if len(kinds) == 1:
        table.add_row("Common Attributes", str(next(iter(kinds))))
    else:
        for kind, count in kinds.most_common():
            table.add_row(_having(count, len(kind)), str(kind))
    return table


def _having(count: int, attributes: int) -> str:
    who = "1 Document has" if count == 1 else f"{count} Documents have"
    return f"{who} {'one attribute' if attributes == 1 else 'attributes'}"


def _of_attributes(documents: DocumentArray, names: list[str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, highlight=True)
    for title in ("Attribute", "Data type", "#Unique values", "Has empty value"):
        table.add_column(title)
    for name in names:
        values = [getattr(document, name) for document in documents]
        kinds = tuple(dict.fromkeys(type(value).__name__ for value in values))
        empty = any(value is None for value in values)
        table.add_row(name, str(kinds), str(len({_key(value) for value in values})), str(empty))
    return table


def _key(value: Any) -> Any:
    """What tells a value from others: itself, or what it is if it cannot be compared."""
    return value if isinstance(value, (str, bytes, int, float)) or value is None else id(value)


def of_document(document: Document) -> Tree:
    """A tree of the document, its matches and its chunks."""
    try:
        from rich.tree import Tree
    except ModuleNotFoundError as error:
        raise missing() from error
    tree = Tree(_fields(document))
    for name in INNER:
        if name in document.non_empty_fields:
            branch = tree.add(f"[b]{name.capitalize()}[/b]")
            for inner in getattr(document, name):
                branch.add(of_document(inner))
    return tree


def _fields(document: Document) -> Table:
    from rich import box
    from rich.table import Table

    table = Table("Attribute", "Value", title=repr(document), box=box.ROUNDED, highlight=True)
    table.title_justify = "left"
    for name in document.non_empty_fields:
        if name not in INNER:
            table.add_row(name, _shown(getattr(document, name)))
    return table


def _shown(value: Any) -> str:
    if hasattr(value, "shape"):
        return f"{type(value).__name__} of shape {tuple(value.shape)}, {value.dtype}"
    text = repr(value) if isinstance(value, bytes) else str(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
