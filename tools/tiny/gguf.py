"""Language models as a single GGUF file, written from their folders.

Source: the format's specification, ggml ``docs/gguf.md``, version 3.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from tiny.numbers import Tensor

ALIGNMENT = 32
U32, F32, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5
FORMS: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    bool: (BOOL, lambda value: struct.pack("<B", value)),
    int: (U32, lambda value: struct.pack("<I", value)),
    float: (F32, lambda value: struct.pack("<f", value)),
    str: (STRING, lambda value: text(value)),
}
F32_TENSOR, F16_TENSOR, Q8_0_TENSOR = 0, 1, 8
FILE_TYPES = {"f32": 0, "f16": 1, "q8_0": 7}

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
"""Kinds of token."""

SPLITS = {"qwen2": "qwen2", "qwen3": "qwen2", "llama": "llama-bpe"}
"""How texts are cut before pairs are merged, by model type."""

NAMES = (
    (r"model\.embed_tokens\.", "token_embd."),
    (r"model\.norm\.", "output_norm."),
    (r"lm_head\.", "output."),
    (r"model\.layers\.(\d+)\.", r"blk.\1."),
    (r"self_attn\.([qkv])_proj\.", r"attn_\1."),
    (r"self_attn\.([qk])_norm\.", r"attn_\1_norm."),
    (r"self_attn\.o_proj\.", "attn_output."),
    (r"mlp\.(gate|up|down)_proj\.", r"ffn_\1."),
    (r"input_layernorm\.", "attn_norm."),
    (r"post_attention_layernorm\.", "ffn_norm."),
)
"""Names of tensors in a folder, and in a GGUF file."""

Values = dict[str, Any]


def text(value: str) -> bytes:
    """A text as the format has it."""
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def write_gguf(folder: Path, out: Path, kind: str = "f16", **more: Any) -> Path:
    """Write the Llama, Qwen2 or Qwen3 of a folder as one file.

    Args:
        folder: With ``config.json``, ``tokenizer.json`` and safetensors.
        out: The file.
        kind: ``f32``, ``f16`` or ``q8_0``; vectors are in fp32 in any case.
        more: Metadata in place of what the folder says, by name with ``__`` for the dots;
            ``None`` leaves a name out.
    """
    config = json.loads((folder / "config.json").read_text("utf-8"))
    values = facts(config, kind) | words(folder, config)
    values |= {name.replace("__", "."): value for name, value in more.items()}
    tensors = {
        renamed(name): stored(turned(name, tensor, config), kind)
        for name, tensor in sorted(load_file(folder / "model.safetensors").items())
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(whole({k: v for k, v in values.items() if v is not None}, tensors))
    return out


def facts(config: Values, kind: str) -> Values:
    """What decides a model's numbers."""
    name, heads = config["model_type"], config["num_attention_heads"]
    head = config.get("head_dim") or config["hidden_size"] // heads
    rotary = config.get("rope_parameters") or config
    own = {
        "context_length": config["max_position_embeddings"],
        "embedding_length": config["hidden_size"],
        "block_count": config["num_hidden_layers"],
        "feed_forward_length": config["intermediate_size"],
        "attention.head_count": heads,
        "attention.head_count_kv": config["num_key_value_heads"],
        "attention.key_length": head,
        "attention.value_length": head,
        "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
        "rope.dimension_count": head,
        "rope.freq_base": float(rotary.get("rope_theta", 10000.0)),
        "vocab_size": config["vocab_size"],
    }
    general = {"general.architecture": name, "general.file_type": FILE_TYPES[kind]}
    return general | {f"{name}.{key}": value for key, value in own.items()}


