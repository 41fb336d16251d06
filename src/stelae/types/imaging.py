"""Images: a prompt in, and perhaps pictures; new pictures out, step by step."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from stelae.types.enums import Truncate


class ImageFormat(StrEnum):
    """Formats that new pictures are written in."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"

    @property
    def media(self) -> str:
        """Its media type."""
        return f"image/{self}"


class ImageCall(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Ask a model for pictures.

    Without pictures they are made from the prompt alone; with some they are made from those;
    with a mask as well only what lies under the mask is made anew.

    Attributes:
        model: Name or alias of the model.
        prompt: What they shall show.
        negative_prompt: What they shall not show, for models with guidance.
        images: Pictures to begin with, as the bytes of their files (in JSON: base64).
        mask: A picture as large as the first: what is transparent is made anew; where nothing is,
            white is, and black stays.
        n: How many pictures, from 1.
        size: Width and height in pixels; ``None`` as the picture given, or as the model was made
            for.
        steps: Steps of denoising, from 1; ``None`` as the model says.
        guidance: How closely the prompt is followed; ``None`` as the model says.
        strength: How far a picture given is changed: above 0, to 1.
        seed: Decides the noise of the first picture; the one of the next is higher by 1. ``None``
            for chance; the seed used is told.
        scheduler: How noise is taken away, by the name of its class; ``None`` as the model says.
        lora: Name of one of the model's adapters; ``None`` for the model itself.
        truncate: What to do with a prompt that is longer than the model reads.
        format: Format of the pictures.
        gpu: Pool and kind of machine that should answer, as ``pool/kind`` or ``kind``; ``None``
            for any.
    """

    model: str
    prompt: str = ""
    negative_prompt: str | None = None
    images: list[bytes] = []
    mask: bytes | None = None
    n: int = 1
    size: tuple[int, int] | None = None
    steps: int | None = None
    guidance: float | None = None
    strength: float | None = None
    seed: int | None = None
    scheduler: str | None = None
    lora: str | None = None
    truncate: Truncate = Truncate.ERROR
    format: ImageFormat = ImageFormat.PNG
    gpu: str | None = None


class ImageUsage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Work of an answer.

    Attributes:
        images: Pictures made.
        steps: Steps of denoising, over all pictures.
        prompt_tokens: Tokens of the prompts, as the first text tower reads them.
        truncated: Whether a prompt was cut.
    """

    images: int = 0
    steps: int = 0
    prompt_tokens: int = 0
    truncated: bool = False


class ImagePiece(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """News of a picture: one more step, or the picture itself.

    The last piece of an answer, and only that, has ``usage``: without it the answer is not whole.

    Attributes:
        index: Which of the ``n`` pictures it is about, from 0.
        step: Steps done.
        steps: Steps in all.
        image: The picture, once it is there, as the bytes of its file.
        seed: The seed that it was made with, with the picture.
        size: Its width and height in pixels, with the picture.
        usage: Work of the whole answer.
    """

    index: int = 0
    step: int = 0
    steps: int = 0
    image: bytes | None = None
    seed: int | None = None
    size: tuple[int, int] | None = None
    usage: ImageUsage | None = None
