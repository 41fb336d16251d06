"""The library's model, put together from the files of a checkpoint and nothing else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import gliner.model
import torch
from transformers import AutoTokenizer

from stelae.catalog.gliner import LABELS
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.extract.loading import LIBRARY_ERRORS, fill
from stelae.errors import ModelLoadFailed
from stelae.nn.stored import read


def load_library(spec: ModelSpec, dtype: torch.dtype, device: torch.device) -> Any:
    """The library's model with the checkpoint's weights; nothing is fetched or unpickled.

    Raises:
        UnsupportedCheckpoint: Weights are missing.
        ModelLoadFailed: The library cannot read the checkpoint.
    """
    part = spec.backbone
    if not isinstance(part, Backbone):
        raise ModelLoadFailed(f"model {spec.name!r} is a table, no GLiNER")
    tensors = read(Path(spec.folder, name) for name in part.weights)
    try:
        model = _build(spec, part)
        fill(model.model, tensors, spec.folder)
    except LIBRARY_ERRORS as error:
        raise ModelLoadFailed(
            f"model {spec.name!r}: gliner cannot load {spec.folder}: {error}"
        ) from error
    model.model.to(device=device, dtype=dtype)
    return model.eval()


def _build(spec: ModelSpec, part: Backbone) -> Any:
    """The model without its weights, by the rules of the library's ``from_pretrained``."""
    folder = Path(spec.folder)
    config = copy.deepcopy(part.config)
    config.pop("model_type", None)
    config["model_name"] = str(folder)
    if config.get("labels_encoder") is not None:
        config["labels_encoder"] = str(folder / LABELS)
    kind = getattr(gliner.model, part.architecture)
    settings = kind.config_class(**config)
    tokenizer = AutoTokenizer.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )
    with torch.random.fork_rng(devices=[]):
        model = kind(settings, tokenizer=tokenizer, backbone_from_pretrained=False)
    if not spec.backbone.architecture.startswith("Bi"):
        kind._resize_token_embeddings(model, settings, tokenizer)
    return model
