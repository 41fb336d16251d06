"""What the handle of image models finds; see ``driver.py`` and ``either.py``.

The model makes pictures of one colour, and gives pictures back as they are.
"""

from __future__ import annotations

import base64
import struct
import urllib.request
from typing import Any

from checks_embedding import picture
from either import OLD, Place, Skip, Spoken, fresh

__all__ = ["Place", "Skip"]


def size(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG."""
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def fetched(url: str) -> bytes:
    """What is found at an address of the server."""
    with urllib.request.urlopen(url) as answer:  # noqa: S310  # an address of our own server, on loopback
        data: bytes = answer.read()
    return data


def sends_forms(place: Place) -> None:
    """The asynchronous client before 3.0 sends most forms without their files."""
    if OLD and place.is_async:
        raise Skip("its form has no file")


def coded(answer: dict[str, Any]) -> list[bytes]:
    """The pictures that stand in an answer."""
    assert isinstance(answer["created"], int)
    assert all(row["url"] is None for row in answer["data"])
    return [base64.b64decode(row["b64_json"]) for row in answer["data"]]


async def painter(c: Spoken) -> Spoken:
    """The handle of a model that paints."""
    return await c.get_model("sd-turbo")


async def check_text_to_image(place: Place) -> None:
    """A prompt has pictures, by address or in the answer, in sizes as `128*64` and `128x64`"""
    async with place.client() as c:
        model = await painter(c)
        assert "ImageModelHandle" in type(model.inner).__name__
        answer = await model.text_to_image("an apple", size="64*64")
        (row,) = answer["data"]
        assert row["b64_json"] is None
        assert size(fetched(row["url"])) == (64, 64)
        for written in ("128*64", "128x64"):
            answer = await model.text_to_image("an apple", 2, written, "b64_json", seed=7)
            made = coded(answer)
            assert [size(data) for data in made] == [(128, 64)] * 2
            assert [row["seed"] for row in answer["data"]] == [7, 8]


async def check_image_options(place: Place) -> None:
    """Further options in `kwargs` are heeded, those that mean nothing here are passed over"""
    async with place.client() as c:
        model = await painter(c)
        options = {
            "negative_prompt": "rain",
            "num_inference_steps": 2,
            "guidance_scale": 1.5,
            "request_id": fresh("request"),
            "sampler_name": "default",
        }
        answer = await model.text_to_image("a", 1, "64*64", "b64_json", **options)
        assert answer["usage"]["steps"] == 2
        call = model.text_to_image("an apple", n=0)
        await place.raised(call, "Failed to create the images, detail: ", "n")
        call = model.text_to_image("an apple", size="large")
        await place.raised(call, "Failed to create the images, detail: ", "size")


async def check_request_id(place: Place) -> None:
    """A request with a `request_id` is followed by it, and known when it is over"""
    async with place.client() as c:
        model = await painter(c)
        name = fresh("request")
        await place.raised(c.get_progress(name), "Failed to get progress, detail: ", name)
        await model.text_to_image("a", 1, "64*64", request_id=name)
        assert await c.get_progress(name) == {"progress": 1.0}
        assert await c.abort_request("sd-turbo", name) == {"msg": "NO_OP"}
        assert await c.abort_request("sd-turbo", fresh()) == {"msg": "NOT_FOUND"}


async def check_image_to_image(place: Place) -> None:
    """A picture has others like it, with and without a size and a negative prompt"""
    sends_forms(place)
    async with place.client() as c:
        model = await painter(c)
        answer = await model.image_to_image(picture(), "a pear", response_format="b64_json")
        assert [size(data) for data in coded(answer)] == [(32, 32)]
        answer = await model.image_to_image(
            [picture()], "a pear", "red", 2, "64*64", "b64_json", strength=0.5, seed=1
        )
        assert [size(data) for data in coded(answer)] == [(64, 64)] * 2
        call = model.image_to_image(b"no picture", "a pear")
        await place.raised(call, "Failed to variants the images, detail: ", "image")


async def check_image_edit(place: Place) -> None:
    """Pictures are edited, one or several, with a mask or without"""
    async with place.client() as c:
        model = await painter(c)
        answer = await model.image_edit(picture(), "a pear", response_format="b64_json")
        assert [size(data) for data in coded(answer)] == [(32, 32)]
        answer = await model.image_edit(
            [picture()], "a pear", picture(255), 2, "32*32", "b64_json", seed=1
        )
        assert [size(data) for data in coded(answer)] == [(32, 32)] * 2
        answer = await model.image_edit([picture(), picture(9)], "a", response_format="b64_json")
        assert len(coded(answer)) == 1
        call = model.image_edit(picture(), "a pear", picture(255), size="64*64")
        await place.raised(call, "Failed to edit the images, detail: ", "mask")


async def check_inpainting(place: Place) -> None:
    """What a mask marks is made anew"""
    sends_forms(place)
    async with place.client() as c:
        model = await painter(c)
        answer = await model.inpainting(
            picture(), picture(255), "a pear", "red", 2, "32*32", "b64_json", seed=1
        )
        assert [size(data) for data in coded(answer)] == [(32, 32)] * 2
        call = model.inpainting(picture(), b"", "a pear")
        await place.raised(call, "Failed to inpaint the images, detail: ", "mask")


async def check_ocr(place: Place) -> None:
    """Text of a picture, from a model that is launched as one for images"""
    sends_forms(place)
    async with place.launched(model_name="got-ocr2_0", model_type="image") as (c, uid):
        model = await c.get_model(uid)
        assert (await c.describe_model(uid))["model_ability"] == ["ocr"]
        assert isinstance(await model.ocr(picture(), max_new_tokens=4), str)
        placed = await model.ocr(picture(), task="<OCR_WITH_REGION>", max_new_tokens=4)
        assert placed.keys() == {"text", "regions"}
        call = model.ocr(b"%PDF-1.7 ...")
        await place.raised(call, "Failed to ocr the images, detail: ", "PDF")
        call = (await painter(c)).ocr(picture())
        await place.raised(call, "Failed to ocr the images, detail: ", "sd-turbo")
