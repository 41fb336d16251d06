"""Adapters of models that write, beside each other and beside none, compared with PEFT."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from fix_adapters import trained
from msgspec.structs import replace

from stelae.catalog.adapters import Adapters
from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines.base import Device, EngineOptions
from stelae.engines.chat.engine import LoopEngine
from stelae.engines.transformers_text import engine as engines
from stelae.errors import InvalidInput, LoraFailed, LoraLoading
from stelae.types import ChatCall, ComputeDtype, Message, Sampling, Speaker, TextPart

LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
NEW = 12
CALL = ChatCall(
    model="m",
    messages=[Message(role=Speaker.USER, content=[TextPart(text="A river flows to the sea")])],
    sampling=Sampling(max_tokens=NEW, temperature=0.0, logprobs=True),
)


def engine_of(checkpoint: Path, sources: dict[str, Path]) -> LoopEngine:
    spec = Catalog([ModelEntry(name="m", source=str(checkpoint))]).spec("m")
    named = {name: str(folder) for name, folder in sources.items()}
    options = EngineOptions(
        dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1, adapters=Adapters(sources=named)
    )
    return engines.load(spec, options)


async def written(engine: LoopEngine, call: ChatCall) -> tuple[list[int], list[float]]:
    """Tokens, and the log-probability of each."""
    while True:
        try:
            pieces = [piece async for made in engine.stream(call) for piece in made]
        except LoraLoading as loading:
            await asyncio.sleep(loading.retry_after or 0.1)  # as callers are told to
        else:
            told = [told for piece in pieces for told in piece.logprobs]
            return [one.id for one in told], [one.logprob for one in told]


@torch.no_grad()
def expected(model: Any, ids: list[int], tokens: list[int]) -> list[float]:
    """Log-probabilities that the reference gives to tokens behind others."""
    logits = model(torch.tensor([ids + tokens])).logits[0].log_softmax(-1)
    places = range(len(ids) - 1, len(ids) - 1 + len(tokens))
    return [float(logits[place, token]) for place, token in zip(places, tokens, strict=True)]


@pytest.mark.parametrize("name", ["qwen3-chat", "llama-chat"])
async def test_adapters_side_by_side_write_as_peft_does(
    zoo: Path, tmp_path: Path, name: str
) -> None:
    def base() -> Any:
        return transformers.AutoModelForCausalLM.from_pretrained(zoo / name, dtype=torch.float32)

    models = {
        "a": trained(base(), tmp_path / "a", seed=1, target_modules=LAYERS, r=4),
        "b": trained(base(), tmp_path / "b", seed=2, target_modules=["q_proj", "v_proj"], r=8),
        None: base().eval(),
    }
    engine = engine_of(zoo / name, {"a": tmp_path / "a", "b": tmp_path / "b"})
    try:
        ids = engine._intake.read(CALL)
        calls = [replace(CALL, lora=lora) for lora in ("a", "b", None, "a")]
        made = await asyncio.gather(*(written(engine, call) for call in calls))
        for call, (tokens, logprobs) in zip(calls, made, strict=True):
            wanted = expected(models[call.lora], ids, tokens)
            assert logprobs == pytest.approx(wanted, abs=1e-4)
        assert made[0][0] == made[3][0]
        assert len({tuple(tokens) for tokens, _ in made}) == 3
    finally:
        await engine.aclose()


async def test_an_unknown_or_broken_adapter_is_its_callers_error(zoo: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    engine = engine_of(zoo / "qwen3-chat", {"broken": tmp_path / "broken"})
    try:
        with pytest.raises(InvalidInput, match="has no such adapter; it has broken"):
            await written(engine, replace(CALL, lora="other"))
        with pytest.raises(LoraFailed, match=r"adapter_config\.json"):
            await written(engine, replace(CALL, lora="broken"))
        assert len((await written(engine, CALL))[0]) > 0
    finally:
        await engine.aclose()
