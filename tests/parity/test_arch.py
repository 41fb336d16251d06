"""Every backbone against the reference library: tiny random weights, one line each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import transformers

from stelae.nn.architectures import known
from stelae.nn.backbone import backbone_class
from stelae.nn.batch import pack
from stelae.nn.layers.linear import Linear
from stelae.nn.weights import assign

TINY: dict[str, Any] = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
    "initializer_range": 0.2,
}

CASES = {
    "BertModel": transformers.BertConfig(**TINY),
    "BertForMaskedLM": transformers.BertConfig(**TINY, hidden_act="relu", type_vocab_size=1),
    "BertForPreTraining": transformers.BertConfig(**TINY, layer_norm_eps=1e-5),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("prepacked", [True, False])
def test_backbone_equals_the_reference(name: str, prepacked: bool) -> None:
    torch.manual_seed(5)
    config = CASES[name]
    reference = getattr(transformers, name)(config).eval()
    kind = backbone_class(name)
    ours = kind.from_config(config.to_dict())
    assign(ours, kind.weights.apply(reference.state_dict()), torch.float32)
    for module in ours.modules():
        if isinstance(module, Linear) and prepacked:
            module.prepack()
    rng = np.random.default_rng(1)
    texts = [rng.integers(1, 100, n).astype(np.int32) for n in (3, 17, 3, 40, 1)]
    batch = pack(texts)
    with torch.inference_mode():
        packed = ours(batch)
        trunk = getattr(reference, reference.base_model_prefix, reference)
        for row, index in enumerate(batch.order):
            start, length = int(batch.starts[row]), int(batch.lengths[row])
            ids = torch.from_numpy(texts[index]).long()[None]
            expected = trunk(input_ids=ids).last_hidden_state[0]
            torch.testing.assert_close(
                packed[start : start + length], expected, atol=2e-5, rtol=1e-5
            )


def test_every_architecture_has_its_line_here() -> None:
    assert set(CASES) == set(known())
