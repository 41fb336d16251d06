from __future__ import annotations

import os
from pathlib import Path

import pytest

from stelae.engines.hardware import SPIN_COUNT, calm_openmp, gpus


def test_gpus_are_those_that_the_driver_lists(tmp_path: Path) -> None:
    for slot in ("0000:01:00.0", "0000:02:00.0"):
        folder = tmp_path / slot
        folder.mkdir()
        (folder / "information").write_text("Model: \t\t NVIDIA L4\nIRQ:   \t\t 42\n")
    assert gpus(tmp_path) == ("NVIDIA L4", "NVIDIA L4")


def test_without_a_driver_there_are_none(tmp_path: Path) -> None:
    assert gpus(tmp_path / "absent") == ()


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("unset")
def test_waiting_threads_sleep_soon() -> None:
    calm_openmp()
    assert os.environ["GOMP_SPINCOUNT"] == SPIN_COUNT


@pytest.mark.usefixtures("unset")
@pytest.mark.parametrize("name", ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"])
def test_how_threads_wait_is_left_to_whoever_has_set_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    before = dict(os.environ)
    calm_openmp()
    assert dict(os.environ) == before
