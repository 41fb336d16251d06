"""What int8 needs to know of a model, and what it costs: values, and who measures them.

Calibration runs a model over texts and learns how to multiply in int8 with little loss; nothing is
trained. Its answer is measured against float32 on texts that it has not seen.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import msgspec
from msgspec.structs import replace

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineManifest, EngineOptions
from stelae.engines.importing import function_of
from stelae.errors import InvalidInput, UnsupportedTask
from stelae.types import Modality, OutputType

NEAREST = 10
"""Neighbours of a text that are compared."""

COSINE = 0.995
"""Mean cosine that is aimed at unless somebody says another."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A number format beside float32, on texts that were held out.

    Attributes:
        dtype: The number format.
        mean_cosine: Of vectors and those of float32.
        least_cosine: The least of them.
        neighbours: How many of the ``NEAREST`` texts nearest to one are the same, 0 to 1.
        tokens_per_s: Best rate of rounds in which the formats took turns, of tokens ready to run.
    """

    dtype: str
    mean_cosine: float
    least_cosine: float
    neighbours: float
    tokens_per_s: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What was learnt and measured.

    Attributes:
        model: Name of the model.
        weights: Digest of its weight files.
        seen: Texts that it was learnt from.
        held_out: Other texts that it was measured on.
        layers: Linear layers that multiply in int8.
        kept: Names of those that do not, because they cost the most accuracy.
        int8: What int8 gives.
        plain: What the number format gives that everything else computes in.
        gain: Middle of the ratios of their rates, by rounds.
        file: Where what was learnt is kept.
    """

    model: str
    weights: str
    seen: int
    held_out: int
    layers: int
    kept: tuple[str, ...]
    int8: Figures
    plain: Figures
    gain: float
    file: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """How to calibrate.

    Attributes:
        texts: Such as the model will read; half of them are held out.
        cosine: Mean cosine to aim at: layers that cost the most are kept out until it is reached.
        file: Where to write; ``None`` for the user's own folder.
    """

    texts: Sequence[str]
    cosine: float = COSINE
    file: Path | None = None


Step = Callable[[str, float], None]
"""Told what is being done, and how much of it is done, from 0 to 1."""

Calibrate = Callable[[ModelSpec, EngineOptions, Wanted, Step], Calibration]
"""Calibrates a model."""


def calibrate(
    spec: ModelSpec, manifest: EngineManifest, options: EngineOptions, wanted: Wanted, step: Step
) -> Calibration:
    """Calibrate a model in this process, on the CPU.

    Raises:
        UnsupportedTask: The engine has no int8, or the model makes no dense vectors of texts.
        InvalidInput: There are too few texts, or the file cannot be written.
        ModelLoadFailed: The processor cannot, or int8 does not come near enough.
    """
    if manifest.calibrate is None:
        raise UnsupportedTask(
            f"model '{spec.name}': int8 is calibrated for models that the encoder engine serves on "
            f"the CPU, and this one is served by '{manifest.name}'",
            param="model",
        )
    if OutputType.DENSE not in spec.outputs or Modality.TEXT not in spec.inputs:
        raise UnsupportedTask(
            f"model '{spec.name}': int8 is calibrated by dense vectors of texts, and this one "
            "makes none",
            param="model",
        )
    found = cast("Calibrate", function_of(manifest.calibrate))
    return found(spec, replace(options, device=Device.CPU), wanted, step)


def see_writable(file: Path) -> None:
    """See that a file can be written, before the work that it is for; nothing is made.

    Raises:
        InvalidInput: It is a folder, or its folder is none, or cannot be made or written in.
    """
    there = next(place for place in file.absolute().parents if os.access(place, os.F_OK))
    if not there.is_dir():
        reason = f"{there} is no folder"
    elif not os.access(there, os.W_OK | os.X_OK):
        reason = f"nothing may be written in {there}"
    elif file.is_dir():
        reason = "it is a folder"
    else:
        return
    raise InvalidInput(
        f"{file} cannot be written: {reason}",
        hint="name another file with --output",
        param="output",
    )
