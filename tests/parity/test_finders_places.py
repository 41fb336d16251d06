"""Scores of places computed word by word, beside the library's vectors of places."""

from __future__ import annotations

import pytest
import torch
from gliner.model import UniEncoderSpanGLiNER
from gliner.modeling.base import UniEncoderSpanModel

from stelae.engines.gliner.places import place_scorer

ENCODER = {
    "model_type": "bert", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 32, "vocab_size": 50, "max_position_embeddings": 32,
}  # fmt: skip


def model(mode: str) -> UniEncoderSpanModel:
    config = UniEncoderSpanGLiNER.config_class(
        model_name="none", hidden_size=24, max_width=5, vocab_size=50, class_token_index=48,
        span_mode=mode, encoder_config=dict(ENCODER),
    )  # fmt: skip
    torch.manual_seed(7)
    return UniEncoderSpanModel(config, False).eval()


@pytest.mark.parametrize(("length", "labels"), [(1, 1), (3, 4), (5, 2), (17, 9)])
@torch.inference_mode()
def test_scores_are_those_of_the_librarys_vectors(length: int, labels: int) -> None:
    whole = model("markerV0")
    scorer = place_scorer(whole)
    assert scorer is not None
    words, kinds = torch.randn(2, length, 24), torch.randn(2, labels, 24)
    firsts = torch.arange(length).repeat_interleave(5)
    lasts = firsts + torch.arange(5).repeat(length)
    inside = lasts < length
    places = torch.stack([firsts * inside, lasts * inside], dim=1).expand(2, -1, 2)
    vectors = whole.span_rep_layer(words, places)
    expected = torch.einsum("BLKD,BCD->BLKC", vectors, kinds).flatten(1, 2)[:, inside]
    found = scorer.scores(words, kinds).flatten(1, 2)[:, inside]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_other_vectors_of_places_are_left_to_the_library() -> None:
    assert place_scorer(model("markerV1")) is None
