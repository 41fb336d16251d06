"""The encoder engine: a tokenizer read by the Rust library, towers on packed tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineOptions
from stelae.engines.encoder.adapters import adapters_of
from stelae.engines.encoder.int8 import Plan, multiplies, plan_for
from stelae.engines.encoder.model import TextEncoder
from stelae.engines.encoder.pictures import PictureEncoder, Towers
from stelae.engines.runtime import device_of, dtype_of, lanes_of, name_of, spread, threads_of
from stelae.engines.text.engine import TextEngine
from stelae.engines.text.features import Features, TextModel, Tokenizer
from stelae.engines.text.tokenizer import fitted, tokenizer_of
from stelae.errors import UnsupportedCheckpoint
from stelae.nn.kernels import attention, linear
from stelae.nn.kernels.variants import int8_variant, note, told
from stelae.types import ComputeDtype, Item, Modality


def load(spec: ModelSpec, options: EngineOptions) -> TextEngine:
    """Load a checkpoint.

    Raises:
        UnsupportedCheckpoint: Something in it is not implemented, or does not fit.
        ModelLoadFailed: It shall compute in int8 and has not been calibrated.
    """
    if options.dtype is not ComputeDtype.INT8:
        return load_with(spec, options, None)
    device = device_of(options)
    multiplies(spec, dtype_of(options, device)[0], device)
    return load_with(spec, options, plan_for(spec))


def load_with(spec: ModelSpec, options: EngineOptions, plan: Plan | None) -> TextEngine:
    """As ``load``, in int8 if there is a plan for that."""
    device = device_of(options)
    dtype, why = dtype_of(options, device)
    how: Any = {"dtype": dtype, "device": device, "deterministic": options.deterministic}
    int8 = {} if plan is None else plan.smoothing
    texts = TextEncoder(spec, int8=int8, **how) if Modality.TEXT in spec.inputs else None
    pictures = None if spec.vision is None else PictureEncoder(spec, spec.vision, **how)
    tokenizer = tokenizer_of(spec) if texts is None else fitted(spec, texts.trunk)
    model = _together(texts, pictures)
    _warm_up(spec, model, tokenizer, pictures)
    return TextEngine(
        spec,
        tokenizer,
        model,
        dtype=name_of(dtype) if plan is None else ComputeDtype.INT8.value,
        kind=None if plan is None else f"{plan.digest} in {name_of(dtype)}",
        device=str(device),
        notes=(why, *(() if plan is None else plan.notes), *_kernels(dtype, device, plan)),
        media=None if pictures is None else pictures.intake,
        adapters=adapters_of(spec, texts, options),
        lanes=lanes_of(options, device, free=texts is not None and texts.free),
        cores=threads_of(options),
        spread=spread,
    )


def _kernels(dtype: torch.dtype, device: torch.device, plan: Plan | None) -> tuple[str, ...]:
    """Which layers they are, where there are two kinds."""
    if device.type != "cpu":
        return ()
    variant = None if plan is None else int8_variant(dtype)
    own = linear.note(dtype) if variant is None else told(linear.SOURCE, variant)
    return note(attention.SOURCE, dtype), own


def _together(texts: TextEncoder | None, pictures: PictureEncoder | None) -> TextModel:
    if pictures is not None:
        return Towers(texts, pictures)
    if texts is None:
        raise UnsupportedCheckpoint("the checkpoint reads neither texts nor pictures")
    return texts


def _warm_up(
    spec: ModelSpec, model: TextModel, tokenizer: Tokenizer, pictures: PictureEncoder | None
) -> None:
    """Run once, so that the first caller does not pay for what torch sets up lazily."""
    if Modality.TEXT in spec.inputs:
        ids = np.array([*tokenizer.prefix, *tokenizer.suffix] or [0], np.int32)
        model.run([Features(ids, outputs=spec.outputs[:1])] * 2)
    if pictures is not None:
        black = pictures.intake.read(Item(pixels=np.zeros((8, 8, 3), np.uint8)))
        model.run([black] * 2 if isinstance(black, Features) else [])
