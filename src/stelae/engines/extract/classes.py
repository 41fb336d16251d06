"""From the logits of a text's windows to its classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stelae.types import Classification

Logits = NDArray[np.float32]


def softmax(logits: Logits) -> NDArray[np.float64]:
    """Shares along the last axis, computed in fp64."""
    numbers = logits.astype(np.float64)
    powers = np.exp(numbers - numbers.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def sigmoid(logits: Logits) -> NDArray[np.float64]:
    """Each by itself, computed in fp64."""
    half: NDArray[np.float64] = 0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64)))
    return half


def ranked(
    labels: Sequence[str], scores: NDArray[np.float64], threshold: float
) -> tuple[Classification, ...]:
    """Classes of at least a score, the best first; of equal ones the first named."""
    order = np.argsort(-scores, kind="stable").tolist()
    return tuple(
        Classification(label=labels[i], score=float(scores[i]))
        for i in order
        if scores[i] >= threshold
    )
