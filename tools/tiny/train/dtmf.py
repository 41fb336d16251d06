"""Train a small Whisper that writes down telephone tones, and save it in the library's layout.

    for run in 1 2 3 4; do PYTHONPATH=tools python -m tiny.train.dtmf tests/data/dtmf $run; done

It hears what ``tiny.tones`` makes: up to 30 seconds of phrases of up to three digits. It writes
them with times or without, tells English from German, writes German in English if asked to
translate, and tells silence from tones. The runs take about half an hour on one core. The
numbers depend on the processor and the version of PyTorch, so the result is kept beside the
tests instead of being made for them.

Most steps of the first two runs see eight seconds somewhere in the window of 30, which is a tenth
of the work. In the others the encoder stays as it is, so that each window need be encoded only
once. The token of a time starts as the position that it names.

What is kept was made with the first run ended after 1600 steps and the second after 525, and
phrases of up to eight digits in the first.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import WhisperConfig, WhisperForConditionalGeneration

from tiny.bpe import merges_of
from tiny.files import write_json
from tiny.hearing import Ears, write_all_but_weights
from tiny.tones import RATE, WORDS, dtmf, words
from tiny.train.dtmf_examples import Example, Ids, Writer
from tiny.train.dtmf_plans import LONG, PLANS, Bank, Plan, reader
from tiny.train.fit import adamw, fit

EARS = Ears(languages=("en", "de"), seconds=30, width=64, written=256)
LAYER_RATE, REST_RATE = 0.02, 3e-3
"""Highest rates of the matrices in the layers, and of all else."""


POINTERS = [[1, head] for head in range(EARS.heads)]
"""Layers and heads of the decoder that look at the tone they write: 93 to 96 of 100 times."""


def letters(word: str) -> str:
    """A word as byte-level tokenizers write it, with the blank before it."""
    shown = {byte: chr(byte) for byte in (*range(33, 127), *range(161, 173), *range(174, 256))}
    hidden = [byte for byte in range(256) if byte not in shown]
    return "".join(
        shown[byte] if byte in shown else chr(256 + hidden.index(byte))
        for byte in f" {word}".encode()
    )


def write_files(folder: Path) -> Ids:
    """Write all but the weights."""
    merges = merges_of(letters(word) for said in WORDS.values() for word in said)
    write_all_but_weights(folder, EARS, merges)
    path = folder / "generation_config.json"
    settings = json.loads(path.read_text())
    ids = Ids(folder)
    quiet = {"suppress_tokens": [], "begin_suppress_tokens": ids.text(" ")}
    write_json(path, settings | quiet | {"alignment_heads": POINTERS})
    write_json(folder / "config.json", json.loads((folder / "config.json").read_text()) | quiet)
    return ids


def built(folder: Path, ids: Ids) -> Any:
    """A model that has learned nothing; the tokens of times begin as the positions they name."""
    config = WhisperConfig.from_pretrained(folder, init_std=0.05)
    kind: Any = WhisperForConditionalGeneration
    model = kind(config).float()
    table = model.model.decoder.embed_tokens.weight.data
    places = model.model.encoder.embed_positions.weight
    table[ids.first_time : ids.first_time + len(places)] = 0.15 * places
    return model


class Trainer:
    """What a step needs.

    Args:
        model: What learns.
        ids: Its tokens.
        plan: What it sees.
    """

    def __init__(self, model: Any, ids: Ids, plan: Plan) -> None:
        self._model, self._plan = model, plan
        self._rng = rng = random.Random(plan.steps)
        self._writer = Writer(ids, rng)
        seen = {stretch for turns in plan.turns.values() for stretch in turns}
        self._banks = {
            one: Bank(rng, one, self._kept) for one in sorted(seen, key=lambda one: one.seconds)
        }

    def loss(self, number: int) -> Tensor:
        """How surprising the right tokens are in a step, in the mean."""
        stretch = self._plan.stretch(number)
        room = round((LONG.seconds - stretch.seconds) * 10)
        offset = self._rng.choice((0, self._rng.randint(0, room))) / 10
        shown, sound = self._banks[stretch].take()
        tokens, wanted = self._rows(shown, offset)
        heard = self._heard(sound, round(offset * 50)) if self._plan.encoder else sound
        decoder = self._model.model.decoder
        states = decoder(input_ids=tokens, encoder_hidden_states=heard, use_cache=False)
        known = wanted != -100
        logits = self._model.proj_out(states.last_hidden_state[known])
        return torch.nn.functional.cross_entropy(logits, wanted[known])

    def _rows(self, shown: list[Example], offset: float) -> tuple[Tensor, Tensor]:
        rows = [self._writer.row(one, offset) for one in shown]
        longest = max(len(tokens) for tokens, _ in rows)
        tokens = torch.tensor([row + [0] * (longest - len(row)) for row, _ in rows])
        return tokens, torch.tensor([row + [-100] * (longest - len(row)) for _, row in rows])

    @torch.no_grad()
    def _kept(self, sound: Tensor) -> Tensor:
        return sound if self._plan.encoder else self._heard(sound, 0)

    def _heard(self, sound: Tensor, begin: int) -> Tensor:
        """What the encoder makes of a stretch that begins at a position of the window."""
        encoder = self._model.model.encoder
        states = torch.nn.functional.gelu(encoder.conv1(sound))
        states = torch.nn.functional.gelu(encoder.conv2(states)).transpose(1, 2)
        states = states + encoder.embed_positions.weight[begin : begin + states.shape[1]]
        for layer in encoder.layers:
            states = layer(states, None)
        found: Tensor = encoder.layer_norm(states)
        return found


def train(model: Any, ids: Ids, plan: Plan, keep: Callable[[], None]) -> None:
    """Learn; kept now and then on the way."""
    trainer = Trainer(model, ids, plan)

    def step(number: int) -> Tensor:
        if number and number % 225 == 0:
            keep()
        return trainer.loss(number)

    inner = [*model.model.encoder.layers.parameters(), *model.model.decoder.layers.parameters()]
    layers = [p for p in inner if p.ndim == 2]
    others = [
        p for p in model.parameters() if p.requires_grad and all(p is not one for one in layers)
    ]
    muon = torch.optim.Muon(layers, lr=plan.share * LAYER_RATE, weight_decay=0.01)
    rest = adamw(others, plan.share * REST_RATE)
    fit(model, step, [muon, rest], steps=plan.steps, warm=50, floor=0.02)


@torch.inference_mode()
def right(model: Any, ids: Ids, count: int, *, timed: bool) -> int:
    """How many new strings of one to eight digits are written down without a mistake."""
    rng, features, found = random.Random(5), reader(), 0
    for seed in range(count):
        digits = "".join(rng.choice("0123456789") for _ in range(rng.randint(1, 8)))
        sound = features(dtmf(digits, seed), sampling_rate=RATE, return_tensors="pt")
        made = model.generate(
            **sound, language="en", task="transcribe", return_timestamps=timed, max_new_tokens=60
        )[0].tolist()
        said = [token for token in made if token < ids.end]
        found += said == ids.text(words(digits))
    return found


def main(folder: Path, run: str) -> None:
    """Train, write the checkpoint, and tell how well it went."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if run == "1":
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_files(folder)
    ids = Ids(folder)
    model = built(folder, ids)
    if run != "1":
        model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    train(model, ids, PLANS[run], lambda: keep(model, folder, ids))
    keep(model, folder, ids)


def keep(model: Any, folder: Path, ids: Ids) -> None:
    """Write the weights, and tell how well it goes."""
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    tensors.pop("proj_out.weight")  # the same as the embeddings
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    kind: Any = WhisperForConditionalGeneration
    saved = kind.from_pretrained(folder).eval()
    plain, timed = (right(saved, ids, 20, timed=timed) for timed in (False, True))
    print(f"  right of 20: {plain} plain, {timed} with times", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
