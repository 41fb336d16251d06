from __future__ import annotations

import pytest
import torch
from torch import nn

from stelae.errors import ModelLoadFailed
from stelae.nn.weights import WeightMap, assign

MAP = WeightMap(
    prefixes=("model.",),
    rename={r"^encoder\.": ""},
    fuse={"qkv": ("q", "k", "v")},
    ignore=(r"head\..*",),
)


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(*shape)


def test_prefix_rename_ignore_and_fuse_in_order() -> None:
    tensors = {
        "model.encoder.0.q.weight": ones(1, 2) * 1,
        "model.encoder.0.k.weight": ones(1, 2) * 2,
        "model.encoder.0.v.weight": ones(1, 2) * 3,
        "head.weight": ones(9),
    }
    assert {k: v.tolist() for k, v in MAP.apply(tensors).items()} == {
        "0.qkv.weight": [[1, 1], [2, 2], [3, 3]]
    }


def test_fusing_names_what_the_checkpoint_lacks() -> None:
    with pytest.raises(ModelLoadFailed, match=r"lacks 0\.v\.weight"):
        MAP.apply({"0.q.weight": ones(1), "0.k.weight": ones(1)})


@pytest.mark.parametrize(
    ("tensors", "fault"),
    [
        ({"bias": ones(3)}, "weight is missing"),
        ({"weight": ones(3, 2), "bias": ones(3), "more": ones(1)}, "more is not used"),
        ({"weight": ones(3, 5), "bias": ones(3)}, r"weight has shape \(3, 5\), not \(3, 2\)"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_by_name(
    tensors: dict[str, torch.Tensor], fault: str
) -> None:
    with pytest.raises(ModelLoadFailed, match=fault):
        assign(nn.Linear(2, 3), tensors, torch.float32)
