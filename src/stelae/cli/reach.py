"""Reaching a server: its address, the key, and how long to try."""

from __future__ import annotations

from typing import Any

from stelae.client import Client, RetryPolicy

DEFAULT_SERVER = "http://127.0.0.1:8080"

TIMEOUT = 600.0
"""Seconds for all: a first request may wait for a model to be fetched and loaded."""

PROMPT = RetryPolicy(attempts=0)
"""For people who wait at the prompt: a server that is away is told at once."""

PATIENT = RetryPolicy(attempts=10, base=0.5, ceiling=15.0, patience=120.0)
"""For long jobs: a server that restarts is waited for."""


Where = tuple[str | None, str | None]
"""Address of a server, and the key to show, as commands are given them."""


def connect(server: str | None, key: str | None, **options: Any) -> Client:
    """A client of the server that a command was pointed at.

    Args:
        server: Its address; the default one if not given.
        key: Key to show, from the environment.
        options: Further arguments of ``Client``.

    Raises:
        InvalidInput: The address or the key cannot be used.
    """
    return Client(server or DEFAULT_SERVER, api_key=key, **{"retries": PROMPT, **options})


def either(
    model: str,
    server: str | None,
    key: str | None,
    *,
    local: bool,
    timeout: float | None = TIMEOUT,
) -> Client:
    """The client of a server, or of a model in this process.

    Args:
        model: Name of the model, or where it lies.
        server: As of ``connect``.
        key: Likewise.
        local: Whether the model runs in this process.
        timeout: Seconds for one request to a server; ``None`` for work that takes its time.

    Raises:
        InvalidInput: The address or the key cannot be used.
    """
    if local:
        from stelae.local import local as in_process

        return in_process(model)
    return connect(server, key, timeout=timeout)
