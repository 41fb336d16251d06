from __future__ import annotations

import pytest
import torch
from fix_kernels import threads

from benchmarks import roofline
from stelae.nn.kernels import attention, linear
from stelae.nn.kernels.variants import note

TINY = {"hidden_size": 48, "num_hidden_layers": 2, "intermediate_size": 96}


def test_a_row_for_each_kind_of_text_and_who_computes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(roofline, "MODELS", {"tiny": TINY})
    monkeypatch.setenv("GOMP_SPINCOUNT", "1000")  # else it would be set for good
    given = ["--kinds", "short", "mixed", "--tokens", "100", "--rounds", "1", "--dtype", "float32"]
    with threads(1):
        roofline.main(given)
    said = capsys.readouterr().out
    rows = [line.split("│") for line in said.splitlines() if "tiny" in line]
    assert [row[2].strip() for row in rows] == ["short", "mixed"]
    told = " ".join(said.split())
    assert note(attention.SOURCE, torch.float32) in told
    assert linear.note(torch.float32) in told
