"""How inputs of layers are smoothed so that eight bits hold them: seen in float32, then chosen.

Source: Xiao et al. 2022 (arXiv:2211.10438), equation 4, whose exponent is chosen here for each
layer by what the layer loses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from stelae.nn.kernels.quantised import quantised
from stelae.nn.kernels.variants import Kernel
from stelae.nn.layers.linear import Adaptable

EXPONENTS = (0.4, 0.5, 0.6)
"""Share of the ranges of inputs, beside that of weights, that is smoothed; besides not at all."""

ROWS = 256
"""Inputs of a layer that are kept to try them on."""

LEAST = 1e-5
"""Of a range, as of an input that is always zero."""


@dataclass(slots=True)
class Seen:
    """What came into one layer.

    Attributes:
        peaks: Largest size of each input, shape ``(inputs,)``.
        rows: Some of what came, shape ``(n, inputs)`` each.
    """

    peaks: Tensor | None = None
    rows: list[Tensor] = field(default_factory=list)

    def take(self, x: Tensor, every: int) -> None:
        """Note the rows of a batch, and keep one of so many."""
        flat = x.reshape(-1, x.shape[-1]).float()
        peaks = flat.abs().amax(dim=0)
        self.peaks = peaks if self.peaks is None else torch.maximum(self.peaks, peaks)
        if sum(map(len, self.rows)) < ROWS:
            self.rows.append(flat[::every].clone())


@contextmanager
def watched(layers: Mapping[str, Adaptable], every: int) -> Iterator[dict[str, Seen]]:
    """Note what comes into layers while this lasts.

    Args:
        layers: By name; they run one by one meanwhile.
        every: One row of so many is kept.
    """
    seen = {name: Seen() for name in layers}

    def noting(name: str) -> None:
        def update(x: Tensor, y: Tensor) -> Tensor:
            seen[name].take(x, every)
            return y

        layers[name].update = update

    for name in layers:
        noting(name)
    try:
        yield seen
    finally:
        for layer in layers.values():
            layer.update = None


def smoothing_of(kernel: Kernel, weight: Tensor, seen: Seen) -> Tensor:
    """What each input is multiplied by, so that the layer loses least.

    Args:
        kernel: Multiplies in int8.
        weight: Shape ``(outputs, inputs)``.
        seen: What came in; nothing, if the layer never ran.

    Returns:
        float32, shape ``(inputs,)``.
    """
    weight = weight.float()
    plain = torch.ones(weight.shape[1])
    if seen.peaks is None:
        return plain
    rows = torch.cat(seen.rows)[:ROWS]
    wanted = rows @ weight.T
    ranges = seen.peaks.clamp(min=LEAST), weight.abs().amax(dim=0).clamp(min=LEAST)
    tried = [plain, *(_smoothed(*ranges, exponent) for exponent in EXPONENTS)]

    def loss(by: Tensor) -> float:
        made = quantised(kernel, weight, None, by).product(rows.to(kernel.variant.dtype))
        return float((made.float() - wanted).square().sum())

    return min(tried, key=loss)


def _smoothed(inputs: Tensor, weights: Tensor, exponent: float) -> Tensor:
    """The reciprocal of equation 4."""
    return weights ** (1 - exponent) / inputs**exponent
