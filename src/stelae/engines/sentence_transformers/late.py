"""Vectors of the tokens that count, for late interaction."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from stelae.catalog.operations import LateInteraction
from stelae.catalog.reading import Use
from stelae.catalog.spec import ModelSpec
from stelae.engines.sentence_transformers.kinds import Kind
from stelae.engines.sentence_transformers.steps import TOKENS
from stelae.engines.text.features import Features, Matrix, Output
from stelae.errors import UnsupportedCheckpoint
from stelae.nn.heads.late import kept
from stelae.types import Role


def kind_of(spec: ModelSpec) -> Kind:
    """A model of sentence-transformers' class ``MultiVectorEncoder``."""
    if spec.marking is None:
        raise UnsupportedCheckpoint(f"model '{spec.name}' does not say which tokens count")
    chains = {chain.role: chain.steps for chain in spec.chains}
    return Kind(use=Use.TOKENS, chains=chains, rows=partial(rows, spec.marking))


def rows(
    marking: LateInteraction, features: dict[str, Any], texts: Sequence[Features]
) -> list[Output]:
    """The vectors of each text's own tokens, without those on its side's skip list."""
    found = []
    for matrix, text in zip(features[TOKENS].float().cpu().numpy(), texts, strict=True):
        side = marking.query if text.role is Role.QUERY else marking.document
        own: Matrix = matrix[: len(text.ids)]
        found.append(Output(vectors=own[kept(text.ids, side)]))
    return found
