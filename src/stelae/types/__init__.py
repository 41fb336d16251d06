"""Values that walk through the rooms: plain, immutable, the same for every dialect."""

from stelae.types.capacity import Capacity, ModelLoad, Worker
from stelae.types.columns import Quantization, Ragged, Sparse, SparseVector
from stelae.types.encode import EncodeCall, EncodeResult, Matrix, Muvera
from stelae.types.enums import (
    ComputeDtype,
    EmbeddingDtype,
    Modality,
    ModelState,
    OutputType,
    Role,
    Similarity,
    Task,
    Truncate,
)
from stelae.types.extract import (
    Box,
    Classification,
    DetectedObject,
    Entity,
    ExtractCall,
    Extraction,
    ExtractResult,
    Relation,
)
from stelae.types.item import Item
from stelae.types.model import ModelInfo
from stelae.types.pool import LEASE_SECONDS, Assigned, Pool, PoolSpec, PoolState
from stelae.types.profile import Profile
from stelae.types.score import ScoreCall, ScoreResult
from stelae.types.search import (
    CollectionInfo,
    Document,
    Hit,
    IndexCall,
    IndexResult,
    SearchCall,
    SearchResult,
)
from stelae.types.usage import Timing, Usage

__all__ = [
    "LEASE_SECONDS",
    "Assigned",
    "Box",
    "Capacity",
    "Classification",
    "CollectionInfo",
    "ComputeDtype",
    "DetectedObject",
    "Document",
    "EmbeddingDtype",
    "EncodeCall",
    "EncodeResult",
    "Entity",
    "ExtractCall",
    "ExtractResult",
    "Extraction",
    "Hit",
    "IndexCall",
    "IndexResult",
    "Item",
    "Matrix",
    "Modality",
    "ModelInfo",
    "ModelLoad",
    "ModelState",
    "Muvera",
    "OutputType",
    "Pool",
    "PoolSpec",
    "PoolState",
    "Profile",
    "Quantization",
    "Ragged",
    "Relation",
    "Role",
    "ScoreCall",
    "ScoreResult",
    "SearchCall",
    "SearchResult",
    "Similarity",
    "Sparse",
    "SparseVector",
    "Task",
    "Timing",
    "Truncate",
    "Usage",
    "Worker",
]
