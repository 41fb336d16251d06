"""The layout of sentence-transformers: modules.json, module folders, prompts.

Two generations of names are in use; checkpoints of both are written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny.files import write_json, write_tensors
from tiny.numbers import Numbers

OLD = {
    kind: f"sentence_transformers.models.{kind}"
    for kind in ("Transformer", "Pooling", "Dense", "Normalize", "Dropout")
}
NEW = {
    "Transformer": "sentence_transformers.base.modules.transformer.Transformer",
    "Pooling": "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
    "Dense": "sentence_transformers.base.modules.dense.Dense",
    "Normalize": "sentence_transformers.base.modules.normalize.Normalize",
    "Dropout": "sentence_transformers.sentence_transformer.modules.dropout.Dropout",
}

FLAGS = {
    "cls": "cls_token",
    "mean": "mean_tokens",
    "max": "max_tokens",
    "mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "weightedmean": "weightedmean_tokens",
    "lasttoken": "lasttoken",
}


def write_modules(folder: Path, kinds: list[str], *, names: dict[str, str], home: str = "") -> None:
    """Write ``modules.json``.

    Args:
        folder: The checkpoint.
        kinds: Class names in order, the transformer first.
        names: ``OLD`` or ``NEW``.
        home: Folder of the transformer; empty for the root.
    """
    rows = [
        {
            "idx": i,
            "name": str(i),
            "path": f"{i}_{kind}" if i else home,
            "type": names.get(kind, kind),
        }
        for i, kind in enumerate(kinds)
    ]
    write_json(folder / "modules.json", rows)


def write_reading(folder: Path, max_length: int | None, *, lowercase: bool = False) -> None:
    """Write ``sentence_bert_config.json``, the older form."""
    settings = {"max_seq_length": max_length, "do_lower_case": lowercase}
    write_json(folder / "sentence_bert_config.json", settings)


def write_reading_new(folder: Path) -> None:
    """Write ``sentence_bert_config.json`` as release 5.4 and later do."""
    text = {"method": "forward", "method_output_name": "last_hidden_state"}
    settings = {
        "transformer_task": "feature-extraction",
        "modality_config": {"text": text},
        "module_output_name": "token_embeddings",
    }
    write_json(folder / "sentence_bert_config.json", settings)


def pooling_flags(width: int, *modes: str) -> dict[str, Any]:
    """The older form of a pooling: one flag per mode."""
    flags = {f"pooling_mode_{FLAGS[mode]}": mode in modes for mode in FLAGS}
    return {"word_embedding_dimension": width, **flags}


def pooling_mode(width: int, *modes: str, include_prompt: bool = True) -> dict[str, Any]:
    """The newer form of a pooling: the names of its modes."""
    mode = modes[0] if len(modes) == 1 else list(modes)
    return {"embedding_dimension": width, "pooling_mode": mode, "include_prompt": include_prompt}


def write_dense(
    folder: Path, seed: str, inputs: int, outputs: int, *, activation: str, bias: bool = True
) -> None:
    """Write the folder of a dense layer."""
    settings = {
        "in_features": inputs,
        "out_features": outputs,
        "bias": bias,
        "activation_function": activation,
    }
    write_json(folder / "config.json", settings)
    tensors = Numbers(seed).linear("linear", outputs, inputs, bias=bias)
    write_tensors(folder / "model.safetensors", tensors)


def write_prompts(folder: Path, prompts: dict[str, str], default: str | None = None) -> None:
    """Write ``config_sentence_transformers.json``."""
    settings = {
        "__version__": {
            "sentence_transformers": "6.0.1",
            "transformers": "5.17.0",
            "pytorch": "2.13.0",
        },
        "prompts": prompts,
        "default_prompt_name": default,
        "similarity_fn_name": "cosine",
        "model_type": "SentenceTransformer",
    }
    write_json(folder / "config_sentence_transformers.json", settings)
