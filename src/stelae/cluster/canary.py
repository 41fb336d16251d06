"""A small call whose answer shows that a model works."""

from __future__ import annotations

from typing import Any

import numpy as np

from stelae.errors import EngineFailed, StelaeError, from_info
from stelae.types import EncodeCall, EncodeResult, Item

TEXT = "A canary sings while the air is good."


def canary_call(name: str) -> EncodeCall:
    """The call to try a model with."""
    return EncodeCall(model=name, items=[Item(text=TEXT)])


def judge(result: Any) -> StelaeError | None:
    """What is wrong with the answer to the canary, if anything."""
    if not isinstance(result, EncodeResult):
        return EngineFailed(f"the health check was answered by a {type(result).__name__}")
    if result.errors:
        return from_info(next(iter(result.errors.values())))
    if result.dense is None or not np.isfinite(result.dense).all():
        return EngineFailed("the health check was answered by a vector that is not finite")
    return None
