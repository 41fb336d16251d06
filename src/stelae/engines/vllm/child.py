"""vLLM's server as a child of the worker, reached through a socket in a folder of our own.

Source: vLLM 0.33, ``entrypoints/common/cli_args.py`` (options of its server).
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

import httpx

from stelae.errors import ModelLoadFailed

MODULE = "vllm.entrypoints.openai.api_server"

READY_SECONDS = 1800.0
"""Time within which it must answer: it compiles before it does."""

LOOK_SECONDS = 0.2
"""Time between two looks whether it answers."""

END_SECONDS = 20.0
"""Time that it has to end by itself."""

LINES = 40
"""Lines of what it said last that are kept."""


class Child:
    """A running server.

    Args:
        python: Interpreter of its environment.
        arguments: Options of its command line, besides where it listens.

    Raises:
        ModelLoadFailed: It cannot be started, or ends before it answers.
    """

    def __init__(self, python: str, arguments: Sequence[str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="stelae-vllm-")
        self.socket = Path(self._folder.name, "socket")
        command = [python, "-m", MODULE, "--uds", str(self.socket), *arguments]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=os.environ | {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"},
            )
        except OSError as error:
            self._folder.cleanup()
            raise ModelLoadFailed(f"vLLM cannot be started with {python!r}: {error}") from error
        self._said: deque[str] = deque(maxlen=LINES)
        self._reader = Thread(target=self._read, name="stelae-vllm-output", daemon=True)
        self._reader.start()
        try:
            self._wait()
        except ModelLoadFailed:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    @property
    def said(self) -> str:
        """What it said last."""
        return "\n".join(self._said)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._folder.cleanup()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._said.append(line.decode("utf-8", "replace").rstrip())

    def _wait(self) -> None:
        transport = httpx.HTTPTransport(uds=str(self.socket))
        deadline = time.monotonic() + READY_SECONDS
        with httpx.Client(transport=transport, base_url="http://vllm", timeout=5.0) as client:
            while not (self._listens() and _healthy(client)):
                if not self.alive or time.monotonic() > deadline:
                    state = "takes too long" if self.alive else "ended"
                    raise ModelLoadFailed(f"vLLM {state} before it answers; it said:\n{self.said}")
                time.sleep(LOOK_SECONDS)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError:
                return False
        return True


def _healthy(client: httpx.Client) -> bool:
    try:
        return client.get("/health").is_success
    except httpx.TransportError:
        return False
