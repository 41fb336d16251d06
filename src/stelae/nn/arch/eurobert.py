"""EuroBERT: Llama's layers, every token sees all others.

Source: Boizard et al. 2025 (arXiv:2503.05500).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from stelae.catalog.operations import Pooling
from stelae.nn.arch.llama import LlamaConfig
from stelae.nn.backbone import architecture
from stelae.nn.decoder import TWO_NORMS, Decoder
from stelae.nn.fields import Epsilon
from stelae.nn.heads.classify import CLASSIFIER_NAMES, ClassifierHead
from stelae.nn.heads.masked_lm import MASKED_LM_NAMES, MaskedLmHead
from stelae.nn.weights import WeightMap

POOLS = {"bos": Pooling.CLS, "mean": Pooling.MEAN, "late": Pooling.MEAN}


class EuroBertConfig(LlamaConfig, kw_only=True):
    """Never causal."""

    rms_norm_eps: Epsilon = 1e-5
    is_causal: bool = False
    classifier_pooling: Literal["bos", "mean", "late"] = "late"


@architecture("EuroBertModel", "EuroBertForMaskedLM", "EuroBertForSequenceClassification")
class EuroBert(Decoder):
    """Bidirectional encoder with heads of its own."""

    Config: ClassVar = EuroBertConfig
    config: EuroBertConfig
    weights = WeightMap(
        prefixes=TWO_NORMS.prefixes,
        rename=TWO_NORMS.rename,
        fuse=TWO_NORMS.fuse,
        ignore=(*TWO_NORMS.ignore, r"(lm_head|dense|classifier)\..*"),
    )
    masked_lm_weights = WeightMap(rename={r"^lm_head\.": "decoder."}, only=MASKED_LM_NAMES)
    classifier_weights = WeightMap(rename={r"^classifier\.": "out."}, only=CLASSIFIER_NAMES)

    def masked_lm(self) -> MaskedLmHead:
        """One product with the vocabulary."""
        config = self.config
        return MaskedLmHead(
            self.width,
            config.vocab_size,
            eps=config.rms_norm_eps,
            activation=None,
            norm=False,
            bias=config.mlp_bias,
        )

    def classifier(self, labels: int) -> ClassifierHead:
        """A dense layer with GELU on the pooled vector (or before pooling), then the labels."""
        pooling = self.config.classifier_pooling
        late = pooling == "late"
        return ClassifierHead(self.width, labels, pool=POOLS[pooling], hidden="gelu", late=late)
