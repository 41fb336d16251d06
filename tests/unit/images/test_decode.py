from __future__ import annotations

import struct
import tracemalloc
import zlib
from contextlib import suppress
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stelae.errors import InvalidInput
from stelae.images.colours import rgb
from stelae.images.decode import decode, pixels_of
from stelae.images.limits import Limits

RED = Image.new("RGB", (4, 3), (255, 0, 0))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"".join((
        b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows, 9)),
        chunk(b"IEND", b""),
    ))  # fmt: skip


def refusal(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        decode(data) if limits is None else decode(data, limits)
    assert caught.value.param == "items"
    return str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_the_bytes_say_what_the_format_is(kind: str) -> None:
    image = rgb(decode(saved(RED, kind)))
    assert (image.mode, image.size) == ("RGB", (4, 3))
    assert np.abs(np.asarray(image, np.int32) - (255, 0, 0)).max() <= 2


@pytest.mark.parametrize(
    "data",
    [b"", b"G", b"GIF8", b"RIFF\0\0\0\0WAVE", b"<svg></svg>", b"data:image/png;base64,iVBOR"],
)
def test_other_bytes_are_refused_and_shown(data: bytes) -> None:
    message = refusal(data)
    assert f"{len(data)} bytes" in message
    assert "JPEG, PNG, WebP, GIF, BMP and TIFF" in message


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_file_cut_anywhere_is_refused_or_read(kind: str) -> None:
    whole = saved(Image.effect_noise((16, 16), 40).convert("RGB"), kind)
    assert "cut off or broken" in refusal(whole[: len(whole) // 2])
    for end in range(0, len(whole), 3):
        with suppress(InvalidInput):
            assert decode(whole[:end]).size == (16, 16)


def test_a_small_file_of_a_huge_picture_is_refused_before_memory_is_taken() -> None:
    data = png(13000, 13000, bytes(13001 * 13000 // 100))  # the rows are not even all there
    assert len(data) < 20_000
    tracemalloc.start()
    message = refusal(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "13000 x 13000 = 169 million pixels, at most 64 million" in message
    assert peak < 2**20


def test_a_webp_of_a_huge_canvas_is_refused_by_its_header() -> None:
    head = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\x3f\0" * 2
    data = b"RIFF" + struct.pack("<I", len(head) + 4) + b"WEBP" + head
    assert "16384 x 16384" in refusal(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_the_limit_counts_pixels(kind: str) -> None:
    data = saved(RED, kind)
    assert decode(data, Limits(pixels=12)).size == (4, 3)
    assert "4 x 3" in refusal(data, Limits(pixels=11))


def test_a_file_over_the_limit_of_bytes_is_refused() -> None:
    data = saved(RED, "BMP")
    assert f"{len(data)} bytes, at most 50" in refusal(data, Limits(file_bytes=50))


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    data = saved(RED, "JPEG", progressive=True)
    scan = data[data.index(b"\xff\xda") : -2]
    assert "scans" in refusal(data[:-2] + scan * 100 + b"\xff\xd9")


def test_a_picture_without_pixels_is_refused() -> None:
    assert "0 x 5" in refusal(png(0, 5, b"")) or "broken" in refusal(png(0, 5, b""))


@pytest.mark.parametrize(("width", "height"), [(0, 0), (0, 5), (5, 0)])
def test_a_png_without_pixels_is_told_its_size(width: int, height: int) -> None:
    assert f"{width} x {height} pixels; it needs at least one" in refusal(png(width, height, b""))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WebP", "GIF", "BMP", "TIFF"])
def test_pixels_are_counted_by_the_header(kind: str) -> None:
    assert pixels_of(saved(RED, kind)) == 12
    assert pixels_of(saved(RED, kind)[:14]) == pixels_of(b"no picture") == 0


def test_of_an_animation_the_first_picture_is_read() -> None:
    green = Image.new("RGB", RED.size, (0, 255, 0))
    for kind in ("GIF", "PNG", "WEBP", "TIFF"):
        data = saved(RED, kind, save_all=True, append_images=[green, green])
        red, green_, _ = np.asarray(rgb(decode(data)))[0, 0]
        assert (red > 250, green_ < 5) == (True, True)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_not_clipped(kind: str) -> None:
    deep = Image.fromarray(np.array([[0, 255, 256, 0x8000, 0xFFFF]], np.uint16))
    assert np.asarray(decode(saved(deep, kind)))[0].tolist() == [0, 0, 1, 128, 255]


def test_pixels_that_are_no_colours_are_refused_by_name() -> None:
    floats = Image.fromarray(np.zeros((2, 2), np.float32))
    assert "'F'" in refusal(saved(floats, "TIFF"))


def test_an_orientation_that_cannot_be_read_leaves_the_picture_as_it_is() -> None:
    data = saved(RED, "JPEG", exif=b"Exif\0\0nonsense")
    assert decode(data).size == (4, 3)


def test_transparency_is_dropped_once_a_model_reads_the_colours() -> None:
    clear = Image.new("RGBA", (2, 2), (10, 20, 30, 0))
    read = decode(saved(clear, "PNG"))
    assert read.mode == "RGBA"
    assert np.asarray(rgb(read))[0, 0].tolist() == [10, 20, 30]
