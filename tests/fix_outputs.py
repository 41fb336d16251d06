"""The encoder engine on checkpoints that transformers itself saved, with the zoo's tokenizers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import transformers
from fix_arch import reference_of
from fix_classic import NARROW, OFFSET, TINY
from fix_engine import answer

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineOptions
from stelae.engines.encoder.engine import load
from stelae.engines.text.engine import TextEngine
from stelae.types import ComputeDtype, EncodeCall, EncodeResult, Item, OutputType, ScoreCall

LIMIT = 40
"""Longest text of the small checkpoints."""


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of transformer.

    Attributes:
        name: How its classes start.
        tokenizer: Checkpoint of the zoo whose tokenizer it gets.
        options: Its configuration, as the library's class takes it.
    """

    name: str
    tokenizer: str
    options: dict[str, Any]


SHORT_NAMES = {
    "dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": LIMIT,
    "initializer_range": 0.2,
}  # fmt: skip
DISTANCES = {
    "relative_attention": True, "position_biased_input": False, "position_buckets": 16,
    "pos_att_type": ["p2c", "c2p"], "share_att_key": True, "norm_rel_ebd": "layer_norm",
}  # fmt: skip
ENDS = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}

FAMILIES = {
    "bert": Family("Bert", "bert-mean", TINY),
    "electra": Family("Electra", "electra-cls", NARROW),
    "distilbert": Family("DistilBert", "bert-mean", SHORT_NAMES),
    "albert": Family("Albert", "albert-mean", NARROW),
    "roberta": Family("Roberta", "roberta-mean", OFFSET | ENDS | {"type_vocab_size": 1}),
    "xlm-roberta": Family("XLMRoberta", "xlm-roberta-mean", OFFSET | ENDS | {"type_vocab_size": 1}),
    "mpnet": Family("MPNet", "mpnet-mean", OFFSET | ENDS),
    "deberta": Family("DebertaV2", "deberta-mean", TINY | DISTANCES | {"type_vocab_size": 0}),
    "nomic": Family("NomicBert", "nomic-mean", TINY),
    "modernbert": Family("ModernBert", "modernbert-mean", TINY | {"local_attention": 12} | ENDS),
}


def config_of(kind: Family, vocabulary: int, **options: Any) -> Any:
    """The library's configuration."""
    config: Any = getattr(transformers, f"{kind.name}Config")
    return config(**kind.options | {"vocab_size": vocabulary} | options)


def saved(zoo: Path, folder: Path, kind: Family, task: str, **options: Any) -> Path:
    """Save a transformer of a family with the tokenizer of the zoo; see ``saved_with``."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(zoo / kind.tokenizer)
    return saved_with(tokenizer, folder, kind, task, **options)


def saved_with(tokenizer: Any, folder: Path, kind: Family, task: str, **options: Any) -> Path:
    """Save a transformer with weights large enough that every input matters, and its tokenizer.

    Args:
        tokenizer: Its tokenizer.
        folder: Where to.
        kind: The family.
        task: End of the class's name, such as ``ForMaskedLM``.
        options: Of its configuration.
    """
    tokenizer.model_max_length = LIMIT
    options = {"pad_token_id": tokenizer.pad_token_id} | options
    config = config_of(kind, len(tokenizer), **options)
    model = reference_of(getattr(transformers, kind.name + task), config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def spec_of(folder: Path) -> ModelSpec:
    """What the catalog reads in a folder."""
    return Catalog([ModelEntry(name="m", source=str(folder))]).spec("m")


def engine_of(folder: Path, dtype: ComputeDtype = ComputeDtype.FLOAT32) -> TextEngine:
    """Our engine on a folder."""
    options = EngineOptions(dtype=dtype, device=Device.CPU, threads=1)
    return load(spec_of(folder), options)


def encode(
    engine: TextEngine, texts: Sequence[str], *outputs: OutputType, **options: Any
) -> EncodeResult:
    """What the engine makes of texts; none may fail."""
    items = [Item(text=text) for text in texts]
    result = answer(engine, EncodeCall(model="m", items=items, outputs=outputs, **options))
    assert result.errors == {}
    assert isinstance(result, EncodeResult)
    return result


def score(engine: TextEngine, query: str, documents: Sequence[str], **options: Any) -> Any:
    """The scores of documents; none may fail."""
    items = [Item(text=text) for text in documents]
    call = ScoreCall(model="m", query=Item(text=query), documents=items, **options)
    result = answer(engine, call)
    assert result.errors == {}
    return result


def parts(column: Any) -> Iterator[slice]:
    """Where each text's share of a column lies."""
    for start, stop in zip(column.offsets[:-1], column.offsets[1:], strict=True):
        yield slice(start, stop)


def assert_close(ours: Any, theirs: Any, tolerance: float = 1e-5) -> None:
    """Equal within a share of the largest number of the reference (at least of one)."""
    theirs = np.asarray(theirs)
    scale = max(1.0, float(np.abs(theirs).max(initial=0.0)))
    assert np.shape(ours) == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * scale)
