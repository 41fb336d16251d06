from __future__ import annotations

import math

import numpy as np
import pytest

from stelae.dialects.clip.rank import scores


def test_shares_are_the_softmax_of_a_hundred_times_the_cosines() -> None:
    angles = np.array([0.0, 0.1, 0.3])
    others = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    shares, cosines = scores(np.array([1, 0], np.float32), others)

    powers = [math.exp(math.exp(4.60517) * math.cos(angle)) for angle in angles]
    assert cosines == pytest.approx(np.cos(angles), abs=1e-7)
    assert shares == pytest.approx(np.array(powers) / sum(powers), rel=1e-4)


def test_lengths_do_not_count_and_shares_add_up_to_one() -> None:
    rng = np.random.default_rng(0)
    root, others = rng.normal(size=16), rng.normal(size=(50, 16))

    shares, cosines = scores(root, others)
    again, _ = scores(7 * root, others * rng.uniform(0.1, 9, (50, 1)))

    assert shares.sum() == pytest.approx(1)
    assert shares == pytest.approx(again)
    assert (np.argsort(shares) == np.argsort(cosines)).all()


def test_rows_without_a_vector_have_no_share() -> None:
    others = np.array([[1, 0], [np.nan, np.nan], [0, 1]], np.float32)

    shares, cosines = scores(np.array([1, 0], np.float32), others)

    assert np.isnan(shares).tolist() == np.isnan(cosines).tolist() == [False, True, False]
    assert shares[[0, 2]].sum() == pytest.approx(1)


def test_vectors_of_no_length_are_as_far_as_right_angles() -> None:
    _, cosines = scores(np.zeros(2, np.float32), np.eye(2, dtype=np.float32))

    assert cosines.tolist() == [0, 0]
