"""Backbones and heads side by side with the reference library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stelae.nn.backbone import Backbone, backbone_class
from stelae.nn.batch import TokenBatch, pack
from stelae.nn.layers.linear import prepack
from stelae.nn.weights import WeightMap, assign

LENGTHS = (3, 17, 3, 40, 1, 2)
"""Tokens of the texts in one batch; 40 is the most that the small models read."""


def texts_of(
    lengths: Sequence[int] = LENGTHS, vocabulary: int = 100, first: int = 5
) -> list[NDArray[np.int32]]:
    """Token ids, the same each time; ids below ``first`` (special tokens) do not occur."""
    rng = np.random.default_rng(1)
    return [rng.integers(first, vocabulary, n).astype(np.int32) for n in lengths]


def reference_of(kind: Callable[[Any], Any], config: Any, seed: int = 5) -> Any:
    """The library's model with weights large enough that every input matters."""
    torch.manual_seed(seed)
    model = kind(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim < 2:  # norms and biases: neither one nor zero
                spread = 0.1 * torch.randn_like(parameter)
                norm = "norm" in name.lower() or "_ln." in name
                parameter.add_(spread) if norm else parameter.copy_(spread)
    return model


def load(module: nn.Module, weights: WeightMap, tensors: dict[str, Tensor]) -> None:
    """Give a module the library's weights."""
    kept = weights.apply({name: tensor.clone() for name, tensor in tensors.items()})
    assign(module, kept, torch.float32)


def backbone_of(name: str, config: dict[str, Any], tensors: dict[str, Tensor]) -> Backbone:
    """Our backbone with the library's weights."""
    kind = backbone_class(name)
    ours = kind.from_config(config)
    load(ours, kind.weights, tensors)
    return ours.eval()


def rows_of(packed: Tensor, batch: TokenBatch) -> list[Tensor]:
    """Token vectors of each text, in the caller's order."""
    rows: list[Tensor] = [packed] * batch.size
    for row, index in enumerate(batch.order):
        start, length = int(batch.starts[row]), int(batch.lengths[row])
        rows[index] = packed[start : start + length]
    return rows


def assert_same(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> None:
    """Equal within 1e-5 of the reference's largest number."""
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        scale = max(1.0, float(other.abs().max()))
        torch.testing.assert_close(one, other, atol=1e-5 * scale, rtol=0.0)


def assert_near_in_bfloat16(
    backbone: Backbone, texts: Sequence[NDArray[np.int32]], theirs: Sequence[Tensor]
) -> None:
    """The mean vectors of the same weights in bf16 point the same way (cosine >= 0.999)."""
    backbone.to(torch.bfloat16)
    batch = pack(texts)
    with torch.inference_mode():
        ours = rows_of(backbone(batch), batch)
    for one, other in zip(ours, theirs, strict=True):
        cosine = torch.cosine_similarity(one.float().mean(0), other.mean(0), dim=0)
        assert float(cosine) >= 0.999


def agree(
    name: str,
    config: Any,
    reference: Callable[[Any], Any],
    lengths: Sequence[int] = LENGTHS,
    *,
    trunk: str | None = None,
    bfloat16: bool = True,
) -> None:
    """Our token vectors equal those of the library's class ``name``, packed or alone.

    Args:
        name: The class in ``config.json``.
        config: The library's configuration.
        reference: The library's class.
        lengths: Tokens of the texts in one batch.
        trunk: Name of its part that makes token vectors; ``None`` for the usual one.
        bfloat16: Whether the same weights are compared in bf16 too.
    """
    theirs = reference_of(reference, config)
    tensors = theirs.state_dict()
    ours = backbone_of(name, config.to_dict(), tensors)
    texts = texts_of(lengths, vocabulary=config.vocab_size)
    reader = getattr(theirs, trunk or theirs.base_model_prefix, theirs)
    with torch.inference_mode():
        expected = [
            reader(input_ids=torch.from_numpy(ids).long()[None]).last_hidden_state[0]
            for ids in texts
        ]
        batch = pack(texts)
        assert_same(rows_of(ours(batch), batch), expected)
    if bfloat16:
        assert_near_in_bfloat16(backbone_of(name, config.to_dict(), tensors), texts, expected)
    prepack(ours)
    with torch.inference_mode():
        assert_same(rows_of(ours(batch), batch), expected)
