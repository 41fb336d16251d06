"""Heads of decoders, old forms of their configs, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import transformers
from fix_arch import assert_same, backbone_of, reference_of, rows_of, texts_of
from torch import Tensor

from stelae.errors import UnsupportedCheckpoint
from stelae.nn.backbone import Backbone, backbone_class
from stelae.nn.batch import pack
from stelae.nn.weights import assign

TINY: dict[str, Any] = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
}
WIDE = {**TINY, "initializer_range": 0.2, "pad_token_id": 0}
YES, NO = 61, 17


def causal(name: str, **options: Any) -> tuple[Any, Backbone, dict[str, Tensor]]:
    """A language model of the library, ours, and its tensors as a checkpoint holds them."""
    kind = getattr(transformers, name)
    config = kind.config_class(**WIDE | options)
    config._attn_implementation = "eager"
    theirs = reference_of(kind, config)
    tensors = dict(theirs.state_dict())
    if config.tie_word_embeddings:
        del tensors["lm_head.weight"]
    return theirs, backbone_of(name, config.to_dict(), tensors), tensors


def logits_of(theirs: Any, texts: list[Any]) -> Tensor:
    """The library's logits after each text."""
    with torch.inference_mode():
        every = [theirs(input_ids=torch.from_numpy(ids).long()[None]).logits for ids in texts]
    return torch.stack([logits[0, -1] for logits in every])


def scores_of(ours: Backbone, tensors: dict[str, Tensor], ids: list[int], texts: Any) -> Tensor:
    """Our scores, in the order of the texts."""
    batch = pack(texts)
    with torch.inference_mode():
        rows = ours.choice(tensors, ids)(ours(batch), batch).numpy()
    return torch.from_numpy(batch.restore(rows))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Qwen3ForCausalLM", {"tie_word_embeddings": True, "head_dim": 16}),
        ("Qwen2ForCausalLM", {"tie_word_embeddings": False}),
        ("LlamaForCausalLM", {}),
        ("MistralForCausalLM", {"sliding_window": 7}),
        ("Gemma2ForCausalLM", {"final_logit_softcapping": 3.0, "head_dim": 16}),
        ("Gemma3ForCausalLM", {"head_dim": 16}),
    ],
)
def test_choice_equals_the_difference_of_two_logits(name: str, options: dict[str, Any]) -> None:
    theirs, ours, tensors = causal(name, **options)
    texts = texts_of()
    expected = logits_of(theirs, texts)
    both = scores_of(ours, tensors, [YES, NO], texts)
    alone = scores_of(ours, tensors, [YES], texts)
    assert_same([both[:, 0], alone[:, 0]], [expected[:, YES] - expected[:, NO], expected[:, YES]])


def test_rows_of_an_untied_head_are_never_taken_from_the_embeddings() -> None:
    _, ours, tensors = causal("Qwen3ForCausalLM", tie_word_embeddings=False, head_dim=16)
    del tensors["lm_head.weight"]
    with pytest.raises(UnsupportedCheckpoint, match=r"no rows \[61, 17\] in any of lm_head"):
        ours.choice(tensors, [YES, NO])


def test_a_head_that_differs_from_tied_embeddings_counts() -> None:
    _, ours, tensors = causal("Qwen3ForCausalLM", tie_word_embeddings=True, head_dim=16)
    tensors["lm_head.weight"] = torch.zeros(100, 32)
    assert scores_of(ours, tensors, [YES, NO], texts_of()).abs().max() == 0


def test_a_token_outside_the_vocabulary_is_refused() -> None:
    _, ours, tensors = causal("Qwen3ForCausalLM", tie_word_embeddings=True, head_dim=16)
    with pytest.raises(UnsupportedCheckpoint, match="no rows"):
        ours.choice(tensors, [100, NO])


@pytest.mark.parametrize("pad", [0, None])
@pytest.mark.parametrize(
    "name",
    [
        "LlamaForSequenceClassification",
        "MistralForSequenceClassification",
        "Qwen2ForSequenceClassification",
        "Qwen3ForSequenceClassification",
        "Gemma2ForSequenceClassification",
        "Gemma3TextForSequenceClassification",
    ],
)
def test_classes_come_from_the_last_token_that_is_not_padding(name: str, pad: int | None) -> None:
    kind = getattr(transformers, name)
    config = kind.config_class(**WIDE | {"head_dim": 16, "num_labels": 3, "pad_token_id": pad})
    config._attn_implementation = "eager"
    theirs = reference_of(kind, config)
    ours = backbone_of(name, config.to_dict(), theirs.state_dict())
    head = ours.classifier(3)
    assign(head, ours.classifier_weights.apply(theirs.state_dict()), torch.float32)
    texts = [*texts_of(), np.array([9, 8, 0, 7, 0, 0], np.int32), np.array([0, 0], np.int32)]
    batch = pack(texts)
    with torch.inference_mode():
        expected = [theirs(torch.from_numpy(ids).long()[None]).logits[0] for ids in texts]
        rows = batch.restore(head(ours(batch), batch).numpy())
    assert_same([torch.from_numpy(rows)], [torch.stack(expected)])


@pytest.mark.parametrize("name", ["Qwen3Model", "Gemma3TextModel"])
def test_states_equal_the_hidden_states_of_every_layer(name: str) -> None:
    kind = getattr(transformers, name)
    theirs = reference_of(kind, kind.config_class(**WIDE, head_dim=16))
    ours = backbone_of(name, theirs.config.to_dict(), theirs.state_dict())
    ids = np.arange(5, 20, dtype=np.int32)
    with torch.inference_mode():
        expected = theirs(
            input_ids=torch.from_numpy(ids).long()[None], output_hidden_states=True
        ).hidden_states
        states = list(ours.states(pack([ids])))
    assert_same(states, [state[0] for state in expected])


