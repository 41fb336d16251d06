"""SIE's model files: one YAML file for each model, read as it is and no further."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from stelae.errors import InvalidInput

LARGEST = 1024 * 1024
"""Bytes of a file that is read; theirs have a few thousand."""

ENDINGS = frozenset({".yaml", ".yml"})

S = TypeVar("S", bound=msgspec.Struct)


class AdapterOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of what runs a model, for its loading and for each call."""

    loadtime: dict[str, Any] | None = None
    runtime: dict[str, Any] | None = None


class SieProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A profile of a model."""

    extends: str | None = None
    max_batch_tokens: int | None = None
    compute_precision: str | None = None
    adapter_path: str | None = None
    adapter_options: dict[str, Any] | None = None
    adaptive_batching: Any = None


class SieModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model."""

    sie_id: str
    hf_id: str | None = None
    hf_revision: str | None = None
    weights_path: str | None = None
    package_backed: bool | None = None
    inputs: Any = None
    tasks: Any = None
    max_sequence_length: int | None = None
    profiles: dict[str, Any] | None = None


def found_in(folder: Path) -> list[Path]:
    """The model files of a folder, by name.

    Raises:
        InvalidInput: There is no such folder, or none in it.
    """
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in ENDINGS)
    except OSError as error:
        raise InvalidInput(f"folder '{folder}' cannot be read: {error}", param="DIR") from error
    if not files:
        raise InvalidInput(f"folder '{folder}' has no .yaml file", param="DIR")
    return files


def read(file: Path) -> dict[str, Any]:
    """What a file holds: plain values by key.

    Raises:
        InvalidInput: It cannot be read, is too large, or is no YAML of that kind.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise InvalidInput(f"{file}: the file is larger than {LARGEST} bytes")
        content: Any = yaml.safe_load(data)
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InvalidInput(f"{file}: cannot be read as YAML: {reason}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise InvalidInput(f"{file}: keys of a model with their values were expected")
    return content


def shaped(value: Any, kind: type[S], place: str) -> tuple[S, list[str]]:
    """Plain values as a Struct, and those of its keys that the Struct does not know.

    Args:
        value: Plain values.
        kind: The Struct.
        place: File and key, for the message.

    Raises:
        InvalidInput: A key is missing, or a value is of the wrong type.
    """
    given = {} if value is None else value
    try:
        made = msgspec.convert(given, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise InvalidInput(f"{place}: {error}") from error
    return made, [str(key) for key in given if key not in kind.__struct_fields__]
