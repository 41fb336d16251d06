from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from stelae.errors import InvalidInput
from stelae.images import preprocess as preprocessing
from stelae.images.preprocess import preprocess
from stelae.images.processing import Exact, Processing, ShortestEdge


def test_a_line_that_would_become_huge_is_refused() -> None:
    line = Image.new("RGB", (60_000, 1))
    with pytest.raises(InvalidInput, match="13440000 x 224"):
        preprocess(line, Processing(resize=ShortestEdge(224), crop=(224, 224)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
@pytest.mark.parametrize("kind", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [(1, 601), (701, 2), (3, 4_001)])
def test_of_a_long_picture_the_middle_is_as_if_all_were_resized(
    size: tuple[int, int], kind: int, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    width, height = size
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 4), np.uint8)
    image = Image.fromarray(pixels)
    image = image if mode == "RGBA" else image.convert("RGB").convert(mode)
    side, short = 61, min(size)
    whole = (int(side * width / short), int(side * height / short))
    left, top = (round((have - side) / 2) for have in whole)
    steps = Processing(
        resize=ShortestEdge(side), as_stored=True, resample=kind, crop=(side, side), even=True
    )
    monkeypatch.setattr(preprocessing, "LONG", 10_000)
    found = preprocessing.fit(image, steps)
    expected = image.resize(whole, Image.Resampling(kind))
    expected = expected.crop((left, top, left + side, top + side)).convert("RGB")
    apart = np.abs(np.asarray(expected, np.int32) - found)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-3


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
