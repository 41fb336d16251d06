"""Numbers of config.json that nothing can be built of, in every architecture that has them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import zoo as checkpoints

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.errors import UnsupportedCheckpoint
from stelae.nn.architectures import known
from stelae.nn.backbone import backbone_class

SOUND = [name for name in checkpoints.CHECKPOINTS if not name.startswith("broken")]

REPEATED = {
    "num_hidden_layers", "num_layers", "n_layers", "n_layer", "num_hidden_groups",
    "inner_group_num",
}  # fmt: skip
"""What architectures call the number of things that are built one by one."""

SIZES = {"hidden_size", "d_model", "dim", "n_embd", "head_dim", "intermediate_size", "d_ff"}
BASES = {"rope_theta", "rope_local_base_freq", "query_pre_attn_scalar", "global_rope_theta"}
WRONG: dict[str, tuple[Any, ...]] = {
    "eps": (math.inf, math.nan, 0, -1e-5, 2, True, "1e-5"),
    "repeated": (10**12, 0, -1, True, 2.5),
    "size": (10**12, 0, -1, True),
    "base": (math.inf, math.nan, 0, -1),
}


def kind_of(option: str) -> str | None:
    """What a number of that name is, if it is read."""
    if option.endswith(("_eps", "_epsilon")):
        return "eps"
    names = {"repeated": REPEATED, "size": SIZES, "base": BASES}
    return next((kind for kind, options in names.items() if option in options), None)


def backbones_of(spec: ModelSpec) -> Iterator[Backbone]:
    if isinstance(spec.backbone, Backbone) and spec.backbone.architecture in known():
        yield spec.backbone
    if spec.vision is not None and spec.vision.backbone.architecture in known():
        yield spec.vision.backbone


@pytest.mark.parametrize("name", SOUND)
def test_number_that_nothing_can_be_built_of_is_refused_by_name(zoo: Path, name: str) -> None:
    spec = Catalog([ModelEntry(name=name, source=str(zoo / name))]).spec(name)
    for part in backbones_of(spec):
        kind = backbone_class(part.architecture)
        with torch.device("meta"):
            kind.from_config(part.config)
        for option, stated in part.config.items():
            if kind_of(option) is None or isinstance(stated, dict | None):
                continue
            for wrong in WRONG[kind_of(option) or ""]:
                with pytest.raises(UnsupportedCheckpoint, match=r"config\.json"):
                    kind.from_config(part.config | {option: wrong})
