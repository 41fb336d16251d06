"""Checking the small configuration files key by key, so that nothing is ignored."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from stelae.catalog.files import Json
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

T = TypeVar("T")


def refuse_unknown(config: Json, known: Collection[str], file: str) -> None:
    """Refuse a file with keys of which nobody has checked what they do.

    Raises:
        UnsupportedCheckpoint: There is such a key.
    """
    unknown = sorted(set(config) - set(known))
    if unknown:
        raise UnsupportedCheckpoint(
            f"{file} has the option {', '.join(map(repr, unknown))}, which is not implemented; "
            f"known are {', '.join(sorted(known))}"
        )


def require(config: Json, fixed: Mapping[str, Collection[Any]], file: str) -> None:
    """Refuse a file that sets an option to a value that is not implemented.

    Args:
        config: The file.
        fixed: Values that are implemented, by option; an absent option is fine.
        file: Its name, for the message.

    Raises:
        UnsupportedCheckpoint: An option has another value.
    """
    for key, allowed in fixed.items():
        if key in config and not any(same(config[key], value) for value in allowed):
            known = " or ".join(map(repr, allowed))
            raise UnsupportedCheckpoint(
                f"{file} sets {key}={config[key]!r}, which is not implemented; known is {known}"
            )


def same(one: Any, other: Any) -> bool:
    """Equality that keeps ``True`` and ``1`` apart."""
    return type(one) is type(other) and bool(one == other)


def take(config: Json, key: str, kind: type[T], file: str, default: T | None = None) -> T | None:
    """An option of the expected type; ``null`` counts as absent.

    Raises:
        ModelLoadFailed: The option has another type.
    """
    value = config.get(key)
    if value is None:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ModelLoadFailed(
            f"{file} sets {key}={value!r}; a value of type {kind.__name__} was expected"
        )
    return value


def need(config: Json, key: str, kind: type[T], file: str) -> T:
    """An option that must be there.

    Raises:
        ModelLoadFailed: It is absent or has another type.
    """
    value = take(config, key, kind, file)
    if value is None:
        raise ModelLoadFailed(f"{file} lacks the option {key!r}")
    return value


def number(config: Json, key: str, file: str) -> float | None:
    """A finite number, or ``None`` if absent.

    Raises:
        ModelLoadFailed: The option is something else.
    """
    value = config.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ModelLoadFailed(f"{file} sets {key}={value!r}; a finite number was expected")
    return float(value)


def positive(config: Json, key: str, file: str) -> int | None:
    """A whole number of at least 1, or ``None`` if absent.

    Raises:
        ModelLoadFailed: The option is something else.
    """
    value = take(config, key, int, file)
    if value is not None and value < 1:
        raise ModelLoadFailed(f"{file} sets {key}={value}; a number >= 1 was expected")
    return value
