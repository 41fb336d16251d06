"""What llama.cpp writes in our token loop, compared with ``transformers.generate``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import transformers
from fix_texts import PROMPTS, chat, expected, prompt_ids, same, spec_of, text, tokens, written
from msgspec.structs import replace
from tiny.gguf import write_gguf

from stelae.catalog.spec import ModelSpec
from stelae.engines import registry
from stelae.engines.base import Device, EngineOptions
from stelae.engines.chat.engine import LoopEngine
from stelae.errors import InputTooLong, InvalidInput, ModelLoadFailed
from stelae.types import ChatCall, ComputeDtype

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: it is built for long")

from stelae.engines.llama_cpp import engine as engines

OPTIONS = EngineOptions(
    dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1, cache_tokens=16_384
)
MODELS = ("qwen3-chat", "llama-chat")


@pytest.fixture(params=MODELS, scope="module")
def folder(request: pytest.FixtureRequest, zoo: Path) -> Path:
    return zoo / str(request.param)


@pytest.fixture(scope="module")
def spec(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    out = tmp_path_factory.mktemp("gguf")
    return spec_of(write_gguf(folder, out / "f32.gguf", "f32").parent, "f32.gguf")


@pytest.fixture(scope="module")
def engine(spec: ModelSpec) -> Iterator[LoopEngine]:
    made = engines.load(spec, OPTIONS)
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
    spec: ModelSpec, reference: transformers.PreTrainedModel, folder: Path
) -> None:
    engine = engines.load(spec, replace(OPTIONS, cache_tokens=512))
    try:
        answers = await asyncio.gather(*(written(engine, chat(said)) for said in PROMPTS))
    finally:
        await engine.aclose()
    for said, pieces in zip(PROMPTS, answers, strict=True):
        ids = prompt_ids(folder, said)
        assert same(reference, ids, tokens(pieces), expected(reference, ids))


async def test_more_texts_than_there_are_places_are_all_written(spec: ModelSpec) -> None:
    engine = engines.load(spec, OPTIONS)
    try:
        call = replace(chat(PROMPTS[0], max_tokens=3, temperature=1.0), n=50)
        answers = await asyncio.gather(written(engine, call), written(engine, call))
    finally:
        await engine.aclose()
    assert all(len(tokens(pieces, i)) <= 3 for pieces in answers for i in range(50))
    assert all(pieces[-1].usage is not None for pieces in answers)


async def test_a_reader_who_leaves_frees_the_places(spec: ModelSpec) -> None:
    engine = engines.load(spec, replace(OPTIONS, deterministic=True))
    ends = dict.fromkeys(engine._loop._ends, -100.0)
    try:
        for _ in range(3):
            call = replace(chat("sea", max_tokens=400, logit_bias=ends, temperature=1.0), n=40)
            stream = engine.stream(call)
            await anext(stream)
            await stream.aclose()
        rest = await written(engine, chat("sea", max_tokens=2))
        assert rest[-1].usage is not None
        assert len(engine._model._free) >= engine._model.most - 1  # type: ignore[attr-defined]
    finally:
        await engine.aclose()


async def test_special_tokens_are_read_in_conversations_and_kept_out_of_texts(
    engine: LoopEngine, folder: Path
) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    for said in ("<|im_end|> and [x], isn't it 12345?", "déjà vu\n\n  三 🙂"):
        assert engine._intake.tokens.encode(said, plain=True) == tokenizer(said)["input_ids"]
        ids = tokenizer(said)["input_ids"]
        assert engine._intake.tokens.decode(ids) == tokenizer.decode(ids, skip_special_tokens=True)
    pieces = await written(engine, chat(PROMPTS[3], temperature=1.5, seed=3))
    assert text(pieces) == tokenizer.decode(tokens(pieces), skip_special_tokens=True)


async def test_too_long_a_conversation_and_unknown_tokens_are_refused(engine: LoopEngine) -> None:
    before = engine.stats.steps
    with pytest.raises(InputTooLong, match="512 in all"):
        await written(engine, chat("sea " * 600))
    with pytest.raises(InvalidInput, match="logit_bias"):
        await written(engine, chat("sea", logit_bias={10**6: 1.0}))
    assert engine.stats.steps == before


@pytest.mark.parametrize("kind", ["f16", "q8_0"])
async def test_files_of_fewer_bits_write_nearly_the_same(
    kind: str, folder: Path, reference: transformers.PreTrainedModel, tmp_path: Path
) -> None:
    write_gguf(folder, tmp_path / "model.gguf", kind)
    engine = engines.load(spec_of(tmp_path, "model.gguf"), OPTIONS)
    call = chat(PROMPTS[6], max_tokens=1, logprobs=True, top_logprobs=20)
    try:
        told = (await written(engine, call))[0].logprobs[0]
    finally:
        await engine.aclose()
    ids = prompt_ids(folder, PROMPTS[6])
    with torch.inference_mode():
        row = torch.log_softmax(reference(torch.tensor([ids])).logits[0, -1].float(), -1)
    # Rounding to 8 bits moves each number by up to 1/254 of the largest of 32.
    away = {"f16": 0.02, "q8_0": 0.2}[kind]
    assert max(abs(t.logprob - float(row[t.id])) for t in told.top) < away


async def test_seed_makes_the_same_text_alone_and_in_company(engine: LoopEngine) -> None:
    call: ChatCall = chat(PROMPTS[0], temperature=1.0, seed=7)
    alone = tokens(await written(engine, call))
    company = [chat(said, temperature=1.0) for said in PROMPTS[1:]]
    first, *_ = await asyncio.gather(*(written(engine, c) for c in (call, *company)))
    assert tokens(first) == alone


def test_a_file_that_the_library_cannot_read_is_refused(zoo: Path, tmp_path: Path) -> None:
    path = write_gguf(zoo / "qwen3-chat", tmp_path / "x.gguf", general__architecture="unheard-of",
                      **{"unheard-of__context_length": 512})  # fmt: skip
    with pytest.raises(ModelLoadFailed, match="cannot load"):
        engines.load(spec_of(path.parent, path.name), OPTIONS)


def test_gguf_models_are_given_to_an_engine_that_reads_them(spec: ModelSpec) -> None:
    assert registry.choose(spec).manifest.name == "llama_cpp"
    assert "gguf" in (registry.refused(registry.manifests()["transformers_text"], spec) or "")
