"""What decides a decoder's numbers besides its weights, from its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from stelae.errors import UnsupportedCheckpoint
from stelae.nn.backbone import backbone_class, require
from stelae.nn.decoder import FULL, DecoderConfig
from stelae.nn.layers.rotary import rope_options
from stelae.nn.layers.scaling import Turning, scaling_of


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a graph is built from.

    Attributes:
        layers: How many.
        heads: Heads of queries.
        kv_heads: Heads of keys and values.
        head: Width of a head.
        eps: Added under the root of norms.
        qk_norm: Whether queries and keys are normalised, each head for itself.
        tied: Whether tokens are scored by the table that they are looked up in.
        rates: Angle per position of each pair of a head's numbers, shape ``(head / 2,)``, fp32.
        amplitude: Factor on cosine and sine.
    """

    layers: int
    heads: int
    kv_heads: int
    head: int
    eps: float
    qk_norm: bool
    tied: bool
    rates: np.ndarray[Any, np.dtype[np.float32]]
    amplitude: float = 1.0


def sizes_of(architecture: str, config: Mapping[str, Any]) -> Sizes:
    """Sizes of a class of transformers, from what its ``config.json`` says.

    Raises:
        UnsupportedCheckpoint: An option is not implemented, or not understood.
    """
    family = backbone_class(architecture)
    try:
        read = msgspec.convert(family.options(dict(config)), family.Config)
    except msgspec.ValidationError as error:
        raise UnsupportedCheckpoint(f"config.json is not understood: {error}") from error
    if not isinstance(read, DecoderConfig):
        raise UnsupportedCheckpoint(f"{architecture} is no language model")
    quantized = config.get("quantization_config")
    require(quantized is None, "quantization_config", quantized, "null")
    return _sizes(read)


def _sizes(read: DecoderConfig) -> Sizes:
    require(read.hidden_act == "silu", "hidden_act", read.hidden_act, "silu")
    require(read.is_causal, "is_causal", read.is_causal, "true")
    windows = sorted({kind for kind in read.kinds() if kind != FULL})
    require(not windows, "layer_types", windows, FULL)
    read.sights()  # refuses what its options mean for positions, if that is not implemented
    block = read.block()
    options = rope_options(read.rope_parameters, read.rope_scaling, read.rope_theta)
    trained = read.original_max_position_embeddings
    stated = {"original_max_position_embeddings": trained} if trained else {}
    scaling = scaling_of({**options, **stated})
    kind = options.get("rope_type")
    require(not scaling.by_length, "rope_type", kind, "kinds that do not depend on the length")
    turning = Turning(read.head, options["rope_theta"], read.max_position_embeddings)
    return Sizes(
        layers=read.num_hidden_layers,
        heads=block.heads,
        kv_heads=block.kv_heads,
        head=block.head,
        eps=block.eps,
        qk_norm=block.qk_norm,
        tied=read.tie_word_embeddings,
        rates=scaling.rates(turning, 1).numpy(),
        amplitude=scaling.amplitude(turning),
    )
