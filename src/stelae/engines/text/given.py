"""Token vectors that were made before, in place of their texts."""

from __future__ import annotations

from typing import Any

import numpy as np

from stelae.engines.base import Prepared
from stelae.engines.text.features import Output
from stelae.errors import InvalidInput
from stelae.types import Item


def matrix_error(item: Item, width: int) -> InvalidInput | None:
    """Why the token vectors of an item cannot be compared, or ``None`` if they can.

    Args:
        item: With token vectors.
        width: Of the model's own; 0 if it makes none.
    """
    matrix = item.multivector
    if matrix is None or not width:
        return InvalidInput("this model compares no token vectors; give a text", param="items")
    if matrix.ndim != 2 or matrix.shape[1] != width or not len(matrix):
        return InvalidInput(
            f"multivector has the shape {matrix.shape}; this model's are (tokens, {width})",
            param="items",
        )
    if not np.isfinite(matrix).all():
        return InvalidInput("multivector has numbers that are not finite", param="items")
    return None


def as_given(item: Item) -> Prepared[Any]:
    """An item that need not run."""
    return Prepared(None, row=Output(vectors=np.asarray(item.multivector, np.float32)))
