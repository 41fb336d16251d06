from __future__ import annotations

import numpy as np

from benchmarks.runtimes import BATCH, apart, batches, pad, pooled


def test_batches_hold_every_text_once_the_longest_first() -> None:
    lengths = [place % 7 for place in range(2 * BATCH + 1)]
    found = list(batches(lengths))
    assert [len(batch) for batch in found] == [BATCH, BATCH, 1]
    places = [place for batch in found for place in batch]
    assert sorted(places) == list(range(len(lengths)))
    told = [lengths[place] for place in places]
    assert told == sorted(lengths, reverse=True)


def test_padding_puts_zeros_behind_and_the_mask_tells_where() -> None:
    grid, mask = pad([[5, 6, 7], [8]])
    assert grid.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_pooling_leaves_out_what_is_padded_and_gives_unit_length() -> None:
    states = np.array([[[3.0, 0.0], [3.0, 8.0], [99.0, 99.0]]], np.float32)
    vector = pooled(states, np.array([[1, 1, 0]]))
    np.testing.assert_allclose(vector, [[0.6, 0.8]], rtol=1e-6)


def test_difference_is_of_the_worst_text() -> None:
    known = np.eye(2, dtype=np.float32)
    found = np.array([[1.0, 0.0], [0.6, 0.8]], np.float32)
    off, cosine = apart(found, known)
    np.testing.assert_allclose((off, cosine), (0.6, 0.8), rtol=1e-6)
