"""Scores of all places of a text, computed word by word as far as that goes.

The library makes a vector of every place, which is most of its work: two layers on some
hundreds of places for each dozen words. The first layer reads the first and the last word
side by side, so each word needs it only once for either end; the second comes just before
the product with the labels, so it is cheaper on the labels.

Source: gliner 0.2.24, ``SpanMarkerV0`` in ``modeling/span_rep.py``, for what is computed.
"""

from __future__ import annotations

from typing import Any

import torch
from gliner.modeling.base import (
    BiEncoderSpanModel,
    UniEncoderSpanModel,
    UniEncoderSpanRelexModel,
)
from gliner.modeling.span_rep import SpanMarkerV0
from torch import Tensor
from torch.nn import functional

KINDS = (UniEncoderSpanModel, BiEncoderSpanModel, UniEncoderSpanRelexModel)
"""Models that need the vectors of places for their scores alone, if for no relations."""


class PlaceScorer:
    """Scores every place against every label.

    Args:
        model: The library's model.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._layer: SpanMarkerV0 = model.span_rep_layer.span_rep_layer
        joint, _, _, self._last = self._layer.out_project
        self._first, self._second = joint.weight.chunk(2, dim=1)
        self._bias = joint.bias

    def __call__(self, **inputs: Tensor) -> Tensor:
        """Logits by first word, words after it, and label, shape ``(B, W, K, C)``.

        Those of places that lead out of a text mean nothing.
        """
        labels, _, words, _ = self._model.get_representations(**inputs)
        return self.scores(words, self._model.prompt_rep_layer(labels))

    def scores(self, words: Tensor, labels: Tensor) -> Tensor:
        """The same, from vectors of words ``(B, W, H)`` and of labels ``(B, C, H)``."""
        layer, last = self._layer, self._last
        begins = functional.linear(layer.project_start(words).relu(), self._first, self._bias)
        ends = functional.linear(layer.project_end(words).relu(), self._second)
        keys = (labels @ last.weight).transpose(1, 2)  # (B, 4 H, C)
        always = (labels @ last.bias).unsqueeze(1)  # (B, 1, C)
        count, length, _ = words.shape
        scores = words.new_zeros(count, length, layer.max_width, labels.shape[1])
        for more in range(min(layer.max_width, length)):
            joined = (begins[:, : length - more] + ends[:, more:]).relu_()
            scores[:, : length - more, more] = torch.bmm(joined, keys) + always
        return scores


def place_scorer(model: Any) -> PlaceScorer | None:
    """The scorer for a model of the library, if it is of a kind that can have one."""
    if type(model) not in KINDS or not isinstance(
        model.span_rep_layer.span_rep_layer, SpanMarkerV0
    ):
        return None
    return PlaceScorer(model)
