"""What calibration learnt of a model, as a file beside it or in the user's own folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from stelae.catalog.fingerprint import weights_digest
from stelae.catalog.hub import CALIBRATION
from stelae.catalog.spec import ModelSpec, Static
from stelae.catalog.state import state_folder
from stelae.engines.base import Device
from stelae.engines.calibration import Calibration
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.nn.kernels.build import BuildFailed
from stelae.nn.kernels.quantised import kernel_for
from stelae.nn.kernels.variants import Kernel
from stelae.types import Modality, OutputType

KEY = "stelae-int8-1"
"""Under which the file holds the calibration; another layout gets another number."""

DIGITS = 32
"""Of the digest of weights, in the name of a file."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How a model computes in int8.

    Attributes:
        smoothing: Of each layer that does, by name: what its inputs are multiplied by, shape
            ``(inputs,)``.
        found: What was measured; ``None`` while it has yet to be.
    """

    smoothing: Mapping[str, Tensor]
    found: Calibration | None = None

    @property
    def digest(self) -> str:
        """Identifies what it does to numbers."""
        total = hashlib.sha256()
        for name in sorted(self.smoothing):
            total.update(name.encode() + b"\0")
            total.update(self.smoothing[name].numpy().tobytes())
        return total.hexdigest()

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of it."""
        if self.found is None:
            return ()
        figures, kept = self.found.int8, len(self.found.kept)
        return (
            f"int8 in {self.found.layers} linear layers{f', not in {kept}' * bool(kept)}: beside "
            f"float32 a cosine of {figures.mean_cosine:.4f} in the mean and "
            f"{figures.least_cosine:.4f} at least, {figures.neighbours:.1%} of the nearest "
            f"neighbours the same, on {self.found.held_out} texts held out of the calibration",
        )


def own_place(weights: str) -> Path:
    """The user's own file for a digest of weights."""
    return state_folder() / "int8" / f"{weights[:DIGITS]}.safetensors"


def plan_for(spec: ModelSpec) -> Plan:
    """What was learnt of a model: the user's own file, else the one in its folder.

    Raises:
        ModelLoadFailed: There is none, it is of other weights, or it cannot be read.
    """
    weights = weights_digest(spec)
    places = (own_place(weights), Path(spec.folder, CALIBRATION))
    file = next((place for place in places if place.exists()), None)
    again = f"stelae calibrate {spec.name} --texts FILE"
    if file is None:
        raise ModelLoadFailed(
            f"dtype=int8: model '{spec.name}' has not been calibrated: there is neither "
            f"{places[0]} nor {places[1]}",
            hint=again,
        )
    plan = _read(file, again)
    if plan.found is None or plan.found.weights != weights:
        raise ModelLoadFailed(
            f"dtype=int8: {file} was made for other weights than those of model '{spec.name}'",
            hint=again,
        )
    if not plan.smoothing:
        raise ModelLoadFailed(f"dtype=int8: {file} has no layer that is in int8", hint=again)
    return plan


def _read(file: Path, again: str) -> Plan:
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
            found = msgspec.json.decode(metadata[KEY], type=Calibration)
            smoothing = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, msgspec.DecodeError, RecursionError) as error:
        raise ModelLoadFailed(
            f"dtype=int8: {file} cannot be read as what 'stelae calibrate' writes: {error}",
            hint=again,
        ) from error
    return Plan(smoothing, found)


def write(plan: Plan, file: Path) -> None:
    """Keep what was learnt and measured.

    Raises:
        ModelLoadFailed: The file cannot be written.
    """
    metadata = {KEY: msgspec.json.encode(plan.found).decode()}
    beside = file.with_name(f".{file.name}.{os.getpid()}")  # others may write the same file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(dict(plan.smoothing), beside, metadata)
        beside.replace(file)
    except (OSError, SafetensorError) as error:
        raise ModelLoadFailed(
            f"{file} cannot be written: {error}", hint="name another file with --output"
        ) from error
    finally:
        with suppress(OSError):  # what is left where it failed
            beside.unlink(missing_ok=True)


def multiplies(spec: ModelSpec, dtype: torch.dtype, device: torch.device) -> Kernel:
    """What multiplies in int8 between numbers of a format.

    Raises:
        UnsupportedCheckpoint: Nothing does: the model, the device, the processor or the lack of
            a compiler stands against it.
    """
    if device.type != Device.CPU.value:
        raise UnsupportedCheckpoint(
            f"dtype=int8: it is for the CPU, and the model would run on {device.type}",
            hint="set device to cpu, or dtype to auto",
        )
    if isinstance(spec.backbone, Static) or Modality.TEXT not in spec.inputs:
        raise UnsupportedCheckpoint(
            f"dtype=int8: model '{spec.name}' has no linear layers for texts",
            hint="set dtype to auto",
        )
    if OutputType.DENSE not in spec.outputs:
        raise UnsupportedCheckpoint(
            f"dtype=int8: model '{spec.name}' makes no dense vectors, by which int8 is calibrated",
            hint="set dtype to auto",
        )
    try:
        return kernel_for(dtype)
    except (BuildFailed, RuntimeError) as error:
        raise UnsupportedCheckpoint(
            f"dtype=int8: it cannot be multiplied here: {error}", hint="set dtype to auto"
        ) from error
