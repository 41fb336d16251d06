"""What is asked of a server: a value for each request, and how it is written. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from stelae.client import _errors
from stelae.errors import InvalidInput
from stelae.wire import data_uri
from stelae.xinference.errors import invalid

OCTETS = "application/octet-stream"

FilePart = tuple[str, tuple[str, bytes, str]]
"""Name of the field, and of the file: its name, its bytes and their type."""

FileLike = bytes | bytearray | memoryview | str | os.PathLike[str]
"""A file: its bytes, its path, or a data URI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request.

    Attributes:
        what: What is tried, for messages: ``Failed to launch model``.
        method: HTTP method.
        path: Below the address of the server.
        query: Parameters; those that are ``None`` are left out.
        body: Sent as JSON.
        fields: Sent as a form in place of that; what is ``None`` is left out.
        files: Of the form.
        good: The one status that is no error.
        joint: What stands in messages between what is tried and why it failed.
    """

    what: str
    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[FilePart] = ()
    good: int = 200
    joint: str = ", detail: "


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(str(name), safe="")


def segments(name: str) -> str:
    """A name as it stands in a path; its slashes stay."""
    return quote(str(name), safe="/")


def content(ask: Ask) -> dict[str, Any]:
    """Arguments of the HTTP library for what a request carries.

    Raises:
        XinferenceError: The body cannot be written as JSON.
    """
    asked = {key: _word(value) for key, value in ask.query.items() if value is not None}
    made: dict[str, Any] = {"params": asked} if asked else {}
    if ask.files:
        made["files"] = list(ask.files)
        made["data"] = {k: _words(v) for k, v in ask.fields.items() if v is not None}
    elif ask.body is not None:
        made["content"] = written(ask.body)
        made["headers"] = {"content-type": _errors.JSON}
    return made


def written(body: Any) -> bytes:
    """A value in JSON.

    Raises:
        XinferenceError: Something in it cannot be written so.
    """
    try:
        return msgspec.json.encode(body)
    except (TypeError, ValueError) as error:
        raise invalid(f"this cannot be sent as JSON: {error}") from error


def extras(more: Mapping[str, Any]) -> str:
    """Further arguments, as the protocol takes them beside its own: a JSON text.

    Raises:
        XinferenceError: Something in them cannot be written so.
    """
    return written(more).decode()


def file_part(name: str, file: FileLike, filename: str | None = None) -> FilePart:
    """A file of a form.

    Raises:
        XinferenceError: It is no file, or cannot be read.
    """
    return name, (filename or name, file_bytes(file, name), OCTETS)


def file_bytes(file: FileLike, name: str) -> bytes:
    """The bytes of a file.

    Raises:
        XinferenceError: It is no file, or cannot be read.
    """
    if isinstance(file, bytes | bytearray | memoryview):
        return bytes(file)
    if isinstance(file, str) and data_uri.is_data(file):
        try:
            return data_uri.content(file)
        except InvalidInput as error:
            raise invalid(f"{name}: {error}") from error
    if not isinstance(file, str | os.PathLike):
        raise invalid(
            f"{name}: the bytes of a file, its path or a data URI was expected, not "
            f"{type(file).__name__}"
        )
    try:
        return Path(file).read_bytes()
    except (OSError, ValueError) as error:
        raise invalid(f"{name}: {error}") from error


def _words(value: Any) -> str | list[str]:
    return [_word(each) for each in value] if isinstance(value, list | tuple) else str(value)


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
