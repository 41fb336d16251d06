"""What SIE's SDK takes and gives: plain dicts with these keys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from stelae.types.lazy import np

if TYPE_CHECKING:
    from PIL import Image

    Data = Image.Image | np.typing.NDArray[Any] | bytes | str | Path
else:
    Data = Any


class ImageInput(TypedDict, total=False):
    """A picture.

    Attributes:
        data: A Pillow image, an array ``(H, W, 3)``, the bytes of a file, or its path.
        format: What it is in; told from the bytes if not given.
    """

    data: Data
    format: str


class AudioInput(TypedDict, total=False):
    """Sound; no model reads it yet."""

    data: bytes | np.typing.NDArray[Any] | str | Path
    format: str
    sample_rate: int


class VideoInput(TypedDict, total=False):
    """A film; no model reads it yet."""

    data: bytes | str | Path
    format: str


class Item(TypedDict, total=False):
    """One thing to encode, to score or to look into.

    Attributes:
        id: Comes back with the result.
        text: A text.
        images: A picture, in any of the forms of ``ImageInput`` with or without the dict.
        audio: Sound.
        video: A film.
        metadata: Anything; stays here.
        multivector: Token vectors made before, shape ``(T, D)``.
    """

    id: str
    text: str
    images: Sequence[ImageInput | Data]
    audio: AudioInput | bytes | str | Path
    video: VideoInput | bytes | str | Path
    metadata: dict[str, Any]
    multivector: np.typing.NDArray[np.float32]


class SparseResult(TypedDict):
    """Terms, ascending, and their weights."""

    indices: np.typing.NDArray[np.int32]
    values: np.typing.NDArray[np.float32]


class TimingInfo(TypedDict, total=False):
    """Milliseconds by stage."""

    total_ms: float
    queue_ms: float
    tokenization_ms: float
    inference_ms: float
    postprocessing_ms: float


class RequestUsage(TypedDict, total=False):
    """What a call came to."""

    input_tokens: int
    pairs: int
    images: int


class RequestMetadata(TypedDict, total=False):
    """What is told of a call; the same with each of its results.

    It has no ``id``: a long list is cut into several requests.
    """

    usage: RequestUsage


class EncodeResult(TypedDict, total=False):
    """What was made of one item; only what was asked for is there."""

    id: str
    dense: np.typing.NDArray[Any]
    sparse: SparseResult
    multivector: np.typing.NDArray[Any]
    model: str
    timing: TimingInfo
    request: RequestMetadata


class ScoreEntry(TypedDict):
    """One item of a ranking; rank 0 is the best."""

    item_id: str
    score: float
    rank: int


class ScoreResult(TypedDict, total=False):
    """All items, best first."""

    model: str
    query_id: str
    scores: list[ScoreEntry]
    usage: RequestUsage
    request: RequestMetadata


class Entity(TypedDict, total=False):
    """A name found; ``bbox`` is ``[x, y, width, height]`` in pixels."""

    text: str
    label: str
    score: float
    start: int | None
    end: int | None
    bbox: list[int] | None


class Relation(TypedDict):
    """How two names belong together."""

    head: str
    tail: str
    relation: str
    score: float


class Classification(TypedDict):
    """A class."""

    label: str
    score: float


class DetectedObject(TypedDict):
    """A thing seen; ``bbox`` is ``[x, y, width, height]`` in pixels."""

    label: str
    score: float
    bbox: list[int]


class ItemError(TypedDict):
    """Why an item failed."""

    code: str
    message: str


class ExtractResult(TypedDict, total=False):
    """What one item holds; ``error`` if it failed."""

    id: str
    entities: list[Entity]
    relations: list[Relation]
    classifications: list[Classification]
    objects: list[DetectedObject]
    data: dict[str, Any]
    error: ItemError
    model: str
    request: RequestMetadata


class ModelDims(TypedDict, total=False):
    """Width of each kind of output that has one."""

    dense: int
    sparse: int
    multivector: int


ModelState = Literal["available", "loading", "loaded", "unloading", "failed"]
"""How far a model is."""


class ModelLoadError(TypedDict, total=False):
    """Why a model could not be loaded."""

    code: str
    message: str
    attempts: int
    permanent: bool


class ProfileInfo(TypedDict, total=False):
    """A named set of options."""

    is_default: bool


class ModelCapabilities(TypedDict, total=False):
    """What a model that writes does beside."""

    streaming: bool | None
    grammar: list[str]
    tools: bool
    lora_adapters: list[str]
    profile_lora_adapters: dict[str, list[str]]
    code: bool
    sql: bool
    guard: bool


class ModelRouting(TypedDict, total=False):
    """Where calls are answered; a Stelae server answers all of them itself."""

    policy: str | None
    upstream_kind: str | None


class ModelInfo(TypedDict, total=False):
    """A model of the server.

    Attributes:
        name: The name to ask for.
        loaded: Whether it is in memory.
        state: How far it is.
        last_error: Why it could not be loaded.
        inputs: What it reads.
        outputs: What it makes.
        dims: Width of each output that has one.
        max_sequence_length: Longest input in tokens.
        revision: Commit of its checkpoint, where known.
        profiles: Named sets of options.
        capabilities: What it does beside; ``None`` for models of vectors.
        routing: Where calls are answered.
        aliases: Other names that reach it.
    """

    name: str
    loaded: bool
    state: ModelState
    last_error: ModelLoadError | None
    inputs: list[str]
    outputs: list[str]
    dims: ModelDims
    max_sequence_length: int | None
    revision: str | None
    profiles: dict[str, ProfileInfo]
    capabilities: ModelCapabilities | None
    routing: ModelRouting
    aliases: list[str]


class PoolSpec(TypedDict, total=False):
    """A pool: its name and how many of each kind of device it may use.

    The rest is kept by the server and told back; one server has one bundle and one queue.
    """

    name: str
    gpus: dict[str, int] | None
    gpu_caps: dict[str, int] | None
    bundle: str | None
    minimum_worker_count: int | None
    pinned_models: list[str] | None
    queue_pool: str | None


class WorkerInfo(TypedDict, total=False):
    """A machine that answers calls."""

    name: str
    url: str
    gpu: str
    gpu_count: int
    healthy: bool
    queue_depth: int
    loaded_models: list[str]
    memory_used_bytes: int
    memory_total_bytes: int


class CapacityInfo(TypedDict, total=False):
    """What there is at this moment."""

    status: str
    worker_count: int
    gpu_count: int
    models_loaded: int
    configured_gpu_types: list[str]
    live_gpu_types: list[str]
    workers: list[WorkerInfo]


class ClusterStatusMessage(TypedDict, total=False):
    """How the whole stands; ``cluster``, ``workers`` and ``models`` are those of ``/health``."""

    timestamp: float
    cluster: dict[str, Any]
    workers: list[dict[str, Any]]
    models: list[dict[str, Any]]


class WorkerStatusMessage(TypedDict, total=False):
    """How one worker stands."""

    timestamp: float
    ready: bool
    name: str
    machine_profile: str
    pool_name: str
    gpu_count: int
    bundle: str
    bundle_config_hash: str
    loaded_models: list[str]
    max_batch_requests: int
    saturated: bool
    server: dict[str, Any]
    gpus: list[dict[str, Any]]
    models: list[dict[str, Any]]


StatusMessage = ClusterStatusMessage | WorkerStatusMessage
"""What ``watch`` gives."""


class AssignedWorkerInfo(TypedDict, total=False):
    """A worker of a pool."""

    name: str
    url: str
    gpu: str


class PoolStatusInfo(TypedDict, total=False):
    """How a pool stands."""

    state: str
    assigned_workers: list[AssignedWorkerInfo]
    created_at: float
    last_renewed: float


class PoolInfo(TypedDict, total=False):
    """A pool."""

    name: str
    spec: PoolSpec
    status: PoolStatusInfo


class GenerationUsage(TypedDict, total=False):
    """Tokens of a text."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[str, int]