def words(folder: Path, config: Values) -> Values:
    """The tokenizer, and how the model is chatted with."""
    content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    vocabulary: dict[str, int] = content["model"]["vocab"]
    added = {token["content"]: token for token in content["added_tokens"]}
    by_id = {i: token for token, i in vocabulary.items()}
    by_id |= {token["id"]: name for name, token in added.items()}
    count = config["vocab_size"]
    names = [by_id.get(i, f"<unused{i}>") for i in range(count)]
    ids = {f"{part}_token": settings.get(f"{part}_token") for part in ("bos", "eos", "pad")}
    known = {part: by_id_of(by_id, name) for part, name in ids.items() if name is not None}
    template = folder / "chat_template.jinja"
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": SPLITS[config["model_type"]],
        "tokenizer.ggml.tokens": names,
        "tokenizer.ggml.token_type": [
            kind_of(name, added, by_id, i) for i, name in enumerate(names)
        ],
        "tokenizer.ggml.merges": [
            merge if isinstance(merge, str) else " ".join(merge)
            for merge in content["model"]["merges"]
        ],
        "tokenizer.ggml.add_bos_token": "bos_token" in known,
        "tokenizer.chat_template": (
            template.read_text("utf-8") if template.exists() else settings.get("chat_template")
        ),
    } | {f"tokenizer.ggml.{PARTS[part]}": i for part, i in known.items()}


PARTS = {
    "bos_token": "bos_token_id", "eos_token": "eos_token_id", "pad_token": "padding_token_id",
}  # fmt: skip


def by_id_of(by_id: dict[int, str], name: str) -> int:
    """The id of a token."""
    return next(i for i, token in by_id.items() if token == name)


def kind_of(name: str, added: Values, by_id: dict[int, str], i: int) -> int:
    """Whether a token is part of texts, or rules them."""
    if name in added:
        return CONTROL if added[name]["special"] else USER_DEFINED
    return NORMAL if i in by_id else UNUSED


def renamed(name: str) -> str:
    """A tensor's name in a GGUF file."""
    for old, new in NAMES:
        name = re.sub(old, new, name)
    return name


def turned(name: str, tensor: Tensor, config: Values) -> Tensor:
    """Llama's queries and keys with the two halves of each head interleaved."""
    found = re.search(r"\.([qk])_proj\.", name)
    if config["model_type"] != "llama" or found is None:
        return tensor
    heads = config["num_attention_heads" if found[1] == "q" else "num_key_value_heads"]
    halves = tensor.reshape(heads, 2, tensor.shape[0] // heads // 2, *tensor.shape[1:])
    made: Tensor = halves.swapaxes(1, 2).reshape(tensor.shape)
    return made


def stored(tensor: Tensor, kind: str) -> tuple[tuple[int, ...], int, bytes]:
    """Shape, type and bytes of a tensor."""
    plain = tensor.astype(np.float32)
    if plain.ndim < 2 or kind == "f32":
        return plain.shape, F32_TENSOR, plain.tobytes()
    if kind == "q8_0" and plain.shape[-1] % ALIGNMENT == 0:
        return plain.shape, Q8_0_TENSOR, quantized(plain)
    return plain.shape, F16_TENSOR, plain.astype(np.float16).tobytes()


def quantized(tensor: Tensor) -> bytes:
    """Blocks of 32 numbers: a scale in fp16, then each as a multiple of it in 8 bits."""
    blocks = tensor.reshape(-1, ALIGNMENT)
    scales = np.abs(blocks).max(axis=1, keepdims=True) / 127
    whole_numbers = np.rint(blocks / np.where(scales > 0, scales, 1)).astype(np.int8)
    made = np.empty(len(blocks), dtype=[("scale", "<f2"), ("numbers", "i1", ALIGNMENT)])
    made["scale"], made["numbers"] = scales[:, 0], whole_numbers
    return made.tobytes()


def whole(values: Values, tensors: dict[str, tuple[tuple[int, ...], int, bytes]]) -> bytes:
    """All of a file."""
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(values))
    for name, value in values.items():
        head += text(name) + written(value)
    place, data = 0, b""
    for name, (shape, kind, content) in tensors.items():
        dims = struct.pack(f"<{len(shape)}Q", *reversed(shape))
        head += text(name) + struct.pack("<I", len(shape)) + dims
        head += struct.pack("<IQ", kind, place)
        content += bytes(-len(content) % ALIGNMENT)
        data, place = data + content, place + len(content)
    return head + bytes(-len(head) % ALIGNMENT) + data


def written(value: Any) -> bytes:
    """A value behind its type."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        kind, form = (I32, lambda v: struct.pack("<i", v)) if not value else FORMS[type(value[0])]
        kind = I32 if kind == U32 else kind
        return struct.pack("<IIQ", ARRAY, kind, len(value)) + b"".join(map(form, value))
    kind, form = FORMS[type(value)]
    return struct.pack("<I", kind) + form(value)
