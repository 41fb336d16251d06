"""Int8 in stacks that run as one: whole models of each kind, against float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from fix_kernels import int8_variants, kernels, needs_compiler, none, threads
from torch import Tensor

from stelae.nn.backbone import Backbone, backbone_class
from stelae.nn.batch import TokenBatch, pack
from stelae.nn.kernels import linear
from stelae.nn.kernels.variants import Variant, compiled
from stelae.nn.layers.linear import prepack
from stelae.nn.postnorm import PostNormEncoder
from stelae.nn.prenorm import PreNormBackbone
from stelae.nn.quantise import layers_of, quantise

SIZES: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 100,
    "max_position_embeddings": 128,
}
GROUPED = SIZES | {"num_key_value_heads": 2, "head_dim": 16}

MODELS: dict[str, dict[str, Any]] = {
    "LlamaModel": GROUPED,
    "Qwen3Model": GROUPED,
    "Gemma2Model": GROUPED | {"sliding_window": 9, "attn_logit_softcapping": 2.0},
    "ModernBertModel": SIZES | {"local_attention": 8, "global_attn_every_n_layers": 2},
    "NewModel": SIZES,
    "JinaEmbeddingsV3Model": SIZES,
}
"""Such as have two norms, norms of heads, four norms and caps, windows, a gate, and angles."""

LENGTHS = (1, 20, 20, 70)


def random_model(name: str) -> Backbone:
    """Weights large enough that every input matters."""
    torch.manual_seed(2)
    model = backbone_class(name).from_config(MODELS[name])
    for path, parameter in model.named_parameters():
        if parameter.ndim == 2:
            parameter.normal_(std=1.0 if "words" in path else parameter.shape[1] ** -0.5)
        else:
            parameter.normal_(std=0.1).add_("norm" in path and path.endswith("weight"))
    return model.eval()


def in_int8(name: str, variant: Variant, layers: slice) -> PreNormBackbone | PostNormEncoder:
    """A model of which some layers are in int8, laid out."""
    model = random_model(name)
    named = {path: tensor.clone() for path, tensor in model.state_dict().items()}
    chosen = list(layers_of(model))[layers]
    smoothing = {path: torch.rand(named[f"{path}.weight"].shape[1]) + 0.5 for path in chosen}
    model.to(variant.dtype)
    quantise(model, named, compiled(linear.SOURCE, variant), smoothing)
    prepack(model)
    assert isinstance(model, PreNormBackbone | PostNormEncoder)
    return model


def texts(lengths: tuple[int, ...] = LENGTHS) -> TokenBatch:
    rng = np.random.default_rng(4)
    return pack([rng.integers(0, 50, length).astype(np.int32) for length in lengths])


def apart(found: Tensor, exact: Tensor) -> float:
    """Root of the mean square of what they differ by, as a share of the second's."""
    return float((found.double() - exact).square().mean().sqrt() / exact.square().mean().sqrt())


@needs_compiler
@int8_variants
@pytest.mark.parametrize("layers", [slice(None), slice(1, None, 2)], ids=["all", "some"])
@pytest.mark.parametrize("name", MODELS)
def test_as_one_they_are_as_near_to_float64_as_by_layers(
    variant: Variant, name: str, layers: slice
) -> None:
    """Within a tenth: where numbers are rounded otherwise, whole numbers differ by a step."""
    batch = texts()
    with kernels(none):
        exact = random_model(name).double()(batch)
    model = in_int8(name, variant, layers)
    assert model.whole is not None
    *_, by_layers = model.states(batch)
    assert apart(model(batch), exact) <= 1.1 * apart(by_layers, exact)
    assert apart(by_layers, exact) <= 0.06


@needs_compiler
@int8_variants
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("name", MODELS)
def test_a_text_has_the_same_bits_in_any_company(variant: Variant, name: str, count: int) -> None:
    model, batch = in_int8(name, variant, slice(None)), texts()
    with threads(count):
        together = model(batch)
    for start, length in zip(batch.starts.tolist(), LENGTHS, strict=True):
        alone = model(pack([batch.ids[start : start + length].numpy()]))
        assert torch.equal(together[start : start + length], alone)
