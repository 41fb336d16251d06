"""Layers that see part of a text, or bound its scores: right, or refused when loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from fix_texts import spec_of
from msgspec.structs import replace

from stelae.engines.chat.stepping import Share
from stelae.engines.transformers_text.model import PackedModel, load_model, probe
from stelae.engines.transformers_text.packing import pack
from stelae.errors import UnsupportedCheckpoint

SIZES: dict[str, Any] = {
    "vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512,
    "bos_token_id": None, "eos_token_id": None,
}  # fmt: skip
EXPERTS: dict[str, Any] = {"num_experts": 2, "num_experts_per_tok": 1}
CPU = torch.device("cpu")
CAPPED = transformers.Gemma2Config(
    **SIZES, head_dim=8, sliding_window=24, attn_logit_softcapping=0.5, initializer_range=0.5
)


def made(config: transformers.PreTrainedConfig) -> Any:
    torch.manual_seed(0)
    auto: Any = transformers.AutoModelForCausalLM
    kind = "eager" if getattr(config, "attn_logit_softcapping", None) else "sdpa"
    library = auto.from_config(config, attn_implementation=kind)
    return library.eval()


def packed(model: Any) -> PackedModel:
    expected = probe(model, CPU)
    PackedModel.pack_attention(model)
    pack(model)
    found = PackedModel(model, CPU)
    found.check(expected)
    return found


@pytest.mark.parametrize(
    "config",
    [
        transformers.MistralConfig(**SIZES, sliding_window=24),
        transformers.Gemma3TextConfig(**SIZES, head_dim=8, sliding_window=16),
        transformers.Qwen2Config(
            **SIZES, use_sliding_window=True, sliding_window=20, max_window_layers=2
        ),
        CAPPED,
    ],
    ids=["mistral", "gemma3", "qwen2", "gemma2"],
)
def test_texts_that_begin_alike_have_the_scores_of_the_library(
    config: transformers.PreTrainedConfig,
) -> None:
    model = made(config)
    ids = torch.randint(0, 97, (150,)).tolist()
    with torch.inference_mode():
        expected = model(torch.tensor([ids])).logits[0]
    found = packed(model)
    for common in (1, 15, 16, 17, 23, 24, 25, 63, 64, 65, 127, 128, 129):
        first = found.memory()
        found.scores([Share(ids[:140], 0, first)])
        fork = found.fork(first, common)
        first.release()
        at = common
        for step in (1, 3, 16):
            beside = Share([5, 6, 7], 0, found.memory())
            scores = found.scores([beside, Share(ids[at : at + step], at, fork)])[1]
            at += step
            assert torch.allclose(scores, expected[at - 1], atol=1e-4)


@pytest.mark.parametrize(
    "config",
    [
        transformers.Llama4TextConfig(
            **SIZES, head_dim=8, intermediate_size_mlp=48, num_local_experts=2,
            attention_chunk_size=100, no_rope_layers=[1, 1, 1, 0],
        ),
        transformers.Qwen2MoeConfig(
            **SIZES, **EXPERTS, use_sliding_window=True, sliding_window=100, max_window_layers=1
        ),
    ],
    ids=["llama4", "qwen2-moe"],
)  # fmt: skip
def test_windows_that_attention_is_not_told_of_are_refused(
    config: transformers.PreTrainedConfig,
) -> None:
    with pytest.raises(UnsupportedCheckpoint, match="see 100 tokens"):
        packed(made(config))


def test_windows_that_hide_nothing_are_taken() -> None:
    packed(made(transformers.Qwen2MoeConfig(**SIZES, **EXPERTS, sliding_window=100)))


def test_bounds_on_scores_are_kept_when_a_checkpoint_is_loaded(zoo: Path, tmp_path: Path) -> None:
    library = made(CAPPED)
    library.save_pretrained(tmp_path)
    spec = spec_of(zoo, "qwen3-chat")
    part = replace(spec.backbone, architecture="Gemma2ForCausalLM", folder="")
    spec = replace(spec, folder=str(tmp_path), backbone=part)
    found = load_model(spec, torch.float32, CPU, PackedModel)
    ids = torch.randint(0, 97, (40,)).tolist()
    scores = found.scores([Share(ids, 0, found.memory())])[0]
    with torch.inference_mode():
        assert torch.allclose(scores, library(torch.tensor([ids])).logits[0, -1], atol=1e-4)
