"""Adapters against PEFT on the transformers model: added, merged, mixed, let go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fix_adapters import asked, engine_with, trained
from numpy.typing import NDArray
from sentence_transformers import CrossEncoder, SentenceTransformer

from stelae.engines.text.engine import TextEngine
from stelae.types import EncodeCall, Item, ScoreCall

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
}


def encode(engine: TextEngine, lora: str | None) -> NDArray[np.float32]:
    """The vectors of the texts."""
    items = [Item(text=text) for text in TEXTS]
    found: NDArray[np.float32] = asked(engine, EncodeCall(model="m", items=items, lora=lora)).dense
    return found


def score(engine: TextEngine, lora: str | None) -> NDArray[np.float32]:
    """The logits of the pairs."""
    documents = [Item(text=text) for _, text in PAIRS]
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
