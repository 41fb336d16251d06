"""Pictures in the answers and events of OpenAI's images API."""

from __future__ import annotations

import time
from binascii import b2a_base64
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec

from stelae.dialects.ask import offload
from stelae.dialects.events import event
from stelae.dialects.openai.images_schema import (
    ImageData,
    ImageDelivery,
    ImagesResponse,
    ImagesUsage,
    ImageTokens,
)
from stelae.errors import EngineFailed, InvalidInput
from stelae.types import ImageFormat, ImagePiece, ImageUsage

NOTHING = ImageUsage()
"""Work that is told with a picture that others follow: the last one tells that of all."""

HELD = 4
"""Bytes that an answer with a picture takes, for each of its file: this, its text, as sent."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """How pictures are told.

    Attributes:
        model: Who made them.
        format: Their format.
        delivery: How they come; ``None`` leaves it open.
        hang: Keeps the file of a picture, and says where it can be fetched.
        hold: Books bytes that the answer takes; see ``Asking.hold``.
    """

    model: str
    format: ImageFormat
    delivery: ImageDelivery | None
    hang: Callable[[bytes], str]
    hold: Callable[[int], None] = lambda size: None

    async def whole(self, made: AsyncGenerator[list[ImagePiece]]) -> ImagesResponse:
        """A whole answer.

        Raises:
            StelaeError: As the answer does.
        """
        pictures: dict[int, ImagePiece] = {}
        used = NOTHING
        async with aclosing(made):
            async for pieces in made:
                pictures |= {piece.index: piece for piece in pieces if piece.image is not None}
                used = pieces[-1].usage or used
        if not pictures:
            raise EngineFailed(f"model '{self.model}' made no pictures")
        told = [pictures[index] for index in sorted(pictures)]
        return ImagesResponse(
            created=int(time.time()),
            data=[await self._data(piece) for piece in told],
            output_format=self.format,
            size=_size(told[0]),
            model=self.model,
            usage=_usage(used),
        )

    async def events(
        self, made: AsyncGenerator[list[ImagePiece]], kind: str
    ) -> AsyncGenerator[bytes]:
        """The events of an answer: one for each step, and one for each picture.

        Args:
            made: The answer.
            kind: How the names of its events begin.

        Source: OpenAI's ``image_generation.completed`` and ``image_edit.completed``; those of
        steps are ours, and its clients pass them on.
        """
        done: ImagePiece | None = None
        used = NOTHING
        async with aclosing(made):
            async for pieces in made:
                for piece in pieces:
                    if piece.image is None:
                        for told in _steps(kind, piece):
                            yield told
                        continue
                    if done is not None:
                        yield await self._completed(kind, done, NOTHING)
                    done = piece
                used = pieces[-1].usage or used
        if done is None:
            raise EngineFailed(f"model '{self.model}' made no pictures")
        yield await self._completed(kind, done, used)

    async def _completed(self, kind: str, piece: ImagePiece, used: ImageUsage) -> bytes:
        shown = await self._data(piece, ImageDelivery.B64)
        return _event(
            f"{kind}.completed",
            **msgspec.structs.asdict(shown),
            index=piece.index,
            created_at=int(time.time()),
            output_format=self.format,
            background="opaque",
            quality="auto",
            model=self.model,
            usage=_usage(used),
        )

    async def _data(self, piece: ImagePiece, otherwise: ImageDelivery | None = None) -> ImageData:
        data, how = piece.image or b"", self.delivery or otherwise
        url = None if how is ImageDelivery.B64 else self._address(data, how)
        text = None if how is ImageDelivery.URL else await self._text(data)
        return ImageData(url=url, b64_json=text, seed=piece.seed, size=_size(piece))

    def _address(self, data: bytes, how: ImageDelivery | None) -> str | None:
        """Where a picture can be fetched; one too large to be kept is told otherwise, if it may."""
        try:
            return self.hang(data)
        except InvalidInput:
            if how is ImageDelivery.URL:
                raise
            return None

    async def _text(self, data: bytes) -> str:
        self.hold(HELD * len(data))
        return await offload(len(data), _base64, data)


def _steps(kind: str, piece: ImagePiece) -> Iterator[bytes]:
    if piece.step:
        yield _event(
            f"{kind}.step",
            index=piece.index,
            step=piece.step,
            steps=piece.steps,
            created_at=int(time.time()),
        )


def _size(piece: ImagePiece) -> str | None:
    return None if piece.size is None else "x".join(map(str, piece.size))


def _usage(used: ImageUsage) -> ImagesUsage:
    return ImagesUsage(
        input_tokens=used.prompt_tokens,
        input_tokens_details=ImageTokens(text_tokens=used.prompt_tokens),
        total_tokens=used.prompt_tokens,
        images=used.images,
        steps=used.steps,
        truncated=used.truncated,
    )


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii")


def _event(kind: str, **said: Any) -> bytes:
    return b"event: " + kind.encode() + b"\n" + event(msgspec.json.encode({"type": kind, **said}))
