"""ELECTRA: BERT, with embeddings that may be narrower than its layers.

Source: Clark et al. 2020 (arXiv:2003.10555).
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from stelae.nn.backbone import architecture
from stelae.nn.batch import TokenBatch
from stelae.nn.fields import Width
from stelae.nn.layers.linear import Activation, Linear
from stelae.nn.postnorm import (
    FIRST_TOKEN,
    PostNormConfig,
    PostNormEncoder,
    bert_names,
    masked_lm_names,
)


class ElectraConfig(PostNormConfig, kw_only=True):
    """Embeddings have a width of their own."""

    embedding_size: Width = 128

    @property
    def embedding(self) -> int:
        """Width of the embeddings."""
        return self.embedding_size


@architecture(
    "ElectraModel",
    "ElectraForMaskedLM",
    "ElectraForPreTraining",
    "ElectraForSequenceClassification",
)
class Electra(PostNormEncoder):
    """Generator or discriminator; only the former has a head for masked words."""

    Config: ClassVar = ElectraConfig
    masked_lm_activation: ClassVar[Activation | None] = "gelu"
    classifier_activation: ClassVar[Activation] = "gelu"
    weights = bert_names(
        "electra.", r"generator_(predictions|lm_head)\..*", r"discriminator_predictions\..*"
    )
    masked_lm_weights = masked_lm_names(
        dense=r"^generator_predictions\.dense\.",
        norm=r"^generator_predictions\.LayerNorm\.",
        decoder=r"^generator_lm_head\.",
    )
    classifier_weights = FIRST_TOKEN

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__(config)
        narrow = config.embedding_size != self.width
        self.embeddings_project: nn.Module = (
            Linear(config.embedding_size, self.width) if narrow else nn.Identity()
        )

    def embed(self, batch: TokenBatch) -> Tensor:
        """The embeddings, as wide as the layers."""
        x: Tensor = self.embeddings_project(super().embed(batch))
        return x
