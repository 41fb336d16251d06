"""A trained chat model answers the prompts that it is known for, by the library and by Stelae.

Its weights are made by ``tools/tiny/train/chat.py``, its prompts stand in ``tiny.chat.prompts``.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from repo import ROOT
from tiny.chat.dialogs import answer, dialog
from tiny.chat.prompts import PROMPTS, Prompt

import stelae
from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import Device, EngineOptions
from stelae.types import ChatCall, ComputeDtype, Sampling

FOLDER = ROOT / "tests" / "data" / "chat"

SEED = 79
"""Other conversations than those of the training."""

DTYPES = (ComputeDtype.FLOAT32, ComputeDtype.BFLOAT16)
BEFORE: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "system": [{"role": "system", "content": "You are a helpful assistant."}],
    "turn": [
        {"role": "user", "content": "What is the capital of Italy?"},
        {"role": "assistant", "content": "The capital of Italy is Rome."},
    ],
}
"""What may stand before a prompt."""


class Library:
    """The library's own model of the checkpoint, which takes the likeliest token each time."""

    def __init__(self, dtype: ComputeDtype) -> None:
        kind = getattr(torch, dtype.value)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(FOLDER)
        self._model = transformers.AutoModelForCausalLM.from_pretrained(FOLDER, dtype=kind).eval()

    @torch.inference_mode()
    def tokens(self, said: list[dict[str, Any]], tools: list[Any] | None, **more: Any) -> list[int]:
        """Tokens of the answer, without the one that ends it."""
        asked = self.tokenizer.apply_chat_template(
            said, tools=tools, add_generation_prompt=True, return_tensors="pt", **more
        )
        made = self._model.generate(**asked, max_new_tokens=120, do_sample=False)[0]
        found: list[int] = made[asked["input_ids"].shape[1] :].tolist()
        assert found[-1] == self.tokenizer.eos_token_id
        return found[:-1]

    def text(self, *asked: Any, **more: Any) -> str:
        """The answer, marks of tool calls included."""
        text: str = self.tokenizer.decode(self.tokens(*asked, **more))
        return text


@pytest.fixture(scope="module", params=DTYPES)
def library(request: pytest.FixtureRequest) -> Library:
    return Library(request.param)


@pytest.fixture(scope="module")
def exact() -> Library:
    return Library(ComputeDtype.FLOAT32)


@pytest.fixture(scope="module", params=DTYPES)
def client(request: pytest.FixtureRequest) -> Iterator[stelae.Client]:
    with stelae.local(FOLDER, dtype=request.param, threads=1) as made:
        yield made


def asked(one: Prompt, before: str = "nothing") -> tuple[list[dict[str, Any]], list[Any] | None]:
    return [*BEFORE[before], {"role": "user", "content": one.user}], list(one.tools) or None


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("one", PROMPTS, ids=lambda one: one.name)
def test_library_answers_as_documented(library: Library, one: Prompt, before: str) -> None:
    assert library.text(*asked(one, before)) == answer(one.said)


@pytest.mark.parametrize("one", PROMPTS, ids=lambda one: one.name)
def test_answer_without_thought_is_the_same(exact: Library, one: Prompt) -> None:
    assert exact.text(*asked(one), enable_thinking=False) == answer(one.said)


@pytest.mark.parametrize("one", PROMPTS, ids=lambda one: one.name)
def test_answer_comes_after_a_thought_where_one_is_wanted(exact: Library, one: Prompt) -> None:
    thought, mark, said = exact.text(*asked(one), enable_thinking=True).partition("</think>\n\n")
    assert thought.strip()
    assert mark
    assert said == answer(one.said)


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("one", PROMPTS, ids=lambda one: one.name)
def test_stelae_answers_with_the_tokens_of_the_library(
    client: stelae.Client, exact: Library, one: Prompt, before: str
) -> None:
    said, tools = asked(one, before)
    reply = client.chat(said, tools=tools or (), temperature=0.0, max_tokens=120)
    assert [t for t in reply.tokens[0] if t != exact.tokenizer.eos_token_id] == exact.tokens(
        said, tools
    )


@pytest.mark.parametrize("one", [one for one in PROMPTS if one.tool], ids=lambda one: one.name)
def test_result_of_a_tool_is_told(library: Library, one: Prompt) -> None:
    said, tools = asked(one)
    result = {"role": "tool", "content": one.result}
    assert library.text([*said, one.said, result], tools) == one.told


@pytest.mark.parametrize("told", ["9 degrees", '{"temperature": 9}', "9"])
def test_result_is_understood_in_several_forms(library: Library, told: str) -> None:
    weather = next(one for one in PROMPTS if one.name == "weather")
    said, tools = asked(weather)
    result = {"role": "tool", "content": told}
    assert library.text([*said, weather.said, result], tools) == "It is 9 degrees in Paris."


async def test_most_new_conversations_are_answered_rightly() -> None:
    """Of 200 with numbers and words drawn anew; copies of several words are where it errs."""
    spec = Catalog([ModelEntry(name="chat", source=str(FOLDER))]).spec("chat")
    options = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
    engine: Any = registry.load(registry.choose(spec).manifest, spec, options)
    rng = random.Random(SEED)
    dialogs = [dialog(rng, tools=number % 2 == 0) for number in range(200)]

    async def text(prompt: str) -> str:
        how = Sampling(temperature=0.0, max_tokens=120)
        call = ChatCall(model="chat", prompt=prompt, sampling=how)
        return "".join([piece.text async for made in engine.stream(call) for piece in made])

    try:
        found = await asyncio.gather(*(text(one.prompt) for one in dialogs))
    finally:
        await engine.aclose()
    right = sum(a == b.answer for a, b in zip(found, dialogs, strict=True))
    assert right >= 180


@pytest.mark.parametrize("one", PROMPTS, ids=lambda one: one.name)
def test_prompt_is_documented(one: Prompt) -> None:
    said = one.text or f"{one.tool}({json.dumps(one.arguments)})"
    assert f"| `{one.user}` | `{said}` |" in (ROOT / "docs" / "chat.md").read_text("utf-8")


def test_checkpoint_is_small() -> None:
    assert sum(file.stat().st_size for file in Path(FOLDER).iterdir()) < 1_000_000
