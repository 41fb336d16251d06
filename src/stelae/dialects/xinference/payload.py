"""A launch in the words of Xinference's clients, as its body was or could have been."""

from __future__ import annotations

from typing import Any

from stelae.dialects.xinference.kinds import TYPES
from stelae.types import LaunchCall


def payload_of(call: LaunchCall) -> dict[str, Any]:
    """The body that asks for a launch."""
    loras = [{"lora_name": name, "local_path": place} for name, place in call.loras.items()]
    return {
        "model_uid": call.uid,
        "model_name": call.model,
        "model_type": None if call.kind is None else TYPES[call.kind],
        "model_engine": call.engine,
        "model_format": call.format,
        "model_size_in_billions": call.size,
        "quantization": call.quantization,
        "replica": call.replicas,
        "gpu_idx": _cards(call),
        "request_limits": call.calls,
        "model_path": call.path,
        "enable_thinking": call.thinking,
        "peft_model_config": {"lora_list": loras} if loras else None,
        "envs": call.environment or None,
        "max_model_len": call.max_tokens,
        "torch_dtype": call.dtype,
    }


def _cards(call: LaunchCall) -> list[int] | None:
    return None if call.gpus is None else [card for each in call.gpus for card in each]
