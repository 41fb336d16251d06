"""OpenVINO's engine: what it leaves to others, graphs that others built, and pages of texts."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from fix_texts import PROMPTS, chat, expected, prompt_ids, same, spec_of, tokens, written
from msgspec.structs import replace
from safetensors.torch import load_file, save_file

from stelae.catalog.adapters import Adapters
from stelae.catalog.spec import ModelSpec
from stelae.engines import registry
from stelae.engines.base import Device, EngineOptions
from stelae.errors import ModelLoadFailed, OutOfMemory, UnsupportedCheckpoint
from stelae.types import ComputeDtype

pytest.importorskip("openvino", reason="openvino is not installed")

import openvino as ov
import openvino.opset13 as ops

from stelae.engines.openvino import engine as engines
from stelae.engines.openvino.graph import Decoder
from stelae.engines.openvino.pages import Pages, Pool
from stelae.engines.openvino.sizes import sizes_of
from stelae.engines.openvino.weights import FolderWeights

OPTIONS = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1, cache_tokens=4096)


@pytest.fixture
def copied(zoo: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(zoo / "qwen3-chat", tmp_path / "model"))


def changed(folder: Path, **options: Any) -> ModelSpec:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | options))
    return spec_of(folder.parent, folder.name)


async def greedy(spec: ModelSpec, said: str) -> list[int]:
    engine = engines.load(spec, OPTIONS)
    try:
        return tokens(await written(engine, chat(said)))
    finally:
        await engine.aclose()


async def matches(folder: Path, **loading: Any) -> bool:
    reference = transformers.AutoModelForCausalLM.from_pretrained(folder, **loading).float().eval()
    ids = prompt_ids(folder, PROMPTS[6])
    found = await greedy(spec_of(folder.parent, folder.name), PROMPTS[6])
    return same(reference, ids, found, expected(reference, ids))


def test_it_is_the_first_choice_for_what_it_serves(zoo: Path) -> None:
    assert registry.choose(spec_of(zoo, "qwen3-chat")).manifest.name == "openvino"
    assert registry.choose(spec_of(zoo, "llama-chat")).manifest.name == "openvino"


@pytest.mark.parametrize("kind", ["f32", "f16"])
async def test_a_graph_that_was_converted_before_writes_the_same(
    zoo: Path, tmp_path: Path, kind: str
) -> None:
    source, out = zoo / "llama-chat", tmp_path / "converted"
    shutil.copytree(source, out, ignore=shutil.ignore_patterns("*.safetensors"))
    config = json.loads((source / "config.json").read_text())
    weights = FolderWeights(source, ["model.safetensors"])
    graph = Decoder(sizes_of("LlamaForCausalLM", config), weights).model()
    end = graph.get_results()[0].input(0)
    scores = ops.convert(end.get_source_output(), kind)
    end.get_source_output().set_names(set())
    scores.output(0).set_names({"logits"})
    end.replace_source_output(scores.output(0))
    ov.save_model(graph, out / "openvino_model.xml", compress_to_fp16=False)
    spec = spec_of(tmp_path, "converted")
    assert registry.choose(spec).manifest.name == "openvino"
    assert await greedy(spec, PROMPTS[6]) == await greedy(spec_of(zoo, "llama-chat"), PROMPTS[6])


def test_a_converted_model_without_its_numbers_is_refused(zoo: Path, tmp_path: Path) -> None:
    out = tmp_path / "converted"
    shutil.copytree(zoo / "llama-chat", out, ignore=shutil.ignore_patterns("*.safetensors"))
    (out / "openvino_model.xml").write_text("<net/>")
    with pytest.raises(ModelLoadFailed, match=r"openvino_model\.bin"):
        spec_of(tmp_path, "converted")
    (out / "openvino_model.bin").touch()
    with pytest.raises(ModelLoadFailed, match="cannot load"):
        engines.load(spec_of(tmp_path, "converted"), OPTIONS)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
async def test_numbers_of_two_bytes_are_read_as_they_are(dtype: torch.dtype, copied: Path) -> None:
    file = copied / "model.safetensors"
    save_file({name: t.to(dtype) for name, t in load_file(file).items()}, file)
    assert await matches(copied, dtype=dtype)


async def test_slowed_angles_are_those_of_the_library(copied: Path) -> None:
    slowed = {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }  # fmt: skip
    changed(copied, rope_scaling=slowed)
    assert await matches(copied)


REFUSED: dict[str, dict[str, Any]] = {
    "hidden_act": {"hidden_act": "gelu"},
    "layer_types": {"layer_types": ["full_attention", "sliding_attention"], "sliding_window": 8,
                    "use_sliding_window": True},
    "rope_type": {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}},
    "quantization_config": {"quantization_config": {"bits": 4}},
    "no tensor": {"tie_word_embeddings": False},
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_implemented_is_refused_by_name(name: str, copied: Path) -> None:
    with pytest.raises(UnsupportedCheckpoint, match=name):
        engines.load(changed(copied, **REFUSED[name]), OPTIONS)


def test_tensors_that_no_part_takes_are_refused(copied: Path) -> None:
    file = copied / "model.safetensors"
    save_file(load_file(file) | {"model.layers.0.self_attn.sinks": torch.ones(4)}, file)
    with pytest.raises(UnsupportedCheckpoint, match="sinks"):
        engines.load(spec_of(copied.parent, copied.name), OPTIONS)


def test_models_with_adapters_and_machines_with_gpus_are_left_to_others(zoo: Path) -> None:
    spec = spec_of(zoo, "qwen3-chat")
    with pytest.raises(UnsupportedCheckpoint, match="adapters"):
        engines.load(spec, replace(OPTIONS, adapters=Adapters(sources={"a": "/nowhere"})))
    with pytest.raises(UnsupportedCheckpoint, match="GPU"):
        engines.load(spec, replace(OPTIONS, device=Device.CUDA))


async def test_a_reader_who_leaves_frees_the_pages(zoo: Path) -> None:
    engine = engines.load(spec_of(zoo, "qwen3-chat"), replace(OPTIONS, deterministic=True))
    pool: Pool = engine._model._pool  # type: ignore[attr-defined]
    every = pool.free
    ends = dict.fromkeys(engine._loop._ends, -100.0)
    try:
        call = replace(chat("sea", max_tokens=400, logit_bias=ends, temperature=1.0), n=8)
        stream = engine.stream(call)
        await anext(stream)
        await stream.aclose()
        assert (await written(engine, chat("sea", max_tokens=2)))[-1].usage is not None
    finally:
        await asyncio.to_thread(engine._loop.close)
    assert pool.free >= every - 2  # those of the last answer, which nothing has followed


def numbered(pages: int) -> tuple[Pool, Any]:
    cache = ov.Tensor(ov.Type.f32, ov.Shape([pages, 1, 4, 1]))
    cache.data[:] = torch.arange(pages * 4).reshape(pages, 1, 4, 1).numpy()
    return Pool([cache]), cache.data


def test_texts_that_begin_alike_share_whole_pages_and_copy_the_last() -> None:
    pool, data = numbered(5)
    first = Pages(pool)
    first.grow(11)
    second = first.fork(10)
    assert second.numbers == first.numbers
    assert pool.free == 2
    second.grow(11)
    assert second.numbers[:2] == first.numbers[:2]
    assert second.numbers[2] != first.numbers[2]
    assert (data[second.numbers[2]] == data[first.numbers[2]]).all()
    first.release()
    assert pool.free == 2
    second.fork(3).release()
    second.release()
    assert pool.free == 5


def test_more_pages_than_there_are_cannot_be_taken() -> None:
    pool, _ = numbered(2)
    with pytest.raises(OutOfMemory):
        Pages(pool).grow(9)


def test_nothing_can_be_reported_to_its_makers() -> None:
    code = (
        "import sys, stelae.engines.openvino.engine; "
        "print(sorted(m for m in sys.modules if m.startswith('openvino_telemetry.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
