from __future__ import annotations

from typing import Any

import pytest

from stelae.catalog.shape import shape_of, shape_of_size

LLAMA_2_7B = {
    "num_hidden_layers": 32, "hidden_size": 4096, "num_attention_heads": 32,
    "intermediate_size": 11008,
}  # fmt: skip
QWEN3_0_6B = {
    "num_hidden_layers": 28, "hidden_size": 1024, "num_attention_heads": 16,
    "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 3072,
}  # fmt: skip
DEEPSEEK_V2 = {
    "num_hidden_layers": 60, "hidden_size": 5120, "num_attention_heads": 128,
    "num_key_value_heads": 128, "kv_lora_rank": 512, "qk_rope_head_dim": 64,
}  # fmt: skip
GPT_2 = {"n_layer": 12, "n_embd": 768, "n_head": 12}


@pytest.mark.parametrize(
    ("config", "numbers"),
    [
        (LLAMA_2_7B, 2 * 32 * 4096),  # 512 KiB of float16 for each token
        (QWEN3_0_6B, 2 * 28 * 8 * 128),
        (DEEPSEEK_V2, 60 * 576),  # arXiv:2405.04434, section 2.1.4
        (GPT_2, 2 * 12 * 768),
        ({"text_config": QWEN3_0_6B, "hidden_size": 1}, 2 * 28 * 8 * 128),
    ],
)
def test_numbers_kept_of_a_token_are_those_of_the_papers(
    config: dict[str, Any], numbers: int
) -> None:
    shape = shape_of(config)
    assert shape is not None
    assert shape.layers * shape.kept == numbers


@pytest.mark.parametrize("changed", [{"hidden_size": "4096"}, {"num_hidden_layers": -1}])
def test_a_config_that_tells_no_measures_gives_none(changed: dict[str, Any]) -> None:
    assert shape_of({}) is None
    assert shape_of({**LLAMA_2_7B, **changed}) is None


@pytest.mark.parametrize(("billions", "layers", "width"), [(6.7, 32, 4096), (175, 96, 12288)])
def test_measures_guessed_of_a_size_are_near_those_of_such_models(
    billions: float, layers: int, width: int
) -> None:
    shape = shape_of_size(billions)
    assert shape.layers == pytest.approx(layers, rel=0.1)
    assert shape.width == pytest.approx(width, rel=0.1)
