"""Adapters against PEFT on the transformers model: added, merged, mixed, let go."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fix_adapters import asked, base_of, engine_with, reranker_of, settled, shelf_of, trained
from fix_engine import prepared_of
from numpy.typing import NDArray
from safetensors.torch import load_file
from sentence_transformers import CrossEncoder, SentenceTransformer, SparseEncoder
from torch.nn import Identity

from stelae.engines.text.engine import TextEngine
from stelae.types import ComputeDtype, EncodeCall, Item, Role, ScoreCall

TEXTS = ["a river", "the stone", "", "long text " * 30, "two", "where is the king", "ÄÖ 12"]
PAIRS = [("a river", text) for text in TEXTS]

EAGER = {"attn_implementation": "eager"}
"""Attention of the library that caps scores where the model says so."""

BERT = ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"]
LLAMA = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

EMBEDDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("bert-mean", {"target_modules": BERT}),
    "bert, some": ("bert-mean", {"target_modules": ["query", "value"], "r": 3}),
    "bert, by its layers": (
        "bert-mean",
        {"target_modules": ["key", "dense"], "layers_to_transform": [1], "lora_alpha": 3},
    ),
    "xlm-roberta": ("xlm-roberta-mean", {"target_modules": r".*\.(query|value|dense)"}),
    "modernbert": ("modernbert-mean", {"target_modules": ["Wqkv", "Wo", "Wi"]}),
    "qwen3": ("qwen3-embedding", {"target_modules": LLAMA, "use_rslora": True}),
    "qwen3, by patterns": (
        "qwen3-embedding",
        {
            "target_modules": LLAMA,
            "rank_pattern": {"q_proj": 2, "0.mlp.up_proj": 5},
            "alpha_pattern": {"k_proj": 1},
        },
    ),
    "eurobert": ("eurobert-mean", {"target_modules": "all-linear"}),
    "mistral": (
        "mistral-last",
        {"target_modules": LLAMA, "exclude_modules": ["0.self_attn.q_proj"]},
    ),
    "gemma2": ("gemma2-last", {"target_modules": LLAMA}),
    "distilbert": ("distilbert-mean", {"target_modules": ["q_lin", "v_lin", "lin1", "lin2"]}),
    "mpnet": ("mpnet-mean", {"target_modules": ["q", "k", "v", "o", "dense"]}),
    "albert": ("albert-mean", {"target_modules": ["query", "ffn", "ffn_output"]}),
    "nomic": ("nomic-mean", {"target_modules": "all-linear"}),
    "electra": ("electra-cls", {"target_modules": "all-linear"}),
    "jina-v3": ("jina-v3-mean", {"target_modules": "all-linear"}),
    "gemma3": ("gemma3-embedding", {"target_modules": "all-linear"}),
    "t5": ("sentence-t5", {"target_modules": "all-linear"}),
}


def items_of(texts: Sequence[str]) -> list[Item]:
    """Texts as items."""
    return [Item(text=text) for text in texts]


def unit(vectors: Any) -> NDArray[np.float32]:
    """Rows of unit length."""
    rows: NDArray[np.float32] = np.stack(vectors)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def encode(engine: TextEngine, lora: str | None) -> NDArray[np.float32]:
    """The vectors of the texts."""
    items = items_of(TEXTS)
    found: NDArray[np.float32] = asked(engine, EncodeCall(model="m", items=items, lora=lora)).dense
    return found


def score(engine: TextEngine, lora: str | None) -> NDArray[np.float32]:
    """The logits of the pairs."""
    documents = items_of(TEXTS)
    call = ScoreCall(
        model="m", query=Item(text="a river"), documents=documents, normalize=False, lora=lora
    )
    found: NDArray[np.float32] = asked(engine, call).scores
    return found


def assert_near(ours: NDArray[np.float32], theirs: NDArray[np.float32], most: float = 1e-5) -> None:
    """Equal within a share of the reference's largest number."""
    scale = max(1.0, float(np.abs(theirs).max()))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=most * scale)


