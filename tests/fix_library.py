"""Small checkpoints of every class of sentence-transformers, saved by the library itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from fix_classic import TINY
from sentence_transformers import CrossEncoder, MultiVectorEncoder, SparseEncoder
from tiny.wordpiece import write_wordpiece

LOCAL: dict[str, Any] = {"device": "cpu", "local_files_only": True}


def bert(folder: Path, kind: str, **options: Any) -> str:
    """Write a tiny BERT, as transformers' class of that name, with a tokenizer."""
    folder.mkdir(parents=True)
    config = TINY | {"vocab_size": write_wordpiece(folder, max_length=40)} | options
    torch.manual_seed(7)
    getattr(transformers, kind)(transformers.BertConfig(**config)).save_pretrained(folder)
    return str(folder)


def saved(model: Any, folder: Path) -> Any:
    """Save a model of the library; gives it back."""
    model.save_pretrained(str(folder), create_model_card=False)
    return model


def splade(folder: Path) -> Any:
    """A sparse encoder on a masked language head."""
    return saved(SparseEncoder(bert(folder / "bert", "BertForMaskedLM"), **LOCAL), folder / "made")


def colbert(folder: Path) -> Any:
    """A multi-vector encoder with markers of both sides, its projection random but kept."""
    prompts = {"query": "[unused0]", "document": "text: "}
    source = bert(folder / "bert", "BertModel")
    return saved(MultiVectorEncoder(source, prompts=prompts, **LOCAL), folder / "made")


def reranker(folder: Path, labels: int = 1) -> Any:
    """A cross-encoder."""
    source = bert(folder / "bert", "BertForSequenceClassification", num_labels=labels)
    return saved(CrossEncoder(source, **LOCAL), folder / "made")