def test_angles_by_length_do_not_depend_on_neighbours() -> None:
    for kind in (
        {"rope_type": "dynamic", "factor": 3.0},
        {
            "rope_type": "longrope",
            "short_factor": [1.0, 1.2, 1.5, 2.0],
            "long_factor": [2.0, 3.0, 5.0, 9.0],
            "original_max_position_embeddings": 12,
        },
    ):
        config = transformers.LlamaConfig(**WIDE | {"max_position_embeddings": 12})
        config.rope_parameters = {"rope_theta": 100.0, **kind}
        theirs = reference_of(transformers.LlamaModel, transformers.LlamaConfig(**WIDE))
        ours = backbone_of("LlamaModel", config.to_dict(), theirs.state_dict())
        texts = texts_of([5, 14, 33, 12, 13])
        with torch.inference_mode():
            batch = pack(texts)
            together = rows_of(ours(batch), batch)
            alone = [ours(pack([ids])) for ids in texts]
        for one, other in zip(together, alone, strict=True):
            torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


OLD = [
    ("LlamaModel", {"rope_theta": 700.0}),
    ("LlamaModel", {"rope_theta": 700.0, "rope_scaling": None}),
    ("LlamaModel", {"rope_theta": 700.0, "rope_scaling": {"type": "linear", "factor": 2.0}}),
    (
        "LlamaModel",
        {
            "rope_theta": 700.0,
            "rope_scaling": {"rope_type": "yarn", "factor": 4.0},
            "original_max_position_embeddings": 8,
        },
    ),
    ("Qwen2Model", {"rope_theta": 900.0, "use_sliding_window": False, "sliding_window": 4}),
    ("MistralModel", {}),
    ("Gemma2Model", {"rope_theta": 800.0, "head_dim": 16, "hidden_act": "gelu_pytorch_tanh"}),
    (
        "Gemma3TextModel",
        {
            "rope_theta": 5000.0,
            "rope_local_base_freq": 60.0,
            "rope_scaling": {"rope_type": "linear", "factor": 8.0},
            "sliding_window": 5,
            "sliding_window_pattern": 2,
            "head_dim": 16,
        },
    ),
]


@pytest.mark.parametrize(("name", "options"), OLD)
def test_older_configs_are_read_as_the_reference_reads_them(
    name: str, options: dict[str, Any]
) -> None:
    kind = getattr(transformers, name)
    written = TINY | options
    config = kind.config_class.from_dict({**written, "rope_scaling": options.get("rope_scaling")})
    config._attn_implementation = "eager"
    theirs = reference_of(kind, config)
    ours = backbone_of(name, written, theirs.state_dict())
    texts = texts_of()
    batch = pack(texts)
    with torch.inference_mode():
        expected = [
            theirs(input_ids=torch.from_numpy(ids).long()[None]).last_hidden_state[0]
            for ids in texts
        ]
        assert_same(rows_of(ours(batch), batch), expected)


REFUSED = [
    ("LlamaModel", {"rope_scaling": {"type": "su"}}, "rope_type='su'"),
    ("LlamaModel", {"rope_parameters": {"rope_type": "linear"}}, "rope_type='linear'.*factor"),
    ("LlamaModel", {"rope_parameters": {"rope_type": ["yarn"]}}, "rope_type="),
    ("LlamaModel", {"rope_parameters": {"rope_type": "linear", "factor": 0}}, "factor"),
    ("LlamaModel", {"rope_parameters": {"rope_theta": "big"}}, "rope_theta='big'"),
    ("LlamaModel", {"rope_parameters": {"full_attention": {}}}, "rope_parameters="),
    ("LlamaModel", {"partial_rotary_factor": 0.5}, "partial_rotary_factor=0.5"),
    ("LlamaModel", {"hidden_act": "laplace"}, "hidden_act='laplace'"),
    ("LlamaModel", {"head_dim": 7}, "head_dim=7"),
    ("LlamaModel", {"num_key_value_heads": 3}, "num_key_value_heads=3"),
    ("LlamaModel", {"num_attention_heads": 0}, "num_attention_heads"),
    ("LlamaModel", {"is_causal": None}, "is_causal"),
    (
        "LlamaModel",
        {
            "rope_parameters": {
                "rope_type": "longrope",
                "short_factor": [1.0],
                "long_factor": [1.0, 1.0, 1.0, 1.0],
            }
        },
        "short_factor='1 numbers'",
    ),
    ("Qwen2Model", {"layer_types": ["full_attention"]}, "layer_types='1 kinds'"),
    ("Qwen2Model", {"layer_types": ["full_attention", "chunked"]}, "layer_types='chunked'"),
    ("Qwen2Model", {"layer_types": ["full_attention", "sliding_attention"]}, "sliding_window"),
    ("Gemma2Model", {"use_bidirectional_attention": True}, "use_bidirectional_attention=True"),
    ("Gemma2Model", {"hidden_activation": "laplace"}, "hidden_activation='laplace'"),
]


@pytest.mark.parametrize(("name", "options", "message"), REFUSED)
def test_what_is_not_implemented_is_refused_by_name(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UnsupportedCheckpoint, match=message):
        backbone_class(name).from_config(TINY | options)