class GenerateResult(TypedDict, total=False):
    """What ``generate`` gives."""

    model: str
    text: str
    finish_reason: str
    usage: GenerationUsage
    attempt_id: str
    ttft_ms: float
    tpot_ms: float
    request: RequestMetadata


class GenerateChunk(TypedDict, total=False):
    """A piece of a text; the last one is ``done``."""

    request_id: str
    seq: int
    text_delta: str
    logprobs: list[dict[str, Any]]
    done: bool
    finish_reason: str
    usage: GenerationUsage
    ttft_ms: float


class ChatMessage(TypedDict, total=False):
    """A message of a conversation, as OpenAI's protocol has it."""

    role: str
    content: str | list[dict[str, Any]] | None
    name: str
    tool_call_id: str
    tool_calls: list[dict[str, Any]]
    reasoning_content: str


class ChatUsage(TypedDict, total=False):
    """Tokens of a chat."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[str, int]


class ChatCompletion(TypedDict, total=False):
    """What ``chat_completions`` gives: OpenAI's own fields."""

    id: str
    object: str
    created: int
    model: str
    system_fingerprint: str | None
    choices: list[dict[str, Any]]
    usage: ChatUsage


class ChatCompletionChunk(TypedDict, total=False):
    """A piece of a chat."""

    id: str
    object: str
    created: int
    model: str
    system_fingerprint: str | None
    choices: list[dict[str, Any]]
    usage: ChatUsage | None
