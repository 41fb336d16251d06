"""GTE of version 1.5 and mGTE: BERT's post-norm blocks with rotary positions and a gate.

In ``config.json`` the family is called "new"; Arctic-Embed 2.0 has it as "gte".

Source: Zhang et al. 2024 (mGTE, arXiv:2407.19669); the names of options and tensors are
those of its checkpoints.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from stelae.nn.backbone import architecture, require
from stelae.nn.postnorm import EMBEDDINGS, UNUSED, classifier_names, masked_lm_names
from stelae.nn.rotary_postnorm import RotaryConfig, RotaryEncoder
from stelae.nn.weights import WeightMap


class GteConfig(RotaryConfig, kw_only=True):
    """Scores may not depend on the length of a text."""

    type_vocab_size: int = 1
    layer_norm_type: str = "layer_norm"
    logn_attention_scale: bool = False


def gate_first(up_gate: Tensor) -> Tensor:
    """The upper half of a matrix below the lower: here the gate comes first."""
    up, gate = up_gate.chunk(2)
    return torch.cat((gate, up))


@architecture("NewModel", "NewForMaskedLM", "NewForSequenceClassification", "GteModel")
class GteNew(RotaryEncoder):
    """The gate has no bias."""

    Config: ClassVar = GteConfig
    gated: ClassVar[bool] = True
    weights = WeightMap(
        prefixes=("new.",),
        rename={
            **EMBEDDINGS,
            r"^encoder\.layer\.": "layers.",
            r"attention\.qkv_proj\.": "qkv.",
            r"attention\.o_proj\.": "out.",
            r"attn_ln\.": "out_norm.",
            r"mlp\.up_gate_proj\.": "up.",
            r"mlp\.down_proj\.": "down.",
            r"mlp_ln\.": "down_norm.",
        },
        fuse={"qkv": ("attention.q_proj", "attention.k_proj", "attention.v_proj")},
        ignore=(*UNUSED, r"embeddings\.rotary_emb\..*", r"lm_head\..*"),
        change={r"layers\.\d+\.up\.weight": gate_first},
    )
    masked_lm_weights = masked_lm_names(
        dense=r"^lm_head\.dense\.", norm=r"^lm_head\.norm\.", decoder=r"^lm_head\.decoder\."
    )
    classifier_weights = classifier_names(r"^(new\.)?pooler\.dense\.", r"^classifier\.")

    def __init__(self, config: GteConfig) -> None:
        super().__init__(config)
        kind = config.layer_norm_type
        require(kind == "layer_norm", "layer_norm_type", kind, "layer_norm")
        scaled = config.logn_attention_scale
        require(not scaled, "logn_attention_scale", scaled, "false")
