"""Conversations with pictures, compared with ``transformers.generate``, alone and in company."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from msgspec.structs import replace
from PIL import Image

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines.base import Device, EngineOptions
from stelae.engines.chat import loop
from stelae.engines.chat.engine import LoopEngine
from stelae.engines.transformers_text import engine as engines
from stelae.errors import InputTooLong, InvalidInput
from stelae.types import (
    ChatCall,
    ComputeDtype,
    ImagePart,
    Message,
    Modality,
    Sampling,
    Speaker,
    TextPart,
)

NEW = 16
SIZES = [(70, 90), (160, 40), (56, 56)]


def picture(width: int, height: int, seed: int = 0) -> bytes:
    pixels = np.random.default_rng([seed, width]).integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def chat(*parts: str | bytes) -> ChatCall:
    content = [
        TextPart(text=part) if isinstance(part, str) else ImagePart(image=part) for part in parts
    ]
    how = Sampling(max_tokens=NEW, temperature=0.0, logprobs=True)
    said = Message(role=Speaker.USER, content=content)
    return ChatCall(model="tiny", messages=[said], sampling=how)


CALLS = [
    chat("What is this? ", picture(*SIZES[0])),
    chat(picture(*SIZES[1]), " and ", picture(*SIZES[2]), ": which is larger?"),
    chat("Nothing to see here."),
    chat(picture(*SIZES[2], seed=5)),
]


@pytest.fixture(params=["qwen2-vl-chat", "qwen2-5-vl-chat"], scope="module")
def folder(request: pytest.FixtureRequest, zoo: Path) -> Path:
    return zoo / str(request.param)


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[LoopEngine]:
    spec = Catalog([ModelEntry(name="tiny", source=str(folder))]).spec("tiny")
    assert spec.inputs == (Modality.TEXT, Modality.IMAGE)
    options = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
    made = engines.load(spec, options)
    yield made
    made._loop.close()


class Reference:
    """The library's own model and processor, asked as its documentation does."""

    def __init__(self, folder: Path) -> None:
        kind = transformers.AutoModelForImageTextToText
        self.model = kind.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.eyes = transformers.Qwen2VLImageProcessorPil.from_pretrained(folder)

    def expected(self, call: ChatCall) -> tuple[list[int], list[float]]:
        """Tokens of a greedy answer, and the log-probability of each."""
        inputs = self._inputs(call)
        made = self.model.generate(
            **inputs,
            max_new_tokens=NEW,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
        )
        tokens = made.sequences[0, inputs["input_ids"].shape[1] :].tolist()
        scores = [logits[0].log_softmax(-1) for logits in made.logits]
        return tokens, [float(row[token]) for row, token in zip(scores, tokens, strict=True)]

    def _inputs(self, call: ChatCall) -> dict[str, torch.Tensor]:
        parts = [
            {"type": "image"}
            if isinstance(part, ImagePart)
            else {"type": "text", "text": part.text}
            for part in call.messages[0].content
        ]
        text = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": parts}], add_generation_prompt=True, tokenize=False
        )
        images = [Image.open(io.BytesIO(image)) for image in call.messages[0].images]
        if not images:
            ids = self.tokenizer(text, return_tensors="pt")["input_ids"]
            return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        seen = self.eyes(images, return_tensors="pt")
        for grid in seen["image_grid_thw"]:
            text = text.replace("<|image_pad|>", "<|put|>" * (int(grid.prod()) // 4), 1)
        ids = self.tokenizer(text.replace("<|put|>", "<|image_pad|>"), return_tensors="pt")
        given = ids["input_ids"]
        kinds = (given == self.model.config.image_token_id).long()
        return {
            "input_ids": given,
            "attention_mask": torch.ones_like(given),
            "mm_token_type_ids": kinds,
            **seen,
        }


@pytest.fixture(scope="module")
def reference(folder: Path) -> Reference:
    return Reference(folder)


async def written(engine: LoopEngine, call: ChatCall) -> tuple[list[int], list[float]]:
    """Tokens, and the log-probability of each."""
    pieces = [piece async for made in engine.stream(call) for piece in made]
    told = [told for piece in pieces for told in piece.logprobs]
    return [one.id for one in told], [one.logprob for one in told]


@pytest.mark.parametrize("place", range(len(CALLS)))
async def test_a_greedy_answer_equals_the_reference(
    engine: LoopEngine, reference: Reference, place: int
) -> None:
    tokens, logprobs = await written(engine, CALLS[place])
    wanted, told = reference.expected(CALLS[place])
    assert len(tokens) in (len(wanted), len(wanted) - 1)  # the one that ends it is not part of it
    assert tokens == wanted[: len(tokens)]
    assert logprobs == pytest.approx(told[: len(tokens)], abs=1e-4)


async def test_company_changes_nothing(engine: LoopEngine) -> None:
    alone = [await written(engine, call) for call in CALLS]
    engine._loop._prefixes.fit(places=0)
    together = await asyncio.gather(*(written(engine, call) for call in CALLS))
    assert [tokens for tokens, _ in together] == [tokens for tokens, _ in alone]


async def test_pictures_may_be_read_in_parts(
    engine: LoopEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [await written(engine, call) for call in CALLS]
    engine._loop._prefixes.fit(places=0)
    monkeypatch.setattr(loop, "STEP_TOKENS", 7)
    assert [(await written(engine, call))[0] for call in CALLS] == [tokens for tokens, _ in alone]


async def test_another_picture_is_not_taken_for_one_seen_before(engine: LoopEngine) -> None:
    first = await written(engine, CALLS[0])
    other = await written(engine, chat("What is this? ", picture(*SIZES[0], seed=9)))
    assert other[1] != pytest.approx(first[1], abs=1e-4)


async def test_what_is_no_picture_is_refused_and_neighbours_go_on(engine: LoopEngine) -> None:
    broken = written(engine, chat("What is this? ", b"no picture"))
    whole = written(engine, CALLS[0])
    results = await asyncio.gather(broken, whole, return_exceptions=True)
    assert isinstance(results[0], InvalidInput)
    assert not isinstance(results[1], BaseException)


async def test_a_sign_of_a_picture_that_is_typed_is_no_picture(engine: LoopEngine) -> None:
    tokens, _ = await written(engine, chat("<|image_pad|>", picture(*SIZES[0])))
    assert len(tokens) > 0


async def test_too_many_pictures_are_too_long(engine: LoopEngine) -> None:
    many = [picture(112, 112, seed) for seed in range(40)]
    with pytest.raises(InputTooLong):
        await written(engine, replace(chat(*many)))
