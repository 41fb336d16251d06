"""Conversations for language models, and what ``transformers.generate`` says to them."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import StreamEngine
from stelae.types import ChatCall, Delta, Message, Sampling, Speaker, TextPart

NEW = 40
PROMPTS = [
    f"The river number {i} flows " + "to the sea and back again " * (i % 7) for i in range(16)
]


def spec_of(zoo: Path, name: str) -> ModelSpec:
    return Catalog([ModelEntry(name="tiny", source=str(zoo / name))]).spec("tiny")


def chat(text: str, **sampling: object) -> ChatCall:
    given = {"max_tokens": NEW, "temperature": 0.0, **sampling}
    how = Sampling(**given)  # type: ignore[arg-type]  # fields of several types
    said = Message(role=Speaker.USER, content=[TextPart(text=text)])
    return ChatCall(model="tiny", messages=[said], sampling=how)


async def written(engine: StreamEngine[ChatCall, Delta], call: ChatCall) -> list[Delta]:
    return [piece async for made in engine.stream(call) for piece in made]


def tokens(pieces: list[Delta], index: int = 0) -> list[int]:
    return [token for piece in pieces if piece.index == index for token in piece.tokens]


def text(pieces: list[Delta], index: int = 0) -> str:
    return "".join(piece.text for piece in pieces if piece.index == index)


def prompt_ids(folder: Path, said: str) -> list[int]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    made = tokenizer.apply_chat_template(
        [{"role": "user", "content": said}], add_generation_prompt=True, return_dict=True
    )
    ids: list[int] = made["input_ids"]
    return ids


@torch.inference_mode()
def expected(model: transformers.PreTrainedModel, ids: list[int], most: int = NEW) -> list[int]:
    given = torch.tensor([ids])
    made = model.generate(
        given,
        attention_mask=torch.ones_like(given),
        max_new_tokens=most,
        do_sample=False,
        pad_token_id=0,
    )[0, len(ids) :].tolist()
    ends = model.generation_config.eos_token_id
    return [t for t in made if t not in (ends if isinstance(ends, list) else [ends])]


@torch.inference_mode()
def same(model: transformers.PreTrainedModel, ids: list[int], a: list[int], b: list[int]) -> bool:
    """Whether two texts are one, or part at a near tie: scores within 1e-3 of each other."""
    if a == b:
        return True
    split = next(i for i, pair in enumerate(zip(a, b, strict=False)) if pair[0] != pair[1])
    scores = model(torch.tensor([ids + a[:split]])).logits[0, -1]
    return abs(float(scores[a[split]] - scores[b[split]])) < 1e-3
