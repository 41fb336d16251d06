"""T5's encoder against the reference library."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from fix_arch import assert_same, backbone_of, prepack, reference_of, rows_of, texts_of

from stelae.nn.batch import pack

TINY: dict[str, Any] = {
    "vocab_size": 100,
    "d_model": 32,
    "d_kv": 12,
    "d_ff": 48,
    "num_layers": 3,
    "num_heads": 4,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 20,
    "initializer_factor": 1.0,
    "pad_token_id": 0,
}
LONG = (3, 150, 17, 150, 40, 1, 2)
"""Far beyond the buckets."""


def t5(**options: Any) -> Any:
    return transformers.T5Config(**TINY | options)


CASES = [
    ("T5EncoderModel", t5()),
    ("T5EncoderModel", t5(feed_forward_proj="gated-gelu")),
    ("T5EncoderModel", t5(feed_forward_proj="gated-silu", layer_norm_epsilon=1e-3)),
    ("T5EncoderModel", t5(relative_attention_num_buckets=32, relative_attention_max_distance=128)),
    ("T5Model", t5()),
    ("T5ForConditionalGeneration", t5(tie_word_embeddings=False)),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("name", "config"), CASES)
def test_token_vectors_equal_the_reference(name: str, config: Any, dtype: torch.dtype) -> None:
    theirs = reference_of(getattr(transformers, name), config)
    ours = backbone_of(name, config.to_dict(), _saved(theirs)).to(dtype)
    texts = texts_of(LONG)
    batch = pack(texts)
    with torch.inference_mode():
        expected = [
            theirs.encoder(input_ids=torch.from_numpy(ids).long()[None]).last_hidden_state[0]
            for ids in texts
        ]
        for _ in range(2):
            found = rows_of(ours(batch), batch)
            if dtype is torch.float32:
                assert_same(found, expected)
            for one, other in zip(found, expected, strict=True):
                cosine = torch.cosine_similarity(one.float().mean(0), other.mean(0), dim=0)
                assert float(cosine) >= 0.999
            prepack(ours)


def _saved(theirs: Any) -> dict[str, torch.Tensor]:
    """The tensors as ``save_pretrained`` writes them: of tied ones, one."""
    tensors: dict[str, torch.Tensor] = dict(theirs.state_dict())
    for tied in theirs.all_tied_weights_keys:
        tensors.pop(tied, None)
    return tensors
