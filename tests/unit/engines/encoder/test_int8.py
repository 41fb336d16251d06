"""Models in int8: what calibration leaves, who finds it, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from fix_arch import texts_of
from fix_engine import answer
from fix_int8 import needs_int8, prose
from fix_kernels import threads
from safetensors.torch import load_file, save_file

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.hub import CALIBRATION
from stelae.catalog.spec import ModelSpec
from stelae.engines import registry
from stelae.engines.base import EngineOptions
from stelae.engines.calibration import Calibration, Wanted, calibrate
from stelae.engines.encoder import calibrate as calibrating
from stelae.engines.encoder import int8
from stelae.engines.encoder.accuracy import agreement, batches, rates, vectors
from stelae.engines.encoder.engine import load
from stelae.engines.encoder.int8 import KEY, Plan, own_place, write
from stelae.engines.encoder.model import TextEncoder
from stelae.engines.text.features import Features, Output
from stelae.errors import InvalidInput, ModelLoadFailed, UnsupportedCheckpoint, UnsupportedTask
from stelae.nn import quantise
from stelae.nn.backbone import Backbone
from stelae.nn.batch import pack
from stelae.nn.layers.linear import GatedLinear, Linear
from stelae.nn.postnorm import PostNormEncoder
from stelae.nn.quantise import layers_of
from stelae.types import ComputeDtype, EncodeCall, Item

INT8 = EngineOptions(dtype=ComputeDtype.INT8, threads=1)


def silent(what: str, done: float) -> None:
    """Nobody looks on."""
    assert what
    assert 0.0 <= done <= 1.0


def calibrated(
    spec: ModelSpec, *, cosine: float = 0.995, file: Path | None = None, count: int = 140
) -> Calibration:
    """A model calibrated on some prose."""
    manifest = registry.choose(spec).manifest
    wanted = Wanted(texts=prose()[:count], cosine=cosine, file=file)
    return calibrate(spec, manifest, EngineOptions(threads=1), wanted, silent)


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return Catalog().spec("default")


@dataclass(frozen=True)
class Calibrated:
    """The default model, and a folder for states that has what was learnt of it."""

    found: Calibration
    home: Path


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, spec: ModelSpec) -> Iterator[Calibrated]:
    home = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(home))
        patch.setattr(calibrating, "ROUNDS", 1)
        yield Calibrated(calibrated(spec), home)


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing was ever calibrated here."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(calibrating, "ROUNDS", 1)
    return tmp_path


@needs_int8
def test_it_is_near_float32_and_says_so(once: Calibrated, spec: ModelSpec) -> None:
    found = once.found
    assert found.int8.mean_cosine >= 0.995
    assert found.int8.least_cosine >= 0.98
    assert found.int8.neighbours >= 0.85
    assert found.plain.mean_cosine > found.int8.mean_cosine
    assert (found.layers, found.kept, found.seen, found.held_out) == (24, (), 70, 70)
    engine = load(spec, INT8)
    said = " ".join(engine.info.notes)
    assert f"{found.int8.mean_cosine:.4f} in the mean" in said
    assert f"{found.int8.least_cosine:.4f} at least" in said
    assert engine.info.dtype == "int8"
    assert "linear layers by a kernel compiled here (AVX512-VNNI" in said


@needs_int8
def test_a_fingerprint_of_its_own_by_what_was_learnt(
    once: Calibrated, spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    formats = (ComputeDtype.AUTO, ComputeDtype.FLOAT32, ComputeDtype.BFLOAT16)
    others = {load(spec, EngineOptions(dtype=dtype, threads=1)).info for dtype in formats}
    first, again = load(spec, INT8).info, load(spec, INT8).info
    assert first == again
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    layer = {"layers.0.up": torch.full((384,), 2.0)}
    write(Plan(layer, once.found), own_place(once.found.weights))
    different = load(spec, INT8).info
    prints = {first.fingerprint, different.fingerprint, *(info.fingerprint for info in others)}
    assert len(prints) == 4  # auto is one of the other two
    assert "int8" not in {info.dtype for info in others}


@needs_int8
def test_a_text_has_the_same_vector_alone_and_in_any_company(
    once: Calibrated, spec: ModelSpec
) -> None:
    engine = load(spec, INT8)
    sizes = range(5, 300, 10)
    texts = [text[:size] for text, size in zip(prose()[200:230], sizes, strict=True)]
    items = [Item(text=text) for text in texts]
    with threads(2):
        together = answer(engine, EncodeCall(model="m", items=items)).dense
    with threads(1):
        alone = [answer(engine, EncodeCall(model="m", items=[item])).dense[0] for item in items]
    assert np.array_equal(together, np.stack(alone))


@needs_int8
def test_dearest_layers_are_left_out_until_the_cosine_is_reached(
    nothing: Path, spec: ModelSpec
) -> None:
    found = calibrated(spec, cosine=0.9996)
    assert found.kept
    assert found.layers + len(found.kept) == 24
    trunk = load(spec, INT8)._model.trunk  # type: ignore[attr-defined]
    packed = {name: layer.packed for name, layer in layers_of(trunk).items()}
    whole = {name for name, panels in packed.items() if panels.parts[2] is not None}
    assert whole == set(packed) - set(found.kept)
    assert isinstance(trunk, PostNormEncoder)
    assert trunk.whole is not None  # as one, of either kind


@needs_int8
def test_what_cannot_be_reached_is_said(nothing: Path, spec: ModelSpec) -> None:
    with pytest.raises(UnsupportedCheckpoint, match=r"1 was asked for.*ask for less"):
        calibrated(spec, cosine=1.0)
    assert list(nothing.rglob("*.safetensors")) == []


@needs_int8
def test_without_a_calibration_the_command_is_named(nothing: Path, spec: ModelSpec) -> None:
    with pytest.raises(ModelLoadFailed, match=r"not been calibrated.*stelae calibrate") as caught:
        registry.load_chosen(registry.choose(spec), spec, INT8)
    assert not isinstance(caught.value, UnsupportedCheckpoint)


@needs_int8
def test_a_file_in_the_folder_of_the_model_is_found_unless_it_is_of_other_weights(
    once: Calibrated, zoo: Path, nothing: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in (zoo / "bert-mean").rglob("*"):
        if file.is_file():
            (folder / file.relative_to(zoo / "bert-mean")).parent.mkdir(parents=True, exist_ok=True)
            (folder / file.relative_to(zoo / "bert-mean")).write_bytes(file.read_bytes())
    copied = Catalog([ModelEntry(name="m", source=str(folder))]).spec("m")
    found = calibrated(copied, cosine=0.0, file=folder / CALIBRATION)
    assert Path(found.file) == folder / CALIBRATION
    assert load(copied, INT8).info.dtype == "int8"
    write(Plan({}, once.found), folder / CALIBRATION)
    with pytest.raises(ModelLoadFailed, match=r"made for other weights.*stelae calibrate m"):
        load(copied, INT8)


def broken_files(found: Calibration) -> dict[str, object]:
    """What is no calibration, or one of another model: bytes, or tensors and metadata."""
    known = {KEY: msgspec.json.encode(found).decode()}
    return {
        "cannot be read as": b"nothing of the kind",
        "cannot be read as what": ({}, {"other": "1"}),
        "cannot be read": ({}, {KEY: '{"model": 3}'}),
        "cannot be read as what.*recursion": ({}, {KEY: '{"x":' + "[" * 100_000}),
        "no linear layer layers.99.up": ({"layers.99.up": torch.ones(384)}, known),
        "of shape": ({"layers.0.up": torch.ones(7)}, known),
        "float64": ({"layers.0.up": torch.ones(384).double()}, known),
        "not from 1e-12 to 1e": ({"layers.0.up": torch.zeros(384)}, known),
        "not from 1e-12 to 1e.12": ({"layers.0.up": torch.full((384,), torch.nan)}, known),
        "numbers that are not from": ({"layers.0.up": torch.full((384,), 1e-40)}, known),
        "numbers that are not": ({"layers.0.up": torch.full((384,), 3e38)}, known),
        "no layer that is in int8": ({}, known),
    }


@needs_int8
def test_a_broken_file_is_refused(once: Calibrated, nothing: Path, spec: ModelSpec) -> None:
    file = own_place(once.found.weights)
    file.parent.mkdir(parents=True)
    for said, content in broken_files(once.found).items():
        if isinstance(content, bytes):
            file.write_bytes(content)
        elif isinstance(content, tuple):
            save_file(content[0], file, content[1])
        with pytest.raises(ModelLoadFailed, match=said):
            load(spec, INT8)


@needs_int8
def test_a_file_that_cannot_be_written_is_said(
    nothing: Path, once: Calibrated, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelLoadFailed, match=r"cannot be written.*--output"):
        write(Plan({}, once.found), tmp_path / "file" / CALIBRATION)


@needs_int8
def test_a_file_that_cannot_be_written_is_said_before_the_work(
    nothing: Path, spec: ModelSpec, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InvalidInput, match=r"cannot be written: \S+/file is no folder.*--output"):
        calibrated(spec, file=tmp_path / "file" / CALIBRATION, count=1)


@needs_int8
def test_two_that_write_the_same_file_leave_one_of_theirs_whole(
    once: Calibrated, nothing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, plan = nothing / "made" / CALIBRATION, Plan({"layers.0.up": torch.ones(384)}, once.found)

    def saved(tensors: dict[str, torch.Tensor], to: Path, metadata: dict[str, str]) -> None:
        save_file(tensors, to, metadata)
        if os.getpid() == 1:
            monkeypatch.setattr(os, "getpid", lambda: 2)
            write(plan, file)  # another process, while this one is at it

    monkeypatch.setattr(os, "getpid", lambda: 1)
    monkeypatch.setattr(int8, "save_file", saved)
    write(plan, file)
    assert list(file.parent.iterdir()) == [file]
    assert load_file(file)["layers.0.up"].tolist() == [1.0] * 384


@needs_int8
def test_nothing_is_left_of_a_file_whose_writing_was_broken_off(
    once: Calibrated, nothing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(tensors: dict[str, torch.Tensor], to: Path, metadata: dict[str, str]) -> None:
        save_file(tensors, to, metadata)
        raise KeyboardInterrupt

    monkeypatch.setattr(int8, "save_file", broken_off)
    with pytest.raises(KeyboardInterrupt):
        write(Plan({}, once.found), nothing / "made" / CALIBRATION)
    assert list((nothing / "made").iterdir()) == []


@needs_int8
def test_layers_wider_than_the_kernel_takes_stay_as_they_are(
    spec: ModelSpec, nothing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrating, "WIDEST", 384)
    assert calibrated(spec, cosine=0.0).layers == 18  # all but those behind the activation
    monkeypatch.setattr(quantise, "WIDEST", 383)
    with pytest.raises(ModelLoadFailed, match="384 inputs, and 383 is the most"):
        load(spec, INT8)


@needs_int8
@pytest.mark.parametrize(
    "texts", [(), ("the same text",) * 200, tuple(prose()[:63]), ("", " ", "\n") * 90]
)
def test_too_few_texts_are_refused(spec: ModelSpec, texts: tuple[str, ...]) -> None:
    wanted = Wanted(texts=texts)
    with pytest.raises(InvalidInput, match="at least 64"):
        calibrate(spec, registry.choose(spec).manifest, EngineOptions(threads=1), wanted, silent)


def test_a_processor_without_the_instructions_refuses(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: False)
    with pytest.raises(UnsupportedCheckpoint, match=r"AVX512-VNNI.*set dtype to auto"):
        load(spec, INT8)
    with pytest.raises(UnsupportedCheckpoint, match="AVX512-VNNI"):
        calibrated(spec)


def test_models_without_linear_layers_or_without_vectors_are_refused(zoo: Path) -> None:
    def spec_of(name: str) -> ModelSpec:
        return Catalog([ModelEntry(name=name, source=str(zoo / name))]).spec(name)

    with pytest.raises(UnsupportedCheckpoint, match="no linear layers"):
        load(spec_of("static"), INT8)
    for name in ("cross-encoder", "splade"):
        with pytest.raises(UnsupportedCheckpoint, match=r"no dense vectors.*set dtype to auto"):
            load(spec_of(name), INT8)
    with pytest.raises(UnsupportedTask, match="dense vectors"):
        calibrated(spec_of("cross-encoder"))


@needs_int8
@pytest.mark.parametrize(
    "name", ["bert-mean", "albert-mean", "mpnet-mean", "deberta-mean", "nomic-mean", "gte-new"]
)
def test_all_layers_of_any_architecture_come_near_float32(zoo: Path, name: str) -> None:
    spec = Catalog([ModelEntry(name="m", source=str(zoo / name))]).spec("m")
    device, batch = torch.device("cpu"), pack(texts_of())
    exact = TextEncoder(spec, torch.float32, device).trunk
    layers = layers_of(exact)
    ones = {name: torch.ones(inputs_of(layer)) for name, layer in layers.items()}
    int8 = TextEncoder(spec, torch.float32, device, int8=ones).trunk
    assert isinstance(exact, Backbone)
    assert isinstance(int8, Backbone)
    with torch.inference_mode():
        wanted, found = exact(batch), int8(batch)
    apart = (found - wanted).square().mean().sqrt() / wanted.square().mean().sqrt()
    assert 1e-5 < apart < 0.1  # a few steps of 1/254 in each layer


def inputs_of(layer: object) -> int:
    """Width of what a layer multiplies."""
    assert isinstance(layer, Linear | GatedLinear)
    packed = layer.packed[0] if isinstance(layer.packed, tuple) else layer.packed
    return packed.inputs  # type: ignore[union-attr, no-any-return]


def test_neighbours_are_counted_that_both_have() -> None:
    angles = np.random.default_rng(2).uniform(0, np.pi, 40)
    ours = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert agreement(ours, ours, 5) == 1.0
    turned = ours @ np.array([[0, 1], [-1, 0]], np.float32)
    assert agreement(ours, turned, 5) == 1.0  # likeness stays
    assert agreement(ours, ours[np.random.default_rng(1).permutation(40)], 5) < 0.5
    assert agreement(ours[:6], ours[:6][::-1].copy(), 5) == 1.0  # all the others


def test_batches_hold_no_more_tokens_than_they_may() -> None:
    texts = [Features(np.zeros(n, np.int32)) for n in (4000, 96, 1, 5000, 10, 4086, 1)]
    lengths = [[len(text.ids) for text in batch] for batch in batches(texts)]
    assert lengths == [[4000, 96], [1], [5000], [10, 4086], [1]]


def test_vectors_have_unit_length_and_models_take_turns() -> None:
    turns: list[str] = []

    def run(name: str) -> object:
        def ran(batch: list[Features]) -> list[Output]:
            turns.append(name)
            return [Output(dense=np.array([3.0, 4.0], np.float32)) for _ in batch]

        return ran

    texts = [Features(np.zeros(10, np.int32))] * 3
    made = vectors(run("a"), texts)  # type: ignore[arg-type]
    assert made.tolist() == pytest.approx(np.array([[0.6, 0.8]] * 3))
    turns.clear()
    one, other, gain = rates(run("a"), run("b"), texts, 3)  # type: ignore[arg-type]
    assert turns == ["a", "b"] * 4
    assert min(one, other, gain) > 0
