from __future__ import annotations

from pathlib import Path

from stelae.engines.hardware import gpus


def test_gpus_are_those_that_the_driver_lists(tmp_path: Path) -> None:
    for slot in ("0000:01:00.0", "0000:02:00.0"):
        folder = tmp_path / slot
        folder.mkdir()
        (folder / "information").write_text("Model: \t\t NVIDIA L4\nIRQ:   \t\t 42\n")
    assert gpus(tmp_path) == ("NVIDIA L4", "NVIDIA L4")


def test_without_a_driver_there_are_none(tmp_path: Path) -> None:
    assert gpus(tmp_path / "absent") == ()
