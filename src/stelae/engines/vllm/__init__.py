"""vLLM, for GPUs: a process of its own, in an environment of its own."""

from __future__ import annotations

import os

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineManifest, WeightFormat
from stelae.types import Card, Modality, Task

PYTHON = "VLLM_PYTHON"
"""Names the interpreter of an environment with vLLM, in the environment of the server.

vLLM wants another PyTorch than ours, so the two cannot share one.
"""


def refuses(spec: ModelSpec | Card) -> str | None:
    """Say why this engine cannot serve a model, or ``None`` if it can."""
    if not os.environ.get(PYTHON):
        return f"{PYTHON} names no interpreter of an environment with vLLM"
    return _unread(spec)


def _unread(spec: ModelSpec | Card) -> str | None:
    if Modality.IMAGE in spec.inputs:
        return "pictures are not passed on to vLLM"
    if Modality.AUDIO in spec.inputs:
        return "recordings are not passed on to vLLM"
    return None


def reads(card: Card) -> bool:
    """Whether vLLM serves a language model in one of its formats, where it is installed."""
    stored = any(v.format == "pytorch" or v.format in PACKED for v in card.variants)
    return card.kind == "llm" and stored and _unread(card) is None


PACKED = frozenset({"fp8", "gptq", "awq", "bnb", "fp4"})
"""Formats of quantised weights that vLLM reads; which of them also depends on the GPU."""


MANIFEST = EngineManifest(
    name="vllm",
    tasks=frozenset({Task.CHAT}),
    formats=frozenset({WeightFormat.SAFETENSORS}),
    devices=frozenset({Device.CUDA}),
    load="stelae.engines.vllm.engine:load",
    preference=40,
    refuses=refuses,
    declines=refuses,
    packed=PACKED,
    special=True,
)
