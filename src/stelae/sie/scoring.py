"""Late interaction in this process, under the names of SIE's SDK."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stelae.client import scoring
from stelae.types.lazy import np


def maxsim(
    query: np.typing.NDArray[np.float32],
    documents: Sequence[np.typing.NDArray[np.float32]] | np.typing.NDArray[np.float32],
) -> list[float]:
    """Score documents against a query: for each query token its best match, summed.

    Args:
        query: Token vectors, shape ``(Q, D)``.
        documents: One matrix per document, shape ``(T_i, D)``, or one for one document.

    Returns:
        One score per document.
    """
    scores: list[float] = scoring.maxsim(query, documents).tolist()
    return scores


def maxsim_batch(
    queries: Sequence[np.typing.NDArray[np.float32]],
    documents: Sequence[np.typing.NDArray[np.float32]],
) -> np.typing.NDArray[Any]:
    """Score documents against several queries.

    Returns:
        Shape ``(queries, documents)``, fp32.
    """
    return scoring.maxsim_batch(queries, documents)
