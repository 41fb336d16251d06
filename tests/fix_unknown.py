"""Small checkpoints of transformers that only the library itself has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from fix_classic import TINY
from fix_outputs import ENDS, FAMILIES, LIMIT, Family, saved, spec_of
from sentence_transformers import MultiVectorEncoder, SparseEncoder
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

from stelae.engines import registry
from stelae.engines.base import Device, EngineOptions
from stelae.engines.text.engine import TextEngine
from stelae.types import ComputeDtype

LOCAL: dict[str, Any] = {"device": "cpu", "local_files_only": True}
TOKENS = "token_embeddings"

FUNNEL = {
    "d_model": 32, "n_head": 4, "d_head": 8, "d_inner": 48, "block_sizes": [1, 1],
    "num_decoder_layers": 1, "initializer_range": 0.2, "max_position_embeddings": LIMIT,
}  # fmt: skip
SPARSE = {"block_size": 4, "num_random_blocks": 1, "attention_type": "block_sparse"}
WINDOWS = {"attention_window": [8, 8, 8], "max_position_embeddings": LIMIT + 2}
GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": LIMIT, "initializer_range": 0.2}

UNKNOWN = {
    "convbert": Family("ConvBert", "bert-mean", TINY | {"embedding_size": 32}),
    "funnel": Family("Funnel", "bert-mean", FUNNEL),
    "bigbird": Family("BigBird", "bert-mean", TINY | SPARSE),
    "longformer": Family("Longformer", "roberta-mean", TINY | WINDOWS | ENDS),
    "fnet": Family("FNet", "bert-mean", TINY),
    "gpt2": Family("GPT2", "roberta-mean", GPT | ENDS),
}
"""Convolutions, token types of its own, sparse attention, windows, no mask, one direction."""


def engine_of(folder: Path, **options: Any) -> TextEngine:
    """The engine that serves a folder, which is the library's."""
    spec = spec_of(folder)
    choice = registry.choose(spec)
    assert choice.manifest.name == "sentence_transformers"
    given = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1, **options)
    engine = registry.load(choice.manifest, spec, given)
    assert isinstance(engine, TextEngine)
    return engine


def pairs(zoo: Path, folder: Path, name: str, labels: int = 1) -> Path:
    """A cross-encoder, as transformers saves it."""
    return saved(zoo, folder, UNKNOWN[name], "ForSequenceClassification", num_labels=labels)


def splade(zoo: Path, folder: Path, name: str) -> Path:
    """A sparse encoder on a masked language head."""
    source = saved(zoo, folder / "trunk", UNKNOWN[name], "ForMaskedLM")
    model = SparseEncoder(str(source), **LOCAL)
    model.save_pretrained(str(folder / "made"), create_model_card=False)
    return folder / "made"


def colbert(zoo: Path, folder: Path, name: str, **reading: Any) -> Path:
    """A late-interaction model with a projection and a skip list."""
    source = saved(zoo, folder / "trunk", (UNKNOWN | FAMILIES)[name], "Model")
    torch.manual_seed(4)
    dense = Dense(32, 24, bias=False, module_input_name=TOKENS, activation_function=torch.nn.Tanh())
    skip = MultiVectorMask(skiplist_words=[",", "."])
    modules = [Transformer(str(source), **reading), dense, skip, Normalize(TOKENS)]
    prompts = {"query": "query: ", "document": "a text: "}
    model = MultiVectorEncoder(modules=modules, prompts=prompts, device="cpu")
    model.save_pretrained(str(folder / "made"), create_model_card=False)
    return folder / "made"


def dense_terms(column: Any, width: int) -> Any:
    """A sparse column as rows with all terms."""
    rows = np.zeros((len(column.offsets) - 1, width), np.float32)
    for row, (start, stop) in enumerate(zip(column.offsets[:-1], column.offsets[1:], strict=True)):
        rows[row, column.indices[start:stop]] = column.values[start:stop]
    return rows


def fresh(library: Any) -> Any:
    """The library's model as if it had read nothing yet: BigBird's does not stay so."""
    model = library.transformers_model
    trunk = getattr(model, model.base_model_prefix, model)
    if hasattr(trunk, "set_attention_type"):
        trunk.set_attention_type(model.config.attention_type)
    return library
