"""BERT in small: ``config.json`` and weights, with the names real checkpoints use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tiny.numbers import Numbers, Tensor, merged


@dataclass(frozen=True, slots=True)
class Size:
    """How large a transformer is.

    Attributes:
        types: Kinds of segments.
        embedding: Width of the embeddings; ``None`` for ``width``.
    """

    width: int = 64
    layers: int = 2
    heads: int = 4
    inner: int = 128
    positions: int = 128
    types: int = 2
    embedding: int | None = None


def bert_config(size: Size, vocabulary: int, architecture: str = "BertModel") -> dict[str, Any]:
    """Content of ``config.json``."""
    return {
        "architectures": [architecture],
        "attention_probs_dropout_prob": 0.1,
        "classifier_dropout": None,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": size.width,
        "initializer_range": 0.2,
        "intermediate_size": size.inner,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": size.positions,
        "model_type": "bert",
        "num_attention_heads": size.heads,
        "num_hidden_layers": size.layers,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "type_vocab_size": size.types,
        "use_cache": True,
        "vocab_size": vocabulary,
    }


def bert_weights(seed: str, size: Size, vocabulary: int) -> dict[str, Tensor]:
    """Tensors of ``BertModel``, pooler included."""
    numbers = Numbers(seed)
    return merged([
        embeddings(numbers, size, vocabulary),
        *(_layer(numbers, f"encoder.layer.{i}", size) for i in range(size.layers)),
        numbers.linear("pooler.dense", size.width, size.width),
    ])  # fmt: skip


def embeddings(numbers: Numbers, size: Size, vocabulary: int) -> dict[str, Tensor]:
    """Tensors of the embeddings and their norm."""
    width = size.embedding or size.width
    rows = {"word": vocabulary, "position": size.positions, "token_type": size.types}
    tables = {
        f"embeddings.{kind}_embeddings.weight": numbers.uniform(kind, count, width)
        for kind, count in rows.items()
        if count
    }
    return tables | numbers.norm("embeddings.LayerNorm", width)


def _layer(numbers: Numbers, name: str, size: Size) -> dict[str, Tensor]:
    width = size.width
    return merged([
        *(numbers.linear(f"{name}.attention.self.{part}", width, width) for part in PARTS),
        numbers.linear(f"{name}.attention.output.dense", width, width),
        numbers.norm(f"{name}.attention.output.LayerNorm", width),
        numbers.linear(f"{name}.intermediate.dense", size.inner, width),
        numbers.linear(f"{name}.output.dense", width, size.inner),
        numbers.norm(f"{name}.output.LayerNorm", width),
    ])  # fmt: skip


PARTS = ("query", "key", "value")


def masked_lm_weights(seed: str, size: Size, vocabulary: int) -> dict[str, Tensor]:
    """Tensors of ``BertForMaskedLM``: a prefix on the trunk, and the head of pre-training."""
    numbers = Numbers(f"{seed}/head")
    trunk = bert_weights(seed, size, vocabulary)
    named = {f"bert.{name}": t for name, t in trunk.items() if not name.startswith("pooler")}
    return named | merged([
        {"cls.predictions.bias": numbers.uniform("bias", vocabulary)},
        numbers.linear("cls.predictions.transform.dense", size.width, size.width),
        numbers.norm("cls.predictions.transform.LayerNorm", size.width),
    ])  # fmt: skip


def distilbert_config(size: Size, vocabulary: int) -> dict[str, Any]:
    """Content of DistilBERT's ``config.json``, with its own names for everything."""
    return {
        "activation": "gelu",
        "architectures": ["DistilBertModel"],
        "attention_dropout": 0.1,
        "dim": size.width,
        "dropout": 0.1,
        "hidden_dim": size.inner,
        "initializer_range": 0.2,
        "max_position_embeddings": size.positions,
        "model_type": "distilbert",
        "n_heads": size.heads,
        "n_layers": size.layers,
        "pad_token_id": 0,
        "sinusoidal_pos_embds": False,
        "tie_weights_": True,
        "vocab_size": vocabulary,
    }


def distilbert_weights(seed: str, size: Size, vocabulary: int) -> dict[str, Tensor]:
    """Tensors of ``DistilBertModel``."""
    numbers = Numbers(seed)
    return merged([
        embeddings(numbers, replace(size, types=0), vocabulary),
        *(_distil_layer(numbers, f"transformer.layer.{i}", size) for i in range(size.layers)),
    ])  # fmt: skip


def _distil_layer(numbers: Numbers, name: str, size: Size) -> dict[str, Tensor]:
    width = size.width
    return merged([
        *(numbers.linear(f"{name}.attention.{part}_lin", width, width) for part in "qkv"),
        numbers.linear(f"{name}.attention.out_lin", width, width),
        numbers.norm(f"{name}.sa_layer_norm", width),
        numbers.linear(f"{name}.ffn.lin1", size.inner, width),
        numbers.linear(f"{name}.ffn.lin2", width, size.inner),
        numbers.norm(f"{name}.output_layer_norm", width),
    ])  # fmt: skip
