"""Launching models: what is asked, and how far it is."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from stelae.errors import ErrorInfo
from stelae.types.enums import ComputeDtype, ModelState


class LaunchCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model to serve under a name, in a variant and with options.

    Attributes:
        model: A name that the catalog knows, a hub id or a folder.
        uid: The name it is served under; the model's own if ``None``, with a few letters
            after it where that is taken.
        kind: What it should be for: ``llm``, ``embedding``, ``rerank``, ``extract``,
            ``image`` or ``audio``; refused where the model is for something else.
        format: Format of the weights: ``pytorch``, ``ggufv2`` and so on.
        size: Size in billions of parameters, as ``7``, ``1.8`` or ``"1_8"``.
        quantization: Quantisation, in any case.
        path: Folder or GGUF file with the weights, in place of those that the catalog names.
        engine: Engine to use and no other.
        dtype: Number format to compute in.
        replicas: How many times it is loaded.
        gpus: GPUs of each replica, as many entries as replicas, or one for all; an empty
            entry is the CPU. ``None`` leaves it to the server.
        calls: Most calls under way at once; further ones are refused with 429.
        loras: Adapters by name: folder or hub id.
        max_tokens: Longest input in tokens, if it should be shorter.
        cache_tokens: Tokens whose keys and values it keeps at once, if it writes.
        batch_tokens: Most tokens of one batch.
        thinking: Whether it reasons where a call does not say.
        environment: Variables that its worker process gets.
        pinned: Whether it stays loaded when memory is short or nobody asks.
        idle_seconds: Time without calls after which it is unloaded; as the server does if
            ``None``.
    """

    model: str
    uid: str | None = None
    kind: Literal["llm", "embedding", "rerank", "extract", "image", "audio"] | None = None
    format: str | None = None
    size: float | str | None = None
    quantization: str | None = None
    path: str | None = None
    engine: str | None = None
    dtype: ComputeDtype | None = None
    replicas: int = 1
    gpus: tuple[tuple[int, ...], ...] | None = None
    calls: int | None = None
    loras: dict[str, str] = {}
    max_tokens: int | None = None
    cache_tokens: int | None = None
    batch_tokens: int | None = None
    thinking: bool | None = None
    environment: dict[str, str] = {}
    pinned: bool = False
    idle_seconds: float | None = None


class Autostart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that is launched whenever the server starts.

    Attributes:
        launch: What to launch; its ``uid`` is given.
        enabled: Whether that happens.
        priority: Those with lower numbers are launched before others.
        retries: How often it is tried again if it fails.
        retry_seconds: Time before each of these.
    """

    launch: LaunchCall
    enabled: bool = True
    priority: int = 100
    retries: int = 3
    retry_seconds: float = 30.0


class Stage(StrEnum):
    """How far a launch is."""

    PENDING = "pending"
    DOWNLOADING = "downloading"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


class FileProgress(msgspec.Struct, frozen=True, kw_only=True):
    """What has come in of a repository.

    Attributes:
        name: Hub id.
        done: Bytes there.
        total: Bytes in all, as far as known.
    """

    name: str
    done: int
    total: int


class ReplicaInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One loaded copy of a model.

    Attributes:
        number: Its number among those of the model, from 0; it keeps it while it lives.
        state: Where it stands.
        pid: Its process, once there is one.
        gpus: GPUs it was given.
        memory_bytes: Resident memory of its worker.
        in_flight: Calls taken and not yet answered.
        restarts: How often its worker was replaced.
        started: Unix time at which it was started.
        error: Why it failed.
    """

    number: int
    state: ModelState
    pid: int | None = None
    gpus: tuple[int, ...] = ()
    memory_bytes: int = 0
    in_flight: int = 0
    restarts: int = 0
    started: float = 0.0
    error: ErrorInfo | None = None


class LaunchInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A launched model.

    Attributes:
        uid: The name it is served under.
        call: What was asked, with the name that it came to.
        stage: How far it is.
        progress: The same as a number, 0 to 1.
        files: What is being fetched.
        replicas: Its copies.
        created: Unix time of the launch.
        error: Why the latest load failed.
    """

    uid: str
    call: LaunchCall
    stage: Stage
    progress: float = 0.0
    files: tuple[FileProgress, ...] = ()
    replicas: tuple[ReplicaInfo, ...] = ()
    created: float = 0.0
    error: ErrorInfo | None = None
