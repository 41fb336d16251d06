"""A small call whose answer shows that a model works."""

from __future__ import annotations

import io
import struct
import wave
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stelae.catalog.abilities import Extractor, Finding, ImageMode, Imaging
from stelae.cluster.deployment import Deployment
from stelae.errors import EngineFailed, StelaeError, from_info
from stelae.types import (
    AudioFormat,
    ChatCall,
    Delta,
    EncodeCall,
    EncodeResult,
    ExtractCall,
    ExtractResult,
    ImageCall,
    ImagePiece,
    Item,
    Message,
    Modality,
    Sampling,
    ScoreCall,
    ScoreResult,
    Speaker,
    SpeechCall,
    SpeechPiece,
    Task,
    TextPart,
    TranscribeCall,
    TranscribePiece,
)

TEXT = "A canary sings while the air is good."

LABELS = ("animal", "place")
"""What is looked for in it, by models that are told what to look for."""

RATE = 16_000
"""Samples per second of the recording for models that listen."""

LOUD, HALF_WAVE = 4096, 40
"""Its largest sample, and the samples for which its tone of 200 hertz stays high or low."""

SIDE = 32
"""Height and width of the picture for models that read no text."""


Canary = EncodeCall | ScoreCall | ExtractCall | ChatCall | ImageCall | TranscribeCall | SpeechCall


def canary_call(deployment: Deployment) -> Canary:
    """The call to try a model with: all that it makes of an item, or else a
    score, or what it finds, or one token; a picture in one step, a quarter of a second of
    a tone, or a few words read aloud.
    """
    name, spec = deployment.name, deployment.spec
    if spec.imaging is not None:
        return _image_call(name, spec.imaging)
    if spec.hearing is not None:
        return TranscribeCall(model=name, audio=_tone(), temperatures=(0.0,))
    if spec.speaking is not None:
        return SpeechCall(model=name, text="A canary.", seed=0, format=AudioFormat.PCM)
    if Task.CHAT in spec.tasks:
        said = Message(role=Speaker.USER, content=[TextPart(text=TEXT)])
        return ChatCall(
            model=name, messages=[said], sampling=Sampling(max_tokens=1, temperature=0.0)
        )
    item = Item(text=TEXT) if Modality.TEXT in spec.inputs else Item(pixels=_picture())
    if Task.ENCODE in spec.tasks:
        return EncodeCall(model=name, items=[item], outputs=spec.outputs)
    if spec.extraction is not None and Task.SCORE not in spec.tasks:
        return _extract_call(name, spec.extraction, item)
    return ScoreCall(model=name, query=item, documents=[item])


def _image_call(name: str, imaging: Imaging) -> ImageCall:
    """The smallest picture, made of what the model makes pictures from."""
    side, modes = imaging.sides[0], imaging.modes
    given = [] if ImageMode.TEXT in modes else [_bitmap(side)]
    mask = None if {ImageMode.TEXT, ImageMode.IMAGE} & {*modes} else _bitmap(side)
    strength = 1.0 if given else None
    return ImageCall(
        model=name,
        prompt="a canary",
        images=given,
        mask=mask,
        size=(side, side),
        steps=1,
        strength=strength,
        seed=0,
    )


def _bitmap(side: int) -> bytes:
    """A white picture whose sides are multiples of 4, as a BMP file of 8 bits per colour.

    Source:
        BITMAPFILEHEADER and BITMAPINFOHEADER of the Windows documentation.
    """
    head, pixels = 54, b"\xff" * (3 * side * side)
    file = struct.pack("<2sIHHI", b"BM", head + len(pixels), 0, 0, head)
    return file + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0) + pixels


def _extract_call(name: str, extraction: Extractor, item: Item) -> ExtractCall:
    """What to find; models that write are told no labels, and write two tokens."""
    if Finding.DATA in extraction.finds:
        return ExtractCall(model=name, items=[item], max_new_tokens=2)
    labels = () if extraction.labels else LABELS
    return ExtractCall(model=name, items=[item], labels=labels)


def _tone() -> bytes:
    """A quarter of a second of one, as a WAV file; of silence no model is asked anything."""
    high, low = struct.pack("<h", LOUD), struct.pack("<h", -LOUD)
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes((high * HALF_WAVE + low * HALF_WAVE) * (RATE // 4 // (2 * HALF_WAVE)))
    return file.getvalue()


def _picture() -> NDArray[np.uint8]:
    return np.arange(3 * SIDE * SIDE, dtype=np.uint32).astype(np.uint8).reshape(SIDE, SIDE, 3)


def judge(result: Any) -> StelaeError | None:
    """What is wrong with the answer to the canary, if anything."""
    if isinstance(result, Delta | ImagePiece | TranscribePiece | SpeechPiece):
        return None
    if not isinstance(result, EncodeResult | ScoreResult | ExtractResult):
        return EngineFailed(f"the health check was answered by a {type(result).__name__}")
    if result.errors:
        return from_info(next(iter(result.errors.values())))
    if isinstance(result, ExtractResult):
        return None
    numbers = _numbers(result)
    if not numbers or not all(np.isfinite(values).all() for values in numbers):
        return EngineFailed("the health check was answered by numbers that are not finite")
    return None


def _numbers(result: EncodeResult | ScoreResult) -> list[NDArray[Any]]:
    if isinstance(result, ScoreResult):
        return [result.scores]
    columns = (result.sparse, result.multivector)
    made = [result.dense, *(column.values for column in columns if column is not None)]
    return [values for values in made if values is not None]
