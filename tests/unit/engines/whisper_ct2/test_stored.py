"""Where converted models are kept."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from stelae.engines.whisper_ct2.stored import stored
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint


def write(folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"numbers")
    (folder / "config.json").write_text("{}", "utf-8")


def test_a_model_is_converted_once(tmp_path: Path) -> None:
    written: list[Path] = []
    folders = [stored("key", lambda f: (written.append(f), write(f))[1], tmp_path) for _ in "ab"]
    assert folders == [tmp_path / "key"] * 2
    assert len(written) == 1
    assert (tmp_path / "key" / "model.bin").read_bytes() == b"numbers"


def test_a_conversion_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "model.bin").write_bytes(b"half")
        raise UnsupportedCheckpoint("a tensor is missing")

    with pytest.raises(UnsupportedCheckpoint, match="a tensor is missing"):
        stored("key", fail, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert stored("key", write, tmp_path).is_dir()


def test_several_that_convert_at_once_end_with_one_whole_folder(tmp_path: Path) -> None:
    meet = threading.Barrier(3)

    def slowly(folder: Path) -> None:
        meet.wait()
        write(folder)

    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(stored("key", slowly, tmp_path)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / "key"] * 3
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    with pytest.raises(ModelLoadFailed, match="XDG_CACHE_HOME"):
        stored("key", write, tmp_path / "file" / "home")
