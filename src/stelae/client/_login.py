"""Keys of servers that a person has logged in to: one file in the user's folder for settings."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from stelae.errors import InvalidInput

PORTS = {"http": 80, "https": 443}


class Logins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept.

    Attributes:
        keys: Keys by the address of their server.
    """

    keys: dict[str, str] = {}


def file() -> Path:
    """Where keys are kept: in the user's folder for settings."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "stelae" / "logins.json"


def key_of(url: str) -> str | None:
    """The key for a server, if a person has logged in to it.

    Raises:
        InvalidInput: The file cannot be read, or by others too.
    """
    return _read().keys.get(_address(url))


def keep(url: str, key: str) -> Path:
    """Keep the key of a server, in place of the one that was kept for it.

    Returns:
        The file.

    Raises:
        InvalidInput: The file cannot be read, or by others too.
    """
    return _write(_read().keys | {_address(url): key})


def forget(url: str) -> bool:
    """Forget the key of a server; ``False`` if there was none.

    Raises:
        InvalidInput: The file cannot be read, or by others too.
    """
    keys = _read().keys
    known = keys.pop(_address(url), None) is not None
    if known:
        _write(keys)
    return known


def _address(url: str) -> str:
    """One spelling of an address: a host is the same in any case, and with its usual port."""
    parts = urlsplit(url)
    host, port = (parts.hostname or "").lower(), parts.port or PORTS.get(parts.scheme)
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}{parts.path.rstrip('/')}"


def _read() -> Logins:
    place = file()
    try:
        with place.open("rb") as opened:
            others = os.fstat(opened.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO)
            data = opened.read()
    except (FileNotFoundError, NotADirectoryError):
        return Logins()
    except OSError as error:
        raise InvalidInput(f"the keys in {place} cannot be read: {error}") from error
    if others:
        raise InvalidInput(
            f"the keys in {place} are open to other users", hint=f"chmod 600 {place}"
        )
    try:
        return msgspec.json.decode(data, type=Logins)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the keys in {place} cannot be read: {error}") from error


def _write(keys: dict[str, str]) -> Path:
    place = file()
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = place.with_suffix(".new")
    beside.unlink(missing_ok=True)
    made = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(made, "wb") as opened:
        opened.write(msgspec.json.encode(Logins(keys)))
    beside.replace(place)
    return place
