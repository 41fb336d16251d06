"""The ready file: tells scripts where the server listens, as soon as it answers."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from stelae.errors import InvalidInput


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds.

    Attributes:
        pid: Process id of the gateway.
        listen: Addresses served on.
        models: Names that can be asked for.
    """

    pid: int
    listen: tuple[str, ...]
    models: tuple[str, ...]


@contextlib.contextmanager
def announced(file: Path | None, listen: Sequence[str], models: Sequence[str]) -> Iterator[None]:
    """Write the file at once and whole; remove it at the end.

    Raises:
        InvalidInput: It cannot be written there.
    """
    if file is None:
        yield
        return
    _write(file, Ready(pid=os.getpid(), listen=tuple(listen), models=tuple(models)))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _write(file: Path, ready: Ready) -> None:
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_bytes(msgspec.json.encode(ready) + b"\n")
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise InvalidInput(
            f"cannot write the ready file '{file}': {error.strerror}", param="ready_file"
        ) from error
