"""The keys of the server of this machine: made, listed, revoked."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from stelae.cli.needs import need
from stelae.cli.output import Output
from stelae.security.key_file import KeyFile, StoredKey


def create(name: str, config: Path | None, out: Output) -> None:
    """Make a key and print it.

    Raises:
        InvalidInput: The name is taken, or the file of keys cannot be read.
    """
    file = _file(config)
    first = file.mark() is None
    key, stored = file.create(name)
    if out.json:
        out.document({"key": key, **plain(stored)})
    else:
        out.line(key)
    out.note(f"this is the only time that the key is shown; its hash is in {file.path}")
    if first:
        out.note("from now on the server asks every request for a key")


def show(config: Path | None, out: Output) -> None:
    """List the keys, the oldest first."""
    file = _file(config)
    keys = file.stored()
    if out.json:
        out.document([plain(key) for key in keys])
    elif keys:
        out.table([_row(key) for key in keys], ("name", "id", "created"))
    else:
        out.note("there are no keys; 'stelae keys create NAME' makes one")


def revoke(which: str, config: Path | None, out: Output) -> None:
    """Forget a key.

    Raises:
        NotFound: There is none of that name.
    """
    file = _file(config)
    gone = file.revoke(which)
    if out.json:
        out.document(plain(gone))
    else:
        out.note(f"{gone.name} ({gone.id}) is revoked")
    if not file.stored():
        out.warn(
            "no key is left in the file, and the server lets nobody in but those with a key "
            f"of its settings; to open it, stop it and remove {file.path}"
        )


def plain(key: StoredKey) -> dict[str, Any]:
    """A key for programs, without its hash."""
    return {"id": key.id, "name": key.name, "created": key.created}


def _row(key: StoredKey) -> dict[str, Any]:
    made = datetime.fromtimestamp(key.created).astimezone()
    return plain(key) | {"created": made.isoformat(sep=" ", timespec="seconds")}


def _file(config: Path | None) -> KeyFile:
    need("stelae keys", "pydantic_settings", "starlette", extra="server")
    from stelae.config import load_settings
    from stelae.server.app import key_file

    return key_file(load_settings(config))
