"""One vector of each text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stelae.catalog.operations import Normalize
from stelae.catalog.reading import Use
from stelae.catalog.spec import ModelSpec
from stelae.engines.sentence_transformers.kinds import Kind, Steps
from stelae.engines.sentence_transformers.steps import VECTOR
from stelae.engines.text.features import Features, Output


def kind_of(spec: ModelSpec) -> Kind:
    """A model of sentence-transformers' class ``SentenceTransformer``."""
    chains = {chain.role: _open(chain.steps) for chain in spec.chains}
    return Kind(use=Use.TOKENS, chains=chains, rows=rows)


def _open(steps: Steps) -> Steps:
    """Without a closing ``Normalize``: whether vectors get unit length is the call's to say."""
    return steps[:-1] if steps and isinstance(steps[-1], Normalize) else steps


def rows(features: dict[str, Any], texts: Sequence[Features]) -> list[Output]:
    """The vectors."""
    del texts
    return [Output(dense=row) for row in features[VECTOR].float().cpu().numpy()]
