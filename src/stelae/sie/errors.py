"""Errors under the names of SIE's SDK, and what of ours each stands for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stelae.errors import ProtocolError, ServerUnreachable, StelaeError
from stelae.wire.sie import codes
from stelae.wire.sie.codes import LOAD_FAILED, code_of, load_facts, status_of


class SIEError(Exception):
    """Root of all errors of this module."""


class SIEConnectionError(SIEError):
    """The server cannot be reached."""


class RequestError(SIEError):
    """The request itself is wrong.

    Attributes:
        code: Stable name of the fault.
        status_code: HTTP status.
        param: Name of the argument at fault, if one is.
    """

    def __init__(
        self,
        message: str,
        code: str | None = None,
        status_code: int | None = None,
        *,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.status_code, self.param = code, status_code, param


class InputTooLongError(RequestError):
    """A text is longer than the model reads, and cutting it was not allowed."""


class ServerError(SIEError):
    """The server failed.

    Attributes:
        code: Stable name of the fault.
        status_code: HTTP status.
        retry_after: Seconds after which the same request may succeed.
    """

    def __init__(
        self,
        message: str,
        code: str | None = None,
        status_code: int | None = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.status_code, self.retry_after = code, status_code, retry_after


class ModelLoadFailedError(ServerError):
    """The model cannot be loaded.

    Attributes:
        model: The model that was asked for.
        error_class: Why, in a word: ``GATED``, ``NOT_FOUND``, ``NETWORK``, ``DEPENDENCY``,
            ``CONFIG`` or ``UNKNOWN``.
        permanent: Whether another attempt alone will not help.
        attempts: Loads that failed.
    """

    def __init__(
        self,
        message: str,
        *,
        model: str | None = None,
        error_class: str | None = None,
        permanent: bool = True,
        attempts: int = 1,
    ) -> None:
        super().__init__(message, LOAD_FAILED, 502)
        self.model, self.error_class = model, error_class
        self.permanent, self.attempts = permanent, attempts


class ResourceExhaustedError(ServerError):
    """Memory ran out."""


class ModelLoadingError(SIEError):
    """The model is still loading.

    Attributes:
        model: The model that was asked for.
    """

    def __init__(self, message: str, *, model: str | None = None) -> None:
        super().__init__(message)
        self.model = model


class ProvisioningError(SIEError):
    """Nothing of the kind asked for is there.

    Attributes:
        gpu: The kind of device that was asked for.
        retry_after: Seconds after which it may be there.
    """

    def __init__(
        self, message: str, *, gpu: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.gpu, self.retry_after = gpu, retry_after


class PoolError(SIEError):
    """A pool cannot be made, found or taken down.

    Attributes:
        pool_name: Its name.
        state: Its state, where known.
    """

    def __init__(
        self, message: str, *, pool_name: str | None = None, state: str | None = None
    ) -> None:
        super().__init__(message)
        self.pool_name, self.state = pool_name, state


class JobFailedError(SIEError):
    """A job is over and did not succeed.

    Attributes:
        job_id: The job.
        state: ``failed``, ``suspended`` or ``cancelled``.
        outcome: What came of it, where told.
        error_code: Why, where told.
    """

    def __init__(
        self,
        message: str,
        *,
        job_id: str | None = None,
        state: str | None = None,
        outcome: str | None = None,
        error_code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.job_id, self.state = job_id, state
        self.outcome, self.error_code = outcome, error_code


class LoraLoadingError(SIEError):
    """An adapter is still loading.

    Attributes:
        lora: The adapter.
        model: The model it belongs to.
    """

    def __init__(self, message: str, *, lora: str | None = None, model: str | None = None) -> None:
        super().__init__(message)
        self.lora, self.model = lora, model


@contextmanager
def renamed(*, model: str | None = None, gpu: str | None = None) -> Iterator[None]:
    """Raise what is raised within under the names of this module.

    Args:
        model: The model that was asked for.
        gpu: The kind of device that was asked for.
    """
    try:
        yield
    except StelaeError as error:
        raise _renamed(error, model, gpu) from error


@contextmanager
def of_pool(name: str) -> Iterator[None]:
    """The same for what is done with a pool.

    Args:
        name: The pool.
    """
    try:
        yield
    except StelaeError as error:
        raise PoolError(str(error), pool_name=name) from error


def _renamed(error: StelaeError, model: str | None, gpu: str | None) -> SIEError:
    code, status, message = code_of(error), status_of(error), str(error)
    if isinstance(error, ServerUnreachable) and not isinstance(error, ProtocolError):
        return SIEConnectionError(message)
    match code:
        case "PROVISIONING":
            return ProvisioningError(message, gpu=gpu, retry_after=error.retry_after)
        case "MODEL_LOADING":
            return ModelLoadingError(message, model=model)
        case "LORA_LOADING":
            return LoraLoadingError(message, lora=error.details.get("lora"), model=model)
        case "INPUT_TOO_LONG":
            return InputTooLongError(message, code, status, param=error.param)
        case codes.LOAD_FAILED:
            return ModelLoadFailedError(message, model=model, **load_facts(error))
    if status < 500:
        return RequestError(message, code, status, param=error.param)
    kind = ResourceExhaustedError if code == "RESOURCE_EXHAUSTED" else ServerError
    return kind(message, code, status, retry_after=error.retry_after)


__all__ = [
    "InputTooLongError",
    "JobFailedError",
    "LoraLoadingError",
    "ModelLoadFailedError",
    "ModelLoadingError",
    "PoolError",
    "ProvisioningError",
    "RequestError",
    "ResourceExhaustedError",
    "SIEConnectionError",
    "SIEError",
    "ServerError",
]
