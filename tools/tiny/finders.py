"""Models that find names, relations and classes in texts, laid out as published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tiny.bert import Size, bert_config, bert_weights
from tiny.files import write_json, write_tensors
from tiny.numbers import Numbers, Tensor, merged
from tiny.torch_file import write_torch
from tiny.wordpiece import write_wordpiece

SIZE = Size(layers=1, positions=256)
LABELS = Size(layers=1, positions=64)
"""Of an encoder for labels, which are short."""

HIDDEN = 48
"""Width of the layers after the encoder, which real checkpoints have narrower too."""

GLINER = "token_rep_layer"
ENCODER = f"{GLINER}.bert_layer.model"


def write_marked(folder: Path, marks: tuple[str, ...], *, max_length: int = 256) -> int:
    """Write a tokenizer for texts with capitals, and marks that stand for themselves.

    Returns:
        Size of the vocabulary, marks included; they are the last.
    """
    size = write_wordpiece(folder, cased=True, max_length=max_length)
    added = [
        {
            "id": size + i, "content": mark, "single_word": False, "lstrip": False,
            "rstrip": False, "normalized": False, "special": True,
        }
        for i, mark in enumerate(marks)
    ]  # fmt: skip
    table = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    table["added_tokens"] += added
    plain = {"truncation": None, "padding": None}
    write_json(folder / "tokenizer.json", table | plain)
    settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    settings["added_tokens_decoder"] = {
        str(token["id"]): {key: value for key, value in token.items() if key != "id"}
        for token in table["added_tokens"]
    }
    write_json(folder / "tokenizer_config.json", settings)
    return size + len(marks)


def gliner_config(vocabulary: int, marks: int, **options: Any) -> dict[str, Any]:
    """Content of ``gliner_config.json`` as the library saves it."""
    return {
        "model_name": "nobody/no-such-encoder",
        "name": "tiny",
        "max_width": 4,
        "hidden_size": HIDDEN,
        "dropout": 0.3,
        "fine_tune": True,
        "subtoken_pooling": "first",
        "span_mode": "markerV0",
        "post_fusion_schema": "",
        "num_post_fusion_layers": 1,
        "vocab_size": vocabulary,
        "max_neg_type_ratio": 1,
        "max_types": 25,
        "max_len": 32,
        "words_splitter_type": "whitespace",
        "num_rnn_layers": 1,
        "fuse_layers": False,
        "embed_ent_token": True,
        "class_token_index": vocabulary - marks,
        "encoder_config": encoder_config(vocabulary),
        "ent_token": "<<ENT>>",
        "sep_token": "<<SEP>>",
        "model_type": "gliner_uni_encoder_span",
        **options,
    }


def encoder_config(vocabulary: int, size: Size = SIZE) -> dict[str, Any]:
    """The encoder's own configuration, as it stands within that of the whole."""
    return bert_config(size, vocabulary)


def encoder(
    seed: str, vocabulary: int, prefix: str = ENCODER, size: Size = SIZE
) -> dict[str, Tensor]:
    """Tensors of the encoder, under their names in the whole."""
    tensors = bert_weights(seed, size, vocabulary)
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def layers(seed: str) -> dict[str, Tensor]:
    """Tensors between the encoder and what is scored: a projection and an LSTM."""
    numbers = Numbers(f"{seed}/layers")
    lstm: dict[str, Tensor] = {}
    for side in ("", "_reverse"):
        half = HIDDEN // 2
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (4 * half, HIDDEN),
            "weight_hh": (4 * half, half),
            "bias_ih": (4 * half,),
            "bias_hh": (4 * half,),
        }
        for name, shape in shapes.items():
            lstm[f"rnn.lstm.{name}_l0{side}"] = numbers.uniform(f"{name}{side}", *shape)
    return merged([numbers.linear(f"{GLINER}.projection", HIDDEN, SIZE.width), lstm])


def projection(
    numbers: Numbers, name: str, inputs: int, outputs: int, inner: int
) -> dict[str, Tensor]:
    """Tensors of two linear layers with an activation between them."""
    first = numbers.linear(f"{name}.0", inner, inputs)
    return first | numbers.linear(f"{name}.3", outputs, inner)


