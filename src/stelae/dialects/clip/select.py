"""Which of the documents are meant, by their access path."""

from __future__ import annotations

from collections.abc import Sequence

from stelae.dialects.clip.forms import D, Form, Inner
from stelae.wire.clip.paths import Move, parsed


def select(docs: Sequence[D], path: str, form: Form[D]) -> list[D]:
    """The documents that a path leads to, each once.

    Args:
        docs: The documents it starts from.
        path: As ``r``, ``c`` or ``r,cm``, without its ``@``.
        form: How they are read.

    Raises:
        InvalidInput: It is no access path.
    """
    if path == "r":
        return list(docs)
    found: dict[int, D] = {}
    kept = []  # what is alive has an id of its own
    for moves in parsed(path):
        for doc in _walk(docs, moves, form):
            kept.append(doc)
            found.setdefault(id(doc), doc)
    return list(found.values())


def _walk(docs: Sequence[D], moves: Sequence[Move], form: Form[D]) -> list[D]:
    here = list(docs)
    for move in moves:
        if move.step == "r":
            here = here[move.part]
            continue
        kind: Inner = "chunks" if move.step == "c" else "matches"
        here = [doc for outer in here for doc in list(form.inner(outer, kind))[move.part]]
    return here
