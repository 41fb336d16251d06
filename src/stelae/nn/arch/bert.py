"""BERT: learned absolute positions, two segments.

Source: Devlin et al. 2018 (arXiv:1810.04805).
"""

from __future__ import annotations

from typing import ClassVar

from stelae.nn.backbone import architecture
from stelae.nn.postnorm import (
    PostNormConfig,
    PostNormEncoder,
    bert_names,
    classifier_names,
    masked_lm_names,
)

HEAD = r"^cls\.predictions\."


@architecture("BertModel", "BertForMaskedLM", "BertForPreTraining", "BertForSequenceClassification")
class Bert(PostNormEncoder):
    """The first of its kind; the others differ from it in little."""

    Config: ClassVar = PostNormConfig
    weights = bert_names("bert.", r"cls\..*")
    masked_lm_weights = masked_lm_names(
        dense=HEAD + r"transform\.dense\.",
        norm=HEAD + r"transform\.LayerNorm\.",
        decoder=HEAD + r"decoder\.",
        bias=HEAD + r"bias$",
    )
    classifier_weights = classifier_names(r"^(bert\.)?pooler\.dense\.", r"^classifier\.")
