"""Masks of OpenAI's clients are transparent where a picture is made anew, others white."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from stelae.engines.diffusers.pictures import read_mask
from stelae.errors import InvalidInput

KEPT, ANEW = 0, 255


def file(mode: str, *pixels: object, **options: object) -> bytes:
    image = Image.new(mode, (len(pixels), 1))
    if mode == "P":
        image.putpalette([9, 9, 9, 5, 5, 5])
    image.putdata(pixels)
    made = io.BytesIO()
    image.save(made, "PNG", **options)
    return made.getvalue()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (file("L", 0, 255), [KEPT, ANEW]),
        (file("1", 0, 255), [KEPT, ANEW]),
        (file("RGB", (0, 0, 0), (255, 255, 255)), [KEPT, ANEW]),
        (file("RGBA", (0, 0, 0, 255), (255, 255, 255, 255)), [KEPT, ANEW]),
        (file("RGBA", (255, 255, 255, 255), (0, 0, 0, 0)), [KEPT, ANEW]),
        (file("LA", (0, 255), (0, 0)), [KEPT, ANEW]),
        (file("RGBA", (9, 9, 9, 255), (9, 9, 9, 191)), [KEPT, 64]),
        (file("P", 0, 1, transparency=1), [KEPT, ANEW]),
        (file("L", 7, 9, transparency=9), [KEPT, ANEW]),
        (file("RGB", (1, 1, 1), (2, 2, 2), transparency=(2, 2, 2)), [KEPT, ANEW]),
    ],
    ids=[
        "grey",
        "bits",
        "colours",
        "opaque",
        "transparent",
        "grey-transparent",
        "half",
        "palette",
        "shade",
        "colour",
    ],
)
def test_mask_marks_what_is_transparent_or_else_white(data: bytes, told: list[int]) -> None:
    mask = read_mask(data)
    assert mask.mode == "L"
    assert np.asarray(mask).ravel().tolist() == told


def test_file_that_is_no_mask_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"^mask: ") as caught:
        read_mask(b"nothing")
    assert caught.value.param == "mask"
