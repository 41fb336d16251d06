"""Models that read aloud, asked directly; and what the library makes of the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BarkModel, BarkProcessor, VitsModel, VitsTokenizer

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import Device, EngineOptions, StreamEngine
from stelae.types import AudioFormat, ComputeDtype, SpeechCall, SpeechPiece

OPTIONS = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)

Floats = NDArray[np.float32]
Speech = StreamEngine[SpeechCall, SpeechPiece]


def load(folder: Path) -> Any:
    """The engine that is chosen for a checkpoint."""
    spec = Catalog([ModelEntry(name="voice", source=str(folder))]).spec("voice")
    return registry.load(registry.choose(spec).manifest, spec, OPTIONS)


@asynccontextmanager
async def speaking(folder: Path) -> AsyncIterator[Speech]:
    """An engine that reads aloud, for a while."""
    engine: Speech = load(folder)
    try:
        yield engine
    finally:
        await engine.aclose()


def asked(text: str, **options: Any) -> SpeechCall:
    """A call for samples and nothing else."""
    return SpeechCall(model="voice", text=text, format=AudioFormat.PCM, **options)


async def spoken(engine: Speech, call: SpeechCall) -> list[SpeechPiece]:
    """All pieces of an answer."""
    return [piece async for pieces in engine.stream(call) for piece in pieces]


async def heard(engine: Speech, text: str, **options: Any) -> Floats:
    """The samples of an answer, from -1 to 1."""
    pieces = await spoken(engine, asked(text, **options))
    return samples(b"".join(piece.audio for piece in pieces))


def samples(pcm: bytes) -> Floats:
    """Samples of 16 bits as numbers from -1 to 1."""
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32767


@torch.inference_mode()
def vits_says(folder: Path, sentences: list[str], seed: int, **options: Any) -> Floats:
    """What the library's own VITS says, sentence by sentence."""
    tokenizer = VitsTokenizer.from_pretrained(folder)
    model = VitsModel.from_pretrained(folder).eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        read = (tokenizer(sentence, return_tensors="pt") for sentence in sentences)
        return np.concatenate([model(**ids, **options).waveform[0].numpy() for ids in read])


@torch.no_grad()
def bark_says(folder: Path, sentences: list[str], seed: int, voice: str | None) -> Floats:
    """What the library's own Bark says, sentence by sentence."""
    processor = BarkProcessor.from_pretrained(folder)
    model = BarkModel.from_pretrained(folder).eval()
    room = model.generation_config.semantic_config["max_input_semantic_length"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        read = (processor(text, voice_preset=voice, max_length=room) for text in sentences)
        return np.concatenate([model.generate(**given)[0].numpy() for given in read])
