"""``stelae extract`` from its options to its last line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from stelae.cli import reach
from stelae.cli.given import read_lines
from stelae.cli.output import Output
from stelae.client import Extracted, ExtractOptions
from stelae.types import Extraction

FOUND = Extraction.__struct_fields__
"""Kinds of what is found."""

COLUMNS = ("item", "found", "label", "score", "text", "start", "end")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The command line of ``stelae extract``."""

    model: str
    texts: Sequence[str]
    options: ExtractOptions
    server: str | None
    key: str | None
    local: bool


def listed(words: str) -> tuple[str, ...]:
    """Labels as they are written on a command line, with commas between them."""
    return tuple(word.strip() for word in words.split(",") if word.strip())


def run(request: Request, out: Output) -> bool:
    """Look into the texts and print what they hold.

    Returns:
        Whether none of them failed.

    Raises:
        InvalidInput: There are no texts, or the model cannot do what is asked.
        ServerUnreachable: No server answers there.
    """
    texts = list(request.texts) or read_lines(out, "texts")
    where = (request.server, request.key)
    with reach.either(request.model, *where, local=request.local) as client:
        found = client.extract(texts, **request.options)
    if out.json:
        out.document([summary(item) for item in found])
    else:
        out.table([row for i, item in enumerate(found) for row in rows(i, item)], COLUMNS)
    for index, item in enumerate(found):
        if item.error is not None:
            out.warn(f"text {index} failed: {item.error.message}")
    return not any(item.error for item in found)


def rows(index: int, item: Extracted) -> Iterator[dict[str, Any]]:
    """What one text holds, a row each."""
    for name in item.entities:
        places = {"start": name.start, "end": name.end}
        yield _row(index, "name", name.label, name.score, name.text) | places
    for link in item.relations:
        yield _row(index, "relation", link.relation, link.score, f"{link.head} - {link.tail}")
    for kind in item.classifications:
        yield _row(index, "class", kind.label, kind.score, None)
    for thing in item.objects:
        yield _row(index, "object", thing.label, thing.score, None)
    for field, value in item.data.items():
        yield _row(index, "field", field, None, str(value))


def _row(
    index: int, found: str, label: str, score: float | None, text: str | None
) -> dict[str, Any]:
    shown = None if text is None else " ".join(text.split())
    given = None if score is None else f"{score:.4f}"
    return {"item": index, "found": found, "label": label, "score": given, "text": shown}


def summary(item: Extracted) -> dict[str, Any]:
    """What one text holds, for programs."""
    told: dict[str, Any] = {name: msgspec.to_builtins(getattr(item, name)) for name in FOUND}
    if item.error is not None:
        told["error"] = {"code": item.error.code, "message": item.error.message}
    return told
