"""A factor and an offset on signed bytes give what normalising gives."""

from __future__ import annotations

import numpy as np
import pytest

from stelae.images.preprocess import normalize
from stelae.images.processing import Processing
from stelae.images.scaling import scaling, signed

VALUES = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def test_signed_bytes_lie_around_the_middle() -> None:
    assert signed(np.array([0, 127, 128, 255], np.uint8)).tolist() == [-128, -1, 0, 127]


@pytest.mark.parametrize(
    "processing",
    [
        Processing(resize=None, mean=MEAN, std=STD),
        Processing(resize=None, scale=1 / 127.5, mean=(0.5, 0.5, 0.5), std=(0.5, 0.25, 1.0)),
        Processing(resize=None, scale=None, mean=(120.0, 110.0, 100.0), std=(60.0, 61.0, 62.0)),
        Processing(resize=None),
        Processing(resize=None, scale=None),
    ],
    ids=["clip", "another scale", "not scaled", "not normalised", "neither"],
)
def test_factor_and_offset_normalise(processing: Processing) -> None:
    factor, offset = scaling(processing)
    found = signed(VALUES) * np.array(factor) + np.array(offset)
    np.testing.assert_allclose(found, normalize(VALUES, processing), rtol=1e-5, atol=2e-6)
