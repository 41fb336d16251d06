"""Recordings made by numpy, and models that listen to them."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stelae.catalog.checkpoint import read_spec
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import ModelSpec, Source
from stelae.engines import registry
from stelae.engines.base import AnyStreamEngine, EngineOptions, StreamEngine
from stelae.types import Segment, TranscribeCall, TranscribePiece

RATE = 16_000
NAME = "ears"


def noise(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """Sound in which nothing is said, the same each time."""
    numbers = np.random.default_rng(seed).normal(0.0, 0.1, round(seconds * RATE))
    return numbers.astype(np.float32)


def wav(samples: NDArray[np.float32], rate: int = RATE) -> bytes:
    """A WAV file with 16 bits a sample."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes((np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes())
    return file.getvalue()


def listener(folder: Path) -> ModelSpec:
    """What a checkpoint is."""
    source = Source(kind="folder", location=str(folder))
    return read_spec(folder, ModelEntry(name=NAME, source=str(folder)), source)


def opened(folder: Path, engine: str | None = None, **options: Any) -> AnyStreamEngine:
    """A checkpoint, loaded by the engine of that name or by the best."""
    spec = listener(folder)
    chosen = registry.choose(spec, engine)
    _, loaded = registry.load_chosen(chosen, spec, EngineOptions(**{"threads": 1, **options}))
    assert isinstance(loaded, StreamEngine)
    return loaded


def asked(samples: NDArray[np.float32], **options: Any) -> TranscribeCall:
    """A call for what is said in samples."""
    return TranscribeCall(model=NAME, audio=wav(samples), **options)


async def heard(engine: AnyStreamEngine, call: TranscribeCall) -> list[TranscribePiece]:
    """All pieces of an answer."""
    stream: AsyncGenerator[list[TranscribePiece]] = engine.stream(call)
    return [piece async for pieces in stream for piece in pieces]


def segments(pieces: Sequence[TranscribePiece]) -> list[Segment]:
    """The segments among pieces."""
    return [piece.segment for piece in pieces if piece.segment is not None]


def text(pieces: Sequence[TranscribePiece]) -> str:
    """All that is said."""
    return "".join(segment.text for segment in segments(pieces))
