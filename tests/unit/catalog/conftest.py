"""Fixtures of the catalog's tests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fix_hub import Hub, running_hub

from stelae.catalog.checkpoint import read_spec
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import ModelSpec, Source

Edit = Callable[..., Path]


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A model hub without models."""
    with running_hub() as hub:
        yield hub


@pytest.fixture
def edited(zoo: Path, tmp_path: Path) -> Edit:
    """A function that copies a checkpoint and changes one of its JSON files.

    ``edited("bert-mean", "config.json", hidden_size=3)``: ``None`` removes a key.
    """

    def edit(name: str, file: str, **changes: Any) -> Path:
        folder = tmp_path / name
        if not folder.exists():
            shutil.copytree(zoo / name, folder)
        path = folder / file
        value = json.loads(path.read_text("utf-8")) if path.exists() else {}
        value = {k: v for k, v in (value | changes).items() if v is not None}
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(value), "utf-8")
        return folder

    return edit


@pytest.fixture
def read() -> Callable[..., ModelSpec]:
    """A function that reads the spec of a folder, with options of its entry."""

    def read_folder(folder: Path, **options: Any) -> ModelSpec:
        entry = ModelEntry(name=folder.name, source=str(folder), **options)
        return read_spec(folder, entry, Source(kind="folder", location=str(folder)))

    return read_folder
