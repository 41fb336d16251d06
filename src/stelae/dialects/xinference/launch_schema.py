"""What Xinference's clients ask for when they launch a model."""

from __future__ import annotations

from typing import Any

import msgspec


class Lora(msgspec.Struct, frozen=True, kw_only=True):
    """An adapter.

    Attributes:
        lora_name: Its name in calls.
        local_path: Its folder, or a hub id.
    """

    lora_name: str
    local_path: str


class PeftConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Adapters of a model.

    Attributes:
        lora_list: The adapters.
        image_lora_load_kwargs: Refused: adapters of pictures' models take no options.
        image_lora_fuse_kwargs: Refused likewise.
    """

    lora_list: list[Lora] = []
    image_lora_load_kwargs: dict[str, Any] | None = None
    image_lora_fuse_kwargs: dict[str, Any] | None = None


class Devices(msgspec.Struct, frozen=True, kw_only=True):
    """Where one replica runs.

    Attributes:
        worker_ip: The machine; there is one.
        n_gpu: How many GPUs, ``auto`` for as the server does, ``None`` or 0 for the CPU.
        gpu_idx: Which GPUs.
    """

    worker_ip: str | None = None
    n_gpu: int | str | None = "auto"
    gpu_idx: int | list[int] | None = None


class ReplicaConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One replica.

    Attributes:
        replica_uid: Told back as ignored: replicas are named ``UID-repN``.
        devices: One entry.
    """

    replica_uid: str | None = None
    devices: list[Devices] = []


class XinferenceLaunch(msgspec.Struct, frozen=True, kw_only=True):
    """A model to launch; ``null`` is the default of every field but ``n_gpu``.

    What means nothing here, as do fields of other names, is told back in the header
    ``X-Stelae-Ignored``.

    Attributes:
        model_name: A name of the registry, or of a model that the settings name.
        model_uid: The name it is served under; the model's own if absent.
        model_type: ``LLM``, ``embedding``, ``rerank``, ``image``, ``audio`` or ``flexible``.
        model_engine: Engine, in any case; the best if absent.
        model_format: Format of the weights.
        model_size_in_billions: Size, as ``7``, ``"1.8"`` or ``"1_8"``.
        quantization: Quantisation, in any case.
        replica: How many times it is loaded.
        n_worker: Told back if it is more than 1: there is one worker.
        n_gpu: GPUs of each replica: a number, ``auto``, or ``null`` and 0 for the CPU.
        gpu_idx: Which GPUs, the same number for each replica.
        replica_config: The GPUs of each replica.
        worker_ip: Told back if it is another machine than this one.
        peft_model_config: Adapters.
        request_limits: Most calls at once; others are refused with 429.
        model_path: Folder or GGUF file with the weights.
        enable_thinking: Whether it reasons where a call does not say.
        enable_virtual_env: Told back if true: models share the packages of the server.
        virtual_env_packages: Told back.
        virtual_env_find_links: Told back.
        envs: Variables of its worker process.
        download_hub: ``auto`` or ``huggingface``; others are refused.
        trust_remote_code: Told back if true: code of repositories is never run.
        reasoning_content: Told back if false: reasoning is always told apart.
        max_model_len: Longest input in tokens.
        context_length: The same.
        n_ctx: The same.
        max_tokens: The same.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        torch_dtype: Number format to compute in.
        dtype: The same.
        use_fp16: True for ``float16``.
        quantization_config: Refused: quantisations are chosen by ``quantization``.
        controlnet: Refused.
        cache_tokens: (Stelae) Tokens whose keys and values it keeps at once.
        batch_tokens: (Stelae) Most tokens of one batch.
        pinned: (Stelae) Whether it stays loaded when memory is short or nobody asks.
        idle_seconds: (Stelae) Time without calls after which it is unloaded.
    """

    model_name: str
    model_uid: str | None = None
    model_type: str = "LLM"
    model_engine: str | None = None
    model_format: str | None = None
    model_size_in_billions: float | str | None = None
    quantization: str | None = None
    replica: int | str = 1
    n_worker: int = 1
    n_gpu: int | str | None = "auto"
    gpu_idx: int | list[int] | None = None
    replica_config: list[ReplicaConfig] | None = None
    worker_ip: str | None = None
    peft_model_config: PeftConfig = PeftConfig()
    request_limits: int | None = None
    model_path: str | None = None
    enable_thinking: bool | None = None
    enable_virtual_env: bool = False
    virtual_env_packages: list[str] = []
    virtual_env_find_links: list[str] = []
    envs: dict[str, str] = {}
    download_hub: str = "auto"
    trust_remote_code: bool = False
    reasoning_content: bool = True
    max_model_len: int | None = None
    context_length: int | None = None
    n_ctx: int | None = None
    max_tokens: int | None = None
    device: str = "auto"
    torch_dtype: str | None = None
    dtype: str | None = None
    use_fp16: bool = False
    quantization_config: dict[str, Any] | None = None
    controlnet: Any = None
    cache_tokens: int | None = None
    batch_tokens: int | None = None
    pinned: bool = False
    idle_seconds: float | None = None


class XinferenceInstance(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a model to launch.

    Attributes:
        model_version: As ``GET /v1/models/{type}/{name}/versions`` tells it.
        model_uid: As of ``XinferenceLaunch``, and all below.
        model_type: Type.
        model_engine: Engine.
        replica: Replicas.
        n_gpu: GPUs.
    """

    model_version: str
    model_uid: str | None = None
    model_type: str = "LLM"
    model_engine: str | None = None
    replica: int | str = 1
    n_gpu: int | str | None = "auto"


class Launched(msgspec.Struct, frozen=True, kw_only=True):
    """What a launch answers: the name to ask for."""

    model_uid: str
