"""Every error that Stelae raises, as one tree.

A message says what was given, what was expected and what to do. Each class
fixes a stable ``code``, the HTTP ``status`` it usually means and whether the
same request may succeed later; a dialect maps the code to its own body.

    StelaeError
    ├── InvalidInput 400            the caller's mistake, never retried
    │   ├── InputTooLong 400        longer than the model reads, policy "error"
    │   ├── BodyTooLarge 413        over the server's byte limit
    │   ├── UnsupportedTask 400     the model cannot do what was asked
    │   ├── NoSuchPath 404          nothing answers at this path
    │   ├── NoSuchMethod 405        the path takes other methods
    │   └── PoisonInput 422         this input ended a worker twice
    ├── Unauthorized 401            no key, or an unknown one
    ├── Forbidden 403               the key lacks the scope
    ├── ModelNotFound 404           no such name
    ├── NotFound 404                no such file, or work in the background
    ├── PoolNotFound 404            no such pool, or its lease has ended
    ├── Conflict 409                the state does not allow the change
    ├── Cancelled 499               the caller left
    ├── EngineFailed 500            the model failed; ours to mend
    │   ├── ModelLoadFailed 500     the model could not be loaded at all
    │   │   ├── UnsupportedCheckpoint 500   a module or option is not implemented
    │   │   ├── NoReference 500     the model's own library has nothing to compare with
    │   │   └── HubUnreachable 503  the model hub does not answer
    │   ├── LoraFailed 500          an adapter could not be loaded, or does not fit its model
    │   ├── OutOfMemory 503         memory ran out after all recovery
    │   └── WorkerDied 503          the worker ended and the retry failed too
    ├── MissingDependency 501       a package of an extra is not installed
    ├── RateLimited 429             more calls at once than the model was launched for
    ├── QueueFull 503               refused at once; try again after ``retry_after``
    ├── ModelNotReady 503           still loading
    ├── LoraLoading 503             the model is ready, the adapter asked for still loads
    ├── NoCapacity 503              no device or pool has room
    │   ├── Provisioning 503        the machine asked for is configured, but not here now
    │   └── ModelTooLarge 503       the model needs more memory than models may take here
    ├── ShuttingDown 503            draining
    ├── DeadlineExceeded 504        the time given has passed
    └── ServerUnreachable 503       (client) no answer from the server
        └── ProtocolError 502       (client) an answer that cannot be read
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error as a value, for crossing a process or the network.

    Attributes:
        code: Stable name, one per class of the tree.
        message: What was given, what was expected, what to do.
        status: HTTP status that fits the error.
        param: Name of the argument at fault, if one is.
        hint: One line on how to mend it.
        retry_after: Seconds after which the same request may succeed.
        details: Further facts by name, JSON values only.
    """

    code: str
    message: str
    status: int = 500
    param: str | None = None
    hint: str | None = None
    retry_after: float | None = None
    details: dict[str, Any] = {}


class StelaeError(Exception):
    """Root of all errors; catch it to catch them all."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        hint: str | None = None,
        retry_after: float | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.hint = hint
        self.retry_after = retry_after
        self.details: dict[str, Any] = details or {}

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    @property
    def info(self) -> ErrorInfo:
        """The error as a value that can be sent."""
        return ErrorInfo(
            code=self.code,
            message=self.message,
            status=self.status,
            param=self.param,
            hint=self.hint,
            retry_after=self.retry_after,
            details=self.details,
        )


class InvalidInput(StelaeError):
    """The request itself is wrong; sending it again will not help."""

    code = "invalid_input"
    status = 400


class InputTooLong(InvalidInput):
    """A text is longer than the model reads and the policy is ``error``."""

    code = "input_too_long"


class BodyTooLarge(InvalidInput):
    """The request is over the server's limit in bytes."""

    code = "body_too_large"
    status = 413


class UnsupportedTask(InvalidInput):
    """The model exists but cannot do what was asked of it."""

    code = "unsupported_task"


class NoSuchPath(InvalidInput):
    """Nothing answers at the path of the request."""

    code = "no_such_path"
    status = 404


class NoSuchMethod(InvalidInput):
    """The path exists but takes other methods."""

    code = "no_such_method"
    status = 405


class PoisonInput(InvalidInput):
    """This input ended a worker twice and is refused."""

    code = "input_crashes_model"
    status = 422