def damped(tensors: dict[str, Tensor], layer: str, factor: float) -> dict[str, Tensor]:
    """The same, a layer's results made smaller, so that scores are neither 0 nor 1."""
    return {
        name: np.float32(factor) * tensor if name.startswith(f"{layer}.") else tensor
        for name, tensor in tensors.items()
    }


def span_head(seed: str, factor: float = 0.05) -> dict[str, Tensor]:
    """Tensors that score every place against every label."""
    numbers = Numbers(f"{seed}/spans")
    home = "span_rep_layer.span_rep_layer"
    inner = 4 * HIDDEN
    tensors = merged([
        projection(numbers, f"{home}.project_start", HIDDEN, HIDDEN, inner),
        projection(numbers, f"{home}.project_end", HIDDEN, HIDDEN, inner),
        projection(numbers, f"{home}.out_project", 2 * HIDDEN, HIDDEN, inner),
        projection(numbers, "prompt_rep_layer", HIDDEN, HIDDEN, inner),
    ])  # fmt: skip
    return damped(tensors, "prompt_rep_layer.3", factor)


def token_head(seed: str) -> dict[str, Tensor]:
    """Tensors that score where names begin, end and go on."""
    numbers = Numbers(f"{seed}/scorer")
    scorer = merged([
        numbers.linear("scorer.proj_token", 2 * HIDDEN, HIDDEN),
        numbers.linear("scorer.proj_label", 2 * HIDDEN, HIDDEN),
        projection(numbers, "scorer.out_mlp", 3 * HIDDEN, 3, 4 * HIDDEN),
    ])  # fmt: skip
    scorer = damped(scorer, "scorer.out_mlp.3", 0.4)
    scorer["scorer.out_mlp.3.bias"] += np.array([-4.5, -0.5, 3.5], np.float32)
    return scorer


def gliner_span(folder: Path) -> None:
    """GLiNER: texts and labels in one encoder, every place scored; torch's own file."""
    vocabulary = write_marked(folder, ("[FLERT]", "<<ENT>>", "<<SEP>>"))
    write_json(folder / "gliner_config.json", gliner_config(vocabulary, 2))
    seed = "gliner-span"
    tensors = merged([encoder(seed, vocabulary), layers(seed), span_head(seed)])
    write_torch(folder / "pytorch_model.bin", tensors)


def gliner_token(folder: Path) -> None:
    """GLiNER: where names begin, end and go on, word by word."""
    vocabulary = write_marked(folder, ("[FLERT]", "<<ENT>>", "<<SEP>>"))
    options = {"span_mode": "token_level", "model_type": "gliner_uni_encoder_token"}
    write_json(folder / "gliner_config.json", gliner_config(vocabulary, 2, **options))
    seed = "gliner-token"
    tensors = merged([encoder(seed, vocabulary), layers(seed), token_head(seed)])
    write_tensors(folder / "model.safetensors", tensors)


def gliner_bi(folder: Path) -> None:
    """GLiNER: labels in an encoder of their own."""
    kind = {"model_type": "gliner_bi_encoder_span"}
    write_bi(folder, "gliner-bi", span_head("gliner-bi", 0.01), **kind)


def gliner_bi_token(folder: Path) -> None:
    """GLiNER: labels in an encoder of their own, names word by word."""
    kind = {"span_mode": "token_level", "model_type": "gliner_bi_encoder_token"}
    write_bi(folder, "gliner-bi-token", token_head("gliner-bi-token"), **kind)


def write_bi(folder: Path, seed: str, head: dict[str, Tensor], **options: Any) -> None:
    """Write a model with an encoder for texts and one for labels."""
    vocabulary = write_marked(folder, ())
    labels = write_wordpiece(folder / "labels_encoder", max_length=64)
    options |= {
        "labels_encoder": "nobody/no-such-labels",
        "labels_encoder_config": encoder_config(labels, LABELS),
        "class_token_index": -1,
    }
    write_json(folder / "gliner_config.json", gliner_config(vocabulary, 0, **options))
    home = f"{GLINER}.labels_encoder.model"
    tensors = merged([
        encoder(seed, vocabulary),
        encoder(f"{seed}/labels", labels, home, LABELS),
        Numbers(f"{seed}/labels").linear(f"{GLINER}.labels_projection", HIDDEN, SIZE.width),
        layers(seed),
        head,
    ])  # fmt: skip
    write_tensors(folder / "model.safetensors", tensors)


