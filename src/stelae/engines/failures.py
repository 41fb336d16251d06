"""What a model raises, as the answer to those who asked it."""

from __future__ import annotations

from stelae.errors import EngineFailed, OutOfMemory, StelaeError


def as_ours(error: Exception) -> StelaeError:
    """The typed error for whatever a model raised while it ran."""
    if isinstance(error, StelaeError):
        return error
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return OutOfMemory("memory ran out while the model ran", retry_after=1.0)
    return EngineFailed(f"the model failed: {type(error).__name__}: {error}")
