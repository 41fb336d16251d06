"""CLIP ViT-L/14 on a GPU: pictures/s and texts/s against transformers in bf16."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoTokenizer, CLIPImageProcessor, CLIPModel

from benchmarks import gpu_models
from benchmarks.gpu_results import Row, rows_of
from benchmarks.gpu_texts import Encode, in_turn, likeness, ours, runner_of
from stelae.scheduler.runner import Runner
from stelae.types import EncodeCall, Item

NAME = "ViT-L-14"
PICTURES, TEXTS = 64, 256
"""In a batch of the library."""

Pixels = NDArray[np.uint8]


class Theirs:
    """transformers: what it needs from pixels or texts to vectors.

    Args:
        folder: The checkpoint.
        device: Where to run.
    """

    def __init__(self, folder: Path, device: str) -> None:
        self._model = CLIPModel.from_pretrained(folder).to(device, torch.bfloat16).eval()
        self._processor = CLIPImageProcessor.from_pretrained(folder)
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._device = device

    def prepared(self, pictures: Sequence[Pixels]) -> list[Tensor]:
        """Batches that the tower reads."""
        batches = _cut(pictures, PICTURES)
        return [
            self._processor(images=batch, return_tensors="pt")["pixel_values"] for batch in batches
        ]

    @torch.inference_mode()
    def seen(self, batches: Sequence[Tensor]) -> Tensor:
        """Vectors of prepared pictures."""
        moved = (batch.to(self._device, torch.bfloat16) for batch in batches)
        return torch.cat([_vectors(self._model.get_image_features(pixel_values=b)) for b in moved])

    def pictures(self, pictures: Sequence[Pixels]) -> Tensor:
        """Vectors of pictures."""
        return self.seen(self.prepared(pictures))

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Vectors of texts, sorted by length as sentence-transformers does, and padded."""
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        found = []
        for batch in _cut(order, TEXTS):
            given = self._tokenizer(
                [texts[place] for place in batch],
                padding=True,
                truncation=True,
                max_length=77,
                return_tensors="pt",
            ).to(self._device)
            found.append(_vectors(self._model.get_text_features(**given)))
        back = np.argsort(order)
        return torch.cat(found)[torch.from_numpy(back).to(self._device)]

    def flops(self, work: Callable[[], object]) -> int:
        """Arithmetic of something that this does."""
        with FlopCounterMode(display=False) as counter:
            work()
        total: int = counter.get_total_flops()
        return total


def _cut(things: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [things[start : start + size] for start in range(0, len(things), size)]


def _vectors(answer: Any) -> Tensor:
    """The projected vectors, whichever way a release gives them."""
    found: Tensor = answer if isinstance(answer, Tensor) else answer.pooler_output
    return found


def _pictures(runner: Runner) -> Encode:
    """Our vectors of pictures, from the scheduler."""

    def encode(pictures: Sequence[Pixels]) -> Any:
        items = [Item(pixels=pixels) for pixels in pictures]
        return runner.submit(EncodeCall(model=NAME, items=items)).result().dense

    return encode


def _tower(runner: Runner, pictures: Sequence[Pixels]) -> Callable[[], object]:
    """Our tower alone, on pictures that are prepared already."""
    engine: Any = runner.engine
    call = EncodeCall(model=NAME, items=[Item(pixels=pixels) for pixels in pictures])
    job = engine.open(call)
    features = [one.features for one in job.prepare(0, job.size)]
    return lambda: [engine.run(batch) for batch in _cut(features, PICTURES)]


def compared(count: int, rounds: int, device: str, rate: float, smoke: bool) -> list[Row]:
    """Pictures from their pixels, towers alone, and captions, in turn."""
    folder = gpu_models.clip_model(smoke)
    library, runner = Theirs(folder, device), runner_of(NAME, folder, device)
    pictures, texts = gpu_models.pictures(count), gpu_models.samples("captions", 8 * count)
    mine, said = _pictures(runner), ours(runner, NAME)
    rows = []
    likely = likeness(mine(pictures[:16]), library.pictures(pictures[:16]))
    taken = in_turn({"transformers": library.pictures, "stelae": mine}, pictures, rounds, device)
    rows += rows_of(f"{NAME}, pictures", "pictures", count, taken, None, likely)
    ready, tower = library.prepared(pictures), _tower(runner, pictures)
    both: dict[str, Encode] = {
        "transformers": lambda _: library.seen(ready),
        "stelae": lambda _: tower(),
    }
    taken = in_turn(both, pictures, rounds, device)
    work = library.flops(lambda: library.seen(ready)) / rate
    rows += rows_of(f"{NAME}, towers alone", "pictures", count, taken, work, likely)
    alike = likeness(said(texts[:64]), library.texts(texts[:64]))
    taken = in_turn({"transformers": library.texts, "stelae": said}, texts, rounds, device)
    rows += rows_of(f"{NAME}, captions", "texts", len(texts), taken, None, alike)
    runner.close()
    return rows
