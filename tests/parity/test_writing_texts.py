"""What the token loop writes, compared with ``transformers.generate``, alone and in company."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import transformers
from fix_texts import NEW, PROMPTS, chat, expected, prompt_ids, same, spec_of, text, tokens, written
from msgspec.structs import replace

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineOptions
from stelae.engines.chat.engine import LoopEngine
from stelae.engines.chat.sequence import AHEAD
from stelae.engines.transformers_text import engine as engines
from stelae.errors import EngineFailed, InputTooLong, InvalidInput, ShuttingDown
from stelae.types import (
    ComputeDtype,
    Finish,
    ImagePart,
    Message,
    Speaker,
    TextPart,
)

OPTIONS = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
MODELS = ("qwen3-chat", "llama-chat")


@pytest.fixture(params=MODELS, scope="module")
def folder(request: pytest.FixtureRequest, zoo: Path) -> Path:
    return zoo / str(request.param)


@pytest.fixture(scope="module")
def spec(folder: Path) -> ModelSpec:
    return spec_of(folder.parent, folder.name)


@pytest.fixture(scope="module")
def engine(spec: ModelSpec) -> Iterator[LoopEngine]:
    made = engines.load(spec, OPTIONS)
    yield made
    made._loop.close()


@pytest.fixture(scope="module")
def reference(folder: Path) -> transformers.PreTrainedModel:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model.eval()


async def test_greedy_text_alone_is_that_of_the_library(
    engine: LoopEngine, reference: transformers.PreTrainedModel, folder: Path
) -> None:
    ties = 0
    for said in PROMPTS[:6]:
        ids = prompt_ids(folder, said)
        found, wanted = tokens(await written(engine, chat(said))), expected(reference, ids)
        assert same(reference, ids, found, wanted)
        ties += found != wanted
    assert ties <= 1


async def test_greedy_texts_of_sixteen_at_once_are_those_of_the_library(
    engine: LoopEngine, reference: transformers.PreTrainedModel, folder: Path
) -> None:
    before = engine.stats.steps
    answers = await asyncio.gather(*(written(engine, chat(said)) for said in PROMPTS))
    ties = 0
    for said, pieces in zip(PROMPTS, answers, strict=True):
        ids = prompt_ids(folder, said)
        found, wanted = tokens(pieces), expected(reference, ids)
        assert same(reference, ids, found, wanted)
        ties += found != wanted
    assert ties <= 1
    assert engine.stats.steps - before < 2 * NEW  # they ran together


async def test_little_room_changes_no_text(
    spec: ModelSpec, reference: transformers.PreTrainedModel, folder: Path
) -> None:
    """With room for few of sixteen texts, some give theirs up and are read again."""
    engine = engines.load(spec, replace(OPTIONS, cache_tokens=512))
    try:
        answers = await asyncio.gather(*(written(engine, chat(said)) for said in PROMPTS))
    finally:
        await engine.aclose()
    for said, pieces in zip(PROMPTS, answers, strict=True):
        ids = prompt_ids(folder, said)
        assert same(reference, ids, tokens(pieces), expected(reference, ids))


async def test_long_conversation_is_read_in_pieces(
    engine: LoopEngine,
    reference: transformers.PreTrainedModel,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
) -> None:
    monkeypatch.setattr("stelae.engines.chat.loop.STEP_TOKENS", 7)
    ids = prompt_ids(folder, PROMPTS[5])
    found = tokens(await written(engine, chat(PROMPTS[5])))
    assert same(reference, ids, found, expected(reference, ids))


async def test_log_probabilities_are_those_of_the_library(
    engine: LoopEngine, reference: transformers.PreTrainedModel, folder: Path
) -> None:
    call = chat(PROMPTS[1], max_tokens=8, logprobs=True, top_logprobs=3, temperature=0.0)
    pieces = await written(engine, call)
    ids = prompt_ids(folder, PROMPTS[1])
    with torch.inference_mode():
        logits = reference(torch.tensor([ids + tokens(pieces)])).logits[0].float()
    wanted = torch.log_softmax(logits, -1)
    told = [lp for piece in pieces for lp in piece.logprobs]
    assert len(told) == 8
    for place, lp in enumerate(told):
        row = wanted[len(ids) - 1 + place]
        assert abs(lp.logprob - float(row[lp.id])) < 1e-4
        assert [t.id for t in lp.top] == torch.topk(row, 3).indices.tolist()


async def test_seed_makes_the_same_text_alone_and_in_company(engine: LoopEngine) -> None:
    call = chat(PROMPTS[0], temperature=1.0, seed=7)
    alone = tokens(await written(engine, call))
    company = [chat(said, temperature=1.0) for said in PROMPTS[1:]]
    first, *_ = await asyncio.gather(*(written(engine, c) for c in (call, *company)))
    assert tokens(first) == alone
    other = tokens(await written(engine, chat(PROMPTS[0], temperature=1.0, seed=8)))
    assert other != alone


async def test_several_texts_of_one_conversation_differ_and_are_counted(
    engine: LoopEngine,
) -> None:
    call = replace(chat(PROMPTS[0], temperature=1.0, seed=7), n=3)
    pieces = await written(engine, call)
    texts = [tokens(pieces, index) for index in range(3)]
    assert len({tuple(t) for t in texts}) == 3
    usage = pieces[-1].usage
    assert usage is not None
    ended = sum(p.finish is Finish.STOP for p in pieces)
    assert usage.completion_tokens == sum(map(len, texts)) + ended


async def test_text_is_that_of_its_tokens(engine: LoopEngine) -> None:
    for said in PROMPTS[:4]:
        pieces = await written(engine, chat(said, temperature=1.5, seed=3))
        assert text(pieces) == engine._intake.tokens.decode(tokens(pieces))


async def test_stop_string_ends_the_text_before_it(engine: LoopEngine) -> None:
    whole = text(await written(engine, chat(PROMPTS[2])))
    stop = whole[10:14]
    pieces = await written(engine, chat(PROMPTS[2], stop=[stop, "never said"]))
    assert text(pieces) == whole[: whole.index(stop)]
    assert [p.finish for p in pieces if p.finish] == [Finish.STOP]


async def test_too_long_a_conversation_is_refused_before_it_starts(
    engine: LoopEngine,
) -> None:
    before = engine.stats.steps
    with pytest.raises(InputTooLong, match="512 in all"):
        await written(engine, chat("sea " * 600))
    with pytest.raises(InputTooLong) as caught:
        await written(engine, chat("sea", max_tokens=510))
    assert caught.value.param == "max_tokens"
    with pytest.raises(InvalidInput, match="logit_bias"):
        await written(engine, chat("sea", logit_bias={10**6: 1.0}))
    assert engine.stats.steps == before


async def test_work_ends_within_a_step_when_the_reader_leaves(engine: LoopEngine) -> None:
    stream = engine.stream(
        chat("sea", max_tokens=400, logit_bias=dict.fromkeys(engine._loop._ends, -100.0))
    )
    await anext(stream)
    await stream.aclose()
    before = engine.stats.steps
    rest = await written(engine, chat("sea", max_tokens=1))
    assert rest[-1].usage is not None
    assert engine._loop._running == [] or all(t.over for t in engine._loop._running)
    assert engine.stats.steps <= before + 3


async def test_reader_who_waits_lets_the_model_rest(engine: LoopEngine) -> None:
    ends = dict.fromkeys(engine._loop._ends, -100.0)
    stream = engine.stream(chat("sea", max_tokens=400, logit_bias=ends))
    before = engine.stats.steps
    first = await anext(stream)
    made = -1
    while (steps := engine.stats.steps) != made:
        made = steps
        await asyncio.sleep(0.1)  # the loop has no event for "nothing happens"
    assert made - before <= 2 * AHEAD
    rest = [piece async for made in stream for piece in made]
    assert len(tokens(first + rest)) == 400


async def test_closing_ends_what_is_under_way_and_the_thread(spec: ModelSpec) -> None:
    engine = engines.load(spec, OPTIONS)
    stream = engine.stream(
        chat("sea", max_tokens=400, logit_bias=dict.fromkeys(engine._loop._ends, -100.0))
    )
    await anext(stream)
    await engine.aclose()
    with pytest.raises(ShuttingDown):
        _ = [made async for made in stream]
    assert not engine._loop._thread.is_alive()


async def test_readers_who_wait_keep_nobody_from_being_answered(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their texts give up room and places, and go on later as if nothing had been."""
    monkeypatch.setattr("stelae.engines.chat.loop.TEXTS", 2)
    engine = engines.load(spec, replace(OPTIONS, cache_tokens=512))
    ends = dict.fromkeys(engine._loop._ends, -100.0)
    try:
        whole = tokens(await written(engine, chat("sea", max_tokens=200, logit_bias=ends)))
        slow = [engine.stream(chat("sea", max_tokens=200, logit_bias=ends)) for _ in range(4)]
        begun = [await anext(stream) for stream in slow]
        last = await written(engine, chat("the river", max_tokens=100))
        assert last[-1].usage is not None
        for first, stream in zip(begun, slow, strict=True):
            rest = [piece async for made in stream for piece in made]
            assert tokens(first + rest) == whole
    finally:
        await engine.aclose()


