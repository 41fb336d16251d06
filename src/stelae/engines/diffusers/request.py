"""A call for pictures on its way, and each of its pictures."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from PIL import Image

from stelae.catalog.abilities import ImageMode
from stelae.engines.diffusers.adapters import Lora
from stelae.errors import StelaeError, from_info
from stelae.types import ImagePiece

AHEAD = 64
"""News of steps that wait for their reader; of more the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What pictures have in common that are made in one batch.

    Attributes:
        mode: What they are made from.
        size: Width and height in pixels.
        steps: Steps of denoising that are asked for.
        guidance: How closely the prompt is followed.
        strength: How far pictures given are changed; ``None`` where none is.
        scheduler: Name of the class that takes the noise away; ``None`` for the model's own.
        lora: The adapter, if there is one.
        opposed: Whether it is said what they shall not show.
    """

    mode: ImageMode
    size: tuple[int, int]
    steps: int
    guidance: float
    strength: float | None = None
    scheduler: str | None = None
    lora: Lora | None = None
    opposed: bool = False


@dataclass(slots=True, eq=False)
class Row:
    """One picture to be made.

    Attributes:
        request: Its call.
        shape: What it shares with others.
        index: Which of the call's pictures it is.
        seed: Decides its noise.
        prompt: What it shall show.
        negative: What it shall not show.
        image: What it begins with.
        mask: White where that is made anew.
    """

    request: Request
    shape: Shape
    index: int
    seed: int
    prompt: str
    negative: str | None = None
    image: Image.Image | None = None
    mask: Image.Image | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A picture that is done."""

    index: int
    seed: int
    image: Image.Image


class Request:
    """A call: takes news on the painting thread, gives it on the event loop's.

    Attributes:
        steps: Steps done, over all pictures.
        dropped: Whether nobody waits for it any more.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.dropped = False
        self._loop = asyncio.get_running_loop()
        self._stir = asyncio.Event()
        self._lock = threading.Lock()
        self._news: deque[ImagePiece] = deque(maxlen=AHEAD)
        self._made: deque[Made] = deque()
        self._error: StelaeError | None = None

    def step(self, index: int, step: int, steps: int) -> None:
        """A picture got on by a step."""
        with self._lock:
            self.steps += 1
            self._news.append(ImagePiece(index=index, step=step, steps=steps))
        self._tell()

    def put(self, made: Made) -> None:
        """A picture is done."""
        with self._lock:
            self._made.append(made)
        self._tell()

    def fail(self, error: StelaeError) -> None:
        """No further picture will come."""
        with self._lock:
            self._error = self._error or error
        self._tell()

    async def take(self) -> tuple[list[ImagePiece], list[Made]]:
        """The news since the last time, and the pictures that are done; not nothing.

        Raises:
            StelaeError: The call failed; raised once the news before is taken.
        """
        while True:
            with self._lock:
                news, made = list(self._news), list(self._made)
                self._news.clear()
                self._made.clear()
                error = self._error
            if news or made:
                return news, made
            if error is not None:
                raise from_info(error.info)
            await self._stir.wait()
            self._stir.clear()

    def _tell(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._stir.set)
