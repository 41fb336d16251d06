"""The launched models of a server, a table for each type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from stelae.catalog.families import cards
from stelae.catalog.variants import Wish, choose
from stelae.cli import kinds, reach
from stelae.cli.output import Output
from stelae.cli.reach import Where
from stelae.cli.sheets import sheet, whole
from stelae.errors import InvalidInput
from stelae.types import Chosen, LaunchInfo, ModelInfo, ModelKind, Task

COLUMNS: dict[ModelKind, tuple[str, ...]] = {
    "llm": ("Format", "Size (in billions)", "Quantization"),
    "embedding": ("Dimensions",),
    "rerank": (),
    "image": (),
    "audio": (),
    "extract": (),
}
"""Columns between ``Name`` and ``Stage``."""

KINDS: dict[Task, ModelKind] = {
    Task.CHAT: "llm",
    Task.IMAGE: "image",
    Task.TRANSCRIBE: "audio",
    Task.SPEAK: "audio",
    Task.EXTRACT: "extract",
    Task.ENCODE: "embedding",
    Task.SCORE: "rerank",
}
"""What a model is for that no list knows, by the first of these tasks that it has."""


def show(where: Where, out: Output) -> None:
    """List the launched models.

    Raises:
        ServerUnreachable: No server answers there.
    """
    with reach.connect(*where, timeout=15.0) as client:
        found = client.list_models()
        known = {} if out.json or out.quiet else {info.name: info for info in client.models()}
    if out.json:
        out.document(msgspec.to_builtins(found))
    elif out.quiet:
        for info in found:
            out.line(info.uid)
    elif not found:
        out.note("no model is launched; 'stelae launch MODEL' launches one")
    else:
        for text in tables(found, known):
            out.line(text)
        for info in found:
            if info.error is not None:
                out.warn(f"{info.uid}: {info.error.message}")


def tables(found: Sequence[LaunchInfo], known: dict[str, ModelInfo]) -> Iterator[str]:
    """The lines of a table for each type, with an empty one between them.

    Args:
        found: The launches.
        known: What the server says of its models, by name.
    """
    first = True
    for kind, between in COLUMNS.items():
        rows = [
            _row(kind, info, known.get(info.uid))
            for info in found
            if _kind(info, known.get(info.uid)) == kind
        ]
        if rows:
            if not first:
                yield ""
            first = False
            yield from sheet(("UID", "Type", "Name", *between, "Stage"), rows)


def _row(kind: ModelKind, info: LaunchInfo, model: ModelInfo | None) -> list[Any]:
    chosen = _chosen(info)
    facts = {
        "Format": info.call.format if chosen is None else chosen.format,
        "Size (in billions)": None if chosen is None else whole(chosen.size),
        "Quantization": info.call.quantization if chosen is None else chosen.quantization,
        "Dimensions": (model.dimensions or None) if model is not None else None,
    }
    between = (facts[name] for name in COLUMNS[kind])
    return [info.uid, kinds.TYPES[kind], info.call.model, *between, info.stage.value]


def _kind(info: LaunchInfo, model: ModelInfo | None) -> ModelKind:
    if info.call.kind is not None:
        return info.call.kind
    if (card := cards().get(info.call.model)) is not None:
        return card.kind
    tasks = () if model is None else model.tasks
    return next((kind for task, kind in KINDS.items() if task in tasks), "embedding")


def _chosen(info: LaunchInfo) -> Chosen | None:
    """The variant that was launched, of a well-known model."""
    card, call = cards().get(info.call.model), info.call
    if card is None:
        return None
    wish = Wish(format=call.format, size=call.size, quantization=call.quantization)
    try:
        return choose(card.name, card.variants, wish)
    except InvalidInput:  # a server of another version knows other variants
        return None
