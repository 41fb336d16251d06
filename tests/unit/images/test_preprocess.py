from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from stelae.errors import InvalidInput
from stelae.images.preprocess import preprocess
from stelae.images.processing import Exact, Processing, ShortestEdge


def test_a_line_that_would_become_huge_is_refused() -> None:
    line = Image.new("RGB", (60_000, 1))
    with pytest.raises(InvalidInput, match="13440000 x 224"):
        preprocess(line, Processing(resize=ShortestEdge(224), crop=(224, 224)))


@pytest.mark.parametrize(("have", "first"), [(4, 0), (5, 0), (6, 1), (7, 2), (9, 2), (11, 4)])
def test_the_middle_goes_to_the_even_pixel_where_that_is_asked(have: int, first: int) -> None:
    """Python's ``round`` of half the spare length, as torchvision's centre crop has it."""
    column = np.arange(have, dtype=np.uint8)[None, :, None].repeat(4, 0).repeat(3, 2)
    steps = Processing(resize=None, crop=(4, 4), even=True, scale=None)
    assert preprocess(Image.fromarray(column), steps)[0, 0, 0] == first


def test_the_size_afterwards_is_known_where_it_is_fixed() -> None:
    assert Processing(resize=Exact(3, 5)).size == (3, 5)
    assert Processing(resize=ShortestEdge(9), crop=(4, 6)).size == (4, 6)
    assert Processing(resize=ShortestEdge(9)).size is None
