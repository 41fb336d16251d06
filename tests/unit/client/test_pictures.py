from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stelae.client._items import PICTURE_SHARE, Packer, checked, sendable
from stelae.client._place import Place
from stelae.errors import InvalidInput
from stelae.images.arrays import from_array
from stelae.images.decode import decode
from stelae.types import EncodeCall, Item

PLACE = Place("items", 3)
RANDOM = np.random.default_rng(1)
PIXELS = RANDOM.integers(0, 256, (5, 7, 3), np.uint8)


def sent(value: object) -> Item:
    """What goes to the server for an item as a caller writes it."""
    return sendable(checked(value, PLACE)[0], PLACE)


def png(image: Image.Image, **more: Any) -> bytes:
    file = BytesIO()
    image.save(file, "PNG", **more)
    return file.getvalue()


def picture(mode: str) -> Image.Image:
    if mode.startswith("I;16"):
        return Image.fromarray(RANDOM.integers(0, 65536, (5, 7), np.uint16))
    if mode == "P":
        return Image.fromarray(PIXELS).quantize(16)
    return Image.fromarray(PIXELS).convert("RGBA").convert(mode)


@pytest.mark.parametrize("value", [b"file", bytearray(b"file"), memoryview(b"file")])
def test_bytes_are_a_file(value: Any) -> None:
    assert sent(value) == sent({"image": value}) == Item(image=b"file")


def test_data_uri_of_a_picture_is_that_picture() -> None:
    uri = "data:image/png;base64,ZmlsZQ=="
    assert sent(uri) == sent({"image": uri}) == Item(image=b"file")
    with pytest.raises(InvalidInput, match=r"items\[3\] cannot be read: .* does not hold base64"):
        sent("data:image/png;base64,?")


@pytest.mark.parametrize("text", ["photo.png", "data:text/plain,a", "see data:image/png,a"])
def test_other_strings_are_texts(text: str) -> None:
    assert sent(text) == Item(text=text)


def test_path_is_read_when_it_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(b"before")
    items = [checked(value, PLACE)[0] for value in (path, {"image": path}, Item(image=path))]  # type: ignore[arg-type]
    path.write_bytes(b"after")
    assert [sendable(item, PLACE) for item in items] == [Item(image=b"after")] * 3


def test_file_that_is_gone_when_it_is_sent_is_named(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(b"file")
    item, _ = checked(path, PLACE)
    path.unlink()
    with pytest.raises(
        InvalidInput, match=r"items\[3\].*picture' cannot be read: No such"
    ) as caught:
        sendable(item, PLACE)
    assert caught.value.details == {"index": 3}


@pytest.mark.parametrize(
    "pixels",
    [PIXELS, PIXELS[:, :, 0], PIXELS / np.float32(255), PIXELS > 100],
    ids=["rgb", "grey", "float", "bool"],
)
def test_array_is_sent_as_it_is(pixels: Any) -> None:
    for value in (pixels, {"pixels": pixels}, {"image": pixels}, Item(pixels=pixels)):
        assert sent(value).pixels is pixels


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "I;16"])
def test_pillow_image_is_sent_as_the_server_reads_its_file(mode: str) -> None:
    image = picture(mode)
    item = sent(image)
    assert item.pixels is not None
    assert item.pixels.dtype in (np.uint8, np.bool_)
    np.testing.assert_array_equal(from_array(item.pixels), decode(png(image)))


def test_grey_with_transparency_is_sent_in_three_equal_colours() -> None:
    image = picture("LA")
    np.testing.assert_array_equal(sent(image).pixels, image.convert("RGBA"))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV"])
def test_pillow_image_of_other_colours_is_sent_in_red_green_and_blue(mode: str) -> None:
    image = picture(mode)
    np.testing.assert_array_equal(sent(image).pixels, image.convert("RGB"))


@pytest.mark.parametrize("transparency", [None, bytes(range(16))])
def test_palette_is_sent_with_its_colours_upright(transparency: bytes | None) -> None:
    image = picture("P")
    exif = Image.Exif()
    exif[0x0112] = 6
    more = {} if transparency is None else {"transparency": transparency}
    item = sent(Image.open(BytesIO(png(image, exif=exif, **more))))
    assert item.image is not None
    found, expected = decode(item.image), image.transpose(Image.Transpose.ROTATE_270)
    assert found.mode == "P"
    np.testing.assert_array_equal(found.convert("RGB"), expected.convert("RGB"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pillow_image_is_sent_upright_like_its_file(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = png(Image.fromarray(PIXELS), exif=exif)
    with Image.open(BytesIO(file)) as image:
        np.testing.assert_array_equal(sent(image).pixels, decode(file))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pillow_image_of_unknown_range_is_refused(mode: str) -> None:
    with pytest.raises(InvalidInput, match=rf"items\[3\] is a picture .*'{mode}'; convert it"):
        sent(Image.new(mode, (2, 2)))


def test_broken_pillow_image_is_refused() -> None:
    noise = Image.fromarray(RANDOM.integers(0, 256, (64, 64, 3), np.uint8))
    file = BytesIO(png(noise)[:300])
    with Image.open(file) as image, pytest.raises(InvalidInput, match="picture cannot be read"):
        sent(image)


def test_notes_stay_with_the_caller(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(b"file")
    item, _ = checked({"image": path, "id": "cover", "metadata": {"page": 1}}, PLACE)
    assert (item.id, item.metadata) == ("cover", {"page": 1})
    assert sendable(item, PLACE) == Item(image=b"file")


def test_pictures_fill_requests_by_their_share(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(b"x" * 40 * PICTURE_SHARE)
    values = [path, b"y" * 40 * PICTURE_SHARE, np.zeros((40, PICTURE_SHARE), np.uint8), "z" * 40]
    chunks = list(Packer(max_bytes=100).pack(values))
    assert [(chunk.start, len(chunk.items)) for chunk in chunks] == [(0, 2), (2, 2)]
    call = chunks[0].call(EncodeCall(model="m", items=[]))
    assert [len(item.image or b"") for item in call.items] == [40 * PICTURE_SHARE] * 2
