"""Messages of OpenAI's images API; see ``schema`` on unknown fields and ``null``."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from stelae.types import ImageFormat, Truncate


class ImageDelivery(StrEnum):
    """How pictures come: by an address to fetch them from, or in the answer itself."""

    URL = "url"
    B64 = "b64_json"


class ImageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the paths below ``/v1/images`` take, as JSON or as a form.

    Xinference's ``kwargs`` (an object, or its JSON text) and an ``extra_body`` are read as if
    their fields stood beside them. OpenAI's ``quality``, ``style``, ``moderation``,
    ``input_fidelity``, ``output_compression``, ``partial_images`` and ``user`` change nothing.

    Attributes:
        prompt: What the pictures shall show.
        model: Name of the model; if nobody says, or it is one of OpenAI's own, the first here
            that can do what is asked, a loaded one before others.
        image: Pictures to begin with: files of a form, or base64 text, data URIs and ``http(s)``
            addresses that the server may fetch, one or several.
        images: The same.
        mask: A picture as large as the first: what is transparent, or white where nothing is,
            is made anew.
        mask_image: The same.
        n: How many pictures.
        size: ``512x512`` or ``512*512``; ``auto``, or nothing, for that of the picture given, or
            the one that the model was made for.
        response_format: ``url`` or ``b64_json``; both in one answer if absent.
        output_format: ``png``, the default, ``jpeg`` or ``webp``.
        stream: Whether steps and pictures are told as events.
        negative_prompt: (Stelae) What they shall not show.
        num_inference_steps: (Stelae) Steps of denoising.
        steps: (Stelae) The same.
        guidance_scale: (Stelae) How closely the prompt is followed.
        guidance: (Stelae) The same.
        strength: (Stelae) How far a picture given is changed: above 0, to 1.
        seed: (Stelae) Decides the noise of the first picture; the next has the next number.
        scheduler: (Stelae) How noise is taken away, by the name of its class.
        lora_name: (Stelae) One of the model's adapters.
        truncate: (Stelae) ``end`` to cut a prompt that is too long, which is refused otherwise.
        request_id: (Xinference) A name to follow or end the request by.
        background: ``transparent`` is refused: pictures here have none.
        markup: Refused.
    """

    prompt: str = ""
    model: str | None = None
    image: Any = None
    images: Any = None
    mask: Any = None
    mask_image: Any = None
    n: int | None = None
    size: str | None = None
    response_format: ImageDelivery | None = None
    output_format: ImageFormat | None = None
    stream: bool | None = None
    negative_prompt: str | None = None
    num_inference_steps: int | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    guidance: float | None = None
    strength: float | None = None
    seed: int | None = None
    scheduler: str | None = None
    lora_name: str | None = None
    truncate: Truncate | None = None
    request_id: str | None = None
    background: str | None = None
    markup: Any = None


class ImageData(msgspec.Struct, frozen=True, kw_only=True):
    """One picture.

    Attributes:
        url: Where it can be fetched for a while, without a key.
        b64_json: Its file.
        revised_prompt: Always ``null``: prompts are taken as they are.
        seed: (Stelae) What makes it again.
        size: (Stelae) Its width and height, as ``512x512``.
    """

    url: str | None
    b64_json: str | None
    revised_prompt: str | None = None
    seed: int | None = None
    size: str | None = None


class ImageTokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens by what they are of; pictures have none here."""

    text_tokens: int
    image_tokens: int = 0


class ImagesUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Work of an answer.

    Attributes:
        input_tokens: Tokens of the prompts.
        input_tokens_details: The same.
        output_tokens: Always 0: pictures are not made of tokens.
        total_tokens: Both.
        images: (Stelae) Pictures made.
        steps: (Stelae) Steps of denoising, over all pictures.
        truncated: (Stelae) Whether a prompt was cut.
    """

    input_tokens: int
    input_tokens_details: ImageTokens
    total_tokens: int
    output_tokens: int = 0
    images: int = 0
    steps: int = 0
    truncated: bool = False


class ImagesResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What the paths below ``/v1/images`` answer.

    Attributes:
        created: Unix time.
        data: The pictures.
        output_format: Their format.
        size: That of the first, as ``512x512``.
        background: Always ``opaque``.
        model: (Stelae) The model that made them.
        usage: Work of the answer.
    """

    created: int
    data: list[ImageData]
    output_format: ImageFormat
    size: str | None
    model: str
    usage: ImagesUsage
    background: str = "opaque"
