"""The embedded model with its length limit at 512, so that all systems see equal work."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer

from stelae.catalog.catalog import Catalog

CACHE = Path(__file__).parent.parent / ".cache"

HEAD = 0.2
"""Spread of a random head's weights: scores then lie all over the range from 0 to 1."""


def folder(max_tokens: int = 512) -> Path:
    """A folder with the embedded checkpoint, reading up to ``max_tokens`` tokens."""
    source = Path(Catalog().spec("default").folder)
    target = CACHE / f"minilm-{max_tokens}"
    if not (target / "ready").exists():
        for file in sorted(p for p in source.rglob("*") if p.is_file()):
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
        _edit(target / "sentence_bert_config.json", max_seq_length=max_tokens)
        _edit(target / "tokenizer_config.json", model_max_length=max_tokens)
        (target / "ready").touch()
    return target


def tokenizer() -> Tokenizer:
    """Its tokenizer, without padding or truncation."""
    found = Tokenizer.from_file(str(folder() / "tokenizer.json"))
    found.no_padding()
    found.no_truncation()
    return found


def _edit(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def ranker(layers: int = 6) -> Path:
    """A cross-encoder of MiniLM's size: the embedded model's blocks, a head of random weights.

    Args:
        layers: As many; the embedded model has six, which are taken in turn where there are more.
    """
    target = CACHE / f"minilm-ranker-{layers}"
    if not (target / "ready").exists():
        _write_ranker(target, layers)
        for file in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
            (target / file).write_bytes((folder() / file).read_bytes())
        (target / "ready").touch()
    return target


def _write_ranker(target: Path, layers: int) -> None:
    import torch
    from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

    torch.manual_seed(0)
    encoder = AutoModel.from_pretrained(folder())
    config = AutoConfig.from_pretrained(folder(), num_labels=1, num_hidden_layers=layers)
    model = AutoModelForSequenceClassification.from_config(config)
    model.bert.embeddings.load_state_dict(encoder.embeddings.state_dict())
    blocks = encoder.encoder.layer
    for place, block in enumerate(model.bert.encoder.layer):
        block.load_state_dict(blocks[place % len(blocks)].state_dict())
    model.classifier.weight.data.normal_(std=HEAD)
    model.float().save_pretrained(target)
