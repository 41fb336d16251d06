"""Texts of llama.cpp's models, held to forms."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from fix_texts import chat, spec_of, text, written
from msgspec.structs import replace
from tiny.gguf import write_gguf

from stelae.engines.base import Device, EngineOptions
from stelae.engines.chat.engine import LoopEngine
from stelae.types import ComputeDtype, Structure

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: it is built for long")

from stelae.engines.llama_cpp import engine as engines

OPTIONS = EngineOptions(
    dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1, cache_tokens=16_384
)
SCHEMA = {
    "type": "object",
    "properties": {"kind": {"enum": ["é", "b"]}, "sum": {"type": "integer", "maximum": 99}},
    "required": ["kind", "sum"],
    "additionalProperties": False,
}


@pytest.fixture(params=["qwen3-chat", "llama-chat"], scope="module")
def engine(
    request: pytest.FixtureRequest, zoo: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LoopEngine]:
    out = tmp_path_factory.mktemp("gguf")
    file = write_gguf(zoo / str(request.param), out / "f32.gguf", "f32")
    made = engines.load(spec_of(file.parent, "f32.gguf"), OPTIONS)
    yield made
    asyncio.run(made.aclose())


async def test_texts_have_their_forms_and_one_beside_them_is_as_alone(engine: LoopEngine) -> None:
    free = chat("How are you?")
    forms = (Structure(json_schema=SCHEMA), Structure(regex="[a-f]{3}é"), Structure(choice=["yes"]))
    calls = [replace(chat("Say"), structure=form) for form in forms]
    *held, beside = await asyncio.gather(*(written(engine, call) for call in (*calls, free)))
    jsonschema.validate(json.loads(text(held[0])), SCHEMA)
    assert re.fullmatch("[a-f]{3}é", text(held[1]))
    assert text(held[2]) == "yes"
    assert text(beside) == text(await written(engine, free))
