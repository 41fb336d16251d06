"""Checkpoints whose faults show only when their weights are loaded: refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines.base import Device, EngineOptions
from stelae.engines.encoder.engine import load
from stelae.errors import ModelLoadFailed

FAULTS = [
    ("broken-missing", "encoder.layer.1.output.dense.weight is missing"),
    ("broken-shape", "encoder.layer.1.output.dense.weight has shape (64, 7), not (64, 128)"),
    ("broken-surplus", "encoder.layer.1.adapter.weight is not used"),
]


@pytest.mark.parametrize(("name", "part"), FAULTS)
def test_tensor_that_does_not_fit_is_named(zoo: Path, name: str, part: str) -> None:
    spec = Catalog([ModelEntry(name=name, source=str(zoo / name))]).spec(name)
    with pytest.raises(ModelLoadFailed) as caught:
        load(spec, EngineOptions(device=Device.CPU, threads=1))
    assert part in str(caught.value)
    assert str(zoo / name / "model.safetensors") in str(caught.value)
