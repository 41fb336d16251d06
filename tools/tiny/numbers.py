"""Numbers that look random and are the same on every machine.

Uniform numbers from the frozen stream of ``RandomState``, scaled exactly: no
logarithm, no square root of a library, so no last bit that could differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[np.float32]

SPREAD = 0.3464101615137755
"""Half the width of a uniform distribution whose standard deviation is 0.2."""


class Numbers:
    """A source of tensors, named so that adding one does not move the others.

    Args:
        seed: Any text; another seed gives other numbers.
    """

    def __init__(self, seed: str) -> None:
        self._seed = seed

    def uniform(
        self, name: str, *shape: int, middle: float = 0.0, spread: float = SPREAD
    ) -> Tensor:
        """Numbers between ``middle - spread`` and ``middle + spread``."""
        digest = hashlib.sha256(f"{self._seed}/{name}".encode()).digest()
        stream = np.random.RandomState(np.frombuffer(digest, "<u4"))
        return (middle + spread * (2 * stream.random_sample(shape) - 1)).astype(np.float32)

    def linear(
        self, name: str, outputs: int, inputs: int, *, bias: bool = True
    ) -> dict[str, Tensor]:
        """Weight and bias of a linear layer."""
        tensors = {f"{name}.weight": self.uniform(f"{name}.weight", outputs, inputs)}
        if bias:
            tensors[f"{name}.bias"] = self.uniform(f"{name}.bias", outputs)
        return tensors

    def norm(self, name: str, width: int) -> dict[str, Tensor]:
        """Weight and bias of a layer normalisation, near 1 and 0."""
        return {
            f"{name}.weight": self.uniform(f"{name}.weight", width, middle=1.0, spread=0.2),
            f"{name}.bias": self.uniform(f"{name}.bias", width, spread=0.2),
        }


def merged(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """All tensors of several parts."""
    return {name: tensor for part in parts for name, tensor in part.items()}
