from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from stelae.errors import InvalidInput
from stelae.server.ready import announced


def test_file_tells_pid_addresses_and_models_and_goes_away(tmp_path: Path) -> None:
    file = tmp_path / "ready.json"
    with announced(file, ["http://127.0.0.1:1"], ["a", "b"]):
        assert json.loads(file.read_bytes()) == {
            "pid": os.getpid(),
            "listen": ["http://127.0.0.1:1"],
            "models": ["a", "b"],
        }
        assert list(tmp_path.iterdir()) == [file]
    assert list(tmp_path.iterdir()) == []


def test_file_goes_away_after_a_failure_too(tmp_path: Path) -> None:
    with pytest.raises(KeyError), announced(tmp_path / "ready", [], []):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_older_file_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "ready"
    file.write_text("stale")
    with announced(file, [], []):
        assert json.loads(file.read_bytes())["pid"] == os.getpid()


def test_file_removed_by_somebody_else_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "ready"
    with announced(file, [], []):
        file.unlink()


def test_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="ready file"), announced(tmp_path / "no" / "f", [], []):
        pass


def test_without_a_file_nothing_is_written(tmp_path: Path) -> None:
    with announced(None, [], []):
        assert list(tmp_path.iterdir()) == []
