"""Certificates for tests, made by the ``openssl`` program."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

OPENSSL = shutil.which("openssl") or "openssl"


class Pair(NamedTuple):
    """A certificate for this machine's loopback names, signed by itself, and its key."""

    certificate: Path
    key: Path


def make(folder: Path, name: str = "server", *, password: str = "") -> Pair:
    """Make a pair.

    Args:
        folder: Where its files go.
        name: Their names without the ending.
        password: What its key is locked with.
    """
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    lock = ("-passout", f"pass:{password}") if password else ("-nodes",)
    command = (
        *(OPENSSL, "req", "-x509", "-newkey", "ec"),
        *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        *("-days", "2", *lock, "-keyout", str(pair.key), "-out", str(pair.certificate)),
    )
    subprocess.run(command, check=True, capture_output=True)
    return pair


def expire(pair: Pair) -> Pair:
    """Sign the certificate anew, so that its time is over at once."""
    command = (
        *(OPENSSL, "x509", "-in", str(pair.certificate), "-signkey", str(pair.key)),
        *("-days", "0", "-out", str(pair.certificate)),
    )
    subprocess.run(command, check=True, capture_output=True)
    return pair