@pytest.mark.parametrize(("name", "options"), EMBEDDERS.values(), ids=[*EMBEDDERS])
def test_vectors_equal_the_reference(
    zoo: Path, tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    library = SentenceTransformer(str(zoo / name), device="cpu", model_kwargs=EAGER)
    plain = library.encode(TEXTS)
    adapted = trained(library[0].model, tmp_path, **options)
    library[0].model = adapted
    beside = library.encode(TEXTS)
    library[0].model = adapted.merge_and_unload()
    merged = library.encode(TEXTS)
    engine = engine_with(zoo / name, {"one": tmp_path})
    ours = encode(engine, "one")
    assert_near(ours, beside)
    assert_near(ours, merged)
    assert_near(encode(engine, None), plain)
    assert np.abs(ours - plain).max() > 0.01


@pytest.mark.parametrize(
    "options",
    [
        {"target_modules": BERT},
        {"target_modules": ["query", "value", "dense"]},
        {"target_modules": ["key"], "task_type": "SEQ_CLS"},
        {"target_modules": BERT, "modules_to_save": ["classifier"]},
    ],
    ids=["layers", "and the pooler", "and the head", "and the head by name"],
)
@pytest.mark.parametrize("name", ["cross-encoder", "cross-encoder-labels"])
def test_scores_equal_the_reference(
    zoo: Path, tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    library = CrossEncoder(str(zoo / name), device="cpu", local_files_only=True)
    library[0].model = trained(library[0].model, tmp_path, **options)
    expected = library.predict(PAIRS, activation_fn=Identity())
    engine = engine_with(zoo / name, {"one": tmp_path})
    assert_near(score(engine, "one"), expected)


RERANKERS: dict[str, tuple[str, dict[str, Any]]] = {
    "xlm-roberta": ("xlm-roberta-mean", {"target_modules": ["query", "value"]}),
    "modernbert": ("modernbert-mean", {"target_modules": ["Wqkv", "Wi", "dense"]}),
    "modernbert, all": ("modernbert-mean", {"target_modules": "all-linear"}),
    "llama": ("llama-mean", {"target_modules": LLAMA}),
}


@pytest.mark.parametrize(("name", "options"), RERANKERS.values(), ids=[*RERANKERS])
def test_heads_of_other_families_equal_the_reference(
    zoo: Path, tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    folder = reranker_of(zoo / name, tmp_path / "model")
    library = CrossEncoder(str(folder), device="cpu", local_files_only=True)
    plain = library.predict(PAIRS, activation_fn=Identity())
    adapter = tmp_path / "adapter"
    library[0].model = trained(library[0].model, adapter, task_type="SEQ_CLS", **options)
    expected = library.predict(PAIRS, activation_fn=Identity())
    engine = engine_with(folder, {"one": adapter})
    assert_near(score(engine, "one"), expected)
    assert_near(score(engine, None), plain)


def test_weights_of_terms_equal_the_reference(zoo: Path, tmp_path: Path) -> None:
    library = SparseEncoder(str(zoo / "splade"), device="cpu", local_files_only=True)
    library[0].model = trained(library[0].model, tmp_path, target_modules=["query", "value"])
    expected = library.encode(TEXTS, convert_to_tensor=True).to_dense().numpy()
    assert expected.any(axis=1).all()
    engine = engine_with(zoo / "splade", {"one": tmp_path})
    call = EncodeCall(model="m", items=items_of(TEXTS), outputs=engine.spec.outputs, lora="one")
    column = asked(engine, call).sparse
    ours = np.zeros_like(expected)
    for row, (start, end) in enumerate(pairwise(column.offsets)):
        ours[row, column.indices[start:end]] = column.values[start:end]
    assert_near(ours, expected)


def test_a_reranker_that_says_yes_equals_the_reference(zoo: Path, tmp_path: Path) -> None:
    folder = zoo / "qwen3-reranker"
    library = CrossEncoder(str(folder), device="cpu", local_files_only=True)
    library[0].model = trained(library[0].model, tmp_path, target_modules=LLAMA)
    expected = library.predict(PAIRS, activation_fn=Identity())
    engine = engine_with(folder, {"one": tmp_path})
    assert_near(score(engine, "one"), expected)


@pytest.fixture(scope="module", params=["bert-mean", "qwen3-embedding", "modernbert-mean"])
def mixed(
    request: pytest.FixtureRequest, zoo: Path, tmp_path_factory: pytest.TempPathFactory
) -> TextEngine:
    """An engine with two adapters loaded, of different ranks and on different layers."""
    home = tmp_path_factory.mktemp("adapters")
    for seed, options in enumerate(({"r": 4}, {"r": 8, "exclude_modules": r".*\.1\..*"}), start=1):
        model = base_of(zoo / request.param)
        targets = [*BERT, *LLAMA, "Wqkv", "Wo", "Wi"]
        trained(model, home / f"{seed}", seed=seed, target_modules=targets, **options)
    engine = engine_with(zoo / request.param, {"one": home / "1", "two": home / "2"})
    for name in ("one", "two"):
        settled(engine, name)
    return engine


def test_a_batch_of_several_adapters_equals_each_alone(mixed: TextEngine) -> None:
    names = (None, "one", "two")
    items = items_of(TEXTS)
    entries = [prepared_of(mixed, EncodeCall(model="m", items=items, lora=name)) for name in names]
    features = [entry.features for some in zip(*entries, strict=True) for entry in some]
    together = [output.dense for output in mixed.run(features)]
    for number, some in enumerate(entries):
        alone = [output.dense for entry in some for output in mixed.run([entry.features])]
        assert_near(unit(together[number :: len(names)]), unit(alone), most=1e-6)
    assert np.abs(np.subtract(together[1], together[2])).max() > 0.01


def test_texts_without_an_adapter_are_those_of_the_model_alone(
    mixed: TextEngine, zoo: Path
) -> None:
    bare = engine_with(Path(mixed.spec.folder), {})
    encode(mixed, "one")
    assert_near(encode(mixed, None), encode(bare, None), most=1e-7)


def test_every_adapter_has_a_fingerprint_of_its_own(mixed: TextEngine) -> None:
    calls = [EncodeCall(model="m", items=[Item(text="a")], lora=n) for n in (None, "one", "two")]
    found = [asked(mixed, call).fingerprint for call in calls]
    assert len(set(found)) == 3
    assert found[0] == mixed.info.fingerprint


def test_scores_of_vectors_are_those_of_the_adapted_vectors(mixed: TextEngine) -> None:
    made = []
    for role in Role:
        call = EncodeCall(model="m", items=items_of(TEXTS), role=role, lora="one")
        made.append(unit(asked(mixed, call).dense))
    queries, documents = made
    assert_near(score(mixed, "one"), documents @ queries[0])


def test_adapters_let_go_come_back_the_same(zoo: Path, tmp_path: Path) -> None:
    names = ("a", "b", "c")
    for seed, name in enumerate(names):
        trained(base_of(zoo / "bert-mean"), tmp_path / name, seed=seed, target_modules=BERT)
    engine = engine_with(zoo / "bert-mean", {n: tmp_path / n for n in names}, most=2)
    before = encode(engine, "a")
    held = prepared_of(engine, EncodeCall(model="m", items=[Item(text="a river")], lora="a"))
    encode(engine, "b")
    encode(engine, "c")
    assert shelf_of(engine).held == ("b", "c")
    late = engine.run([held[0].features])[0].dense
    assert_near(np.stack([late]), before[:1], most=1e-6)
    np.testing.assert_array_equal(encode(engine, "a"), before)


def test_half_the_bits_point_the_same_way(zoo: Path, tmp_path: Path) -> None:
    trained(base_of(zoo / "qwen3-embedding"), tmp_path, target_modules=LLAMA)
    sources, folder = {"one": tmp_path}, zoo / "qwen3-embedding"
    whole = unit(encode(engine_with(folder, sources), "one"))
    half = unit(encode(engine_with(folder, sources, dtype=ComputeDtype.BFLOAT16), "one"))
    assert (whole * half).sum(axis=1).min() >= 0.999


def test_texts_that_run_alone_do_not_notice_their_neighbours(zoo: Path, tmp_path: Path) -> None:
    trained(base_of(zoo / "bert-mean"), tmp_path, target_modules=BERT)
    engine = engine_with(zoo / "bert-mean", {"one": tmp_path}, deterministic=True)
    together = encode(engine, "one")
    for row, item in zip(together, items_of(TEXTS), strict=True):
        alone = asked(engine, EncodeCall(model="m", items=[item], lora="one")).dense[0]
        np.testing.assert_array_equal(alone, row)


def test_torchs_own_files_are_read_without_running_them(zoo: Path, tmp_path: Path) -> None:
    safe, plain = tmp_path / "safe", tmp_path / "plain"
    trained(base_of(zoo / "bert-mean"), safe, target_modules=BERT)
    plain.mkdir()
    (plain / "adapter_config.json").write_bytes((safe / "adapter_config.json").read_bytes())
    torch.save(load_file(safe / "adapter_model.safetensors"), plain / "adapter_model.bin")
    engine = engine_with(zoo / "bert-mean", {"safe": safe, "plain": plain})
    np.testing.assert_array_equal(encode(engine, "plain"), encode(engine, "safe"))
