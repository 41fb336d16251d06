"""Scores of a query and a document that are read together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from stelae.catalog.abilities import YesNo
from stelae.catalog.reading import Use
from stelae.catalog.spec import ModelSpec
from stelae.engines.sentence_transformers.kinds import Kind
from stelae.engines.sentence_transformers.steps import VECTOR
from stelae.engines.text.features import Features, Output

SCORES, LOGITS = "scores", "causal_logits"


def kind_of(spec: ModelSpec) -> Kind:
    """A model of sentence-transformers' class ``CrossEncoder``."""
    if isinstance(spec.scoring, YesNo):
        return Kind(use=Use.NEXT, chains={None: ()}, rows=partial(answers, spec.scoring))
    if spec.scorer:
        return Kind(use=Use.TOKENS, chains={None: spec.scorer}, rows=partial(rows, VECTOR))
    return Kind(use=Use.SCORES, chains={None: ()}, rows=partial(rows, SCORES))


def rows(entry: str, features: dict[str, Any], texts: Sequence[Features]) -> list[Output]:
    """The logits of the labels, in an entry of the library's dictionary."""
    del texts
    return [Output(scores=row) for row in features[entry].float().cpu().numpy()]


def answers(asked: YesNo, features: dict[str, Any], texts: Sequence[Features]) -> list[Output]:
    """By how much a language model would rather say yes than no; texts of one length only."""
    del texts
    last = features[LOGITS][:, -1]
    scores = last[:, [asked.yes]]
    if asked.no is not None:
        scores = scores - last[:, [asked.no]]
    return [Output(scores=row) for row in scores.float().cpu().numpy()]
