"""``python -m stelae.xinference`` as a script runs it: a server, then a command against it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-m", "stelae.xinference"]
WAIT = 60.0


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("STELAE_")}
    return {**kept, "STELAE_STORE__FOLDER": str(folder), "XDG_CONFIG_HOME": str(folder), **more}


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    """Where a server listens that was started without a command."""
    words = [*PROGRAM, "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(
        words, env=environment(tmp_path), stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        lines = iter(server.stderr.readline, "")
        found = (re.search(r"Endpoint: (http://127\.0\.0\.1:[0-9]+)", line) for line in lines)
        yield next(match[1] for match in found if match)
        server.terminate()
        server.communicate(timeout=WAIT)
    assert server.returncode == 0


def test_a_script_finds_the_endpoint_and_lists_models(endpoint: str, tmp_path: Path) -> None:
    told = environment(tmp_path, XINFERENCE_ENDPOINT=endpoint)
    ended = subprocess.run(
        [*PROGRAM, "registrations", "-t", "rerank"],
        env=told, capture_output=True, text=True, timeout=WAIT,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.splitlines()[0].split() == ["Type", "Name", "Language", "Is-built-in"]
    assert "bge-reranker-base" in ended.stderr
