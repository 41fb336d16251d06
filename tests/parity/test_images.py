"""Pictures become the same numbers as in the reference processors."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from numpy.typing import NDArray
from PIL import Image
from transformers.image_utils import load_image

from stelae.catalog.processing import open_clip_processing, read_processing
from stelae.images.arrays import from_array
from stelae.images.colours import rgb
from stelae.images.decode import decode
from stelae.images.preprocess import patches, preprocess
from stelae.images.processing import Exact, PatchBudget, Processing, ShortestEdge

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)

SIZES = [(1, 1), (7, 5), (33, 32), (31, 64), (64, 31), (500, 375), (97, 241), (240, 3)]
"""Height and width of the pictures; the small models want 32."""

CASES: dict[str, tuple[Any, Processing]] = {
    "clip": (
        transformers.CLIPImageProcessorPil(
            size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
        ),
        Processing(resize=ShortestEdge(32), crop=(32, 32), mean=MEAN, std=STD),
    ),
    "clip with a wide crop": (
        transformers.CLIPImageProcessorPil(
            size={"shortest_edge": 20}, crop_size={"height": 33, "width": 27}
        ),
        Processing(resize=ShortestEdge(20), crop=(33, 27), mean=MEAN, std=STD),
    ),
    "clip without resizing": (
        transformers.CLIPImageProcessorPil(do_resize=False, crop_size={"height": 32, "width": 31}),
        Processing(resize=None, crop=(32, 31), mean=MEAN, std=STD),
    ),
    "chinese clip": (
        transformers.ChineseCLIPImageProcessorPil(
            size={"height": 32, "width": 30}, do_center_crop=False
        ),
        Processing(resize=Exact(32, 30), mean=MEAN, std=STD),
    ),
    "siglip": (
        transformers.SiglipImageProcessorPil(size={"height": 32, "width": 32}),
        Processing(resize=Exact(32, 32), mean=HALF, std=HALF),
    ),
    "siglip, another scale": (
        transformers.SiglipImageProcessorPil(
            size={"height": 32, "width": 32}, rescale_factor=1 / 127.5
        ),
        Processing(resize=Exact(32, 32), scale=1 / 127.5, mean=HALF, std=HALF),
    ),
    "siglip, neither scaled nor normalised": (
        transformers.SiglipImageProcessorPil(
            size={"height": 32, "width": 32}, do_rescale=False, do_normalize=False
        ),
        Processing(resize=Exact(32, 32), scale=None),
    ),
    "vit": (
        transformers.ViTImageProcessorPil(size={"height": 32, "width": 32}),
        Processing(resize=Exact(32, 32), resample=2, mean=HALF, std=HALF),
    ),
} | {
    f"resample {code}": (
        transformers.SiglipImageProcessorPil(size={"height": 32, "width": 32}, resample=code),
        Processing(resize=Exact(32, 32), resample=code, mean=HALF, std=HALF),
    )
    for code in range(6)
}


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(height * 1000 + width).integers(
        0, 256, (height, width, 3), dtype=np.uint8
    )


@pytest.mark.parametrize("case", CASES)
def test_pictures_of_any_size_equal_the_reference_bit_for_bit(case: str) -> None:
    reference, processing = CASES[case]
    for height, width in SIZES:
        pixels = noise(height, width)
        expected = reference(Image.fromarray(pixels), return_tensors="np")["pixel_values"][0]
        found = preprocess(Image.fromarray(pixels), processing)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found.transpose(2, 0, 1), np.float32(expected))


@pytest.mark.parametrize("most", [1, 4, 9, 64, 256])
def test_patches_within_a_budget_equal_the_reference_bit_for_bit(most: int) -> None:
    reference = transformers.Siglip2ImageProcessorPil(patch_size=4, max_num_patches=most)
    processing = Processing(resize=PatchBudget(4, most), resample=2, mean=HALF, std=HALF)
    for height, width in [*SIZES, (5, 300), (301, 2), (17, 19)]:
        pixels = noise(height, width)
        expected = reference(Image.fromarray(pixels), return_tensors="np")
        picture = preprocess(Image.fromarray(pixels), processing)
        rows, columns = expected["spatial_shapes"][0]
        assert picture.shape == (rows * 4, columns * 4, 3)
        found = patches(picture, 4)
        np.testing.assert_array_equal(found, expected["pixel_values"][0][: rows * columns])


def test_patches_are_those_that_a_convolution_sees() -> None:
    picture = np.random.default_rng(0).random((11, 14, 3)).astype(np.float32)
    found = patches(picture, 4)
    assert found.shape == (6, 48)
    np.testing.assert_array_equal(found[4].reshape(4, 4, 3), picture[4:8, 4:8])


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _palette(*, transparent: bool) -> bytes:
    image = Image.fromarray(noise(9, 14)).quantize(17)
    return _saved(image, "PNG", **({"transparency": bytes(range(17))} if transparent else {}))


COLOURS = Image.fromarray(noise(9, 14))
FILES: dict[str, bytes] = {
    "jpeg": _saved(COLOURS, "JPEG"),
    "jpeg, progressive": _saved(COLOURS, "JPEG", progressive=True),
    "jpeg, grey": _saved(COLOURS.convert("L"), "JPEG"),
    "jpeg, cmyk": _saved(COLOURS.convert("CMYK"), "JPEG"),
    "png": _saved(COLOURS, "PNG"),
    "png, grey": _saved(COLOURS.convert("L"), "PNG"),
    "png, one bit": _saved(COLOURS.convert("1"), "PNG"),
    "png, grey and transparent": _saved(COLOURS.convert("LA"), "PNG"),
    "png, transparent": _saved(COLOURS.convert("RGBA"), "PNG"),
    "png, one colour transparent": _saved(COLOURS, "PNG", transparency=(1, 2, 3)),
    "png, palette": _palette(transparent=False),
    "gif": _saved(COLOURS.quantize(20), "GIF"),
    "gif, transparent": _saved(COLOURS.quantize(20), "GIF", transparency=3),
    "bmp": _saved(COLOURS, "BMP"),
    "webp, lossy": _saved(COLOURS, "WEBP"),
    "webp, lossless": _saved(COLOURS, "WEBP", lossless=True),
    "webp, transparent": _saved(COLOURS.convert("RGBA"), "WEBP", lossless=True),
    "tiff": _saved(COLOURS, "TIFF"),
    "tiff, compressed": _saved(COLOURS, "TIFF", compression="tiff_lzw"),
    "tiff, cmyk": _saved(COLOURS.convert("CMYK"), "TIFF"),
} | {
    f"{kind}, orientation {n}": _saved(COLOURS, kind, exif=_oriented(n))
    for kind in ("JPEG", "PNG", "WEBP", "TIFF")
    for n in range(1, 9)
}


@pytest.mark.parametrize("case", FILES)
def test_files_are_read_as_the_reference_reads_them(case: str) -> None:
    expected = np.asarray(load_image(Image.open(BytesIO(FILES[case]))))
    np.testing.assert_array_equal(rgb(decode(FILES[case])), expected)


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
def test_a_palette_with_transparency_is_read_as_the_reference_reads_it() -> None:
    data = _palette(transparent=True)
    expected = np.asarray(load_image(Image.open(BytesIO(data))))
    np.testing.assert_array_equal(rgb(decode(data)), expected)


def _stored(mode: str) -> Image.Image:
    """Noise in the colours of ``mode``; a different one is seen of each pixel, if any."""
    pixels = np.dstack([noise(50, 71), noise(71, 50).transpose(1, 0, 2)[:, :, :1]])
    image = Image.fromarray(pixels)
    if mode == "P":
        return image.convert("RGB").quantize(17)
    return Image.fromarray(pixels, "CMYK") if mode == "CMYK" else image.convert(mode)


STORED = {"RGBA": "PNG", "LA": "PNG", "P": "PNG", "1": "PNG", "L": "PNG", "CMYK": "TIFF"}
"""Modes, and a format that keeps them as they are."""


def _by_open_clip(image: Image.Image) -> NDArray[np.float32]:
    """Source: open_clip 3.3, ``transform.py``: resized, cut, and made RGB only then."""
    sized = image.resize((45, 32), Image.Resampling.BICUBIC).crop((6, 0, 38, 32))
    return np.asarray(sized.convert("RGB"), np.float32) / np.float32(255)


@pytest.mark.parametrize("mode", STORED)
def test_open_clip_resizes_the_colours_of_the_file(mode: str) -> None:
    image = _stored(mode)
    processing = open_clip_processing({"mean": 0, "std": 1}, 32, "")
    found = preprocess(decode(_saved(image, STORED[mode])), processing)
    np.testing.assert_allclose(found, _by_open_clip(image), rtol=0, atol=1e-7)


@pytest.mark.parametrize("mode", STORED)
def test_transformers_resizes_red_green_and_blue(mode: str) -> None:
    image = _stored(mode)
    reference, processing = CASES["siglip"]
    expected = reference(image, return_tensors="np")["pixel_values"][0]
    found = preprocess(decode(_saved(image, STORED[mode])), processing)
    np.testing.assert_array_equal(found.transpose(2, 0, 1), np.float32(expected))


@pytest.mark.parametrize("mode", ["RGBA", "L", "1", "RGB"])
def test_arrays_are_resized_as_their_files(mode: str) -> None:
    image = _stored(mode)
    processing = open_clip_processing({"mean": 0, "std": 1}, 32, "")
    found = preprocess(from_array(np.asarray(image)), processing)
    np.testing.assert_allclose(found, _by_open_clip(image), rtol=0, atol=1e-7)


OPTIONS: dict[str, dict[str, Any]] = {
    "clip, nothing said": {"image_processor_type": "CLIPImageProcessor"},
    "clip, first form": {
        "feature_extractor_type": "CLIPFeatureExtractor",
        "size": 40,
        "crop_size": 30,
        "resample": 3,
        "do_center_crop": True,
    },
    "clip, as square": {
        "image_processor_type": "CLIPImageProcessor",
        "size": 40,
        "default_to_square": True,
        "do_center_crop": False,
    },
    "clip, a pair": {
        "image_processor_type": "CLIPImageProcessorFast",
        "size": [20, 30],
        "crop_size": [18, 22],
        "image_mean": 0.4,
        "image_std": 0.3,
    },
    "clip, nulls": {
        "image_processor_type": "CLIPImageProcessor",
        "size": None,
        "resample": None,
        "do_resize": None,
        "crop_size": {"height": 40, "width": 20},
        "do_rescale": None,
        "do_normalize": None,
        "image_mean": None,
        "do_pad": None,
    },
    "chinese clip": {
        "image_processor_type": "ChineseCLIPImageProcessor",
        "size": {"height": 20, "width": 24},
        "do_center_crop": False,
    },
    "siglip": {"image_processor_type": "SiglipImageProcessor", "size": 24, "do_normalize": False},
    "siglip, lanczos": {
        "image_processor_type": "SiglipImageProcessor",
        "size": {"height": 24, "width": 20},
        "resample": 1,
        "rescale_factor": 0.01,
    },
    "siglip 2": {
        "image_processor_type": "Siglip2ImageProcessor",
        "max_num_patches": 9,
        "patch_size": 4,
    },
    "vit": {"image_processor_type": "ViTImageProcessor", "size": 24, "do_rescale": False},
}


@pytest.mark.parametrize("case", OPTIONS)
def test_a_processor_is_read_as_the_reference_reads_it(case: str, tmp_path: Path) -> None:
    options = OPTIONS[case]
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(options))
    name = options.get("image_processor_type", "CLIPImageProcessor").removesuffix("Fast")
    reference = getattr(transformers, f"{name}Pil").from_pretrained(tmp_path)
    processing = read_processing(tmp_path, "")
    for height, width in SIZES:
        pixels = noise(height, width)
        expected = reference(Image.fromarray(pixels), return_tensors="np")["pixel_values"][0]
        found = preprocess(Image.fromarray(pixels), processing)
        if isinstance(processing.resize, PatchBudget):
            cut = patches(found, processing.resize.patch)
            np.testing.assert_array_equal(cut, expected[: len(cut)])
        else:
            np.testing.assert_array_equal(found.transpose(2, 0, 1), np.float32(expected))


def test_the_options_inside_the_newer_file_count_first(tmp_path: Path) -> None:
    inner = {"image_processor_type": "SiglipImageProcessor", "size": 24}
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": inner}))
    older = {"image_processor_type": "CLIPImageProcessor"}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(older))
    reference = transformers.SiglipImageProcessorPil.from_pretrained(tmp_path)
    pixels = Image.fromarray(noise(30, 50))
    expected = reference(pixels, return_tensors="np")["pixel_values"][0]
    found = preprocess(pixels, read_processing(tmp_path, ""))
    np.testing.assert_array_equal(found.transpose(2, 0, 1), expected)