class Unauthorized(StelaeError):
    """No API key was given, or it is not known."""

    code = "unauthorized"
    status = 401


class Forbidden(StelaeError):
    """The API key is known but may not do this."""

    code = "forbidden"
    status = 403


class ModelNotFound(StelaeError):
    """No model of that name is known here."""

    code = "model_not_found"
    status = 404


class NotFound(StelaeError):
    """Nothing of that name is kept here."""

    code = "not_found"
    status = 404


class PoolNotFound(StelaeError):
    """No pool of that name is known here, or its lease has ended."""

    code = "pool_not_found"
    status = 404


class Conflict(StelaeError):
    """The present state does not allow the change asked for."""

    code = "conflict"
    status = 409


class Cancelled(StelaeError):
    """The caller left before the answer was ready."""

    code = "cancelled"
    status = 499


class EngineFailed(StelaeError):
    """The model failed on a valid request."""

    code = "engine_failed"


class ModelLoadFailed(EngineFailed):
    """The model could not be loaded."""

    code = "model_load_failed"


class UnsupportedCheckpoint(ModelLoadFailed):
    """The checkpoint has a module or an option that is not implemented."""

    code = "unsupported_checkpoint"


class NoReference(ModelLoadFailed):
    """The model's own library makes nothing of the checkpoint to compare with."""

    code = "no_reference"


class HubUnreachable(ModelLoadFailed):
    """The model hub does not answer and the checkpoint is not in the cache."""

    code = "hub_unreachable"
    status = 503


class LoraFailed(EngineFailed):
    """An adapter could not be loaded, or does not fit its model."""

    code = "lora_failed"


class OutOfMemory(EngineFailed):
    """Memory ran out after everything that could be freed was freed."""

    code = "out_of_memory"
    status = 503


class WorkerDied(EngineFailed):
    """The worker process ended while it held the request."""

    code = "worker_died"
    status = 503


class MissingDependency(StelaeError):
    """A package that an extra installs is missing; the hint names the command."""

    code = "missing_dependency"
    status = 501


class RateLimited(StelaeError):
    """The model takes no more calls at once than it was launched for."""

    code = "rate_limited"
    status = 429


class QueueFull(StelaeError):
    """The queue is full and the request was refused at once."""

    code = "queue_full"
    status = 503


class ModelNotReady(StelaeError):
    """The model is still loading."""

    code = "model_not_ready"
    status = 503


class LoraLoading(StelaeError):
    """The model is ready, but the adapter asked for is still loading."""

    code = "lora_loading"
    status = 503


class NoCapacity(StelaeError):
    """No device or pool has room for the request."""

    code = "no_capacity"
    status = 503


class Provisioning(NoCapacity):
    """The kind of machine asked for is configured, but none serves here now."""

    code = "provisioning"


class ModelTooLarge(NoCapacity):
    """The model needs more memory than models may take here; waiting does not help."""

    code = "model_too_large"


class ShuttingDown(StelaeError):
    """The server finishes what it has accepted and takes no more."""

    code = "shutting_down"
    status = 503


class DeadlineExceeded(StelaeError):
    """The time given for the request has passed."""

    code = "deadline_exceeded"
    status = 504


class ServerUnreachable(StelaeError):
    """The client got no answer from the server."""

    code = "server_unreachable"
    status = 503


class ProtocolError(ServerUnreachable):
    """The client got an answer that it cannot read."""

    code = "protocol_error"
    status = 502


def _tree(root: type[StelaeError]) -> dict[str, type[StelaeError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


BY_CODE = _tree(StelaeError)
"""Every error class by its code."""


RETRYABLE = frozenset(
    {"queue_full", "rate_limited", "model_not_ready", "lora_loading", "no_capacity"}
) | {"provisioning", "shutting_down", "worker_died", "out_of_memory"}
"""Codes of errors after which the same request may succeed."""


LOADING = "loading"
"""Said as ``stage`` in the details of whatever ended the loading of a model."""


def from_info(info: ErrorInfo) -> StelaeError:
    """Build the exception that an ``ErrorInfo`` describes.

    An unknown code (a newer server's) gives a plain ``StelaeError`` that keeps
    the sent code in its details.
    """
    kind = BY_CODE.get(info.code, StelaeError)
    details = info.details if kind.code == info.code else {**info.details, "code": info.code}
    return kind(
        info.message,
        param=info.param,
        hint=info.hint,
        retry_after=info.retry_after,
        details=details,
    )
