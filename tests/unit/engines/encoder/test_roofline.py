"""What is measured of an encoder beside the machine's multiply rate: laws, no times."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections import Counter

import msgspec
import numpy as np
import pytest
import torch
from fix_arch import texts_of
from fix_kernels import kernels, needs_compiler, only, threads, variants

from stelae.catalog.catalog import Catalog
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines import registry
from stelae.engines.base import EngineOptions
from stelae.engines.encoder.roofline import flop_of
from stelae.engines.encoder.watch import ATTENTION, LINEARS, NORMS, Watch
from stelae.engines.roofline import Roofline, measure
from stelae.errors import InvalidInput, UnsupportedTask
from stelae.nn.backbone import backbone_class
from stelae.nn.batch import pack
from stelae.nn.kernels.variants import Variant
from stelae.nn.layers.linear import GatedLinear, Linear
from stelae.nn.postnorm import PostNormEncoder
from stelae.nn.prenorm import PreNormBackbone
from stelae.types import ComputeDtype

TEXTS = ["a text", "another one, which is longer", "a third"]


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return Catalog().spec("default")


def test_whole_numbers_have_no_roofline(spec: ModelSpec) -> None:
    manifest = registry.choose(spec).manifest
    with pytest.raises(UnsupportedTask, match="float32 and bfloat16"):
        measure(spec, manifest, EngineOptions(dtype=ComputeDtype.INT8), TEXTS, 0.0)


@pytest.fixture(scope="module")
def found(spec: ModelSpec) -> Roofline:
    return measure(spec, registry.choose(spec).manifest, EngineOptions(), TEXTS, 0.0)


def test_arithmetic_of_the_default_model_is_that_of_a_bert(
    spec: ModelSpec, found: Roofline
) -> None:
    assert isinstance(spec.backbone, Backbone)
    config = spec.backbone.config
    h, i, layers = (
        config[name] for name in ("hidden_size", "intermediate_size", "num_hidden_layers")
    )
    assert found.flop_per_token == 2 * (4 * h * h + 2 * h * i) * layers


@pytest.mark.parametrize("name", ["BertModel", "AlbertModel"])
def test_arithmetic_counts_a_layer_as_often_as_it_runs(name: str) -> None:
    sizes = {"hidden_size": 16, "embedding_size": 16, "intermediate_size": 48}
    rest = {"num_hidden_layers": 3, "num_attention_heads": 2, "vocab_size": 100}
    model = backbone_class(name).from_config({**sizes, **rest, "max_position_embeddings": 64})
    batch = pack(texts_of())
    with torch.inference_mode(), Watch(lambda: 0.0) as watch:
        model(batch)
    tokens, per_layer = len(batch.ids), 2 * (4 * 16 * 16 + 2 * 16 * 48)
    embedding = 2 * 16 * 16 if name == "AlbertModel" else 0  # from its width to the layers'
    assert flop_of(watch.products) == tokens * (3 * per_layer + embedding)


@needs_compiler
@variants
@pytest.mark.parametrize("name", ["BertModel", "AlbertModel"])
def test_blocks_that_run_as_one_count_and_time_their_own_layers(
    name: str, variant: Variant
) -> None:
    sizes = {"hidden_size": 32, "embedding_size": 32, "intermediate_size": 48}
    rest = {"num_hidden_layers": 3, "num_attention_heads": 2, "vocab_size": 100}
    made = backbone_class(name).from_config({**sizes, **rest, "max_position_embeddings": 64})
    model, batch = made.to(variant.dtype), pack(texts_of())
    assert isinstance(model, PostNormEncoder)
    with kernels(only(variant)):
        model.prepack()
    assert model.whole is not None
    with torch.inference_mode(), threads(1), Watch(lambda: 0.0) as watch:
        model(batch)
    tokens = len(batch.ids)
    wanted = Counter({(32, 96): 3, (32, 32): 3, (32, 48): 3, (48, 32): 3})
    wanted[32, 32] += name == "AlbertModel"  # from the embeddings' width to the layers'
    assert watch.products == Counter({shape: tokens * n for shape, n in wanted.items()})
    assert all(watch.spent[part] > 0 for part in (LINEARS, ATTENTION, NORMS))
    assert model.whole.blocks.spent is None


@needs_compiler
@variants
def test_pre_norm_blocks_that_run_as_one_count_and_time_their_own_layers(variant: Variant) -> None:
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "head_dim": 16}
    rest = {"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100}
    made = backbone_class("Qwen3Model").from_config(
        {**sizes, **rest, "max_position_embeddings": 64}
    )
    model, batch = made.to(variant.dtype), pack(texts_of())
    assert isinstance(model, PreNormBackbone)
    with kernels(only(variant)):
        model.prepack()
    assert model.whole is not None
    with torch.inference_mode(), threads(1), Watch(lambda: 0.0) as watch:
        model(batch)
    tokens = len(batch.ids)
    wanted = Counter({(32, 128): 3, (64, 32): 3, (32, 48): 6, (48, 32): 3})
    assert watch.products == Counter({shape: tokens * n for shape, n in wanted.items()})
    assert all(watch.spent[part] > 0 for part in (LINEARS, ATTENTION, NORMS))


def spin(over: threading.Event) -> None:
    while not over.is_set():
        pass


@needs_compiler
@variants
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="threads cannot be held")
def test_time_of_blocks_is_their_own_on_a_processor_that_others_want(variant: Variant) -> None:
    sizes = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 8}
    rest = {"num_attention_heads": 2, "vocab_size": 100, "max_position_embeddings": 600}
    model = backbone_class("BertModel").from_config({**sizes, **rest}).to(variant.dtype)
    assert isinstance(model, PostNormEncoder)
    batch, over = pack([np.zeros(500, np.int32)] * 8), threading.Event()
    with kernels(only(variant)):
        model.prepack()
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})  # of this thread, and of the next, which inherits it
    neighbour = threading.Thread(target=spin, args=(over,))
    try:
        neighbour.start()
        began = time.thread_time()
        with torch.inference_mode(), threads(1), Watch(lambda: 0.0) as watch:
            for _ in range(4):
                model(batch)
        whole = time.thread_time() - began
    finally:
        over.set()
        neighbour.join()
        os.sched_setaffinity(0, before)
    assert 0 < sum(watch.spent[part] for part in (LINEARS, ATTENTION, NORMS)) <= whole


def test_gate_and_its_other_half_are_two_products() -> None:
    with torch.inference_mode(), Watch(lambda: 0.0) as watch:
        GatedLinear(8, 12, "gelu")(torch.zeros(5, 8))
    assert watch.products == {(8, 12): 10}


def test_watch_times_what_runs_and_then_looks_away() -> None:
    before, ticks = sys.getprofile(), itertools.count()
    with torch.inference_mode(), Watch(lambda: float(next(ticks))) as watch:
        layer = Linear(4, 4)
        layer(torch.zeros(1, 4))
        layer.add(torch.zeros(1, 4), torch.zeros(1, 4))
    assert watch.spent == {LINEARS: 2.0}
    assert sys.getprofile() is before


def test_shares_add_up(found: Roofline) -> None:
    assert sum(part.share for part in found.parts) == pytest.approx(1)
    (model,) = (part for part in found.parts if part.parts)
    assert sum(part.share for part in model.parts) == pytest.approx(model.share)
    assert [part.name for part in model.parts] == ["linears", "attention", "norms", "glue"]


def test_rate_is_arithmetic_times_tokens(found: Roofline) -> None:
    rate = found.flop_per_token * found.limit_tokens_per_s
    assert found.gflop_per_s * 1e9 == pytest.approx(rate)
    assert found.fraction == pytest.approx(found.tokens_per_s / found.limit_tokens_per_s)


def test_threads_are_as_before(found: Roofline, spec: ModelSpec) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        measure(spec, registry.choose(spec).manifest, EngineOptions(), TEXTS, 0.0)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_texts_that_cannot_run_are_refused(spec: ModelSpec) -> None:
    with pytest.raises(InvalidInput, match="none of the 0 texts"):
        measure(spec, registry.choose(spec).manifest, EngineOptions(), [], 0.0)


def test_other_engines_are_refused_by_name(spec: ModelSpec) -> None:
    with pytest.raises(UnsupportedTask, match="served by 'fake'") as refused:
        measure(spec, registry.manifests()["fake"], EngineOptions(), TEXTS, 0.0)
    assert refused.value.param == "model"


def test_models_without_vectors_are_refused(spec: ModelSpec) -> None:
    scorer = msgspec.structs.replace(spec, chains=())
    with pytest.raises(UnsupportedTask, match="makes none"):
        measure(scorer, registry.choose(spec).manifest, EngineOptions(), TEXTS, 0.0)
