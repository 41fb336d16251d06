"""Which layers a model runs in compiled kernels, and that it answers alike without them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from fix_arch import texts_of
from fix_engine import answer
from fix_kernels import kernels, needs_compiler, none, only, variants
from torch import Tensor, nn

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineOptions
from stelae.engines.encoder.engine import load
from stelae.engines.encoder.model import TextEncoder
from stelae.engines.text.engine import TextEngine
from stelae.nn.backbone import Backbone
from stelae.nn.batch import TokenBatch, pack
from stelae.nn.kernels import build
from stelae.nn.kernels.linear import note
from stelae.nn.kernels.variants import VARIANTS, Variant, best
from stelae.nn.layers.linear import Linear, OneDnn
from stelae.nn.postnorm import PostNormEncoder
from stelae.nn.prenorm import PreNormBackbone
from stelae.types import ComputeDtype, EncodeCall, Item

AS_ONE = [
    *("bert-mean", "roberta-mean", "xlm-roberta-mean", "camembert-mean", "distilbert-mean"),
    *("electra-cls", "albert-mean", "mpnet-mean", "gte-new", "jina-v3-mean"),
]
PRE_NORM = [
    *("modernbert-mean", "eurobert-mean", "qwen3-embedding", "gte-qwen2", "llama-mean"),
    *("mistral-last", "gemma2-last", "gemma3-embedding"),
]
BY_LAYERS = ["deberta-mean", "nomic-mean"]

NEAR = {torch.float32: 1e-5, torch.bfloat16: 2.0**-6}
"""Difference that another order of sums and other roundings explain, by the root of mean squares:
of bfloat16 four roundings."""


def spec_of(folder: Path) -> ModelSpec:
    return Catalog([ModelEntry(name="m", source=str(folder))]).spec("m")


def trunk_of(folder: Path, dtype: torch.dtype) -> Backbone:
    trunk = TextEncoder(spec_of(folder), dtype, torch.device("cpu")).trunk
    assert isinstance(trunk, Backbone)
    return trunk


def loaded(folder: Path, variant: Variant) -> Backbone:
    """The trunk of a checkpoint, with kernels of one kind."""
    with kernels(only(variant)):
        return trunk_of(folder, variant.dtype)


def run(trunk: Backbone, batch: TokenBatch) -> tuple[Tensor, int]:
    """Token vectors, and how often linear layers of blocks were called."""
    calls: list[nn.Module] = []
    hooks = [
        module.register_forward_hook(lambda module, given, made: calls.append(module))
        for module in trunk.get_submodule("layers").modules()
        if isinstance(module, Linear)
    ]
    with torch.inference_mode():
        vectors: Tensor = trunk(batch)
    for hook in hooks:
        hook.remove()
    return vectors, len(calls)


def assert_near(ours: Tensor, theirs: Tensor, dtype: torch.dtype) -> None:
    """Equal but for the roundings of a number format."""
    apart = (ours.double() - theirs.double()).square().mean().sqrt()
    assert apart <= NEAR[dtype] * theirs.double().square().mean().sqrt()


@needs_compiler
@variants
@pytest.mark.parametrize("name", AS_ONE)
def test_blocks_run_as_one_and_give_what_its_states_end_with(
    zoo: Path, name: str, variant: Variant
) -> None:
    trunk, batch = loaded(zoo / name, variant), pack(texts_of())
    assert isinstance(trunk, PostNormEncoder)
    assert trunk.free
    vectors, calls = run(trunk, batch)
    assert calls == 0
    with torch.inference_mode():
        *_, last = trunk.states(batch)
    assert_near(vectors, last, variant.dtype)
    trunk.whole = None
    assert torch.equal(run(trunk, batch)[0], last)


@needs_compiler
@variants
@pytest.mark.parametrize("name", PRE_NORM)
def test_pre_norm_blocks_run_as_one_no_further_from_exact_vectors_than_by_layers(
    zoo: Path, name: str, variant: Variant
) -> None:
    trunk, batch = loaded(zoo / name, variant), pack(texts_of())
    assert isinstance(trunk, PreNormBackbone)
    assert trunk.free
    vectors, calls = run(trunk, batch)
    assert calls == 0
    trunk.whole = None
    layered, calls = run(trunk, batch)
    assert calls > 0
    with kernels(none):
        exact, _ = run(trunk_of(zoo / name, torch.float32), batch)
    if variant.dtype == torch.float32:
        assert_near(vectors, exact, torch.float32)
        return
    errors = [(x.float() - exact).square().mean() for x in (vectors, layered)]
    assert errors[0] <= 1.02 * errors[1]  # what is added stays in float32


@needs_compiler
@variants
@pytest.mark.parametrize("name", BY_LAYERS)
def test_blocks_that_attend_otherwise_run_layer_by_layer(
    zoo: Path, name: str, variant: Variant
) -> None:
    trunk, batch = loaded(zoo / name, variant), pack(texts_of())
    vectors, calls = run(trunk, batch)
    assert calls > 0
    with torch.inference_mode():
        *_, last = trunk.states(batch)
    assert torch.equal(vectors, last)


@needs_compiler
@variants
@pytest.mark.parametrize(("name", "part"), [("bert-mean", "down"), ("qwen3-embedding", "mlp.down")])
def test_blocks_run_layer_by_layer_while_an_adapter_changes_one(
    zoo: Path, name: str, part: str, variant: Variant
) -> None:
    trunk, batch = loaded(zoo / name, variant), pack(texts_of())
    before, _ = run(trunk, batch)
    layer = trunk.get_submodule(f"layers.1.{part}")
    assert isinstance(layer, Linear)
    layer.update = lambda x, y: y
    same, calls = run(trunk, batch)
    assert calls > 0
    assert_near(same, before, variant.dtype)
    layer.update = lambda x, y: y.add_(1.0).mul_(torch.linspace(0, 1, y.shape[1]))
    assert not torch.allclose(run(trunk, batch)[0].float(), before.float(), atol=0.1)
    layer.update = None
    after, calls = run(trunk, batch)
    assert calls == 0
    assert torch.equal(after, before)


@needs_compiler
@variants
@pytest.mark.parametrize("name", ["bert-mean", "qwen3-embedding"])
def test_without_kernels_vectors_are_the_same_but_for_roundings(
    zoo: Path, name: str, variant: Variant
) -> None:
    batch = pack(texts_of())
    vectors, _ = run(loaded(zoo / name, variant), batch)
    with kernels(none):
        plain = trunk_of(zoo / name, variant.dtype)
        layers = [module for module in plain.modules() if isinstance(module, Linear)]
        assert all(isinstance(layer.packed, OneDnn) for layer in layers)
        same, calls = run(plain, batch)
    assert calls > 0
    assert_near(vectors, same, variant.dtype)


@needs_compiler
@variants
def test_where_the_processor_multiplies_in_tiles_bfloat16_is_left_to_onednn(
    zoo: Path, variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    trunk = loaded(zoo / "bert-mean", variant)
    assert isinstance(trunk, PostNormEncoder)
    tiles = variant.dtype == torch.bfloat16
    assert (trunk.whole is None) == tiles
    assert ("(AMX)" in note(variant.dtype)) == tiles
    assert run(trunk, pack(texts_of()))[0].isfinite().all()


@pytest.fixture
def unbuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Nothing is compiled yet, and compilers are looked for in a folder that is empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(build, "folder", lambda: tmp_path)
    best.cache_clear()
    yield folder
    best.cache_clear()


def engine_of(folder: Path, dtype: torch.dtype) -> TextEngine:
    wanted = ComputeDtype(str(dtype).removeprefix("torch."))
    return load(spec_of(folder), EngineOptions(dtype=wanted, device=Device.CPU, threads=1))


def vectors_of(engine: TextEngine) -> Tensor:
    call = EncodeCall(model="m", items=[Item(text=text) for text in ("a text", "one more " * 20)])
    return torch.from_numpy(answer(engine, call).dense)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("refuses", [False, True], ids=["no compiler", "it refuses"])
def test_where_nothing_can_be_compiled_models_answer_all_the_same_and_say_so(
    zoo: Path, dtype: torch.dtype, refuses: bool, request: pytest.FixtureRequest
) -> None:
    wanted = vectors_of(engine_of(zoo / "bert-mean", dtype))
    folder: Path = request.getfixturevalue("unbuilt")
    if refuses:
        compiler = folder / "c++"
        compiler.write_text("#!/bin/sh\necho 'no such flag' >&2\nexit 1\n")
        compiler.chmod(0o755)
    engine = engine_of(zoo / "bert-mean", dtype)
    assert_near(vectors_of(engine), wanted, dtype)
    for what in ("attention", "linear layers"):
        (said,) = [n for n in engine.info.notes if n.startswith(f"{what} by PyTorch: ")]
        if any(variant.runs() for variant in VARIANTS if variant.dtype == dtype):
            assert ("no such flag" if refuses else "c++, g++, clang++ is installed") in said
