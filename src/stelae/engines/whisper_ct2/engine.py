"""From a checkpoint to an engine: ctranslate2's Whisper behind the loop of windows."""

from __future__ import annotations

from pathlib import Path

import ctranslate2
from ctranslate2.models import Whisper

from stelae.catalog.fingerprint import fingerprint, weights_digest
from stelae.catalog.hearing import ARCHITECTURE, CONVERTED
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.base import Device, EngineInfo, EngineOptions
from stelae.engines.hardware import cores
from stelae.engines.listening.engine import ListenEngine, vocabulary_of
from stelae.engines.listening.vocabulary import Vocabulary
from stelae.engines.whisper_ct2.model import Ct2Hearer
from stelae.engines.whisper_ct2.stored import cache_home, stored
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import ComputeDtype

FAITHFUL = {Device.CPU: "float32", Device.CUDA: "float16"}
"""The fastest format that keeps what models were published in, by device."""

VERSION = "1"
"""Of what is written into the cache; another makes the folders of before useless."""


def load(spec: ModelSpec, options: EngineOptions) -> ListenEngine:
    """Load a checkpoint; one of transformers is converted first, if that was not done before.

    Raises:
        UnsupportedCheckpoint: The library does not compute in the format asked for, or a part of
            the checkpoint is not implemented.
        ModelLoadFailed: The checkpoint cannot be read or converted.
    """
    trunk = spec.backbone
    if not isinstance(trunk, Backbone):
        raise ModelLoadFailed(f"model {spec.name!r} writes down nothing")
    device = options.device or (Device.CUDA if ctranslate2.get_cuda_device_count() else Device.CPU)
    dtype, why = _dtype(options.dtype, device)
    digest = weights_digest(spec)
    vocabulary = vocabulary_of(spec)
    folder, made = Path(spec.folder), "as converted"
    if trunk.architecture == ARCHITECTURE:
        folder, made = _converted(spec, digest, vocabulary), "converted by Stelae"
    model = _open(folder, device, dtype, options.threads or cores())
    info = EngineInfo(
        fingerprint=fingerprint(spec, f"{CONVERTED}/{dtype}", digest),
        dtype=dtype,
        device=device.value,
        notes=(f"{dtype}: {why}", f"{made}: {folder}"),
    )
    hearer = Ct2Hearer(model, vocabulary, spec.max_tokens)
    return ListenEngine(spec, hearer, vocabulary, info, options)


def _dtype(asked: ComputeDtype, device: Device) -> tuple[str, str]:
    """The format to compute in, and why.

    Raises:
        UnsupportedCheckpoint: The library has no such format on this device.
    """
    if asked is ComputeDtype.AUTO:
        return FAITHFUL[device], "the fastest that rounds no weight"
    known = ctranslate2.get_supported_compute_types(device.value)
    if asked.value not in known:
        raise UnsupportedCheckpoint(
            f"dtype={asked.value}: ctranslate2 computes in {', '.join(sorted(known))} on this "
            f"{device.value}"
        )
    return asked.value, "asked for"


def _converted(spec: ModelSpec, digest: str, vocabulary: Vocabulary) -> Path:
    """The folder of a checkpoint's converted form, made if it is not there."""
    from stelae.engines.whisper_ct2.convert import convert  # torch is needed for this alone

    key = fingerprint(spec, f"{CONVERTED}/{VERSION}", digest)
    return stored(key, lambda folder: convert(spec, vocabulary.names(), folder), cache_home())


def _open(folder: Path, device: Device, dtype: str, threads: int) -> Whisper:
    try:
        return Whisper(str(folder), device.value, compute_type=dtype, intra_threads=threads)
    except (RuntimeError, ValueError) as error:
        raise ModelLoadFailed(f"ctranslate2 cannot load {folder}: {error}") from error
