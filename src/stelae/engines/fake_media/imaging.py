"""Pictures of one colour, which the seed decides; those given come back as they are."""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image

from stelae.catalog.spec import ModelSpec
from stelae.engines.fake_media.steps import Steps
from stelae.errors import InputTooLong, InvalidInput
from stelae.images.decode import decode
from stelae.types import ImageCall, ImagePiece, ImageUsage, Truncate

NUMBER = 3
"""Steps of a picture if nobody says."""

LONGEST = 77
"""Words of a prompt if the model does not say."""


def _of(spec: ModelSpec, call: ImageCall) -> Iterator[list[ImagePiece]]:
    words, longest = len(call.prompt.split()), LONGEST
    if spec.imaging is not None:
        longest = spec.imaging.longest
    if words > longest and call.truncate is Truncate.ERROR:
        raise InputTooLong(f"{words} words are over {longest}", param="prompt")
    given = [_read(data, f"images[{index}]") for index, data in enumerate(call.images)]
    size = _size(spec, call, given)
    if call.mask is not None and _read(call.mask, "mask").size != size:
        raise InvalidInput(f"the mask is not as large as the picture, {size}", param="mask")
    number, seed = call.steps or NUMBER, call.seed or 0
    usage = ImageUsage(
        images=call.n,
        steps=call.n * number,
        prompt_tokens=min(words, longest),
        truncated=words > longest,
    )
    for index in range(call.n):
        for step in range(1, number + 1):
            yield [ImagePiece(index=index, step=step, steps=number)]
        picture = given[0].resize(size) if given else Image.new("RGB", size, colour(seed + index))
        yield [
            ImagePiece(
                index=index,
                step=number,
                steps=number,
                image=_file(picture, call),
                seed=seed + index,
                size=size,
                usage=usage if index == call.n - 1 else None,
            )
        ]


def _read(data: bytes, param: str) -> Image.Image:
    try:
        return decode(data).convert("RGB")
    except InvalidInput as error:
        raise InvalidInput(f"{param}: {error.message}", param=param) from error


def _size(spec: ModelSpec, call: ImageCall, given: list[Image.Image]) -> tuple[int, int]:
    if call.size is None:
        return given[0].size if given else spec.imaging.size if spec.imaging else (64, 64)
    multiple = spec.imaging.multiple if spec.imaging else 8
    if any(side % multiple for side in call.size):
        raise InvalidInput(f"size {call.size}: sides are multiples of {multiple}", param="size")
    return call.size


def colour(seed: int) -> tuple[int, int, int]:
    """Red, green and blue of the picture that a seed makes."""
    return seed * 40 % 256, seed * 80 % 256, 200


def _file(picture: Image.Image, call: ImageCall) -> bytes:
    file = io.BytesIO()
    picture.save(file, call.format.value)
    return file.getvalue()


STEPS = Steps(lambda call: call.prompt, _of)
