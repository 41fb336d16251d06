from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stelae.errors import InvalidInput
from stelae.images.arrays import from_array
from stelae.images.colours import rgb
from stelae.images.limits import Limits

GREY = np.arange(6, dtype=np.uint8).reshape(2, 3) * 50
COLOURS = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)


def pixels(array: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(rgb(from_array(array)))


@pytest.mark.parametrize("array", [GREY, GREY[:, :, None]])
def test_grey_becomes_three_equal_colours(array: NDArray[Any]) -> None:
    np.testing.assert_array_equal(pixels(array), np.stack([GREY] * 3, axis=2))


def test_colours_stay_and_transparency_goes() -> None:
    np.testing.assert_array_equal(pixels(COLOURS), COLOURS)
    with_alpha = np.concatenate([COLOURS, COLOURS[:, :, :1]], axis=2)
    np.testing.assert_array_equal(pixels(with_alpha), COLOURS)


def test_an_array_in_any_order_of_memory_is_read() -> None:
    np.testing.assert_array_equal(pixels(np.asfortranarray(COLOURS)[:, ::-1]), COLOURS[:, ::-1])


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_of_eight_bit_pixels_come_back_whole(kind: type[np.floating[Any]]) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(pixels((levels / 255).astype(kind))[:, :, 0], levels)


def test_truth_is_white() -> None:
    assert pixels(np.array([[True, False]]))[0, :, 1].tolist() == [255, 0]


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((3, 20, 30), np.uint8), "shape (3, 20, 30)"),
        (np.zeros(5, np.uint8), "shape (5,)"),
        (np.zeros((2, 2, 2, 3), np.uint8), "shape (2, 2, 2, 3)"),
        (np.zeros((2, 2, 2), np.uint8), "shape (2, 2, 2)"),
        (np.zeros((0, 4, 3), np.uint8), "4 x 0 pixels"),
        (np.zeros((0, 4, 3), np.float32), "4 x 0 pixels"),
        (np.zeros((2, 2), np.int64), "int64"),
        (np.zeros((2, 2), np.uint16), "uint16"),
        (np.zeros((2, 2), np.complex64), "complex64"),
        (np.full((2, 2), 1.5), "0 to 1"),
        (np.full((2, 2), -0.1), "0 to 1"),
        (np.array([[0.5, np.nan]]), "not finite (nan or inf), which are no colours"),
        (np.array([[0.5, np.inf]]), "not finite (nan or inf), which are no colours"),
        (np.array([["a"]]), "<U1"),
        (np.array([[None]]), "object"),
    ],
)
def test_other_arrays_are_refused_by_name(array: NDArray[Any], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        from_array(array)
    assert said in str(caught.value)


def test_the_colours_first_are_told_to_go_last() -> None:
    with pytest.raises(InvalidInput) as caught:
        from_array(np.zeros((3, 20, 30), np.uint8))
    assert "transpose(1, 2, 0)" in (caught.value.hint or "")


def test_the_limit_counts_pixels() -> None:
    assert from_array(COLOURS, Limits(pixels=6)).size == (3, 2)
    with pytest.raises(InvalidInput):
        from_array(COLOURS, Limits(pixels=5))
