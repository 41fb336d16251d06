"""Weights of transformers to files of ctranslate2, by the library's own description of Whisper.

Source: ctranslate2 4.8, ``specs/whisper_spec.py``; transformers 5.17, ``models/whisper``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from ctranslate2.specs.common_spec import Conv1DSpec, LayerNormSpec, LinearSpec
from ctranslate2.specs.whisper_spec import WhisperSpec
from torch import Tensor

from stelae.catalog.files import Json
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.listening.vocabulary import TICK, alignment_heads
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.nn.stored import read

SEVERAL = ""
"""The token by which ctranslate2 knows a model of several languages; all published ones have it."""

NEVER = -6e4
"""Added to the score of a token that is never written; the least that all formats hold."""

Take = Callable[[str], Tensor]


def convert(spec: ModelSpec, tokens: list[str], folder: Path) -> None:
    """Write a model as ctranslate2 reads it; numbers keep their format.

    Args:
        spec: A checkpoint in the layout of transformers.
        tokens: Of its tokenizer, in order of id.
        folder: To write into.

    Raises:
        UnsupportedCheckpoint: The weights cannot be read, or one is missing.
        ModelLoadFailed: The library takes them for something else.
    """
    trunk = spec.backbone
    if not isinstance(trunk, Backbone):
        raise UnsupportedCheckpoint(f"model {spec.name!r} is a table, not Whisper")
    home, config = Path(spec.folder, trunk.folder), trunk.config
    tensors = read(home / file for file in trunk.weights)

    def take(name: str) -> Tensor:
        for stored in (f"model.{name}", name):
            if stored in tensors:
                return tensors[stored]
        raise UnsupportedCheckpoint(f"{tensors.where} lack the weights {name!r}")

    try:
        model = WhisperSpec(*(config[f"{side}_{part}"] for side, part in SIZES))
        _encoder(model.encoder, take)
        vocabulary = _vocabulary(tokens, config["vocab_size"])
        marked = not _several(spec) or SEVERAL in vocabulary
        _decoder(model.decoder, take, more=not marked)
        model.register_vocabulary(vocabulary if marked else [*vocabulary, SEVERAL])
        _configure(model.config, config)
        model.validate()
        model.optimize()
        model.save(str(folder))
    except (ValueError, KeyError) as error:
        raise ModelLoadFailed(f"model {spec.name!r} cannot be converted: {error}") from error


SIZES = [(s, p) for s in ("encoder", "decoder") for p in ("layers", "attention_heads")]
"""Options of ``config.json`` in the order in which the library wants them."""


def _several(spec: ModelSpec) -> bool:
    return spec.hearing is not None and len(spec.hearing.languages) > 1


def _vocabulary(tokens: list[str], stated: int) -> list[str]:
    """Tokens by id: those of the tokenizer, and times that it leaves out."""
    times = [f"<|{TICK * step:.2f}|>" for step in range(stated - len(tokens))]
    return [*tokens[:stated], *times]


def _configure(made: Any, config: Json) -> None:
    """What the library is told of tokens."""
    generation = config["generation"]
    made.suppress_ids = _listed(generation, config, "suppress_tokens")
    made.suppress_ids_begin = _listed(generation, config, "begin_suppress_tokens")
    made.lang_ids = sorted((generation.get("lang_to_id") or {}).values())
    made.alignment_heads = alignment_heads(config)


def _listed(generation: Json, config: Json, key: str) -> list[int]:
    return list(generation.get(key) or config.get(key) or [])


def _encoder(side: Any, take: Take) -> None:
    for name in ("conv1", "conv2"):
        _linear(getattr(side, name), take, f"encoder.{name}")
    side.position_encodings.encodings = take("encoder.embed_positions.weight")
    _norm(side.layer_norm, take, "encoder.layer_norm")
    for i, layer in enumerate(side.layer):
        _layer(layer, take, f"encoder.layers.{i}")


def _decoder(side: Any, take: Take, *, more: bool) -> None:
    """The part that writes; with ``more``, one token is added that it never writes."""
    table = take("decoder.embed_tokens.weight")
    if more:
        table = torch.nn.functional.pad(table, (0, 0, 0, 1))
        side.projection.bias = torch.zeros_like(table[:, 0])
        side.projection.bias[-1] = NEVER
    side.embeddings.weight = side.projection.weight = table
    side.position_encodings.encodings = take("decoder.embed_positions.weight")
    _norm(side.layer_norm, take, "decoder.layer_norm")
    for i, layer in enumerate(side.layer):
        name = f"decoder.layers.{i}"
        _layer(layer, take, name)
        _attention(layer.attention, take, f"{name}.encoder_attn", (("q",), ("k", "v")))


def _layer(layer: Any, take: Take, name: str) -> None:
    _attention(layer.self_attention, take, f"{name}.self_attn", (("q", "k", "v"),))
    _norm(layer.ffn.layer_norm, take, f"{name}.final_layer_norm")
    _linear(layer.ffn.linear_0, take, f"{name}.fc1")
    _linear(layer.ffn.linear_1, take, f"{name}.fc2")


def _attention(part: Any, take: Take, name: str, joined: tuple[tuple[str, ...], ...]) -> None:
    """One attention; the library keeps the projections of what is seen side by side."""
    _norm(part.layer_norm, take, f"{name}_layer_norm")
    for linear, kinds in zip(part.linear, joined, strict=False):
        linear.weight = torch.cat([take(f"{name}.{kind}_proj.weight") for kind in kinds])
        linear.bias = torch.cat([_bias(take, name, kind) for kind in kinds])
    _linear(part.linear[-1], take, f"{name}.out_proj")


def _bias(take: Take, name: str, kind: str) -> Tensor:
    """Keys have none: it would change nothing."""
    weight = take(f"{name}.{kind}_proj.weight")
    return torch.zeros_like(weight[:, 0]) if kind == "k" else take(f"{name}.{kind}_proj.bias")


def _linear(part: LinearSpec | Conv1DSpec, take: Take, name: str) -> None:
    part.weight, part.bias = take(f"{name}.weight"), take(f"{name}.bias")


def _norm(part: LayerNormSpec, take: Take, name: str) -> None:
    part.gamma, part.beta = take(f"{name}.weight"), take(f"{name}.bias")
