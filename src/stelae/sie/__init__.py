"""SIE's client under its own names, over ours: change the import, keep the code.

    from stelae.sie import Item, SIEClient

It asks a Stelae server in the server's own protocol, so that it does all the unmodified
``sie-sdk`` does, with the same arguments, results and errors.
"""

from stelae.sie._async import SIEAsyncClient
from stelae.sie._sync import SIEClient
from stelae.sie.errors import (
    InputTooLongError,
    LoraLoadingError,
    ModelLoadFailedError,
    ModelLoadingError,
    PoolError,
    ProvisioningError,
    RequestError,
    ResourceExhaustedError,
    ServerError,
    SIEConnectionError,
    SIEError,
)
from stelae.sie.scoring import maxsim, maxsim_batch
from stelae.sie.types import (
    AssignedWorkerInfo,
    AudioInput,
    CapacityInfo,
    Classification,
    ClusterStatusMessage,
    DetectedObject,
    EncodeResult,
    Entity,
    ExtractResult,
    ImageInput,
    Item,
    ModelInfo,
    PoolInfo,
    PoolSpec,
    PoolStatusInfo,
    Relation,
    ScoreEntry,
    ScoreResult,
    SparseResult,
    StatusMessage,
    TimingInfo,
    VideoInput,
    WorkerInfo,
    WorkerStatusMessage,
)

__all__ = [
    "AssignedWorkerInfo",
    "AudioInput",
    "CapacityInfo",
    "Classification",
    "ClusterStatusMessage",
    "DetectedObject",
    "EncodeResult",
    "Entity",
    "ExtractResult",
    "ImageInput",
    "InputTooLongError",
    "Item",
    "LoraLoadingError",
    "ModelInfo",
    "ModelLoadFailedError",
    "ModelLoadingError",
    "PoolError",
    "PoolInfo",
    "PoolSpec",
    "PoolStatusInfo",
    "ProvisioningError",
    "Relation",
    "RequestError",
    "ResourceExhaustedError",
    "SIEAsyncClient",
    "SIEClient",
    "SIEConnectionError",
    "SIEError",
    "ScoreEntry",
    "ScoreResult",
    "ServerError",
    "SparseResult",
    "StatusMessage",
    "TimingInfo",
    "VideoInput",
    "WorkerInfo",
    "WorkerStatusMessage",
    "maxsim",
    "maxsim_batch",
]
