"""Train a small chat model that answers simple questions and calls tools, and save it as Qwen3.

    PYTHONPATH=tools python -m tiny.train.chat tests/data/chat

The nine prompts that it is known to answer are in ``tiny.chat.prompts``. Takes about twenty
minutes on one core. The numbers depend on the processor and the version of PyTorch, so the
result is kept beside the tests instead of being made for them.

What is kept was made in two runs: 1500 steps with a first choice of conversations, then, from
there and at 0.6 of the rates, 1300 steps with these.
"""

from __future__ import annotations

import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import Qwen3Config, Qwen3ForCausalLM

from tiny.chat.dialogs import END, TEMPLATE, Dialog, answer, dialog, prompt
from tiny.chat.prompts import PROMPTS
from tiny.chat.tokenizer import SIZE, write_tokenizer
from tiny.decoder import Decoder, decoder_config
from tiny.files import write_json
from tiny.train.fit import adamw, fit

DECODER = Decoder(
    width=96, layers=2, heads=4, kv_heads=2, head=32, inner=256, positions=2048, qk_norm=True
)
STEPS = 3000
LAYER_RATE, RATE = 0.02, 3e-3
"""Highest rates of the matrices in the layers, and of all else."""

TOOLED, PLAIN = 8, 36
"""Conversations of a step with tools, and without."""

POOL = 8
"""Steps whose conversations are put in order of length together."""

HEAD = "<|im_start|>assistant\n"


class Reader:
    """Conversations as the model reads them.

    Args:
        folder: The checkpoint's tokenizer.
    """

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        (self.end,) = self.ids(END)
        self.head = self.ids(HEAD)

    def ids(self, text: str) -> list[int]:
        """The tokens of a text."""
        found: list[int] = self._tokenizer.encode(text).ids
        return found

    def text(self, ids: list[int]) -> str:
        """The text of tokens."""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=False)
        return text

    def row(self, one: Dialog) -> tuple[list[int], list[bool]]:
        """A conversation, and which of its tokens the model itself says."""
        before, after = self.ids(one.prompt), [*self.ids(one.answer), self.end]
        return before + after, self._own(before) + [True] * len(after)

    def _own(self, ids: list[int]) -> list[bool]:
        """Which tokens the model said in earlier turns."""
        own, begun = [False] * len(ids), 0
        for place, token in enumerate(ids):
            if ids[place - len(self.head) : place] == self.head:
                begun = place
            if begun and token == self.end:
                own[begun : place + 1] = [True] * (place + 1 - begun)
                begun = 0
        return own


def batches(reader: Reader, rng: random.Random, *, tools: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """Tokens and the places of those to be learned, shape ``(N, T)`` each, without end."""
    size = TOOLED if tools else PLAIN
    while True:
        rows = [reader.row(dialog(rng, tools=tools)) for _ in range(POOL * size)]
        rows.sort(key=lambda row: len(row[0]))
        for start in rng.sample(range(0, len(rows), size), POOL):
            part = rows[start : start + size]
            longest = len(part[-1][0])
            ids = torch.tensor([row + [0] * (longest - len(row)) for row, _ in part])
            own = torch.tensor([own + [False] * (longest - len(own)) for _, own in part])
            yield ids, own


def loss(model: Qwen3ForCausalLM, ids: Tensor, own: Tensor) -> Tensor:
    """How surprising the model's own tokens are to it, in the mean.

    What fills rows up comes last, and no token sees later ones: no mask is needed.
    """
    states = model.model(ids[:, :-1], use_cache=False).last_hidden_state[own[:, 1:]]
    return torch.nn.functional.cross_entropy(model.lm_head(states), ids[:, 1:][own[:, 1:]])


def train(model: Any, reader: Reader, keep: Callable[[], None]) -> None:
    """Learn from conversations with tools and without; kept now and then on the way."""
    tooled = batches(reader, random.Random(2), tools=True)
    plain = batches(reader, random.Random(3), tools=False)

    def step(number: int) -> Tensor:
        if number and number % 500 == 0:
            keep()
        return (loss(model, *next(tooled)) + loss(model, *next(plain))) / 2

    layers = [p for p in model.model.layers.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if all(p is not layer for layer in layers)]
    muon = torch.optim.Muon(layers, lr=LAYER_RATE, weight_decay=0.01)
    fit(model, step, [muon, adamw(others, RATE)], steps=STEPS, warm=50, floor=0.02)


@torch.inference_mode()
def written(model: Any, reader: Reader, text: str) -> str:
    """How the model goes on, taking the likeliest token each time."""
    ids = torch.tensor([reader.ids(text)])
    made = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=120, do_sample=False,
        eos_token_id=reader.end, pad_token_id=0,
    )  # fmt: skip
    return reader.text(made[0, ids.shape[1] :].tolist()).removesuffix(END)


