"""Calibrates a model for int8: learns from some texts, and measures what it gives on others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stelae.catalog.fingerprint import weights_digest
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineOptions
from stelae.engines.calibration import Calibration, Figures, Step, Wanted, see_writable
from stelae.engines.encoder.accuracy import (
    Run,
    Vectors,
    agreement,
    batches,
    cosines,
    rates,
    vectors,
)
from stelae.engines.encoder.int8 import Plan, multiplies, own_place, write
from stelae.engines.encoder.model import TextEncoder, named_weights, read_trunk
from stelae.engines.encoder.smoothing import smoothing_of, watched
from stelae.engines.runtime import device_of, dtype_of, name_of
from stelae.engines.text.engine import TextEngine
from stelae.engines.text.features import Features
from stelae.engines.text.tokenizer import fitted
from stelae.errors import InvalidInput, UnsupportedCheckpoint
from stelae.nn.kernels.quantised import WIDEST
from stelae.nn.quantise import layers_of
from stelae.types import EncodeCall, Item

LEAST = 64
"""Different texts; with fewer, nearest neighbours say nothing."""

MOST = 1024
"""Texts that are used; of more, some that lie evenly among them."""

TRIED = 64
"""Texts on which it is tried which layers can be in int8, of those that are learnt from."""

EVERY = 13
"""One row of so many is kept of each batch, to choose the smoothing by."""

ROUNDS = 7
"""In which two number formats take turns."""

Smoothing = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Bench:
    """What all steps share.

    Attributes:
        spec: The model.
        dtype: Number format of what is not in int8.
        device: The CPU.
        step: Told how far it is.
    """

    spec: ModelSpec
    dtype: torch.dtype
    device: torch.device
    step: Step

    def model(self, dtype: torch.dtype, **how: Any) -> TextEncoder:
        """The model, loaded."""
        return TextEncoder(self.spec, dtype, self.device, **how)


def calibrate(spec: ModelSpec, options: EngineOptions, wanted: Wanted, step: Step) -> Calibration:
    """Calibrate a model; see ``stelae.engines.calibration``.

    Raises:
        InvalidInput: There are too few texts, or the file cannot be written.
        UnsupportedCheckpoint: The processor or the model cannot, or int8 does not come near.
    """
    threads = torch.get_num_threads()
    try:
        device = device_of(options)
        bench = Bench(spec, dtype_of(options, device)[0], device, step)
        multiplies(spec, bench.dtype, device)
        return _calibrate(bench, wanted)
    finally:
        torch.set_num_threads(threads)


def _calibrate(bench: Bench, wanted: Wanted) -> Calibration:
    weights = weights_digest(bench.spec)
    file = (wanted.file or own_place(weights)).absolute()
    see_writable(file)
    exact = bench.model(torch.float32)
    seen, held = shared_out(ready(bench.spec, exact, wanted.texts))
    smoothing = learnt(bench, exact, seen)
    reference = vectors(exact.run, seen[:TRIED])

    def reached(some: Smoothing) -> float:
        model = bench.model(bench.dtype, int8=some)
        return float(cosines(vectors(model.run, seen[:TRIED]), reference).mean())

    plan = Plan(chosen(reached, smoothing, wanted.cosine, bench))
    bench.step("measuring", 0.0)
    reference = vectors(exact.run, held)
    found = Calibration(
        model=bench.spec.name,
        weights=weights,
        seen=len(seen),
        held_out=len(held),
        layers=len(plan.smoothing),
        kept=tuple(name for name in smoothing if name not in plan.smoothing),
        file=str(file),
        **measured(bench, plan, held, reference),
    )
    write(Plan(plan.smoothing, found), file)
    return found


def ready(spec: ModelSpec, model: TextEncoder, texts: Sequence[str]) -> list[Features]:
    """Different texts as token ids, long ones cut; such as cannot be read are left out.

    Raises:
        InvalidInput: There are too few.
    """
    engine = TextEngine(spec, fitted(spec, model.trunk), model, dtype="float32", device="cpu")
    different = list(dict.fromkeys(text for text in texts if text.strip()))
    every = max(1, len(different) / MOST)
    some = [different[int(place * every)] for place in range(min(MOST, len(different)))]
    job = engine.open(EncodeCall(model=spec.name, items=[Item(text=text) for text in some]))
    found = [one.features for one in job.prepare(0, job.size) if one.features is not None]
    if len(found) < LEAST:
        raise InvalidInput(
            f"texts: {len(found)} of the {len(texts)} given are different and can be read; "
            f"calibration needs at least {LEAST}, and better several hundred such as the model "
            "will read",
            param="texts",
        )
    return found


def shared_out(texts: Sequence[Features]) -> tuple[list[Features], list[Features]]:
    """Texts to learn from, and others to measure on, in turn."""
    return list(texts[0::2]), list(texts[1::2])


def learnt(bench: Bench, exact: TextEncoder, texts: Sequence[Features]) -> dict[str, Tensor]:
    """The smoothing of each layer that may be in int8, by what comes into it in float32.

    Raises:
        UnsupportedCheckpoint: The processor cannot multiply in int8.
    """
    named = named_weights(bench.spec, read_trunk(bench.spec))
    layers = {
        name: layer
        for name, layer in layers_of(exact.trunk).items()
        if named[f"{name}.weight"].shape[1] <= WIDEST
    }
    parts = batches(texts)
    with watched(layers, EVERY) as seen:
        for number, batch in enumerate(parts):
            bench.step("reading texts in float32", number / len(parts))
            exact.run(batch)
    kernel = multiplies(bench.spec, bench.dtype, bench.device)
    found = {}
    for number, (name, inputs) in enumerate(seen.items()):
        bench.step("smoothing", number / len(seen))
        with torch.inference_mode():
            found[name] = smoothing_of(kernel, named[f"{name}.weight"], inputs)
    return found


def chosen(
    reached: Callable[[Smoothing], float], smoothing: Smoothing, cosine: float, bench: Bench
) -> Smoothing:
    """The layers to compute in int8: all, or all but the fewest that cost the most.

    Args:
        reached: Mean cosine to float32 with some layers in int8.
        smoothing: Of all layers that could be.
        cosine: What shall be reached.
        bench: Told how far it is.

    Raises:
        UnsupportedCheckpoint: It is not reached with a single layer in int8.
    """
    bench.step("trying all layers in int8", 0.0)
    if reached(smoothing) >= cosine:
        return smoothing
    alone: dict[str, float] = {}
    for number, (name, by) in enumerate(smoothing.items()):
        bench.step("trying layers in int8", number / len(smoothing))
        alone[name] = reached({name: by})
    dearest = sorted(smoothing, key=lambda name: alone[name])
    least, most = 1, len(dearest)
    while least < most:  # the fewest that are to be left out
        middle = (least + most) // 2
        bench.step("leaving the dearest layers out", 0.0)
        enough = reached({name: smoothing[name] for name in dearest[middle:]}) >= cosine
        least, most = (least, middle) if enough else (middle + 1, most)
    if least == len(dearest):
        raise UnsupportedCheckpoint(
            f"model '{bench.spec.name}': int8 in a single layer leaves a mean cosine to float32 of "
            f"{max(alone.values()):.6f} at best, and {cosine:g} was asked for",
            hint="ask for less with --cosine, or leave the model in its own number format",
        )
    return {name: smoothing[name] for name in smoothing if name in dearest[least:]}


def measured(
    bench: Bench, plan: Plan, texts: Sequence[Features], reference: Vectors
) -> dict[str, Any]:
    """Figures of int8 and of the number format beside it, on texts that nothing was learnt from."""
    int8, plain = bench.model(bench.dtype, int8=plan.smoothing), bench.model(bench.dtype)
    bench.step("timing", 0.5)
    rate, plain_rate, gain = rates(int8.run, plain.run, texts, ROUNDS)
    return {
        "int8": figures("int8", int8.run, texts, reference, rate),
        "plain": figures(name_of(bench.dtype), plain.run, texts, reference, plain_rate),
        "gain": gain,
    }


def figures(
    dtype: str, run: Run, texts: Sequence[Features], reference: Vectors, rate: float
) -> Figures:
    """What a number format gives beside float32."""
    made = vectors(run, texts)
    near = cosines(made, reference)
    return Figures(
        dtype=dtype,
        mean_cosine=float(near.mean()),
        least_cosine=float(near.min()),
        neighbours=agreement(made, reference),
        tokens_per_s=rate,
    )
