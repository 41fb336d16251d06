"""Cost per token of each packed architecture, at equal arithmetic, against BERT's."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import report
from stelae.engines.hardware import calm_openmp, cores
from stelae.nn.backbone import Backbone, backbone_class
from stelae.nn.batch import TokenBatch, pack
from stelae.nn.layers.linear import prepack

COMMON: dict[str, Any] = {
    "vocab_size": 30_000,
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "max_position_embeddings": 514,
}
"""About the size of all-MiniLM-L6-v2."""

DECODER = {"num_key_value_heads": 4, "head_dim": 32, "intermediate_size": 1024}

CONFIGS: dict[str, dict[str, Any]] = {
    "BertModel": {},
    "RobertaModel": {"pad_token_id": 1, "type_vocab_size": 1},
    "MPNetModel": {"pad_token_id": 1, "relative_attention_num_buckets": 32},
    "DistilBertModel": {
        "dim": 384, "hidden_dim": 1536, "n_layers": 6, "n_heads": 12,
    },
    "AlbertModel": {"embedding_size": 128, "hidden_act": "gelu"},
    "ElectraModel": {"embedding_size": 384},
    "DebertaV2Model": {
        "relative_attention": True, "position_buckets": 256, "max_relative_positions": -1,
        "pos_att_type": ["p2c", "c2p"], "norm_rel_ebd": "layer_norm", "share_att_key": True,
        "type_vocab_size": 0, "position_biased_input": False, "layer_norm_eps": 1e-7,
    },
    "ModernBertModel": {
        "intermediate_size": 1024, "local_attention": 128, "global_attn_every_n_layers": 3,
        "max_position_embeddings": 8192,
    },
    "NewModel": {
        "intermediate_size": 1024, "max_position_embeddings": 8192, "type_vocab_size": 1,
        "position_embedding_type": "rope", "rope_theta": 20000.0,
        "rope_scaling": {"type": "ntk", "factor": 8.0},
    },
    "T5EncoderModel": {
        "d_model": 384, "d_kv": 32, "d_ff": 1536, "num_layers": 6, "num_heads": 12,
        "feed_forward_proj": "relu", "relative_attention_num_buckets": 32,
        "relative_attention_max_distance": 128, "layer_norm_epsilon": 1e-6,
    },
    "EuroBertModel": {"intermediate_size": 1024, "num_key_value_heads": 12, "rms_norm_eps": 1e-5},
    "LlamaModel": DECODER,
    "MistralModel": {**DECODER, "sliding_window": None},
    "Qwen2Model": DECODER,
    "Qwen3Model": DECODER,
    "Gemma2Model": {**DECODER, "query_pre_attn_scalar": 32, "sliding_window": 4096},
    "Gemma3TextModel": {**DECODER, "query_pre_attn_scalar": 32, "sliding_window": 512},
}  # fmt: skip
"""What each config says beside ``COMMON``; gated blocks are as wide as gives equal arithmetic."""

LENGTHS = {
    "mixed": (8, 12, 12, 20, 24, 40, 40, 64, 90, 128, 128, 200, 256),
    "passages": (128,) * 8,
    "short": (12,) * 64,
}


@dataclass
class Contender:
    """A backbone with random weights, and the arithmetic of one batch."""

    backbone: Backbone
    flops: dict[str, int]
    seconds: dict[str, list[float]]


def build(name: str, dtype: torch.dtype, batches: dict[str, TokenBatch]) -> Contender:
    """A backbone ready to run, prepacked; its arithmetic is counted before."""
    backbone = backbone_class(name).from_config({**COMMON, **CONFIGS[name]})
    generator = torch.Generator().manual_seed(3)
    for parameter in backbone.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)
    flops: dict[str, int] = {}
    for kind, batch in batches.items():
        with FlopCounterMode(display=False) as counter:
            backbone(batch)
        flops[kind] = counter.get_total_flops()
    backbone.to(dtype)
    prepack(backbone)
    return Contender(backbone.eval(), flops, {kind: [] for kind in batches})


@torch.inference_mode()
def main(arguments: Sequence[str]) -> None:
    """Time all architectures in turn on the same lengths."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks architectures", description=__doc__)
    parser.add_argument("--kinds", nargs="+", default=list(LENGTHS), choices=list(LENGTHS))
    parser.add_argument("--dtype", default="bfloat16", choices=["float32", "bfloat16"])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", nargs="+", default=list(CONFIGS), choices=list(CONFIGS))
    options = parser.parse_args(arguments)
    calm_openmp()
    torch.set_num_threads(cores())
    report.machine("torch", "stelae")
    rng = np.random.default_rng(1)
    batches = {
        kind: pack([rng.integers(5, 1000, n).astype(np.int32) for n in LENGTHS[kind]])
        for kind in options.kinds
    }
    names = list(dict.fromkeys(["BertModel", *options.only]))
    contenders = {name: build(name, getattr(torch, options.dtype), batches) for name in names}
    for round_number in range(options.rounds + 2):
        for contender in contenders.values():
            for kind, batch in batches.items():
                started = time.perf_counter()
                contender.backbone(batch)
                if round_number >= 2:
                    contender.seconds[kind].append(time.perf_counter() - started)
    bert = contenders["BertModel"]
    for kind, batch in batches.items():
        tokens = len(batch.ids)
        rows = [
            (
                name,
                f"{1e6 * min(c.seconds[kind]) / tokens:.1f}",
                f"{c.flops[kind] / bert.flops[kind]:.2f}",
                f"{_per_flop(c, kind) / _per_flop(bert, kind):.2f}",
            )
            for name, c in contenders.items()
        ]
        title = f"{kind}: {batch.size} texts, {tokens} tokens, {options.dtype}"
        head = ("architecture", "µs per token", "arithmetic", "time per arithmetic")
        report.table(title, head, rows)


def _per_flop(contender: Contender, kind: str) -> float:
    return min(contender.seconds[kind]) / contender.flops[kind]
