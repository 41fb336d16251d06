"""The same picture as diffusers for the same seed: alone, in a batch, from a picture, in a mask.

A picture by itself is equal to the last bit. In a batch sums are added up in another order, so a
channel of a pixel may be rounded to the next number: by 1 of 255.
"""

from __future__ import annotations

import numpy as np
import pytest
from fix_imaging import apart, call, engine_of, half, painted, photo, png, reference

PIPELINES = ("sd",)


@pytest.mark.parametrize("name", PIPELINES)
def test_picture_is_that_of_the_library(name: str) -> None:
    [ours] = painted(engine_of(name), call(seed=3))
    [theirs] = reference(name, [3], prompt="a red fox")
    assert theirs.std() > 10
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("name", PIPELINES)
def test_pictures_of_a_batch_are_those_that_each_seed_gives_alone(name: str) -> None:
    ours = painted(engine_of(name), call(seed=3, n=3))
    theirs = reference(name, [3, 4, 5], prompt="a red fox")
    assert apart(theirs[0], theirs[1]) > 10
    assert max(map(apart, ours, theirs)) <= 1


def test_picture_begins_with_one_that_is_given() -> None:
    [ours] = painted(engine_of("sd"), call(images=[png(photo())], strength=0.6, seed=5))
    [theirs] = reference(
        "sd", [5], kind="StableDiffusionImg2ImgPipeline", prompt="a red fox", image=photo(),
        strength=0.6,
    )  # fmt: skip
    assert np.array_equal(ours, theirs)


def test_picture_is_made_anew_within_a_mask() -> None:
    [ours] = painted(engine_of("sd"), call(images=[png(photo())], mask=png(half()), seed=5))
    [theirs] = reference(
        "sd", [5], kind="StableDiffusionInpaintPipeline", prompt="a red fox", image=photo(),
        mask_image=half(), height=64, width=64,
    )  # fmt: skip
    assert np.array_equal(ours, theirs)
