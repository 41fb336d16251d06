"""The same picture as diffusers for the same seed: alone, in a batch, from a picture, in a mask.

A picture by itself is equal to the last bit. In a batch sums are added up in another order, so a
channel of a pixel may be rounded to the next number: by 1 of 255.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fix_imaging import apart, call, engine_of, half, painted, photo, png, reference

SIDE = 64
PIPELINES = ("sd", "sdxl", "sd-turbo", "sd3", "flux", "qwen-image")
KINDS = {
    "sd": "StableDiffusion",
    "sd-inpaint": "StableDiffusion",
    "sdxl": "StableDiffusionXL",
    "sd-turbo": "StableDiffusion",
    "sd3": "StableDiffusion3",
    "flux": "Flux",
    "qwen-image": "QwenImage",
}
SQUARE: dict[str, Any] = {"height": SIDE, "width": SIDE}

each_pipeline = pytest.mark.parametrize("name", PIPELINES)


@each_pipeline
def test_picture_is_that_of_the_library(name: str) -> None:
    [ours] = painted(engine_of(name), call(seed=3, size=(SIDE, SIDE)))
    [theirs] = reference(name, [3], prompt="a red fox", **SQUARE)
    assert theirs.std() > 10
    assert np.array_equal(ours, theirs)


@each_pipeline
def test_pictures_of_a_batch_are_those_that_each_seed_gives_alone(name: str) -> None:
    ours = painted(engine_of(name), call(seed=3, n=3, size=(SIDE, SIDE)))
    theirs = reference(name, [3, 4, 5], prompt="a red fox", **SQUARE)
    assert apart(theirs[0], theirs[1]) > 10
    assert max(map(apart, ours, theirs)) <= 1


@each_pipeline
def test_picture_begins_with_one_that_is_given(name: str) -> None:
    [ours] = painted(engine_of(name), call(images=[png(photo())], strength=0.6, seed=5))
    [theirs] = reference(
        name, [5], kind=f"{KINDS[name]}Img2ImgPipeline", prompt="a red fox", image=photo(),
        strength=0.6, **SQUARE,
    )  # fmt: skip
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("name", [*PIPELINES, "sd-inpaint"])
def test_picture_is_made_anew_within_a_mask(name: str) -> None:
    [ours] = painted(engine_of(name), call(images=[png(photo())], mask=png(half()), seed=5))
    [theirs] = reference(
        name, [5], kind=f"{KINDS[name]}InpaintPipeline", prompt="a red fox", image=photo(),
        mask_image=half(), **SQUARE,
    )  # fmt: skip
    assert np.array_equal(ours, theirs)
