"""Pictures as models of transformers read them, beside the library's own processors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import transformers
from fix_pictures import blots
from PIL import Image

from stelae.engines.extract.processor import Processor

PICTURES = [blots(60, 90), blots(90, 60, 1), blots(60, 90, 2), blots(200, 40, 3)]


@pytest.mark.parametrize("shape", [(60, 90), (300, 200), (64, 64), (1, 70), (97, 96)])
def test_squares_are_those_of_the_library(shape: tuple[int, int]) -> None:
    """OWLv2's pictures are resized by our own hand, one colour at a time."""
    rng = np.random.default_rng(shape)
    picture = Image.fromarray(rng.integers(20, 230, (*shape, 3), dtype=np.uint8))
    options = {"size": {"height": 64, "width": 80}, "image_processor_type": "Owlv2ImageProcessor"}
    theirs = transformers.Owlv2ImageProcessorPil.from_dict(dict(options))
    expected = theirs(images=picture, return_tensors="np")["pixel_values"][0]
    np.testing.assert_array_equal(Processor(options).read(picture), expected)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("DetrImageProcessor", {"size": {"shortest_edge": 60, "longest_edge": 100}}),
        ("DetrImageProcessor", {"size": 50, "max_size": 70}),
        ("RTDetrImageProcessor", {"size": {"height": 64, "width": 48}, "do_normalize": False}),
        ("OwlViTImageProcessor", {"size": {"height": 64, "width": 64}, "do_rescale": False}),
        ("Owlv2ImageProcessor", {"size": {"height": 64, "width": 64}, "do_pad": False}),
        ("GroundingDinoImageProcessor", {"image_std": [0.5, 0.4, 0.3]}),
        ("DonutImageProcessor", {"size": {"height": 64, "width": 48}}),
        ("DonutImageProcessor", {"size": [48, 64], "do_align_long_axis": True}),
        ("CLIPImageProcessor", {"size": {"height": 32, "width": 32}, "do_center_crop": False}),
    ],
)
def test_pixels_are_those_of_the_library(kind: str, options: dict[str, Any]) -> None:
    theirs = getattr(transformers, f"{kind}Pil").from_dict(dict(options))
    ours = Processor(options | {"image_processor_type": kind})
    for picture in PICTURES:
        expected = theirs(images=picture, return_tensors="pt")["pixel_values"][0]
        torch.testing.assert_close(ours.tensor(ours.read(picture)), expected, rtol=0, atol=0)
