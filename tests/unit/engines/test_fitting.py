from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from stelae.catalog.catalog import Catalog
from stelae.catalog.registered import card_of
from stelae.catalog.variants import Wish
from stelae.engines import vllm
from stelae.engines.fitting import fits
from stelae.types import Card, EngineFit, ModelKind, Registration, Weights


def fitted(name: str) -> dict[str, EngineFit]:
    card = Catalog().card(name)
    assert card is not None
    return {fit.engine: fit for fit in fits(card, {})}


def formats(fit: EngineFit) -> set[str]:
    return {variant.format for variant in fit.variants}


def test_language_models_are_told_apart_by_format_and_architecture() -> None:
    found = fitted("qwen3")
    assert formats(found["transformers_text"]) == {"pytorch"}
    assert fitted("glm4-chat")["openvino"].variants == ()
    assert "it builds no graph of GlmForCausalLM" in fitted("glm4-chat")["openvino"].reason


def test_files_of_llama_cpp_are_for_it_where_it_is_installed() -> None:
    fit = fitted("qwen3")["llama_cpp"]
    if find_spec("llama_cpp") is None:
        assert fit.variants == ()
        assert "llama" in fit.reason
    else:
        assert formats(fit) == {"ggufv2"}
        assert "fp8" in fit.reason


def test_engine_with_its_own_interpreter_says_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("VLLM_PYTHON", raising=False)
    assert fitted("qwen3")["vllm"].variants == ()
    assert "VLLM_PYTHON" in fitted("qwen3")["vllm"].reason
    monkeypatch.setenv("VLLM_PYTHON", "/usr/bin/python3")
    assert formats(fitted("qwen3")["vllm"]) == {"pytorch", "fp8", "gptq", "awq"}


@pytest.mark.parametrize(
    ("name", "served"),
    [("qwen3", True), ("qwen2-vl-instruct", False), ("qwen2-audio-instruct", False)],
)
def test_models_for_vllm_are_those_that_it_serves_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, name: str, served: bool
) -> None:
    monkeypatch.setenv("VLLM_PYTHON", "/usr/bin/python3")
    card = Catalog().card(name)
    assert card is not None
    assert vllm.reads(card) is served
    assert bool(fitted(name)["vllm"].variants) is served


@pytest.mark.parametrize(
    ("name", "engines"),
    [
        ("gliner_small-v2.1", {"gliner"}),
        ("bge-m3", {"encoder", "sentence_transformers"}),
        ("bge-reranker-base", {"encoder", "sentence_transformers"}),
        ("whisper-tiny", {"whisper_ct2", "whisper"}),
        ("sd-turbo", {"diffusers"}),
    ],
)
def test_models_are_served_by_the_engines_of_their_kind(name: str, engines: set[str]) -> None:
    assert {engine for engine, fit in fitted(name).items() if fit.variants} == engines


@pytest.mark.parametrize("kind", ["llm", "embedding", "rerank", "extract", "image", "audio"])
def test_each_well_known_model_has_engines_and_each_of_them_an_answer(kind: ModelKind) -> None:
    for card in Catalog().cards(kind):
        found = fits(card, {})
        assert found
        for fit in found:
            assert fit.reason or fit.variants == card.variants
            assert not fit.certain


def test_what_the_files_say_counts_where_they_are_here(zoo: Path) -> None:
    card, catalog = local(zoo / "bert-dense", "embedding")
    entry = catalog.variant(card.name, Wish())
    spec = catalog.here(entry)
    assert spec is not None
    found = {fit.engine: fit for fit in fits(card, {card.variants[0]: spec})}
    assert all(fit.certain for fit in found.values())
    assert found["encoder"].variants == card.variants
    assert found["clap"].variants == ()


def test_files_that_are_not_here_say_nothing(tmp_path: Path) -> None:
    card, catalog = local(tmp_path / "gone", "embedding")
    assert catalog.here(catalog.variant(card.name, Wish())) is None
    assert Catalog().here(Catalog().entry("bge-m3")) is None


def local(folder: Path, kind: ModelKind) -> tuple[Card, Catalog]:
    mine = Registration(name="mine", kind=kind, weights=(Weights(source=str(folder)),))
    catalog = Catalog()
    catalog.add_registration(mine)
    return card_of(mine), catalog
