"""Fixtures that every suite may use."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
import zoo as checkpoints
from hypothesis import HealthCheck, settings

# What servers keep must not end up in the home of whoever runs the tests, nor stay behind.
for variable in ("XDG_STATE_HOME", "XDG_CACHE_HOME"):
    os.environ[variable] = tempfile.mkdtemp(prefix="stelae-tests-")
    atexit.register(shutil.rmtree, os.environ[variable], ignore_errors=True)

# A shell that starts the tests in the background ignores Ctrl-C, and so would all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine makes any example slow; that is no finding.
settings.register_profile("any-speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-speed")


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with all small checkpoints, each in a folder of its name (see ``tools/zoo.py``).

    Built once per test process, in half a second; read it, never write to it.
    """
    out = tmp_path_factory.mktemp("zoo")
    checkpoints.build(out)
    return out
