"""What SIE's SDK takes and gives for work in the background: jobs, files and batches."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from stelae.sie.types import ItemError, SparseResult
from stelae.types.lazy import np

JobState = Literal["queued", "running", "succeeded", "failed", "suspended", "cancelled"]
"""How far a job is; the last four are ends."""


class JobStatus(TypedDict, total=False):
    """A job and how far it is; times are Unix times.

    Attributes:
        outcome: ``partial`` if some items failed and others did not.
        error_code: Why it failed.
        output: Its ``chunks``, each with the address (``ref``) of its results.
    """

    id: str
    object: str
    operation: str
    model: str
    state: JobState
    outcome: str | None
    error_code: str | None
    error: str | None
    total_items: int
    completed_items: int
    failed_items: int
    created_at: float
    finished_at: float | None
    output: dict[str, Any]


class JobSubmitResult(TypedDict, total=False):
    """A job that was taken on; ``chunks`` is how many parts its results come in."""

    id: str
    object: str
    operation: str
    model: str
    state: JobState
    total_items: int
    chunks: int


class JobList(TypedDict, total=False):
    """All jobs."""

    object: str
    data: list[JobStatus]


class JobChunk(TypedDict, total=False):
    """A part of a job's results; ``ref`` is where it lies, if it is there."""

    seq: int
    items: int
    state: str
    ref: str | None


class JobResultItem(TypedDict, total=False):
    """What was made of one item of a job; ``error`` if it failed.

    Attributes:
        units: Tokens that it came to.
        dims: Width of ``dense``.
        dense: Its vector, shape ``(D,)``.
        sparse: Its terms and their weights, if those were asked for.
        multivector: Its token vectors, shape ``(T, D)``, if those were asked for.
    """

    id: str | int | None
    success: bool | None
    units: Any
    dims: int | None
    dense: np.typing.NDArray[Any] | None
    sparse: SparseResult
    multivector: np.typing.NDArray[Any]
    error: ItemError


class JobResults(TypedDict, total=False):
    """The results of a job, in the order of its items; ``retrieved`` is how many there are."""

    job_id: str
    state: JobState | None
    total_items: int | None
    chunks: list[JobChunk]
    retrieved: int
    dims: int | None
    items: list[JobResultItem]


class File(TypedDict, total=False):
    """A file that the server keeps; ``bytes`` is its size."""

    id: str
    object: str
    bytes: int
    created_at: int
    filename: str
    purpose: str
    status: str
    expires_at: int


class FileDeleted(TypedDict, total=False):
    """That a file is forgotten."""

    id: str
    object: str
    deleted: bool


class FileList(TypedDict, total=False):
    """A page of files; ``has_more`` if another comes after ``last_id``."""

    object: str
    data: list[File]
    first_id: str | None
    last_id: str | None
    has_more: bool


class BatchRequestCounts(TypedDict, total=False):
    """How many requests of a batch there are, and how they went."""

    total: int
    completed: int
    failed: int


class Batch(TypedDict, total=False):
    """The requests of a file, answered into another; times are Unix times in seconds."""

    id: str
    object: str
    endpoint: str
    input_file_id: str
    completion_window: str
    status: str
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    finished_at: int | None
    in_progress_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelled_at: int | None
    request_counts: BatchRequestCounts
    errors: Any
    metadata: dict[str, Any] | None


class BatchList(TypedDict, total=False):
    """A page of batches; ``has_more`` if another comes after ``last_id``."""

    object: str
    data: list[Batch]
    first_id: str | None
    last_id: str | None
    has_more: bool