@torch.inference_mode()
def likeliest(model: Any, reader: Reader, one: Dialog) -> str:
    """The likeliest token in each place of an answer: the answer itself if all are right."""
    ids, _ = reader.row(one)
    start = len(reader.ids(one.prompt))
    return reader.text(model(torch.tensor([ids])).logits[0, start - 1 : -1].argmax(1).tolist())


def tell(model: Any, reader: Reader, count: int) -> None:
    """Tell how many of the nine prompts, and of new conversations, are answered rightly."""
    for one in PROMPTS:
        asked = prompt([{"role": "user", "content": one.user}], list(one.tools) or None)
        found = written(model, reader, asked)
        print(f"  {'right' if found == answer(one.said) else 'WRONG'} {one.name}: {found!r}")
    rng = random.Random(4)
    dialogs = [dialog(rng, tools=number % 2 == 0) for number in range(count)]
    right: Counter[str] = Counter()
    for new in dialogs:
        found = likeliest(model, reader, new).removesuffix(END)
        right[new.kind] += found == new.answer
        if found != new.answer:
            print(f"    {new.answer!r} was to be, was {found!r}")
    kinds = Counter(new.kind for new in dialogs)
    print("  " + ", ".join(f"{kind} {right[kind]}/{kinds[kind]}" for kind in sorted(kinds)))
    print(f"  right: {right.total()} of {count}", flush=True)


def write_reading(folder: Path) -> None:
    """Write the tokenizer, made from conversations, and the template."""
    rng = random.Random(1)
    texts = [dialog(rng, tools=number % 2 == 0) for number in range(3000)]
    write_tokenizer(folder, (t.prompt + t.answer for t in texts), TEMPLATE, DECODER.positions)


def write_settings(folder: Path, reader: Reader) -> Qwen3Config:
    """Write ``config.json`` and ``generation_config.json``."""
    ends = [reader.end, *reader.ids("<|endoftext|>")]
    config = decoder_config(
        DECODER,
        SIZE,
        "Qwen3ForCausalLM",
        model_type="qwen3",
        bos_token_id=ends[1],
        eos_token_id=ends[0],
        initializer_range=0.05,
        max_window_layers=DECODER.layers,
        rope_scaling=None,
        rope_theta=10000,
        sliding_window=None,
        tie_word_embeddings=True,
        torch_dtype="bfloat16",
        use_sliding_window=False,
    )
    write_json(folder / "config.json", config)
    generation = {"bos_token_id": ends[1], "eos_token_id": ends, "pad_token_id": ends[1]}
    write_json(folder / "generation_config.json", generation | {"do_sample": False})
    return Qwen3Config(**config)


def main(folder: Path) -> None:
    """Train, write the checkpoint in half precision, and tell how well it went."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_reading(folder)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    reader = Reader(folder)
    kind: Any = Qwen3ForCausalLM
    model = kind(write_settings(folder, reader)).float()
    train(model, reader, lambda: keep(model, folder, reader))
    keep(model, folder, reader)
    model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    tell(model, reader, 400)


def keep(model: Any, folder: Path, reader: Reader) -> None:
    """Write the weights in half precision, and tell how well it goes."""
    tensors = {n: t.bfloat16().contiguous() for n, t in model.state_dict().items()}
    tensors.pop("lm_head.weight")  # the same as the embeddings
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    tell(model, reader, 60)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
