"""Values that walk through the rooms: plain, immutable, the same for every dialect."""

from stelae.types.encode import EncodeCall, EncodeResult, Item, Matrix
from stelae.types.enums import (
    ComputeDtype,
    EmbeddingDtype,
    ModelState,
    OutputType,
    Role,
    Similarity,
    Task,
    Truncate,
)
from stelae.types.model import ModelInfo
from stelae.types.usage import Timing, Usage

__all__ = [
    "ComputeDtype",
    "EmbeddingDtype",
    "EncodeCall",
    "EncodeResult",
    "Item",
    "Matrix",
    "ModelInfo",
    "ModelState",
    "OutputType",
    "Role",
    "Similarity",
    "Task",
    "Timing",
    "Truncate",
    "Usage",
]
