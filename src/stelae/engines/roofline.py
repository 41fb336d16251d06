"""What a model reaches of this machine's multiply rate: values, and who measures them.

The name is that of the model of Williams, Waterman and Patterson 2009, "Roofline: an
insightful visual performance model"; here the roof is the rate of the model's own multiplies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import msgspec
from msgspec.structs import replace

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineManifest, EngineOptions
from stelae.engines.importing import function_of
from stelae.errors import UnsupportedTask
from stelae.types import ComputeDtype, Modality, Task


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the time, and what it consists of.

    Attributes:
        name: What takes it.
        share: Of the whole, from 0 to 1; those of ``parts`` add up to it.
        parts: What it consists of, as far as that is known.
    """

    name: str
    share: float
    parts: tuple[Part, ...] = ()


class Roofline(msgspec.Struct, frozen=True, kw_only=True):
    """What one thread reaches of its multiply rate, in CPU time.

    Attributes:
        dtype: Number format that the model computes in.
        fingerprint: Identifies what ran.
        rows: Tokens in the multiplies that the rate is measured with.
        gflop_per_s: The rate: the model's own linear layers alone, one after another.
        flop_per_token: Arithmetic of its linear layers, two for a multiply and an addition.
        limit_tokens_per_s: Tokens if nothing but these multiplies took time.
        tokens_per_s: Tokens, from texts to vectors.
        fraction: How much of the limit that is.
        linears_fraction: How much of it the linear layers reach while they run.
        parts: Where the time of a token goes.
    """

    dtype: str
    fingerprint: str
    rows: int
    gflop_per_s: float
    flop_per_token: float
    limit_tokens_per_s: float
    tokens_per_s: float
    fraction: float
    linears_fraction: float
    parts: tuple[Part, ...]


Measure = Callable[[ModelSpec, EngineOptions, Sequence[str], float], Roofline]
"""Measures a model on texts, for so many seconds."""


def measure(
    spec: ModelSpec,
    manifest: EngineManifest,
    options: EngineOptions,
    texts: Sequence[str],
    seconds: float,
) -> Roofline:
    """Load a model into this process, on one thread of the CPU, and measure it.

    Args:
        spec: The model.
        manifest: The engine that serves it.
        options: How to load it; device and threads are those that are measured.
        texts: What to encode, in turn.
        seconds: How long.

    Raises:
        UnsupportedTask: The engine cannot tell, or the model makes no vectors of texts.
    """
    if manifest.roofline is None:
        raise UnsupportedTask(
            f"model '{spec.name}': a roofline is measured of models that the encoder engine serves "
            f"on the CPU, and this one is served by '{manifest.name}'",
            param="model",
        )
    if Task.ENCODE not in spec.tasks or Modality.TEXT not in spec.inputs:
        raise UnsupportedTask(
            f"model '{spec.name}': a roofline is measured of models that make vectors of texts, "
            f"and this one makes none; it can {', '.join(spec.tasks) or 'do nothing of the kind'}",
            param="model",
        )
    if options.dtype is ComputeDtype.INT8:
        raise UnsupportedTask(
            f"model '{spec.name}': a roofline is measured in float32 and bfloat16, and this model "
            "computes in int8",
            param="dtype",
        )
    found = cast("Measure", function_of(manifest.roofline))
    return found(spec, replace(options, device=Device.CPU, threads=1), texts, seconds)
