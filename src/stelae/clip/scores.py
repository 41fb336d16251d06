"""The score of a match: what CLIP's client calls a named score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(slots=True)
class NamedScore:
    """A number that says how well a document matches another.

    Attributes:
        value: The score; its range is that of ``op_name``.
        op_name: How it was computed, as ``softmax`` or ``cosine``.
        description: For people.
        ref_id: ``id`` of the document that it refers to.
    """

    value: float = 0.0
    op_name: str = ""
    description: str = ""
    ref_id: str = ""

    def __repr__(self) -> str:
        shown = {part.name: getattr(self, part.name) for part in fields(self)}
        return repr({name: value for name, value in shown.items() if value not in ("", 0.0)})


class Scores(dict[str, NamedScore]):
    """Scores by name; one that is not there yet is made when it is asked for."""

    def __init__(self, given: Mapping[str, NamedScore | Mapping[str, Any]] | None = None) -> None:
        super().__init__()
        for name, score in (given or {}).items():
            self[name] = score if isinstance(score, NamedScore) else NamedScore(**score)

    def __missing__(self, name: str) -> NamedScore:
        self[name] = made = NamedScore()
        return made
