"""What other libraries' models write in our token loop, compared with ``transformers.generate``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import transformers
from fix_texts import PROMPTS, chat, expected, prompt_ids, same, spec_of, text, tokens, written
from msgspec.structs import replace
from tiny.gguf import write_gguf

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineOptions
from stelae.engines.chat.engine import LoopEngine
from stelae.errors import InputTooLong, InvalidInput
from stelae.types import ChatCall, ComputeDtype

OPTIONS = EngineOptions(
    dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1, cache_tokens=16_384
)
MODELS = ("qwen3-chat", "llama-chat")
ENGINES = {
    "llama_cpp": "llama-cpp-python is not installed: it is built for long",
    "openvino": "openvino is not installed",
}

Load = Callable[[ModelSpec, EngineOptions], LoopEngine]


@pytest.fixture(params=ENGINES, scope="module")
def name(request: pytest.FixtureRequest) -> str:
    if find_spec(request.param) is None:
        pytest.skip(ENGINES[request.param])
    return str(request.param)


@pytest.fixture(params=MODELS, scope="module")
def folder(request: pytest.FixtureRequest, zoo: Path) -> Path:
    return zoo / str(request.param)


@pytest.fixture(scope="module")
def spec(name: str, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    if name == "openvino":
        return spec_of(folder.parent, folder.name)
    out = tmp_path_factory.mktemp("gguf")
    return spec_of(write_gguf(folder, out / "f32.gguf", "f32").parent, "f32.gguf")


@pytest.fixture(scope="module")
def load(name: str) -> Load:
    loaded: Load = import_module(f"stelae.engines.{name}.engine").load
    return loaded


@pytest.fixture(scope="module")
def engine(load: Load, spec: ModelSpec) -> Iterator[LoopEngine]:
    made = load(spec, OPTIONS)
    yield made
    asyncio.run(made.aclose())


@pytest.fixture(scope="module")
def reference(folder: Path) -> transformers.PreTrainedModel:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model.eval()


async def test_greedy_texts_alone_and_in_company_are_those_of_the_library(
    engine: LoopEngine, reference: transformers.PreTrainedModel, folder: Path
) -> None:
    alone = [tokens(await written(engine, chat(said))) for said in PROMPTS[:4]]
    answers = await asyncio.gather(*(written(engine, chat(said)) for said in PROMPTS))
    found = [*alone, *map(tokens, answers)]
    ties = 0
    for said, made in zip([*PROMPTS[:4], *PROMPTS], found, strict=True):
        ids = prompt_ids(folder, said)
        wanted = expected(reference, ids)
        assert same(reference, ids, made, wanted)
        ties += made != wanted
    assert ties <= 1


async def test_log_probabilities_are_those_of_the_library(
    engine: LoopEngine, reference: transformers.PreTrainedModel, folder: Path
) -> None:
    call = chat(PROMPTS[6], max_tokens=8, logprobs=True, top_logprobs=3)
    pieces = await written(engine, call)
    ids = prompt_ids(folder, PROMPTS[6])
    with torch.inference_mode():
        logits = reference(torch.tensor([ids + tokens(pieces)])).logits[0].float()
    wanted = torch.log_softmax(logits, -1)
    told = [lp for piece in pieces for lp in piece.logprobs]
    assert len(told) == len(tokens(pieces)) > 0
    for place, lp in enumerate(told):
        row = wanted[len(ids) - 1 + place]
        assert abs(lp.logprob - float(row[lp.id])) < 1e-4
        assert [t.id for t in lp.top] == torch.topk(row, 3).indices.tolist()


async def test_little_room_changes_no_text(
    load: Load, spec: ModelSpec, reference: transformers.PreTrainedModel, folder: Path
) -> None:
    engine = load(spec, replace(OPTIONS, cache_tokens=512))
    try:
        answers = await asyncio.gather(*(written(engine, chat(said)) for said in PROMPTS))
    finally:
        await engine.aclose()
    for said, pieces in zip(PROMPTS, answers, strict=True):
        ids = prompt_ids(folder, said)
        assert same(reference, ids, tokens(pieces), expected(reference, ids))


async def test_too_long_a_conversation_and_unknown_tokens_are_refused(engine: LoopEngine) -> None:
    before = engine.stats.steps
    with pytest.raises(InputTooLong, match="512 in all"):
        await written(engine, chat("sea " * 600))
    with pytest.raises(InvalidInput, match="logit_bias"):
        await written(engine, chat("sea", logit_bias={10**6: 1.0}))
    assert engine.stats.steps == before


async def test_seed_makes_the_same_text_alone_and_in_company(engine: LoopEngine) -> None:
    call: ChatCall = chat(PROMPTS[0], temperature=1.0, seed=7)
    alone = tokens(await written(engine, call))
    company = [chat(said, temperature=1.0) for said in PROMPTS[1:]]
    first, *_ = await asyncio.gather(*(written(engine, c) for c in (call, *company)))
    assert tokens(first) == alone


async def test_special_tokens_are_read_in_conversations_and_kept_out_of_texts(
    engine: LoopEngine, folder: Path
) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    own = engine._intake.tokens
    for said in ("<|im_end|> and [x], isn't it 12345?", "déjà vu\n\n  三 🙂"):
        ids = tokenizer(said)["input_ids"]
        assert own.encode(said, plain=True) == ids
        assert own.decode(ids) == tokenizer.decode(ids, skip_special_tokens=True)
    pieces = await written(engine, chat(PROMPTS[3], temperature=1.5, seed=3))
    assert text(pieces) == tokenizer.decode(tokens(pieces), skip_special_tokens=True)
