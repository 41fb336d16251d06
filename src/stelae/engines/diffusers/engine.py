"""The images engine: prompts and pictures in, new pictures out, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from msgspec.structs import replace

from stelae.catalog.fingerprint import fingerprint, weights_digest
from stelae.catalog.imaging_layouts import LAYOUTS
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineInfo, EngineOptions, StreamStats
from stelae.engines.diffusers.adapters import shelf_of
from stelae.engines.diffusers.intake import Intake
from stelae.engines.diffusers.loading import load_parts, load_tokenizers, pipeline_of
from stelae.engines.diffusers.loop import PaintLoop
from stelae.engines.diffusers.pictures import write
from stelae.engines.diffusers.prompts import Prompts
from stelae.engines.diffusers.request import Made, Request
from stelae.engines.diffusers.studio import Studio
from stelae.engines.runtime import device_of, dtype_of, name_of
from stelae.engines.text.adapters import Library
from stelae.types import ImageCall, ImagePiece


class ImageEngine:
    """A model that makes pictures; see ``StreamEngine``.

    Args:
        intake: Reads calls.
        studio: Makes pictures.
        info: What it says of itself.
        adapters: Those that calls may name.
    """

    def __init__(self, intake: Intake, studio: Studio, info: EngineInfo, adapters: Library) -> None:
        self._intake, self._info, self._adapters = intake, info, adapters
        self._loop = PaintLoop(studio)

    @property
    def info(self) -> EngineInfo:
        """What is loaded, and how."""
        return self._info

    @property
    def stats(self) -> StreamStats:
        """Its counters."""
        return self._loop.stats

    async def stream(self, call: ImageCall) -> AsyncGenerator[list[ImagePiece]]:
        """Answer a call; see ``StreamEngine``."""
        request = Request()
        order = await asyncio.to_thread(self._intake.read, call, request)
        self._loop.add(order.rows)
        left = len(order.rows)
        try:
            while left:
                news, made = await request.take()
                if news:
                    yield news
                for picture in made:
                    left -= 1
                    yield [await asyncio.to_thread(_written, picture, call)]
            yield [ImagePiece(usage=replace(order.usage, steps=request.steps))]
        finally:
            request.dropped = True

    async def aclose(self) -> None:
        """End what is under way and free what the engine holds."""
        await asyncio.to_thread(self._loop.close)
        self._adapters.close()


def _written(made: Made, call: ImageCall) -> ImagePiece:
    return ImagePiece(
        index=made.index,
        image=write(made.image, call.format),
        seed=made.seed,
        size=made.image.size,
    )


def load(spec: ModelSpec, options: EngineOptions) -> ImageEngine:
    """Load a checkpoint.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented.
        ModelLoadFailed: The library cannot read it.
    """
    trunk, imaging = pipeline_of(spec)
    device = device_of(options)
    dtype, note = dtype_of(options, device)
    parts = load_parts(spec, dtype, device)
    studio = Studio(
        imaging,
        parts,
        trunk.config,
        adapters=options.adapters.most,
        alone=options.deterministic,
    )
    adapters = shelf_of(spec, options)
    most = LAYOUTS[imaging.pipeline].readers
    prompts = Prompts(load_tokenizers(spec), most, *studio.frame)
    intake = Intake(spec, studio, prompts, adapters)
    info = EngineInfo(
        fingerprint=fingerprint(spec, name_of(dtype), weights_digest(spec)),
        dtype=name_of(dtype),
        device=str(device),
        notes=(note, *spec.notes),
    )
    return ImageEngine(intake, studio, info, adapters)
