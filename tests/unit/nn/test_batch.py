"""Where the numbers of a batch go: one by one on the CPU, in one transfer elsewhere."""

from __future__ import annotations

import numpy as np
import torch

from stelae.nn.batch import pack, placed

ROWS = [np.arange(3), np.arange(5), np.arange(0)]


def test_numbers_on_the_cpu_are_not_copied() -> None:
    rows = placed(ROWS, torch.device("cpu"))
    assert [row.data_ptr() for row in rows[:2]] == [row.ctypes.data for row in ROWS[:2]]


def test_numbers_elsewhere_lie_side_by_side_with_their_own_lengths() -> None:
    rows = placed(ROWS, torch.device("meta"))
    assert [len(row) for row in rows] == [3, 5, 0]
    assert [row.storage_offset() for row in rows[:2]] == [0, 3]
    assert {row.device.type for row in rows} == {"meta"}


def test_packed_sequences_lie_shortest_first() -> None:
    batch = pack([np.array([7, 8, 9], np.int32), np.array([5], np.int32)])
    assert batch.ids.tolist() == [5, 7, 8, 9]
    assert batch.positions.tolist() == [0, 0, 1, 2]
    assert batch.lengths.tolist() == batch.seen.tolist() == [1, 3]
    assert batch.starts.tolist() == [0, 1]
    assert batch.bounds.tolist() == [0, 1, 4]
    assert batch.bounds.dtype == torch.int32
