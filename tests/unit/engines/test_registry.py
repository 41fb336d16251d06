"""Which engine serves a model, and what is told of those passed over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import ModelSpec
from stelae.engines import registry
from stelae.errors import UnsupportedCheckpoint


def spec_of(folder: Path) -> ModelSpec:
    return Catalog([ModelEntry(name="tiny", source=str(folder))]).spec("tiny")


def named(reason: str) -> Iterator[str]:
    """Engines that a reason names."""
    if reason != registry.PREFERRED:
        yield from (part.partition(":")[0] for part in reason.split("; "))


@pytest.mark.parametrize("name", ["bert-mean", "gliner-span", "gliclass", "detr", "donut"])
def test_reason_leaves_out_engines_for_other_models(zoo: Path, name: str) -> None:
    choice = registry.choose(spec_of(zoo / name))
    special = {card.name for card in registry.manifests().values() if card.special}
    assert set(named(choice.reason)) & special == set()


def test_model_that_an_engine_does_not_serve_is_told_why(zoo: Path) -> None:
    with pytest.raises(UnsupportedCheckpoint, match="gliner: it serves GLiNER only"):
        registry.choose(spec_of(zoo / "detr"), "gliner")
