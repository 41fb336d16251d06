"""Weights of terms of each text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stelae.catalog.operations import SparsePool
from stelae.catalog.reading import Use
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.sentence_transformers.kinds import Kind
from stelae.engines.sentence_transformers.steps import VECTOR
from stelae.engines.text.features import Features, Output
from stelae.nn.heads.sparse import sparse


def kind_of(spec: ModelSpec) -> Kind:
    """A model of sentence-transformers' class ``SparseEncoder``."""
    chains = {chain.role: chain.steps for chain in spec.chains}
    words = any(isinstance(step, SparsePool) for steps in chains.values() for step in steps)
    if not words:
        return Kind(use=Use.TOKENS, chains=chains, rows=rows)
    config = spec.backbone.config if isinstance(spec.backbone, Backbone) else {}
    size = config.get("vocab_size", 1)
    return Kind(
        use=Use.LOGITS, chains=chains, rows=rows, numbers=size if isinstance(size, int) else 1
    )


def rows(features: dict[str, Any], texts: Sequence[Features]) -> list[Output]:
    """Ids and weights that are not zero."""
    del texts
    return [Output(terms=sparse(row)) for row in features[VECTOR].float()]