def gliner_relations(folder: Path) -> None:
    """GLiNER-relex: names, and relations between them."""
    vocabulary = write_marked(folder, ("<<ENT>>", "<<SEP>>", "<<REL>>"))
    options = {
        "relations_layer": "mlp",
        "triples_layer": None,
        "embed_rel_token": True,
        "rel_token_index": vocabulary - 1,
        "rel_token": "<<REL>>",
        "model_type": "gliner_uni_encoder_span_relex",
    }
    write_json(folder / "gliner_config.json", gliner_config(vocabulary, 3, **options))
    seed = "gliner-relations"
    numbers = Numbers(f"{seed}/relations")
    home = "relations_rep_layer.relation_rep_layer.mlp"
    pairs = projection(numbers, "pair_rep_layer", 2 * HIDDEN, HIDDEN, 4 * HIDDEN)
    tensors = merged([
        encoder(seed, vocabulary),
        layers(seed),
        span_head(seed),
        numbers.linear(f"{home}.0", HIDDEN, 2 * HIDDEN),
        numbers.linear(f"{home}.2", 1, HIDDEN),
        damped(pairs, "pair_rep_layer.3", 0.05),
    ])  # fmt: skip
    write_tensors(folder / "model.safetensors", tensors)


def gliclass(folder: Path) -> None:
    """GLiClass: a text and its labels in one encoder, one logit for each label."""
    write_gliclass(folder, "gliclass", prompt_first=True)


def gliclass_average(folder: Path) -> None:
    """GLiClass: labels after the text, the mean of its tokens, cosines."""
    options = {"pooling_strategy": "avg", "normalize_features": True, "scorer_type": "simple"}
    write_gliclass(folder, "gliclass-average", prompt_first=False, **options)


def write_gliclass(folder: Path, seed: str, **options: Any) -> None:
    """Write a model that classifies texts."""
    vocabulary = write_marked(folder, ("<<LABEL>>", "<<SEP>>", "<<EXAMPLE>>"))
    config = {
        "architectures": ["GLiClassModel"],
        "architecture_type": "uni-encoder",
        "class_token_index": vocabulary - 3,
        "class_token_pooling": "first",
        "dropout": 0.1,
        "embed_class_token": True,
        "encoder_config": encoder_config(vocabulary),
        "encoder_layer_id": -1,
        "encoder_model_name": "nobody/no-such-encoder",
        "example_token_index": vocabulary - 1,
        "extract_text_features": False,
        "hidden_size": SIZE.width,
        "initializer_range": 0.03,
        "logit_scale_init_value": 2.6592,
        "max_num_classes": 25,
        "model_type": "GLiClass",
        "normalize_features": False,
        "pad_token_id": 0,
        "pooling_strategy": "first",
        "problem_type": "multi_label_classification",
        "projector_hidden_act": "gelu",
        "scorer_type": "mlp",
        "text_token_index": vocabulary - 2,
        "use_lstm": False,
        "vocab_size": vocabulary,
        **options,
    }
    write_json(folder / "config.json", config)
    numbers = Numbers(f"{seed}/head")
    width = SIZE.width
    projectors = [
        numbers.linear(f"model.{part}_projector.linear_{i}", width, width)
        for part in ("text", "classes")
        for i in (1, 2)
    ]
    tensors = merged([
        encoder(seed, vocabulary, "model.encoder_model"),
        {"model.logit_scale": np.array(config["logit_scale_init_value"], np.float32)},
        *projectors,
    ])  # fmt: skip
    if config["scorer_type"] == "mlp":
        tensors |= numbers.linear("model.scorer.mlp.0", 256, 2 * width)
        tensors |= numbers.linear("model.scorer.mlp.2", 128, 256)
        tensors |= numbers.linear("model.scorer.mlp.4", 1, 128)
        tensors = damped(tensors, "model.scorer.mlp.4", 0.2)
    write_tensors(folder / "model.safetensors", tensors)


SOUND = (
    gliclass,
    gliclass_average,
    gliner_span,
    gliner_token,
    gliner_bi,
    gliner_bi_token,
    gliner_relations,
)
