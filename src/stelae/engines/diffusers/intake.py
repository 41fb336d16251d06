"""From a call to the pictures that are to be made, with every refusal that needs no model."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from math import prod

from PIL import Image

from stelae.catalog.abilities import ImageMode
from stelae.catalog.spec import ModelSpec
from stelae.engines.diffusers.adapters import Lora
from stelae.engines.diffusers.pictures import read, read_mask
from stelae.engines.diffusers.prompts import Prompts
from stelae.engines.diffusers.request import Request, Row, Shape
from stelae.engines.diffusers.studio import Studio
from stelae.engines.text.adapters import Shelf
from stelae.errors import InvalidInput, ModelLoadFailed, UnsupportedTask
from stelae.types import ImageCall, ImageUsage

SEEDS = 2**63
CHANCE = 32
"""Bits of a seed by chance: few enough for any reader of numbers."""

RATIOS = ((1, 1), (3, 4), (4, 3), (9, 16), (16, 9))
"""Shapes of the sizes that are named to who asked for an impossible one."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a call wants.

    Attributes:
        rows: The pictures.
        usage: What is known of its work before it is done.
    """

    rows: list[Row] = field(default_factory=list)
    usage: ImageUsage = field(default_factory=ImageUsage)


class Intake:
    """Reads calls for one model.

    Args:
        spec: The model.
        studio: Makes its pictures.
        prompts: Counts what it reads.
        adapters: Those that calls may name.
    """

    def __init__(
        self, spec: ModelSpec, studio: Studio, prompts: Prompts, adapters: Shelf[Lora]
    ) -> None:
        if spec.imaging is None:
            raise ModelLoadFailed(f"model {spec.name!r} makes no pictures")
        self._name, self._imaging = spec.name, spec.imaging
        self._studio, self._prompts, self._adapters = studio, prompts, adapters

    def read(self, call: ImageCall, request: Request) -> Order:
        """What a call wants.

        Raises:
            UnsupportedTask: The model cannot make pictures from what is given.
            InvalidInput: It cannot make such pictures, or one that is given cannot be read.
            InputTooLong: A prompt is longer than it reads.
            LoraLoading: The adapter is being loaded, from now on.
        """
        mode = self._mode(call)
        cut, tokens = self._read_prompts(call)
        image, mask = self._given(call)
        shape = self._shape(call, mode, image)
        if image is not None and image.size != shape.size:
            image = image.resize(shape.size, Image.Resampling.LANCZOS)
        if mask is not None and mask.size != shape.size:
            mask = mask.resize(shape.size, Image.Resampling.NEAREST)
        seed = secrets.randbits(CHANCE) if call.seed is None else call.seed
        rows = [
            Row(
                request=request,
                shape=shape,
                index=i,
                seed=(seed + i) % SEEDS,
                prompt=call.prompt,
                negative=call.negative_prompt,
                image=image,
                mask=mask,
            )
            for i in range(call.n)
        ]
        return Order(rows, ImageUsage(images=call.n, prompt_tokens=tokens, truncated=cut))

    def _mode(self, call: ImageCall) -> ImageMode:
        mode = ImageMode.TEXT
        if call.images:
            mode = ImageMode.IMAGE if call.mask is None else ImageMode.INPAINT
        if mode not in self._imaging.modes:
            raise UnsupportedTask(
                f"model {self._name!r} ({self._imaging.pipeline}) cannot do {mode}; it can do "
                f"{', '.join(self._imaging.modes)}",
                param="mask" if call.mask else "images" if call.images else "prompt",
            )
        if len(call.images) > 1:
            raise InvalidInput(
                f"images has {len(call.images)} pictures: model {self._name!r} begins with one",
                param="images",
            )
        return mode

    def _read_prompts(self, call: ImageCall) -> tuple[bool, int]:
        """Whether one is cut, and the tokens that are read."""
        texts = {"prompt": call.prompt}
        if call.negative_prompt is not None:
            if not self._studio.family.opposable:
                raise InvalidInput(
                    f"negative_prompt is given, but {self._imaging.pipeline} cannot be told what "
                    "not to show; leave it out",
                    param="negative_prompt",
                )
            texts["negative_prompt"] = call.negative_prompt
        cut = [self._prompts.check(text, name, call.truncate) for name, text in texts.items()]
        return any(cut), sum(map(self._prompts.count, texts.values()))

    def _given(self, call: ImageCall) -> tuple[Image.Image | None, Image.Image | None]:
        """The picture to begin with and its mask, as far as there are such."""
        if not call.images:
            return None, None
        image = read(call.images[0], "images[0]")
        if call.mask is None:
            return image, None
        mask = read_mask(call.mask)
        if mask.size != image.size:
            raise InvalidInput(
                f"mask has {_named(mask.size)} pixels and its picture {_named(image.size)}; "
                "make them equally large",
                param="mask",
            )
        return image, mask

    def _shape(self, call: ImageCall, mode: ImageMode, image: Image.Image | None) -> Shape:
        scheduler = self._scheduler(call.scheduler)
        steps = int(self._said(mode, "num_inference_steps", call.steps))
        self._studio.check_steps(scheduler, steps)
        strength = None if image is None else self._said(mode, "strength", call.strength)
        if strength is not None and int(steps * strength) < 1:
            raise InvalidInput(
                f"strength={strength} of {steps} steps leaves none; choose at least "
                f"{1 / steps:.3g}, or more steps",
                param="strength",
            )
        return Shape(
            mode=mode,
            size=self._size(call, image),
            steps=steps,
            guidance=self._said(mode, self._studio.family.guidance, call.guidance),
            strength=strength,
            scheduler=scheduler,
            lora=None if call.lora is None else self._adapters.take(call.lora),
            opposed=call.negative_prompt is not None,
        )

    def _said(self, mode: ImageMode, name: str, value: float | None) -> float:
        return float(self._studio.default(mode, name)) if value is None else value

    def _scheduler(self, name: str | None) -> str | None:
        if name is not None and name not in self._studio.schedulers:
            raise InvalidInput(
                f"scheduler={name!r}: model {self._name!r} has no such scheduler; it has "
                f"{', '.join(self._studio.schedulers)}",
                param="scheduler",
            )
        return name

    def _size(self, call: ImageCall, image: Image.Image | None) -> tuple[int, int]:
        imaging, multiple = self._imaging, self._imaging.multiple
        size = call.size or imaging.size
        if call.size is None and image is not None:
            size = (image.width // multiple * multiple, image.height // multiple * multiple)
        least, most = imaging.sides
        fits = all(least <= side <= most and side % multiple == 0 for side in size)
        if fits and prod(size) <= imaging.pixels:
            return size
        given = "size" if call.size is not None else "the picture's size"
        raise InvalidInput(
            f"{given}={_named(call.size or (image.size if image else size))}: model "
            f"{self._name!r} makes pictures with sides that are multiples of {multiple}, from "
            f"{least} to {most}, of at most {imaging.pixels} pixels in all, such as "
            f"{', '.join(map(_named, self._sizes()))}",
            param="size",
        )

    def _sizes(self) -> list[tuple[int, int]]:
        """Some sizes that the model can make, of as many pixels as it was made for."""
        multiple, area = self._imaging.multiple, prod(self._imaging.size)
        sizes = [self._imaging.size]
        for wide, high in RATIOS:
            unit = (area / (wide * high)) ** 0.5 / multiple
            sizes.append((int(wide * unit) * multiple, int(high * unit) * multiple))
        least = self._imaging.sides[0]
        return [size for size in dict.fromkeys(sizes) if min(size) >= least]


def _named(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
