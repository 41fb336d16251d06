from __future__ import annotations

import numpy as np
import pytest

from stelae.types import EmbeddingDtype, Ragged
from stelae.vectors.maxsim import maxsim
from stelae.vectors.quantize import dequantize, quantize

ROWS = np.random.default_rng(5).standard_normal((6, 13)).astype(np.float32)


@pytest.mark.parametrize("dtype", [EmbeddingDtype.BINARY, EmbeddingDtype.UBINARY])
def test_bits_are_read_back_at_the_width_they_had(dtype: EmbeddingDtype) -> None:
    codes, reading = quantize(ROWS, dtype)
    read = dequantize(codes, reading)
    assert read.shape == ROWS.shape
    np.testing.assert_array_equal(read > 0, ROWS > 0)
    np.testing.assert_allclose(np.abs(read), np.abs(ROWS).mean(1, keepdims=True) + 0 * ROWS, 1e-6)


def test_packed_texts_of_bits_score_as_what_they_stand_for() -> None:
    codes, reading = quantize(ROWS, EmbeddingDtype.UBINARY)
    texts = Ragged(values=codes, offsets=np.array([0, 2, 6]), quantization=reading)
    read = dequantize(codes, reading)
    expected = maxsim(ROWS[:2], [read[:2], read[2:]])
    np.testing.assert_allclose(maxsim(ROWS[:2], texts), expected, rtol=1e-6)
