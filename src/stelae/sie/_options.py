"""What can be said to the verbs, for type checkers."""

from __future__ import annotations

from typing import Any, TypedDict


class EncodeOptions(TypedDict, total=False):
    """What can be said besides model and items; see ``SIEClient.encode``."""

    output_types: list[str] | None
    instruction: str | None
    output_dtype: str | None
    is_query: bool | None
    options: dict[str, Any] | None
    gpu: str | None
    wait_for_capacity: bool
    provision_timeout_s: float | None
    max_oom_retries: int


class ExtractOptions(TypedDict, total=False):
    """What can be said besides model and items; see ``SIEClient.extract``."""

    labels: list[str] | None
    output_schema: dict[str, Any] | None
    instruction: str | None
    options: dict[str, Any] | None
    gpu: str | None
    wait_for_capacity: bool
    provision_timeout_s: float | None
    max_oom_retries: int