async def test_counting_writes_nothing(engine: LoopEngine, folder: Path) -> None:
    steps = engine.stats.steps
    call = replace(chat("How long is this?"), count_only=True)
    pieces = await written(engine, call)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    said = [{"role": "user", "content": "How long is this?"}]
    ids = tokenizer.apply_chat_template(said, add_generation_prompt=True, return_dict=False)
    assert [piece.usage and piece.usage.prompt_tokens for piece in pieces] == [len(ids)]
    assert engine.stats.steps == steps


async def test_what_the_engine_cannot_do_is_refused_by_name(engine: LoopEngine) -> None:
    seen = Message(role=Speaker.USER, content=[ImagePart(image=b"x")])
    with pytest.raises(InvalidInput, match="messages show pictures, which the engine"):
        await written(engine, replace(chat("a"), messages=[seen]))


async def test_a_text_ends_at_a_stop_token_too(engine: LoopEngine) -> None:
    whole = tokens(await written(engine, chat(PROMPTS[0])))
    place = whole.index(whole[5])
    pieces = await written(engine, chat(PROMPTS[0], stop_tokens=[whole[5]]))
    assert tokens(pieces) == whole[:place]
    assert [piece.finish for piece in pieces if piece.finish] == [Finish.STOP]


async def test_the_next_turn_reads_only_what_is_new(
    spec: ModelSpec, reference: transformers.PreTrainedModel
) -> None:
    engine = engines.load(spec, OPTIONS)
    try:
        first = chat(PROMPTS[6])
        pieces = await written(engine, first)
        said = "".join(piece.text for piece in pieces)
        messages = [
            *first.messages,
            Message(role=Speaker.ASSISTANT, content=[TextPart(text=said)]),
            Message(role=Speaker.USER, content=[TextPart(text="And then?")]),
        ]
        before = engine.stats.tokens
        second = replace(first, messages=messages)
        pieces = await written(engine, second)
        usage = pieces[-1].usage
        assert usage is not None
        assert usage.cached_tokens >= len(PROMPTS[6].split())
        ran = engine.stats.tokens - before
        assert ran <= usage.prompt_tokens - usage.cached_tokens + len(tokens(pieces))
        ids = engine._intake.read(second)
        assert same(reference, ids, tokens(pieces), expected(reference, ids))
        salted = (await written(engine, replace(second, cache_salt="another's")))[-1].usage
        assert salted is not None
        assert salted.cached_tokens == 0
    finally:
        await engine.aclose()


async def test_several_texts_of_a_call_read_its_conversation_once(spec: ModelSpec) -> None:
    engine = engines.load(spec, OPTIONS)
    try:
        call = replace(chat(PROMPTS[6], max_tokens=4, temperature=1.0, seed=3), n=5)
        alone = await written(engine, replace(call, n=1))
        engine._loop._prefixes.fit(places=0)
        before = engine.stats.tokens
        pieces = await written(engine, call)
        usage = pieces[-1].usage
        assert usage is not None
        assert engine.stats.tokens - before <= usage.prompt_tokens + 5 * 4
        assert tokens(pieces) == tokens(alone)
    finally:
        await engine.aclose()


async def test_a_memory_that_cannot_be_copied_fails_its_texts_and_no_later_ones(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> None:
        raise RuntimeError("no place for a copy")

    engine = engines.load(spec, OPTIONS)
    try:
        await written(engine, chat(PROMPTS[6]))
        with monkeypatch.context() as patched:
            patched.setattr(engine._model, "fork", fail)
            with pytest.raises(EngineFailed, match="no place for a copy"):
                await written(engine, chat(PROMPTS[6]))
        assert (await written(engine, chat("sea")))[-1].usage is not None
    finally:
        await engine.aclose()
