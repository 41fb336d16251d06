"""Train a small CLIP on coloured shapes, and save it in the layout of transformers.

    PYTHONPATH=tools python -m tiny.train.clip_shapes tests/data/clip-shapes

Takes about a minute. The numbers depend on the processor and the version of PyTorch, so
the result is kept beside the tests instead of being made for them.
"""

from __future__ import annotations

import random
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import CLIPConfig, CLIPModel

from stelae.catalog.processing import read_processing
from stelae.images.preprocess import preprocess
from tiny.clip_bpe import write_clip_bpe
from tiny.files import write_json
from tiny.shapes import KINDS, PATTERNS, Kind, caption, draw
from tiny.train.fit import adamw, fit
from tiny.vision import clip_config, write_processing

STEPS = 1800
WARM = 50
RATE = 2e-3
BANK = 200
"""Pictures of each kind that are learned from."""

LENGTH = 16
WORDS = tuple(dict.fromkeys(" ".join(caption(k, p) for k in KINDS for p in PATTERNS).split()))


class Shop:
    """Pictures and captions as the model reads them.

    Args:
        folder: The checkpoint's tokenizer and processing.
    """

    def __init__(self, folder: Path) -> None:
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.end = self.tokenizer.get_vocab_size() - 1
        self.processing = read_processing(folder, "")

    def texts(self, captions: list[str]) -> dict[str, Tensor]:
        """Token ids, filled up, and which of them count."""
        rows = [self.tokenizer.encode(text).ids for text in captions]
        ids = torch.full((len(rows), LENGTH), self.end)
        mask = torch.zeros(len(rows), LENGTH, dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
            mask[i, : len(row)] = 1
        return {"input_ids": ids, "attention_mask": mask}

    def picture(self, kind: Kind, rng: random.Random) -> Tensor:
        """A fresh picture, shape ``(3, H, W)``."""
        values = preprocess(draw(kind, rng), self.processing)
        return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))


def train(model: CLIPModel, shop: Shop, rng: random.Random) -> None:
    """Bring each picture near its own caption, away from the other 31."""
    bank = {kind: [shop.picture(kind, rng) for _ in range(BANK)] for kind in KINDS}

    def loss(_: int) -> Tensor:
        pixels = torch.stack([rng.choice(bank[kind]) for kind in KINDS])
        captions = [caption(kind, rng.choice(PATTERNS)) for kind in KINDS]
        found: Tensor = model(pixel_values=pixels, **shop.texts(captions), return_loss=True).loss
        return found

    fit(model, loss, [adamw(model.parameters(), RATE)], steps=STEPS, warm=WARM, floor=0.05)


@torch.no_grad()
def right(model: CLIPModel, shop: Shop, rng: random.Random) -> float:
    """Share of new pictures whose own caption, of all, is the nearest."""
    pixels = torch.stack([shop.picture(kind, rng) for kind in KINDS for _ in range(8)])
    texts = shop.texts([caption(kind) for kind in KINDS])
    best = model(pixel_values=pixels, **texts).logits_per_image.argmax(1)
    return float((best == torch.arange(len(KINDS)).repeat_interleave(8)).float().mean())


def main(folder: Path) -> None:
    """Train, tell how well it went, and write the checkpoint in half precision."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    vocabulary = write_clip_bpe(folder, WORDS)
    write_processing(folder)
    config = clip_config(vocabulary)
    write_json(folder / "config.json", config)
    torch.manual_seed(0)
    rng = random.Random(1)
    model, shop = CLIPModel(CLIPConfig(**config)), Shop(folder)
    train(model, shop, rng)
    tensors = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    model.load_state_dict(tensors)
    print(f"  right caption of {len(KINDS)}: {right(model, shop, rng):.3f}")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
