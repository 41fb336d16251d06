"""Which engine serves a model, and what is told of those passed over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny.gguf import write_gguf

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import ModelSpec
from stelae.engines import registry
from stelae.engines.base import EngineOptions, WeightFormat
from stelae.errors import MissingDependency, UnsupportedCheckpoint
from stelae.types import ComputeDtype


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


def test_model_in_a_format_goes_to_engines_that_read_it(zoo: Path, tmp_path: Path) -> None:
    write_gguf(zoo / "qwen3-chat", tmp_path / "model.gguf")
    spec = spec_of(tmp_path)
    assert registry.format_of(spec) is WeightFormat.GGUF
    with pytest.raises(UnsupportedCheckpoint, match="reads no weights of the format gguf"):
        registry.choose(spec, "transformers_text")


def test_package_that_is_lacking_is_named_with_its_extra(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_gguf(zoo / "qwen3-chat", tmp_path / "model.gguf")
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "llama_cpp" else 1)
    with pytest.raises(MissingDependency) as caught:
        registry.choose(spec_of(tmp_path))
    assert caught.value.hint == "pip install 'stelae[gguf]'"


@pytest.mark.parametrize(
    ("name", "engine", "dtype", "known"),
    [
        ("bert-mean", "encoder", ComputeDtype.FLOAT16, "auto, bfloat16, float32, int8"),
        ("gliner-span", "gliner", ComputeDtype.INT8, "auto, bfloat16, float32"),
    ],
)
def test_number_format_that_no_engine_computes_in_is_refused_with_those_they_do(
    zoo: Path, name: str, engine: str, dtype: ComputeDtype, known: str
) -> None:
    spec = spec_of(zoo / name)
    told = f"dtype={dtype}: engine '{engine}' computes in {known}"
    with pytest.raises(UnsupportedCheckpoint, match=told):
        registry.load_chosen(registry.choose(spec), spec, EngineOptions(dtype=dtype))
