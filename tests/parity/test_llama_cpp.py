"""Files of llama.cpp: those with fewer bits, broken ones, and places for texts in flight."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
import torch
import transformers
from fix_texts import PROMPTS, chat, prompt_ids, spec_of, tokens, written
from msgspec.structs import replace
from tiny.gguf import write_gguf

from stelae.catalog.spec import ModelSpec
from stelae.engines import registry
from stelae.engines.base import Device, EngineOptions
from stelae.engines.chat.stepping import Share
from stelae.errors import ModelLoadFailed
from stelae.types import ComputeDtype

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: it is built for long")

from stelae.engines.llama_cpp import engine as engines
from stelae.engines.llama_cpp import places
from stelae.engines.llama_cpp.model import SteppedModel

OPTIONS = EngineOptions(
    dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1, cache_tokens=16_384
)


@pytest.fixture(scope="module")
def folder(zoo: Path) -> Path:
    return zoo / "qwen3-chat"


@pytest.fixture(scope="module")
def spec(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    out = tmp_path_factory.mktemp("gguf")
    return spec_of(write_gguf(folder, out / "f32.gguf", "f32").parent, "f32.gguf")


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
        assert len(engine._model._places._numbers) >= engine._model.most - 1  # type: ignore[attr-defined]  # of llama.cpp
    finally:
        await engine.aclose()


@pytest.mark.parametrize("kind", ["f16", "q8_0"])
async def test_files_of_fewer_bits_write_nearly_the_same(
    kind: str, folder: Path, tmp_path: Path
) -> None:
    reference = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    write_gguf(folder, tmp_path / "model.gguf", kind)
    engine = engines.load(spec_of(tmp_path, "model.gguf"), OPTIONS)
    call = chat(PROMPTS[6], max_tokens=1, logprobs=True, top_logprobs=20)
    try:
        told = (await written(engine, call))[0].logprobs[0]
    finally:
        await engine.aclose()
    ids = prompt_ids(folder, PROMPTS[6])
    with torch.inference_mode():
        row = torch.log_softmax(reference.eval()(torch.tensor([ids])).logits[0, -1].float(), -1)
    # Rounding to 8 bits moves each number by up to 1/254 of the largest of 32.
    away = {"f16": 0.02, "q8_0": 0.2}[kind]
    assert max(abs(t.logprob - float(row[t.id])) for t in told.top) < away


def test_a_file_that_the_library_cannot_read_is_refused(zoo: Path, tmp_path: Path) -> None:
    path = write_gguf(zoo / "qwen3-chat", tmp_path / "x.gguf", general__architecture="unheard-of",
                      **{"unheard-of__context_length": 512})  # fmt: skip
    with pytest.raises(ModelLoadFailed, match="cannot load"):
        engines.load(spec_of(path.parent, path.name), OPTIONS)


def test_gguf_models_are_given_to_an_engine_that_reads_them(spec: ModelSpec) -> None:
    assert registry.choose(spec).manifest.name == "llama_cpp"
    assert "gguf" in (registry.refused(registry.manifests()["transformers_text"], spec) or "")


IDS = list(range(40, 70))


@pytest.fixture
async def model(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SteppedModel]:
    monkeypatch.setattr(places, "IDLE_STEPS", 1)
    engine = engines.load(spec, OPTIONS)
    assert isinstance(engine._model, SteppedModel)
    yield engine._model
    await engine.aclose()


def idle_until_away(model: SteppedModel, place: places.Place) -> None:
    """Let another text run until this one has been put away."""
    other = model.memory()
    for step in range(4):
        model.scores([Share([5], step, other)])
    other.release()
    assert place.state is not None


@pytest.mark.parametrize("room", [True, False], ids=["room", "no room"])
def test_texts_that_are_put_away_go_on_as_if_they_had_stayed(
    model: SteppedModel, room: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model.memory()
    model.scores([Share(IDS[:20], 0, whole)])
    expected = model.scores([Share(IDS[20:], 20, whole)])[0].clone()
    whole.release()
    place = model.memory()
    model.scores([Share(IDS[:25], 0, place)])
    idle_until_away(model, place)
    fork = model.fork(place, 20)
    if not room:
        monkeypatch.setattr(places.lib, "llama_state_seq_set_data", lambda *_: 0)
    together = model.scores([Share(IDS[20:], 20, fork), Share(IDS[25:], 25, place)])
    assert place.state is None
    assert torch.allclose(together, expected.expand(2, -1), atol=1e-4)


def test_texts_that_others_began_as_stay(model: SteppedModel) -> None:
    place = model.memory()
    model.scores([Share(IDS[:20], 0, place)])
    fork = model.fork(place, 10)
    for step in range(10, 20):
        model.scores([Share([IDS[step]], step, fork)])
    assert place.state is None
    fork.release()
    idle_until_away(model, place)


@pytest.mark.parametrize("tokens", [16, 17])
def test_of_models_with_windows_only_texts_that_fit_in_one_are_put_away(
    model: SteppedModel, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places.lib, "llama_model_n_swa", lambda _: 16)
    seeing = SteppedModel(model._model, model._context, model.vocabulary)
    place, other = seeing.memory(), seeing.memory()
    seeing.scores([Share(IDS[:tokens], 0, place)])
    for step in range(4):
        seeing.scores([Share([5], step, other)])
    assert (place.state is not None) == (tokens <= 16)


def test_a_text_that_was_given_back_holds_no_other(model: SteppedModel) -> None:
    place = model.memory()
    model.scores([Share(IDS[:4], 0, place)])
    for size in range(4, 8):
        fork = model.fork(place, size)
        model.scores([Share([IDS[size]], size, fork)])
        place.release()
        place = fork
    assert place.source is not None
    assert place.source.source is None


@pytest.mark.parametrize("tokens", [20, 25])
def test_of_models_with_windows_texts_begin_as_others_that_may_have_lost_some(
    model: SteppedModel, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model.memory()
    expected = model.scores([Share(IDS, 0, whole)])[0].clone()
    monkeypatch.setattr(places.lib, "llama_model_n_swa", lambda _: 16)
    seeing = SteppedModel(model._model, model._context, model.vocabulary)
    seeing.memory()  # whose number the other model has taken
    place = seeing.memory()
    seeing.scores([Share(IDS[:25], 0, place)])
    read: list[places.Place] = []
    monkeypatch.setattr(seeing, "_read_again", partial(_noted, read, seeing._read_again))
    fork = seeing.fork(place, tokens)
    found = seeing.scores([Share(IDS[tokens:], tokens, fork)])[0]
    assert torch.allclose(found, expected, atol=1e-4)
    assert read == ([fork] if tokens == 20 else [])


def _noted(
    read: list[places.Place], act: Callable[[places.Place], None], one: places.Place
) -> None:
    read.append(one)
    act(one)
