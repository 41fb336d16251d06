"""The weights that clip-server and this project both serve: ViT-B/32 with random numbers."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from benchmarks import checkpoint, servers

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

from tiny.bpe import byte_letters  # beside the benchmarks, no package
from tiny.clip_bpe import END, START, STOP, tokenizer

FOLDER = checkpoint.CACHE / "clip-vit-b-32"
WEIGHTS = checkpoint.CACHE / "clip-vit-b-32.pt"
PEER = servers.PEERS / "clip"
MERGES = 49152 - 256 - 2
"""Merges that CLIP reads of its file, after the first line."""

CONFIG = {
    "model_cfg": {
        "embed_dim": 512,
        "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32},
        "text_cfg": {
            "context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12,
        },
    },
    "preprocess_cfg": {
        "mean": [0.48145466, 0.4578275, 0.40821073],
        "std": [0.26862954, 0.26130258, 0.27577711],
    },
}  # fmt: skip


def folder() -> Path:
    """A checkpoint as open_clip keeps it; made from the peer's own weights the first time."""
    if not (FOLDER / "ready").exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        script = Path(__file__).with_name("clip_peer.py")
        command = [str(PEER / "bin/python"), "-P", "-W", "ignore", str(script)]
        subprocess.run([*command, "weights", str(WEIGHTS)], check=True)
        tensors = torch.load(WEIGHTS, weights_only=True)
        kept = {name: t.contiguous() for name, t in tensors.items() if name != "attn_mask"}
        save_file(kept, FOLDER / "open_clip_model.safetensors")
        (FOLDER / "open_clip_config.json").write_text(json.dumps(CONFIG))
        _write_tokenizer()
        (FOLDER / "ready").touch()
    return FOLDER


def _write_tokenizer() -> None:
    """CLIP's own vocabulary, from the merges that the peer ships.

    Source: openai/CLIP, ``simple_tokenizer.py``.
    """
    packed = next(PEER.glob("lib/*/site-packages/clip_server/resources/bpe_simple*.gz"))
    lines = gzip.decompress(packed.read_bytes()).decode().split("\n")[1 : MERGES + 1]
    merges = [(left, right) for left, right in (line.split() for line in lines)]
    letters = byte_letters()
    joined = [left + right for left, right in merges]
    tokens = [*letters, *(letter + STOP for letter in letters), *joined, START, END]
    (FOLDER / "tokenizer.json").write_text(json.dumps(tokenizer(tokens, merges)))
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": END}
    (FOLDER / "tokenizer_config.json").write_text(json.dumps(settings))
