"""``python -m benchmarks int8``: both formats take turns on the same model."""

from __future__ import annotations

import pytest
from fix_int8 import needs_int8
from fix_kernels import threads

from benchmarks import int8
from benchmarks.architectures import COMMON

TINY = {
    **COMMON,
    "vocab_size": 1000,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
}


@needs_int8
@pytest.mark.skipif(not int8.runs(), reason="the processor lacks AVX512-BF16")
def test_it_prints_a_row_for_each_size_and_kind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(int8, "SIZES", {"tiny": TINY})
    monkeypatch.setenv("GOMP_SPINCOUNT", "1000")  # else it would be set for good
    with threads(1):
        int8.main(["--rounds", "1", "--threads", "1", "--kinds", "query", "short"])
    said = capsys.readouterr().out
    assert said.count("tiny") == 2
    assert "query" in said
