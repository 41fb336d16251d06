"""Requests of OpenAI's images API to calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from stelae.catalog.abilities import ImageMode
from stelae.dialects.items import sent_file, told_file
from stelae.dialects.openai.images_schema import ImageRequest
from stelae.dialects.openai.options import refuse
from stelae.dialects.uploads import Form
from stelae.errors import InvalidInput, ModelNotFound
from stelae.security.fetch import Fetcher
from stelae.security.places import shown
from stelae.types import ImageCall, ImageFormat, Truncate

T = TypeVar("T")

GIVEN = ("image", "images")
MASKS = ("mask", "mask_image")
"""Fields in which pictures come, by OpenAI's clients and by Xinference's."""

THEIRS = ("gpt-image", "chatgpt-image", "dall-e")
"""How names of OpenAI's own models start, which mean whatever model is here."""

AUTO = "auto"

_SIZE = re.compile(r"\s*([0-9]{1,6})\s*[xX*]\s*([0-9]{1,6})\s*")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a path is for.

    Attributes:
        given: Whether a picture must be given.
        masked: Whether a mask must be.
    """

    given: bool = True
    masked: bool = False


async def image_call(
    request: ImageRequest, form: Form, wanted: Wanted, fetcher: Fetcher
) -> ImageCall:
    """The call that a request means; its model is empty where none is named.

    Args:
        request: The request.
        form: The files that came with it.
        wanted: What it was sent to.
        fetcher: Gets pictures that stand elsewhere, if it may.

    Raises:
        InvalidInput: It is no call, or asks for what nobody would heed.
    """
    _check(request)
    images = await _pictures(form, GIVEN, [request.image, request.images], fetcher)
    mask = _only(await _pictures(form, MASKS, [request.mask, request.mask_image], fetcher))
    _check_given(images, mask, wanted)
    return ImageCall(
        model=request.model or "",
        prompt=request.prompt,
        negative_prompt=request.negative_prompt or None,
        images=images,
        mask=mask,
        n=1 if request.n is None else request.n,
        size=size_of(request.size),
        steps=_first(request.num_inference_steps, request.steps),
        guidance=_first(request.guidance_scale, request.guidance),
        strength=request.strength,
        seed=request.seed,
        scheduler=request.scheduler,
        lora=request.lora_name,
        truncate=request.truncate or Truncate.ERROR,
        format=request.output_format or ImageFormat.PNG,
    )


def mode_of(call: ImageCall) -> ImageMode:
    """What its pictures are made from."""
    if not call.images:
        return ImageMode.TEXT
    return ImageMode.IMAGE if call.mask is None else ImageMode.INPAINT


def is_open(model: str) -> bool:
    """Whether a request leaves its model open: it names none, or one of OpenAI's own."""
    return not model or model.startswith(THEIRS)


def any_of(able: Sequence[str], mode: ImageMode) -> str:
    """The model that is asked where that is left open.

    Args:
        able: Those that can do what is wanted, the best first.
        mode: What is wanted.

    Raises:
        ModelNotFound: There is none.
    """
    if not able:
        raise ModelNotFound(
            f"no model is named, and none here is known to do {mode}",
            param="model",
            hint="name a model, or serve one: stelae serve stabilityai/sd-turbo",
        )
    return able[0]


def size_of(text: str | None) -> tuple[int, int] | None:
    """Width and height in pixels, if they are stated.

    Raises:
        InvalidInput: It is no size.
    """
    if text is None or text.strip().lower() == AUTO:
        return None
    found = _SIZE.fullmatch(text)
    if found is None:
        raise InvalidInput(
            f"size: {shown(text)} is no size; write it as '512x512', or 'auto'", param="size"
        )
    return int(found[1]), int(found[2])


def _check(request: ImageRequest) -> None:
    refuse(request, ("markup",))
    if request.background == "transparent":
        raise InvalidInput(
            "background: pictures here have no transparent one; leave it out", param="background"
        )


def _check_given(images: list[bytes], mask: bytes | None, wanted: Wanted) -> None:
    if wanted.given and not images:
        raise InvalidInput(
            "image: there is no picture to begin with; send a form (multipart/form-data) with "
            "its file as 'image'",
            param="image",
        )
    if wanted.masked and mask is None:
        raise InvalidInput(
            "mask_image: there is no mask; send a form with its file as 'mask_image'",
            param="mask_image",
        )


async def _pictures(
    form: Form, names: tuple[str, str], stated: Iterable[Any], fetcher: Fetcher
) -> list[bytes]:
    """Those that came as files, then those that came as texts."""
    texts = [
        (each, name)
        for name, given in zip(names, stated, strict=True)
        for each in (given if isinstance(given, list) else [given])
        if each is not None
    ]
    fetched = [await told_file(given, fetcher, name) for given, name in texts]
    return [await sent_file(file, fetcher) for file in form.files(*names)] + fetched


def _only(masks: list[bytes]) -> bytes | None:
    if len(masks) > 1:
        raise InvalidInput(f"mask: one was expected, not {len(masks)}", param="mask")
    return next(iter(masks), None)


def _first(*values: T | None) -> T | None:
    return next((value for value in values if value is not None), None)
