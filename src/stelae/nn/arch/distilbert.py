"""DistilBERT: half of BERT's layers, without segments.

Source: Sanh et al. 2019 (arXiv:1910.01108).
"""

from __future__ import annotations

from typing import ClassVar

from stelae.nn.backbone import activation_of, architecture
from stelae.nn.fields import Layers, Width
from stelae.nn.layers.linear import Activation
from stelae.nn.postnorm import (
    EMBEDDINGS,
    NORMS,
    UNUSED,
    PostNormConfig,
    PostNormEncoder,
    classifier_names,
    masked_lm_names,
)
from stelae.nn.weights import WeightMap

NAMES = {
    "hidden_size": "dim",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "intermediate_size": "hidden_dim",
    "hidden_act": "activation",
}


class DistilBertConfig(PostNormConfig, kw_only=True, rename=NAMES):
    """The same options under names of its own.

    Whether positions are sines (``sinusoidal_pos_embds``) plays no part: their table is
    among the weights.
    """

    hidden_size: Width
    num_hidden_layers: Layers
    num_attention_heads: Width
    intermediate_size: Width
    hidden_act: str = "gelu"
    type_vocab_size: int = 0

    @property
    def activation(self) -> Activation:
        """Of the feed-forward blocks."""
        return activation_of(self.hidden_act, "activation")


@architecture("DistilBertModel", "DistilBertForMaskedLM", "DistilBertForSequenceClassification")
class DistilBert(PostNormEncoder):
    """A smaller BERT with other names for everything."""

    Config: ClassVar = DistilBertConfig
    classifier_activation: ClassVar[Activation] = "relu"
    weights = WeightMap(
        prefixes=("distilbert.",),
        rename={
            **NORMS,
            **EMBEDDINGS,
            r"^transformer\.layer\.": "layers.",
            r"attention\.out_lin": "out",
            r"sa_layer_norm": "out_norm",
            r"ffn\.lin1": "up",
            r"ffn\.lin2": "down",
            r"output_layer_norm": "down_norm",
        },
        fuse={"qkv": ("attention.q_lin", "attention.k_lin", "attention.v_lin")},
        ignore=(*UNUSED, r"vocab_(transform|layer_norm|projector)\..*", r"pre_classifier\..*"),
    )
    masked_lm_weights = masked_lm_names(
        dense=r"^vocab_transform\.",
        norm=r"^vocab_layer_norm\.",
        decoder=r"^vocab_projector\.",
    )
    classifier_weights = classifier_names(r"^pre_classifier\.", r"^classifier\.")
