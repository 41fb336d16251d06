"""What Xinference's clients ask for, as a launch: each option counts, is refused or told back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from stelae.dialects.decode import fit
from stelae.dialects.xinference.engine_words import engine_of
from stelae.dialects.xinference.kinds import kind_of
from stelae.dialects.xinference.launch_schema import XinferenceInstance, XinferenceLaunch
from stelae.dialects.xinference.placement import AUTO, gpus_of, replicas_of
from stelae.errors import InvalidInput
from stelae.types import ComputeDtype, LaunchCall

HUBS = frozenset({"auto", "huggingface"})

SENT = {
    "model": "model_name",
    "uid": "model_uid",
    "kind": "model_type",
    "format": "model_format",
    "size": "model_size_in_billions",
    "path": "model_path",
    "engine": "model_engine",
    "dtype": "torch_dtype",
    "replicas": "replica",
    "gpus": "gpu_idx",
    "calls": "request_limits",
    "loras": "peft_model_config",
    "max_tokens": "max_model_len",
    "thinking": "enable_thinking",
    "environment": "envs",
    "source": "model_uri",
    "name": "model_name",
}
"""Fields of a launch that stand for one of this protocol's under another name."""

LENGTHS = ("max_model_len", "context_length", "n_ctx", "max_tokens")
"""Names of the longest input; the least counts."""

_NULLS = frozenset({"n_gpu"})
"""Fields whose ``null`` says something."""


class Understood(NamedTuple):
    """A launch, and the names of options that mean nothing here."""

    call: LaunchCall
    ignored: tuple[str, ...]


def understand(
    fields: dict[str, Any], *, cards: int = 0, hosts: Collection[str] = ()
) -> Understood:
    """Read the body of a launch.

    Args:
        fields: What was sent.
        cards: GPUs of this machine.
        hosts: Names and addresses of this machine.

    Raises:
        InvalidInput: A field does not fit, or asks for what this server does not do.
    """
    given = {name: value for name, value in fields.items() if value is not None or name in _NULLS}
    asked = fit(XinferenceLaunch, given)
    unknown = given.keys() - set(XinferenceLaunch.__struct_fields__)
    call = _call(asked, cards)
    return Understood(call, (*_ignored(asked, call, hosts), *sorted(unknown)))


def _call(asked: XinferenceLaunch, cards: int) -> LaunchCall:
    _refuse(asked)
    kind = kind_of(asked.model_type)
    return LaunchCall(
        model=asked.model_name,
        uid=asked.model_uid,
        kind=kind,
        format=asked.model_format,
        size=asked.model_size_in_billions,
        quantization=asked.quantization,
        path=asked.model_path,
        engine=engine_of(asked.model_engine, kind) if asked.model_engine else None,
        dtype=_dtype(asked),
        replicas=replicas_of(asked),
        gpus=gpus_of(asked, cards),
        calls=asked.request_limits,
        loras={lora.lora_name: lora.local_path for lora in asked.peft_model_config.lora_list},
        max_tokens=_longest(asked),
        cache_tokens=asked.cache_tokens,
        batch_tokens=asked.batch_tokens,
        thinking=asked.enable_thinking,
        environment=asked.envs,
        pinned=asked.pinned,
        idle_seconds=asked.idle_seconds,
    )


def _refuse(asked: XinferenceLaunch) -> None:
    """Refuse what would change the answers and cannot be done.

    Raises:
        InvalidInput: Something of that was asked for.
    """
    peft = asked.peft_model_config
    refusals = {
        "model_name": not asked.model_name.strip() and "the name of a model was expected",
        "download_hub": asked.download_hub.casefold() not in HUBS
        and "weights come from Hugging Face's hub, or the mirror that the settings name",
        "quantization_config": asked.quantization_config
        and "choose one of the model's variants by model_format and quantization",
        "controlnet": asked.controlnet and "no engine here reads control nets",
        "peft_model_config.image_lora_load_kwargs": peft.image_lora_load_kwargs
        and "adapters are loaded as they are; only lora_list is read",
        "peft_model_config.image_lora_fuse_kwargs": peft.image_lora_fuse_kwargs
        and "adapters are applied as they are; only lora_list is read",
    }
    for param, reason in refusals.items():
        if reason:
            raise InvalidInput(f"{param}: {reason}", param=param)


def _ignored(asked: XinferenceLaunch, call: LaunchCall, hosts: Collection[str]) -> list[str]:
    """What is asked for that means nothing here, and changes no answer."""
    configs = asked.replica_config or []
    workers = [device.worker_ip for config in configs for device in config.devices]
    placed = asked.gpu_idx is not None or bool(configs)
    told = {
        "n_worker": asked.n_worker > 1,
        "worker_ip": asked.worker_ip is not None and _host(asked.worker_ip) not in hosts,
        "replica_config.replica_uid": any(config.replica_uid for config in configs),
        "replica_config.devices.worker_ip": any(w and _host(w) not in hosts for w in workers),
        "enable_virtual_env": asked.enable_virtual_env,
        "virtual_env_packages": bool(asked.virtual_env_packages),
        "virtual_env_find_links": bool(asked.virtual_env_find_links),
        "trust_remote_code": asked.trust_remote_code,
        "reasoning_content": not asked.reasoning_content,
        "enable_thinking": asked.enable_thinking is not None and call.kind != "llm",
        "n_gpu": asked.gpu_idx is not None and asked.n_gpu != AUTO,
        "device": asked.device.strip().casefold() != AUTO and (placed or asked.n_gpu != AUTO),
    }
    return [name for name, ignored in told.items() if ignored]


def _host(worker: str) -> str:
    return worker.rpartition(":")[0] or worker


def _longest(asked: XinferenceLaunch) -> int | None:
    """The longest input, under whichever of its names; the least counts."""
    given = (getattr(asked, name) for name in LENGTHS)
    return min((length for length in given if length is not None), default=None)


def sent(fields: Mapping[str, Any]) -> dict[str, str]:
    """``SENT``, with the name under which the body of a launch gives its longest input."""
    given = {name: fields[name] for name in LENGTHS if isinstance(fields.get(name), int)}
    return SENT | ({"max_tokens": min(given, key=given.__getitem__)} if given else {})


def _dtype(asked: XinferenceLaunch) -> ComputeDtype | None:
    given = asked.torch_dtype or asked.dtype or ("float16" if asked.use_fp16 else None)
    if given is None:
        return None
    try:
        return ComputeDtype(given.strip().casefold().removeprefix("torch."))
    except ValueError as error:
        raise InvalidInput(
            f"torch_dtype={given[:40]!r} is none of {', '.join(ComputeDtype)}", param="torch_dtype"
        ) from error


def of_version(asked: XinferenceInstance) -> dict[str, Any]:
    """The body of a launch for one version of a model: ``NAME--7B--FORMAT--QUANTIZATION``."""
    name, *rest = asked.model_version.split("--")
    fields: dict[str, Any] = {
        "model_name": name,
        "model_uid": asked.model_uid,
        "model_type": asked.model_type,
        "model_engine": asked.model_engine,
        "replica": asked.replica,
        "n_gpu": asked.n_gpu,
    }
    if rest and rest[0][:1].isdigit() and rest[0].endswith("B"):
        fields["model_size_in_billions"] = rest.pop(0).removesuffix("B")
    return fields | dict(zip(("model_format", "quantization"), rest, strict=False))
