"""The "new" encoder of GTE against a padded one in plain torch (``fix_gte_new.py``).

The reference library has no code of its own for the family.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fix_arch import agree, assert_same, backbone_of, prepack, reference_of, rows_of, texts_of
from fix_engine import answer
from fix_gte_new import REFERENCES, Config, gte
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoTokenizer

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines.base import Device, EngineOptions
from stelae.engines.encoder.engine import load
from stelae.errors import UnsupportedCheckpoint
from stelae.nn.backbone import Backbone, backbone_class
from stelae.nn.batch import TokenBatch, pack
from stelae.nn.weights import assign
from stelae.types import ComputeDtype, EncodeCall, Item

LONG = (3, 150, 17, 150, 41, 1, 2)
"""Beyond ``max_position_embeddings``, where angles must not change their rate."""

SECONDS = [2, 70, 9, 150, 0, 1, 1]
NTK = {"type": "ntk", "factor": 2.0}

CASES = [
    ("NewModel", gte()),
    ("NewModel", gte(hidden_act="silu", layer_norm_eps=1e-3)),
    ("NewModel", gte(pack_qkv=False)),
    ("NewModel", gte(type_vocab_size=0)),
    ("NewModel", gte(type_vocab_size=1, num_attention_heads=2)),
    ("NewModel", gte(rope_scaling=NTK)),
    ("NewModel", gte(rope_scaling=NTK | {"factor": 8.0}, rope_theta=20000.0)),
    ("NewModel", gte(rope_scaling=NTK | {"mixed_b": 0.625})),
    ("NewForMaskedLM", gte(rope_scaling=NTK)),
    ("NewForSequenceClassification", gte(rope_scaling=NTK)),
    ("GteModel", gte(rope_scaling=NTK, type_vocab_size=1)),
]


@pytest.mark.parametrize(("name", "config"), CASES)
def test_token_vectors_equal_the_padded_reference(name: str, config: Config) -> None:
    agree(name, config, REFERENCES[name], LONG)


@pytest.mark.parametrize("kinds", [0, 1, 2, 3])
def test_texts_padded_together_equal_texts_packed_together(kinds: int) -> None:
    config = gte(type_vocab_size=kinds, rope_scaling=NTK)
    theirs = reference_of(REFERENCES["NewModel"], config)
    ours = backbone_of("NewModel", config.to_dict(), theirs.state_dict())
    texts = texts_of(LONG)
    ids, mask, types = (torch.zeros(len(texts), max(LONG), dtype=torch.long) for _ in range(3))
    for row, (text, second) in enumerate(zip(texts, SECONDS, strict=True)):
        ids[row, : len(text)], mask[row, : len(text)] = torch.from_numpy(text).long(), 1
        types[row, second:] = 1
    batch = pack(texts, seconds=SECONDS)
    with torch.inference_mode():
        padded = theirs(ids, mask, types).last_hidden_state
        expected = [padded[row, : len(text)] for row, text in enumerate(texts)]
        assert_same(rows_of(ours(batch), batch), expected)


def test_every_layer_equals_the_reference() -> None:
    theirs = reference_of(REFERENCES["NewModel"], gte())
    ours = backbone_of("NewModel", gte().to_dict(), theirs.state_dict())
    text = texts_of((19,))[0]
    with torch.inference_mode():
        expected = theirs(torch.from_numpy(text).long()[None]).hidden_states
        assert_same(list(ours.states(pack([text]))), [state[0] for state in expected])


@pytest.mark.parametrize("factor", [0.5, 1.0])
def test_factors_up_to_one_slow_nothing(factor: float) -> None:
    theirs = reference_of(REFERENCES["NewModel"], gte())
    options = gte(rope_scaling=NTK | {"factor": factor}).to_dict()
    slowed, plain = (
        backbone_of("NewModel", o, theirs.state_dict()) for o in (options, gte().to_dict())
    )
    with torch.inference_mode():
        batch = pack(texts_of())
        torch.testing.assert_close(slowed(batch), plain(batch), rtol=0, atol=0)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("activation", ["gelu", "silu"])
def test_logits_of_masked_words_equal_the_reference(activation: str, tied: bool) -> None:
    config = gte(hidden_act=activation)
    theirs = reference_of(REFERENCES["NewForMaskedLM"], config)
    if not tied:
        theirs.lm_head.decoder.weight = torch.nn.Parameter(torch.randn(100, 32))
    tensors = theirs.state_dict()
    trunk = trunk_of("NewForMaskedLM", config, tensors)
    if tied:
        del tensors["lm_head.decoder.weight"]
    found = trunk.masked_lm_weights.apply(tensors)
    found.setdefault("decoder.weight", trunk.words.weight)
    batch = pack(texts_of())
    logits = run(trunk, trunk.masked_lm(), found, batch)
    assert_same(rows_of(logits, batch), [row[0] for row in logits_of(theirs)])


@pytest.mark.parametrize("labels", [1, 3])
def test_logits_of_classes_equal_the_reference(labels: int) -> None:
    config = gte(num_labels=labels)
    theirs = reference_of(REFERENCES["NewForSequenceClassification"], config)
    tensors, batch = theirs.state_dict(), pack(texts_of())
    trunk = trunk_of("NewForSequenceClassification", config, tensors)
    found = trunk.classifier_weights.apply(tensors)
    logits = run(trunk, trunk.classifier(labels), found, batch, whole=True)
    ours = torch.from_numpy(batch.restore(logits.numpy()))
    assert_same([ours], [torch.cat(logits_of(theirs))])


def test_vectors_of_a_checkpoint_equal_the_padded_reference(zoo: Path) -> None:
    folder = zoo / "gte-new"
    trunk = REFERENCES["NewModel"](Config(**json.loads((folder / "config.json").read_text())))
    tensors = load_file(folder / "model.safetensors")
    named = {n.removeprefix("new."): t for n, t in tensors.items() if n.startswith("new.")}
    trunk.load_state_dict(named)
    texts = ["The King's stone tablets", "", "a long river " * 60, "X"]
    read = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        first = trunk(read["input_ids"], read["attention_mask"]).last_hidden_state[:, 0]
    expected = torch.nn.functional.normalize(first, dim=-1).numpy()
    spec = Catalog([ModelEntry(name="m", source=str(folder))]).spec("m")
    engine = load(spec, EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1))
    found = answer(engine, EncodeCall(model="m", items=[Item(text=text) for text in texts]))
    assert found.dense is not None
    np.testing.assert_allclose(found.dense, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"position_embedding_type": "absolute"}, "position_embedding_type='absolute'"),
        ({"layer_norm_type": "rms_norm"}, "layer_norm_type='rms_norm'"),
        ({"logn_attention_scale": True}, "logn_attention_scale"),
        ({"rope_scaling": {"type": "ntk"}}, "rope_type='ntk'.*factor"),
        ({"rope_scaling": {"type": "ntk", "factor": 2.0, "mixed_b": 0}}, "rope_type='ntk'"),
        ({"hidden_act": "mish"}, "hidden_act='mish'"),
        ({"num_attention_heads": 5}, "num_attention_heads"),
    ],
)
def test_options_that_are_not_implemented_are_refused_by_name(
    options: dict[str, Any], named: str
) -> None:
    with pytest.raises(UnsupportedCheckpoint, match=named):
        backbone_class("NewModel").from_config(gte(**options).to_dict())


def trunk_of(name: str, config: Config, tensors: dict[str, Tensor]) -> Backbone:
    """Our trunk."""
    trunk = backbone_of(name, config.to_dict(), tensors)
    assert isinstance(trunk, Backbone)
    return trunk


def logits_of(theirs: Any) -> list[Tensor]:
    """The reference's logits of each text, alone."""
    with torch.inference_mode():
        return [theirs(input_ids=torch.from_numpy(ids).long()[None]).logits for ids in texts_of()]


def run(
    trunk: Backbone,
    head: torch.nn.Module,
    tensors: dict[str, Tensor],
    batch: TokenBatch,
    *,
    whole: bool = False,
) -> Tensor:
    """Trunk and head, laid out as the engine does."""
    assign(head, tensors, torch.float32)
    prepack(trunk)
    prepack(head)
    with torch.inference_mode():
        states = trunk(batch)
        logits: Tensor = head(states, batch) if whole else head(states)
    return logits
