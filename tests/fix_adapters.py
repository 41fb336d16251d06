"""Adapters made by the reference library, and an engine asked with them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from fix_engine import answer
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from stelae.catalog.adapters import Adapters
from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines.base import EngineOptions
from stelae.engines.encoder.engine import load
from stelae.engines.text.adapters import Shelf
from stelae.engines.text.engine import TextEngine
from stelae.errors import LoraLoading
from stelae.nn.lora.update import Lora
from stelae.types import ComputeDtype, EncodeCall, ScoreCall


def trained(model: Any, folder: Path, *, seed: int = 1, **options: Any) -> PeftModel:
    """The model with an adapter whose numbers are large enough to matter, saved in a folder."""
    torch.manual_seed(seed)
    made = get_peft_model(model, LoraConfig(**options))
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                parameter.copy_(0.2 * torch.randn_like(parameter))
    made.save_pretrained(str(folder))
    return made.eval()


def base_of(checkpoint: Path) -> Any:
    """The library's model of a checkpoint, to be adapted."""
    return AutoModel.from_pretrained(str(checkpoint))


def reranker_of(checkpoint: Path, folder: Path) -> Path:
    """A cross-encoder with the trunk of a checkpoint and a head of random numbers."""
    torch.manual_seed(7)
    made = AutoModelForSequenceClassification.from_pretrained(str(checkpoint), num_labels=1)
    made.config.pad_token_id = AutoTokenizer.from_pretrained(str(checkpoint)).pad_token_id
    made.save_pretrained(str(folder))
    for file in checkpoint.glob("tokenizer*"):
        shutil.copy(file, folder)
    return folder


def engine_with(
    checkpoint: Path,
    sources: Mapping[str, Path],
    *,
    most: int = 10,
    dtype: ComputeDtype = ComputeDtype.FLOAT32,
    deterministic: bool = False,
) -> TextEngine:
    """An encoder of a checkpoint with these adapters registered."""
    spec = Catalog([ModelEntry(name="m", source=str(checkpoint))]).spec("m")
    named = {name: str(folder) for name, folder in sources.items()}
    options = EngineOptions(
        dtype=dtype,
        deterministic=deterministic,
        adapters=Adapters(sources=named, most=most),
    )
    return load(spec, options)


def shelf_of(engine: TextEngine) -> Shelf[Lora]:
    """Where its adapters are."""
    assert isinstance(engine.adapters, Shelf)
    return engine.adapters


def settled(engine: TextEngine, name: str) -> None:
    """Wait until an adapter is loaded, or cannot be."""
    try:
        engine.adapters.take(name)
    except LoraLoading:
        assert shelf_of(engine).wait(name, 30.0)


def asked(engine: TextEngine, call: EncodeCall | ScoreCall) -> Any:
    """The result of a call; its adapter is waited for."""
    if call.lora is not None:
        settled(engine, call.lora)
    return answer(engine, call)
