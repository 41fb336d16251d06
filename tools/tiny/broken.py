"""Checkpoints that must be refused, each for one reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from tiny import decoders, heads
from tiny.files import write_json, write_shards, write_tensors
from tiny.layout import OLD, pooling_mode, write_dense, write_modules
from tiny.sound import SIZE, bert_mean
from tiny.torch_file import write_archive, write_torch

COMMAND = b"\x80\x02cposix\nsystem\nX\x0e\x00\x00\x00echo it has run\x85R."
"""A pickle that runs a command as soon as it is loaded."""


def _edit(path: Path, **changes: Any) -> None:
    write_json(path, json.loads(path.read_text("utf-8")) | changes)


def _with_dense(folder: Path, activation: str) -> None:
    bert_mean(folder)
    write_modules(folder, ["Transformer", "Pooling", "Dense"], names=OLD)
    write_dense(folder / "2_Dense", "broken/dense", SIZE.width, 48, activation=activation)


def broken_module(folder: Path) -> None:
    """A module that is not implemented."""
    bert_mean(folder)
    names = {**OLD, "CLIPModel": "sentence_transformers.models.CLIPModel"}
    write_modules(folder, ["Transformer", "Pooling", "CLIPModel"], names=names)


def broken_code(folder: Path) -> None:
    """A module that the checkpoint brings as Python code."""
    bert_mean(folder)
    write_modules(folder, ["modeling.OwnTransformer", "Pooling"], names=OLD)
    (folder / "modeling.py").write_text("raise SystemExit('this must never run')\n", "utf-8")


def broken_pooling(folder: Path) -> None:
    """A way of pooling that is not implemented."""
    bert_mean(folder)
    write_json(folder / "1_Pooling/config.json", pooling_mode(SIZE.width, "attention"))


def broken_option(folder: Path) -> None:
    """A pooling with an option that nobody knows."""
    bert_mean(folder)
    _edit(folder / "1_Pooling/config.json", pooling_temperature=0.5)


def broken_activation(folder: Path) -> None:
    """A dense layer with an activation that is not implemented."""
    _with_dense(folder, "torch.nn.modules.activation.Hardswish")


def broken_dense(folder: Path) -> None:
    """A dense layer that does not fit the pooling before it."""
    _with_dense(folder, "torch.nn.modules.activation.Tanh")
    write_dense(folder / "2_Dense", "broken/dense", 32, 48, activation="torch.nn.Tanh")


def broken_format(folder: Path) -> None:
    """Weights in the format that torch had before archives: a bare pickle."""
    bert_mean(folder)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02}q\x00.")


def broken_pickle(folder: Path) -> None:
    """Weights in an archive whose table would run a command."""
    bert_mean(folder)
    (folder / "model.safetensors").unlink()
    write_archive(folder / "pytorch_model.bin", COMMAND)


def broken_surplus(folder: Path) -> None:
    """A tensor too many."""
    bert_mean(folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["encoder.layer.1.adapter.weight"] = np.zeros((2, 2), np.float32)
    write_tensors(folder / "model.safetensors", tensors)


def broken_tokenizer(folder: Path) -> None:
    """A tokenizer without a fast form."""
    bert_mean(folder)
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink()
    (folder / "spiece.model").write_bytes(b"never opened")


def broken_head(folder: Path) -> None:
    """A sparse head of another width than the transformer."""
    heads.bge_m3(folder)
    shapes = {"weight": (1, SIZE.width - 1), "bias": (1,)}
    tensors = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    write_torch(folder / "sparse_linear.pt", tensors)


def broken_head_pickle(folder: Path) -> None:
    """A late-interaction head whose table would run a command."""
    heads.bge_m3(folder)
    write_archive(folder / "colbert_linear.pt", COMMAND)


def broken_table(folder: Path) -> None:
    """A table of vectors with fewer rows than there are tokens."""
    heads.static(folder)
    path = folder / "0_StaticEmbedding/model.safetensors"
    tensors = load_file(path)
    write_tensors(path, {name: tensor[:-1] for name, tensor in tensors.items()})


def broken_projection(folder: Path) -> None:
    """ColBERT without its projection."""
    heads.colbert_stanford(folder)
    tensors = load_file(folder / "model.safetensors")
    del tensors["linear.weight"]
    write_tensors(folder / "model.safetensors", tensors)


def broken_route(folder: Path) -> None:
    """A route for something else than queries and documents."""
    heads.bert_asym(folder)
    path = folder / "2_Asym/config.json"
    table = json.loads(path.read_text("utf-8"))
    _edit(path, structure={"image": table["structure"].pop("query"), **table["structure"]})


def broken_labels(folder: Path) -> None:
    """Labels whose numbers have a gap."""
    heads.cross_encoder_labels(folder)
    _edit(folder / "config.json", id2label={"0": "no", "2": "yes"})


def broken_template(folder: Path) -> None:
    """A chat template that computes."""
    decoders.qwen3_reranker(folder)
    (folder / "chat_template.jinja").write_text("{{ 'a' * 10 ** 10 }}", "utf-8")


def broken_missing(folder: Path) -> None:
    """A tensor is missing."""
    bert_mean(folder)
    tensors = load_file(folder / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    write_tensors(folder / "model.safetensors", tensors)


def broken_shape(folder: Path) -> None:
    """A tensor has another shape than ``config.json`` says."""
    bert_mean(folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["encoder.layer.1.output.dense.weight"] = np.zeros((SIZE.width, 7), np.float32)
    write_tensors(folder / "model.safetensors", tensors)


def broken_index(folder: Path) -> None:
    """The index of the weights points outside the checkpoint."""
    bert_mean(folder)
    write_shards(folder, load_file(folder / "model.safetensors"), 2)
    (folder / "model.safetensors").unlink()
    path = folder / "model.safetensors.index.json"
    table = json.loads(path.read_text("utf-8"))["weight_map"]
    _edit(path, weight_map=dict.fromkeys(table, "../bert-mean/model.safetensors"))


def broken_cut(folder: Path) -> None:
    """The weights end too early, as after a download that broke off."""
    bert_mean(folder)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def broken_json(folder: Path) -> None:
    """A configuration nested so deeply that naive readers fall over."""
    bert_mean(folder)
    (folder / "config.json").write_text("[" * 100_000, "utf-8")


BROKEN = (
    broken_module,
    broken_code,
    broken_pooling,
    broken_option,
    broken_activation,
    broken_dense,
    broken_format,
    broken_pickle,
    broken_surplus,
    broken_tokenizer,
    broken_head,
    broken_head_pickle,
    broken_table,
    broken_projection,
    broken_route,
    broken_labels,
    broken_template,
    broken_missing,
    broken_shape,
    broken_index,
    broken_cut,
    broken_json,
)
