"""SIE's names of errors, by those of the house."""

from __future__ import annotations

from typing import Any

from stelae.errors import (
    LOADING,
    Forbidden,
    HubUnreachable,
    InvalidInput,
    MissingDependency,
    ModelLoadFailed,
    ModelNotFound,
    StelaeError,
    Unauthorized,
    UnsupportedCheckpoint,
)

CODES = {
    "invalid_input": "INVALID_INPUT",
    "unsupported_task": "INVALID_INPUT",
    "engine_failed": "INFERENCE_ERROR",
    "lora_failed": "INFERENCE_ERROR",
    "internal_error": "INFERENCE_ERROR",
    "out_of_memory": "RESOURCE_EXHAUSTED",
    "worker_died": "QUEUE_UNAVAILABLE",
    "shutting_down": "QUEUE_UNAVAILABLE",
    "model_not_ready": "MODEL_LOADING",
    "no_capacity": "PROVISIONING",
    "no_such_path": "NOT_FOUND",
    "no_such_method": "METHOD_NOT_ALLOWED",
}
"""Codes that the SDK knows, by ours; others are ours in capitals."""

LOAD_FAILED = "MODEL_LOAD_FAILED"
PROVISIONING = "PROVISIONING"


CLASSES: dict[type[StelaeError], str] = {
    HubUnreachable: "NETWORK",
    UnsupportedCheckpoint: "CONFIG",
    InvalidInput: "CONFIG",
    MissingDependency: "DEPENDENCY",
    ModelNotFound: "NOT_FOUND",
    Forbidden: "GATED",
    Unauthorized: "GATED",
}
"""SIE's words for why a model cannot be loaded, by our errors."""

ABSENT = (ModelNotFound, Forbidden, Unauthorized)
"""Errors that mean another thing where a model was loading: its checkpoint cannot be had."""


def code_of(error: StelaeError) -> str:
    """SIE's code of an error."""
    if isinstance(error, ModelLoadFailed | MissingDependency) or _is_absent(error):
        return LOAD_FAILED
    return CODES.get(error.code, error.code.upper())


def status_of(error: StelaeError) -> int:
    """SIE's status of an error."""
    return 502 if code_of(error) == LOAD_FAILED else error.status


def load_facts(error: StelaeError) -> dict[str, Any]:
    """What SIE tells beside of a model that cannot be loaded."""
    return {
        "error_class": next(
            (w for kind, w in CLASSES.items() if isinstance(error, kind)), "UNKNOWN"
        ),
        "permanent": not isinstance(error, HubUnreachable),
        "attempts": error.details.get("attempts", 1),
    }


def _is_absent(error: StelaeError) -> bool:
    return isinstance(error, ABSENT) and error.details.get("stage") == LOADING
