"""Models that make pictures: ours, and diffusers itself."""

from __future__ import annotations

import asyncio
import inspect
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import aclosing
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
import zoo
from numpy.typing import NDArray
from PIL import Image

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import ModelSpec
from stelae.engines import registry
from stelae.engines.base import Device, EngineOptions
from stelae.engines.diffusers.engine import ImageEngine
from stelae.errors import LoraLoading
from stelae.types import ComputeDtype, ImageCall, ImagePiece

OPTIONS = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
NAME = "painter"


@cache
def folder_of(name: str) -> Path:
    """A small pipeline of the zoo; written once in a process."""
    home = Path(tempfile.mkdtemp(prefix="stelae-pipelines-"))
    return zoo.build(home, [name])[0]


def spec_of(folder: Path) -> ModelSpec:
    return Catalog([ModelEntry(name=NAME, source=str(folder))]).spec(NAME)


def loaded(folder: Path, options: EngineOptions = OPTIONS) -> ImageEngine:
    spec = spec_of(folder)
    choice = registry.choose(spec)
    assert choice.manifest.name == "diffusers"
    engine = registry.load(choice.manifest, spec, options)
    assert isinstance(engine, ImageEngine)
    return engine


@cache
def engine_of(name: str) -> ImageEngine:
    return loaded(folder_of(name))


def call(prompt: str = "a red fox", **options: Any) -> ImageCall:
    return ImageCall(model=NAME, prompt=prompt, **{"steps": 4, "seed": 0, **options})


async def pieces_of(engine: ImageEngine, asked: ImageCall) -> list[ImagePiece]:
    async with aclosing(engine.stream(asked)) as stream:
        return [piece async for pieces in stream for piece in pieces]


def answer(engine: ImageEngine, *asked: ImageCall) -> list[list[ImagePiece]]:
    """Pieces of calls that are made at the same time."""

    async def all_of_them() -> list[list[ImagePiece]]:
        return await asyncio.gather(*(pieces_of(engine, each) for each in asked))

    return asyncio.run(all_of_them())


def painted(engine: ImageEngine, asked: ImageCall) -> list[NDArray[np.uint8]]:
    """Pixels of the pictures of a call, in order."""
    made = [piece for piece in answer(engine, asked)[0] if piece.image is not None]
    return [pixels(piece.image) for piece in sorted(made, key=lambda piece: piece.index)]


def patiently(engine: ImageEngine, asked: ImageCall) -> NDArray[np.uint8]:
    """A picture with an adapter; it may have to be looked at first."""
    while True:
        try:
            return painted(engine, asked)[0]
        except LoraLoading:
            continue


def pixels(data: bytes | None) -> NDArray[np.uint8]:
    assert data is not None
    return np.asarray(Image.open(BytesIO(data)))


def png(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "png")
    return file.getvalue()


def library(name: str, kind: str = "DiffusionPipeline") -> Any:
    """A pipeline as diffusers itself loads it."""
    return _library(name, kind)


@cache
def _library(name: str, kind: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = getattr(diffusers, kind).from_pretrained(folder_of(name), local_files_only=True)
    made.set_progress_bar_config(disable=True)
    return made


def reference(
    name: str, seeds: Sequence[int], *, kind: str = "DiffusionPipeline", **asked: Any
) -> list[NDArray[np.uint8]]:
    """Pictures that diffusers makes, each by itself."""
    torch.set_num_threads(1)  # as OPTIONS have it: sums of several threads are rounded otherwise
    pipeline = library(name, kind)
    taken = inspect.signature(type(pipeline).__call__).parameters
    asked = {key: value for key, value in asked.items() if key in taken}
    made = [
        pipeline(
            **{"num_inference_steps": 4, **asked}, generator=torch.Generator().manual_seed(seed)
        ).images[0]
        for seed in seeds
    ]
    return [np.asarray(image) for image in made]


def apart(ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> int:
    """The largest difference of two pictures, of 255."""
    assert ours.shape == theirs.shape
    return int(np.abs(ours.astype(np.int16) - theirs.astype(np.int16)).max())


def photo(side: int = 64) -> Image.Image:
    """A picture to begin with."""
    across = np.linspace(0, 255, side)
    red, green = np.meshgrid(across, across)
    blue = np.where(red > green, 200, 40)
    return Image.fromarray(np.stack([red, green, blue], -1).astype(np.uint8))


def half(side: int = 64) -> Image.Image:
    """A mask: the right half is made anew."""
    mask = np.zeros((side, side), np.uint8)
    mask[:, side // 2 :] = 255
    return Image.fromarray(mask)
