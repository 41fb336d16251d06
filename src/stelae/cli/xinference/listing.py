"""The models that are up, in Xinference's tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from stelae.cli.sheets import sheet
from stelae.cli.xinference.session import Session

TABLES: dict[str, dict[str, str]] = {
    "LLM": {
        "Format": "model_format",
        "Size (in billions)": "model_size_in_billions",
        "Quantization": "quantization",
    },
    "embedding": {"Dimensions": "dimensions"},
    "rerank": {},
    "image": {"Controlnet": "controlnet"},
    "audio": {},
    "video": {},
    "flexible": {},
}
"""Columns after ``Name`` by type, and the keys they show."""


def show(endpoint: str, key: str | None) -> None:
    """Print the tables on stderr, as Xinference does.

    Raises:
        XinferenceError: No server answers there, or it refuses the key.
    """
    with Session(endpoint, key) as session:
        models = session.list_models()
    for line in tables(models):
        sys.stderr.write(line + "\n")


def tables(models: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The lines of a table for each type, with an empty one after each."""
    for kind, columns in TABLES.items():
        rows = list(_rows(kind, columns.values(), models))
        if rows:
            yield from sheet(("UID", "Type", "Name", *columns), rows)
            yield ""


def _rows(kind: str, keys: Iterable[str], models: dict[str, dict[str, Any]]) -> Iterator[list[Any]]:
    wanted = list(keys)
    for uid, told in models.items():
        if told.get("model_type") == kind:
            yield [uid, kind, told.get("model_name"), *(told.get(key) for key in wanted)]
