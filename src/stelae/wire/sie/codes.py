"""SIE's names of errors, by those of the house."""

from __future__ import annotations

from stelae.errors import MissingDependency, ModelLoadFailed, StelaeError

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


def code_of(error: StelaeError) -> str:
    """SIE's code of an error."""
    if isinstance(error, ModelLoadFailed | MissingDependency):
        return LOAD_FAILED
    return CODES.get(error.code, error.code.upper())


def status_of(error: StelaeError) -> int:
    """SIE's status of an error."""
    return 502 if code_of(error) == LOAD_FAILED else error.status
