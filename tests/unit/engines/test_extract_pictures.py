"""Pictures to look into: how many of them one call may hold."""

from __future__ import annotations

import numpy as np
from PIL import Image

from stelae.engines.base import Prepared
from stelae.engines.extract.pictures import PictureJob
from stelae.types import ExtractCall, Extraction, Item


class Sizes:
    """Reads the size of a picture."""

    cost = 1

    def read(self, image: Image.Image) -> Prepared[tuple[int, int]]:
        return Prepared(image.size, tokens=1)

    def gather(self, features: tuple[int, int], row: None) -> Extraction:
        return Extraction()

    def cut(self, row: None) -> bool:
        return False


def test_pictures_of_one_call_share_a_budget_of_pixels() -> None:
    sizes = [(2, 3), (1, 5), (1, 1)]
    items = [Item(pixels=np.zeros((*size, 3), np.uint8)) for size in sizes]
    job = PictureJob(ExtractCall(model="m", items=items), Sizes(), "m", "f", pixels=11)
    *read, over = job.prepare(0, 2) + job.prepare(2, 3)
    assert [entry.features for entry in read] == [(3, 2), (5, 1)]
    assert over.error is not None
    assert "send fewer at a time" in over.error.message
