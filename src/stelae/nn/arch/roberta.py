"""RoBERTa, XLM-RoBERTa, CamemBERT: BERT whose positions count from the padding token on.

Source: Liu et al. 2019 (arXiv:1907.11692); Conneau et al. 2020 (arXiv:1911.02116);
Martin et al. 2020 (arXiv:1911.03894).
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from stelae.nn.backbone import architecture
from stelae.nn.batch import TokenBatch
from stelae.nn.layers.linear import Activation
from stelae.nn.layers.positions import counted_positions
from stelae.nn.postnorm import (
    FIRST_TOKEN,
    PostNormConfig,
    PostNormEncoder,
    bert_names,
    masked_lm_names,
)


class RobertaConfig(PostNormConfig, kw_only=True):
    """Positions depend on the padding token."""

    pad_token_id: int = 1


@architecture(
    "RobertaModel",
    "RobertaForMaskedLM",
    "RobertaForSequenceClassification",
    "XLMRobertaModel",
    "XLMRobertaForMaskedLM",
    "XLMRobertaForSequenceClassification",
    "CamembertModel",
    "CamembertForMaskedLM",
    "CamembertForSequenceClassification",
)
class Roberta(PostNormEncoder):
    """One architecture under three names, for three vocabularies."""

    Config: ClassVar = RobertaConfig
    config: RobertaConfig
    masked_lm_activation: ClassVar[Activation | None] = "gelu"
    weights = bert_names("roberta.", r"lm_head\..*")
    masked_lm_weights = masked_lm_names(
        dense=r"^lm_head\.dense\.",
        norm=r"^lm_head\.layer_norm\.",
        decoder=r"^lm_head\.decoder\.",
        bias=r"^lm_head\.bias$",
    )
    classifier_weights = FIRST_TOKEN

    def places(self, batch: TokenBatch) -> Tensor:
        """Positions from ``pad_token_id + 1``."""
        return counted_positions(batch, self.config.pad_token_id)
