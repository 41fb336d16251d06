"""vLLM's adapter, against a server that answers as vLLM's is documented to; not run here itself."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import EngineOptions
from stelae.engines.vllm import PYTHON
from stelae.engines.vllm.engine import Vllm, load
from stelae.errors import EngineFailed, InputTooLong, InvalidInput, ModelLoadFailed
from stelae.types import (
    ChatCall,
    Delta,
    Finish,
    Message,
    Sampling,
    Speaker,
    Structure,
    TextPart,
)

DOUBLES = Path(__file__).parents[1] / "doubles"
DIES, FAILS, BREAKS, GARBLES = 13, 17, 19, 23

CALL = ChatCall(
    model="tiny",
    messages=[Message(role=Speaker.USER, content=[TextPart(text="A river flows")])],
    sampling=Sampling(temperature=0.0),
)


@pytest.fixture
async def engine(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Vllm]:
    monkeypatch.setenv(PYTHON, sys.executable)
    monkeypatch.setenv("PYTHONPATH", str(DOUBLES))
    spec = Catalog([ModelEntry(name="tiny", source=str(zoo / "qwen3-chat"))]).spec("tiny")
    made = load(spec, EngineOptions())
    yield made
    await made.aclose()


async def written(engine: Vllm, call: ChatCall) -> list[Delta]:
    return [piece async for made in engine.stream(call) for piece in made]


async def test_an_answer_comes_whole(engine: Vllm) -> None:
    pieces = await written(engine, replace(CALL, n=2))
    for index in range(2):
        said = "".join(piece.text for piece in pieces if piece.index == index)
        assert "A river flows" in said
        assert [p.finish for p in pieces if p.finish and p.index == index] == [Finish.STOP]
    usage = pieces[-1].usage
    assert usage is not None
    ids = engine._intake.read(CALL)
    assert (usage.prompt_tokens, usage.cached_tokens) == (len(ids), 3)
    told = [token for piece in pieces if piece.index == 1 for token in piece.tokens]
    assert told == [token for token in ids if token not in engine._ends]
    assert pieces[0].read is not None


async def test_length_stops_and_log_probabilities_are_told(engine: Vllm) -> None:
    how = Sampling(max_tokens=4, logprobs=True, top_logprobs=2, seed=2**64 - 1, logit_bias={3: 1.0})
    pieces = await written(engine, replace(CALL, sampling=how))
    told = [told for piece in pieces for told in piece.logprobs]
    assert [one.logprob for one in told] == [-0.5] * 4
    assert [len(one.top) for one in told] == [2] * 4
    assert [piece.finish for piece in pieces if piece.finish] == [Finish.LENGTH]
    stopped = await written(engine, replace(CALL, sampling=Sampling(stop=["river"])))
    assert "river" not in "".join(piece.text for piece in stopped)
    assert [piece.stopped_by for piece in stopped if piece.finish] == ["river"]


async def test_tools_are_told_in_the_format_that_is_read(
    zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PYTHON, sys.executable)
    monkeypatch.setenv("PYTHONPATH", str(DOUBLES))
    spec = Catalog([ModelEntry(name="tiny", source=str(zoo / "qwen3-chat"))]).spec("tiny")
    assert spec.generation is not None
    bare = "{% for m in messages %}{{ m.content }}{% endfor %}"
    told = replace(spec.generation, template=bare, tools="mistral")
    engine = load(replace(spec, generation=told), EngineOptions())
    tools = [{"type": "function", "function": {"name": "add"}}]
    written = engine._intake.template.write(replace(CALL, tools=tools))
    await engine.aclose()
    assert "[TOOL_CALLS]" in written
    assert "<tool_call>" not in written


@pytest.mark.parametrize(
    "form",
    [
        Structure(json_object=True),
        Structure(json_schema={"type": "object"}),
        Structure(regex="a+"),
        Structure(choice=["a", "b"]),
        Structure(grammar='start: "a"'),
    ],
)
async def test_forms_are_passed_on(engine: Vllm, form: Structure) -> None:
    assert (await written(engine, replace(CALL, structure=form)))[-1].usage is not None


async def test_what_it_cannot_do_is_refused(engine: Vllm) -> None:
    tools = [{"type": "function", "function": {"name": "add"}}]
    with pytest.raises(InvalidInput, match="tool_choice"):
        await written(engine, replace(CALL, tools=tools, tool_choice="required"))
    with pytest.raises(InvalidInput, match="vLLM refuses the call: unknown: other"):
        await written(engine, replace(CALL, model="other"))
    with pytest.raises(InputTooLong):
        await written(engine, replace(CALL, sampling=Sampling(max_tokens=100_000)))


@pytest.mark.parametrize(
    ("seed", "said"),
    [
        (FAILS, "as you wished"),
        (BREAKS, "broke off"),
        (DIES, "vLLM is gone"),
        (GARBLES, "is not understood"),
    ],
)
async def test_an_answer_that_fails_never_looks_whole(engine: Vllm, seed: int, said: str) -> None:
    pieces: list[Delta] = []

    async def take() -> None:
        async for made in engine.stream(replace(CALL, sampling=Sampling(seed=seed))):
            pieces.extend(made)

    with pytest.raises(EngineFailed, match=said):
        await take()
    assert all(piece.usage is None for piece in pieces)


async def test_a_server_that_does_not_start_tells_what_it_said(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PYTHON, sys.executable)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    spec = Catalog([ModelEntry(name="tiny", source=str(zoo / "qwen3-chat"))]).spec("tiny")
    with pytest.raises(ModelLoadFailed, match="No module named 'vllm'"):
        load(spec, EngineOptions())
    monkeypatch.setenv(PYTHON, str(tmp_path / "none"))
    with pytest.raises(ModelLoadFailed, match="cannot be started"):
        load(spec, EngineOptions())


def test_it_is_chosen_where_its_environment_is_named(
    zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = Catalog([ModelEntry(name="tiny", source=str(zoo / "qwen3-chat"))]).spec("tiny")
    monkeypatch.delenv(PYTHON, raising=False)
    assert registry.choose(spec).manifest.name != "vllm"
    monkeypatch.setenv(PYTHON, sys.executable)
    assert registry.choose(spec).manifest.name == "vllm"
