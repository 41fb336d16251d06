"""Texts of a model with random weights, held to forms: always whole, and no matter to others."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fix_schemas import Schema, schemas
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tokenizers import Tokenizer

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines.base import Device, EngineOptions
from stelae.engines.chat.engine import LoopEngine
from stelae.engines.transformers_text import engine as engines
from stelae.errors import InvalidInput
from stelae.types import (
    ChatCall,
    ComputeDtype,
    Delta,
    Finish,
    Message,
    NamedTool,
    Sampling,
    Speaker,
    Structure,
    TextPart,
)

OPTIONS = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
LONG = None


@pytest.fixture(scope="module")
def folder(zoo: Path) -> Path:
    return zoo / "qwen3-chat"


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[LoopEngine]:
    made = engines.load(
        Catalog([ModelEntry(name="tiny", source=str(folder))]).spec("tiny"), OPTIONS
    )
    yield made
    made._loop.close()


@pytest.fixture(scope="module")
def ending(folder: Path) -> dict[int, float]:
    """Biases that push a text to its end: random weights would fill it for ever."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = (tokenizer.token_to_id(sign) for sign in ('"', "}", "]", "@", "<|im_end|>"))
    return {i: 50.0 for i in ids if i is not None}


def chat(said: str, structure: Structure | None = None, **sampling: Any) -> ChatCall:
    message = Message(role=Speaker.USER, content=[TextPart(text=said)])
    how = Sampling(**{"max_tokens": LONG, "seed": 1, **sampling})
    return ChatCall(
        model="tiny", messages=[message], structure=structure, sampling=how, reasoning=False
    )


async def pieces(engine: LoopEngine, call: ChatCall) -> list[Delta]:
    return [piece async for made in engine.stream(call) for piece in made]


async def written(engine: LoopEngine, call: ChatCall) -> tuple[str, Finish | None]:
    made = await pieces(engine, call)
    ends = [piece.finish for piece in made if piece.finish is not None]
    return "".join(piece.text for piece in made), ends[0]


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
@given(several=st.lists(schemas(), min_size=10, max_size=10), seed=st.integers(0, 2**32))
async def test_five_hundred_schemas_are_kept_to_side_by_side(
    engine: LoopEngine, ending: dict[int, float], several: list[Schema], seed: int
) -> None:
    beside = chat("How are you?", max_tokens=30, seed=3)
    calls = [
        chat(f"Number {n}", Structure(json_schema=schema), seed=seed + n, logit_bias=ending)
        for n, schema in enumerate(several)
    ]
    made = await asyncio.gather(*(written(engine, call) for call in (*calls, beside)))
    for schema, (said, finish) in zip(several, made, strict=False):
        assert finish is Finish.STOP
        jsonschema.validate(json.loads(said), schema, jsonschema.Draft202012Validator)
    assert made[-1] == await written(engine, beside)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
async def test_text_matches_what_is_asked_for(engine: LoopEngine, temperature: float) -> None:
    regex, choice, grammar = await asyncio.gather(
        written(engine, chat("a", Structure(regex=r"[a-f]{3}-\d{4}"), temperature=temperature)),
        written(engine, chat("b", Structure(choice=["left", "right"]), temperature=temperature)),
        written(engine, chat("c", Structure(grammar='start: "x"~2 "y"'), temperature=temperature)),
    )
    assert re.fullmatch(r"[a-f]{3}-\d{4}", regex[0])
    assert choice[0] in ("left", "right")
    assert grammar[0] == "xxy"
    assert {regex[1], choice[1], grammar[1]} == {Finish.STOP}


async def test_text_that_max_tokens_cuts_says_so(engine: LoopEngine) -> None:
    form = Structure(json_schema={"type": "string", "minLength": 500})
    said, finish = await written(engine, chat("a", form, max_tokens=20))
    assert finish is Finish.LENGTH
    assert said.startswith('"')


async def test_log_probabilities_are_the_model_s_own(engine: LoopEngine) -> None:
    """The one token that the form allows is no likelier for that."""
    made = await pieces(
        engine, chat("a", Structure(choice=["Zz"]), logprobs=True, top_logprobs=2, temperature=0.0)
    )
    first = made[0].logprobs[0]
    assert first.logprob < -0.01
    assert max(top.logprob for top in first.top) >= first.logprob


async def test_several_texts_each_have_the_form(engine: LoopEngine) -> None:
    call = replace(chat("a", Structure(regex="[a-z]{8}"), temperature=2.0), n=4)
    made = await pieces(engine, call)
    texts = ["".join(p.text for p in made if p.index == n) for n in range(4)]
    assert all(re.fullmatch("[a-z]{8}", said) for said in texts)
    assert len(set(texts)) > 1


async def test_form_that_cannot_be_kept_to_harms_no_neighbour(engine: LoopEngine) -> None:
    """Work on its tokens is bounded: the text ends with a reason, those beside it as alone."""
    beside = chat("How are you?", max_tokens=40)
    alone = await written(engine, beside)
    heavy = chat("a", Structure(regex="((a{50,100}){50,100}){50,100}"))
    refused = chat("a", Structure(json_schema={"$ref": "http://127.0.0.1:9/x"}))
    made = await asyncio.gather(
        *(written(engine, call) for call in (beside, heavy, refused, beside)),
        return_exceptions=True,
    )
    assert made[0] == made[3] == alone
    assert isinstance(made[2], InvalidInput)
    assert isinstance(made[1], InvalidInput)


RIDE = {
    "type": "function",
    "function": {
        "name": "uber_ride",
        "description": "Find a ride",
        "parameters": {
            "type": "object",
            "properties": {"loc": {"type": "int"}, "type": {"type": "str", "enum": ["plus", "x"]}},
            "required": ["loc", "type"],
        },
    },
}
OTHER = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def called(said: str) -> list[dict[str, Any]]:
    """The calls of a text, which this model makes in plain JSON."""
    made = json.loads(said)
    return made if isinstance(made, list) else [made]


@pytest.mark.parametrize("several", [True, False])
async def test_named_tool_is_called_with_arguments_that_fit(
    engine: LoopEngine, ending: dict[int, float], several: bool
) -> None:
    call = replace(
        chat("A ride", logit_bias=ending, temperature=0.0),
        tools=[RIDE, OTHER],
        tool_choice=NamedTool(name="uber_ride"),
        parallel_tool_calls=several,
    )
    said, finish = await written(engine, call)
    found = called(said)
    assert finish is Finish.STOP
    assert len(found) >= 1 if several else len(found) == 1
    for made in found:
        assert made["name"] == "uber_ride"
        assert set(made["arguments"]) == {"loc", "type"}
        assert isinstance(made["arguments"]["loc"], int)
        assert made["arguments"]["type"] in ("plus", "x")


async def test_required_tool_may_be_any(engine: LoopEngine, ending: dict[int, float]) -> None:
    call = replace(
        chat("A ride", logit_bias=ending),
        tools=[RIDE, OTHER], tool_choice="required", parallel_tool_calls=False,
    )  # fmt: skip
    made = [
        await written(engine, replace(call, sampling=replace(call.sampling, seed=seed)))
        for seed in range(6)
    ]
    names = [called(said)[0]["name"] for said, _ in made]
    assert {"uber_ride", "look"}.issuperset(names)


async def test_tool_that_may_be_called_leaves_the_text_free(engine: LoopEngine) -> None:
    call = replace(chat("A ride", max_tokens=20), tools=[RIDE])
    said, _ = await written(engine, call)
    assert "uber_ride" not in said
