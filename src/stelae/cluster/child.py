"""A worker's process: started with its socket, listened to, reaped."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

from stelae.telemetry.latest import LATEST

TAIL_LINES = 40
"""Lines of a worker's standard error kept for the report of its death."""

REAP_SECONDS = 2.0
"""How long a worker whose connection is closed may take to end by itself."""

LAST_WORDS_SECONDS = 0.5
"""How long a dead worker's standard error is read on."""


VISIBLE = "CUDA_VISIBLE_DEVICES"
"""Variable that says which GPUs a process sees, and in which order."""


def surroundings(
    inherited: Mapping[str, str], own: Mapping[str, str], gpus: Sequence[int] | None
) -> dict[str, str]:
    """The variables of a worker.

    Args:
        inherited: Those of the server.
        own: Those that it gets beside.
        gpus: Numbers of the GPUs it sees among those that the server sees; ``None`` for all.

    Source:
        CUDA C++ programming guide, section "CUDA environment variables".
    """
    made = {**inherited, **own}
    if gpus is None:
        return made
    seen = [name.strip() for name in inherited.get(VISIBLE, "").split(",") if name.strip()]
    named = [seen[gpu] if gpu < len(seen) else str(gpu) for gpu in gpus]
    return {**made, VISIBLE: ",".join(named)}


def spawn(
    descriptor: int, arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a worker that inherits the socket of that number.

    Args:
        descriptor: Number of the socket.
        arguments: Further arguments of its command line.
        environment: All its variables; those of this process if ``None``.

    Raises:
        OSError: The system refuses.
    """
    command = [sys.executable, "-P", "-m", "stelae.cluster.worker", "--fd", str(descriptor)]
    return subprocess.Popen(
        [*command, *arguments],
        pass_fds=(descriptor,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=environment,
    )


def reap(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that should end by itself; one that does not is killed."""
    try:
        process.wait(REAP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Relay(asyncio.Protocol):
    """Passes a worker's standard error on to ours and remembers the last lines."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._rest = b""
        self._transport: asyncio.BaseTransport | None = None
        self._ended = asyncio.Event()

    async def close(self) -> None:
        """Let go of the pipe, once the dead worker's last words were read."""
        if self._transport is None:
            return
        # A process that the worker started may still hold the other end.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), LAST_WORDS_SECONDS)
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Pass the bytes on and remember their lines."""
        with suppress(OSError):  # we may have no standard error, or it may be full
            os.write(2, data)
        *lines, self._rest = (self._rest + data)[-(64 << 10) :].split(b"\n")
        for line in (line.decode(errors="replace") for line in lines):
            self.lines.append(line)
            LATEST.add(line)

    def connection_lost(self, error: Exception | None) -> None:
        """The worker has closed its end."""
        del error
        if self._rest:
            self.lines.append(self._rest.decode(errors="replace"))
        self._ended.set()
