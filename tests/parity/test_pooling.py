from __future__ import annotations

import numpy as np
import pytest
import torch
from sentence_transformers.sentence_transformer.modules import Pooling as Reference

from stelae.catalog.operations import Pooling
from stelae.nn.batch import pack
from stelae.nn.heads.pooling import PoolingHead

NAMES = {
    Pooling.CLS: "cls",
    Pooling.MEAN: "mean",
    Pooling.MAX: "max",
    Pooling.MEAN_SQRT_LEN: "mean_sqrt_len_tokens",
    Pooling.WEIGHTED_MEAN: "weightedmean",
    Pooling.LAST_TOKEN: "lasttoken",
}


@pytest.mark.parametrize("mode", list(Pooling))
@pytest.mark.parametrize("prompt", [0, 2, 3])
def test_pooling_equals_the_reference(mode: Pooling, prompt: int) -> None:
    lengths = [5, 3, 8, 5, 4]
    batch = pack([np.ones(n, np.int32) for n in lengths], [prompt] * len(lengths))
    torch.manual_seed(0)
    padded = torch.randn(len(lengths), max(lengths), 6)
    mask = torch.tensor([[1] * n + [0] * (max(lengths) - n) for n in lengths])
    packed = torch.cat([padded[i, : lengths[i]] for i in batch.order])
    features = {"token_embeddings": padded, "attention_mask": mask}
    if prompt:
        features["prompt_length"] = torch.tensor([prompt])
    reference = Reference(6, pooling_mode=NAMES[mode], include_prompt=not prompt)
    expected = reference(features)["sentence_embedding"]
    pooled = torch.from_numpy(batch.restore(PoolingHead((mode,))(packed, batch).numpy()))
    torch.testing.assert_close(pooled, expected, atol=1e-6, rtol=1e-6)


def test_several_modes_stand_side_by_side() -> None:
    batch = pack([np.ones(2, np.int32)])
    x = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    both = PoolingHead((Pooling.CLS, Pooling.MEAN))(x, batch)
    assert both.tolist() == [[1.0, 2.0, 2.0, 4.0]]
