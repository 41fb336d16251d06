"""Launches as callers write and read them: pure, shared by both clients."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict
from urllib.parse import quote

import msgspec

from stelae.errors import DeadlineExceeded, InvalidInput, from_info
from stelae.types import ComputeDtype, LaunchCall, LaunchInfo, ModelKind, Stage

FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.05, 1.0, 1.5
"""Seconds between two looks at a launch, and how they grow."""


class LaunchOptions(TypedDict, total=False):
    """Options of ``launch_model``; see ``LaunchCall`` for their meaning."""

    kind: ModelKind | None
    format: str | None
    size: float | str | None
    quantization: str | None
    path: str | os.PathLike[str] | None
    engine: str | None
    dtype: ComputeDtype | str | None
    replicas: int
    gpus: Sequence[Sequence[int]] | None
    calls: int | None
    loras: Mapping[str, str | os.PathLike[str]]
    max_tokens: int | None
    cache_tokens: int | None
    batch_tokens: int | None
    thinking: bool | None
    environment: Mapping[str, str]
    pinned: bool
    idle_seconds: float | None


class LaunchList(msgspec.Struct, frozen=True):
    """What a server tells of all launches."""

    launches: list[LaunchInfo]


class Remaining(msgspec.Struct, frozen=True):
    """What is left of a model."""

    remaining: int


def launch_call(
    model: str | os.PathLike[str], uid: str | None, options: LaunchOptions
) -> LaunchCall:
    """A launch as it is asked for.

    Raises:
        InvalidInput: An option is not one of those it takes, or of the wrong type.
    """
    try:
        fields: dict[str, Any] = {"model": os.fspath(model), "uid": uid, **options}
        if fields.get("path") is not None:
            fields["path"] = os.fspath(fields["path"])
        if "loras" in fields:
            given = dict(fields["loras"]).items()
            fields["loras"] = {name: os.fspath(place) for name, place in given}
        return msgspec.convert(fields, LaunchCall)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise InvalidInput(f"an argument of launch_model is wrong: {error}") from error


def path(uid: str, verb: str = "") -> str:
    """Where a launch is found.

    Raises:
        InvalidInput: No uid was given.
    """
    if not isinstance(uid, str) or not uid.strip("/. "):
        raise InvalidInput(f"uid={uid!r}: give the uid of a launched model", param="uid")
    try:
        return f"launches/{quote(uid, safe='/')}{'/' + verb if verb else ''}"
    except UnicodeEncodeError as error:
        raise InvalidInput(f"uid={uid!r} is not text", param="uid") from error


def is_ready(info: LaunchInfo) -> bool:
    """Whether a launched model answers.

    Raises:
        StelaeError: It never will, and why.
    """
    if info.error is not None and info.stage in (Stage.FAILED, Stage.CANCELLED):
        raise from_info(info.error)
    return info.stage is Stage.READY


def fetched(info: LaunchInfo) -> tuple[int, int | None]:
    """Bytes that have come in, and how many there are in all, once that is known."""
    total = sum(file.total for file in info.files)
    return sum(file.done for file in info.files), total or None


def pauses() -> Iterator[float]:
    """Seconds between looks at a launch: small models are not waited for longer than they take."""
    seconds = FIRST_PAUSE
    while True:
        yield seconds
        seconds = min(LONGEST_PAUSE, seconds * GROWTH)


def late(uid: str, seconds: float | None) -> DeadlineExceeded:
    """What is raised when a model is not ready in time."""
    within = "in time" if seconds is None else f"within {seconds:g} s"
    return DeadlineExceeded(
        f"model {uid!r} was not ready {within}",
        hint="it goes on loading: wait_for_model waits further, cancel_launch gives it up",
    )


def gpus_body(gpus: Sequence[int] | None) -> bytes:
    """The body of a request for one more replica, in JSON."""
    return msgspec.json.encode({} if gpus is None else {"gpus": list(gpus)})
