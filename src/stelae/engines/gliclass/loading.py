"""The library's model, put together from the files of a checkpoint and nothing else."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from gliclass.config import GLiClassModelConfig
from gliclass.model import GLiClassModel
from transformers import AutoTokenizer
from transformers.models.auto import CONFIG_MAPPING

from stelae.catalog.gliclass import APART, LABELS
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.extract.loading import LIBRARY_ERRORS, fill
from stelae.engines.extract.upstream import quiet
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.nn.stored import read


@dataclass(frozen=True, slots=True)
class Tokenizers:
    """What reads texts, and what reads labels by themselves if anything does."""

    texts: Any
    labels: Any = None


def _tokenizer(folder: Path) -> Any:
    found = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    read = found.backend_tokenizer
    read.no_truncation()
    read.no_padding()
    return read


def load_library(
    spec: ModelSpec, dtype: torch.dtype, device: torch.device
) -> tuple[Any, Tokenizers]:
    """The library's model with the checkpoint's weights, and its tokenizers.

    Nothing is fetched or unpickled.

    Raises:
        UnsupportedCheckpoint: Weights are missing, or the encoder is of an unknown kind.
        ModelLoadFailed: The library cannot read the checkpoint.
    """
    part = spec.backbone
    if not isinstance(part, Backbone):
        raise ModelLoadFailed(f"model {spec.name!r} is a table, no GLiClass")
    tensors = read(Path(spec.folder, name) for name in part.weights)
    try:
        with quiet():
            model = _build(spec, part)
            fill(model, tensors, spec.folder)
            tokenizers = _tokenizers(spec, model.config)
    except LIBRARY_ERRORS as error:
        raise ModelLoadFailed(
            f"model {spec.name!r}: gliclass cannot load {spec.folder}: {error}"
        ) from error
    return model.to(device=device, dtype=dtype).eval(), tokenizers


def _tokenizers(spec: ModelSpec, settings: Any) -> Tokenizers:
    apart = settings.architecture_type == APART
    return Tokenizers(
        _tokenizer(Path(spec.folder)), _tokenizer(Path(spec.folder, LABELS)) if apart else None
    )


def _build(spec: ModelSpec, part: Backbone) -> Any:
    """The model without its weights."""
    config = copy.deepcopy(part.config)
    for key in ("encoder_config", "label_model_config"):
        kind = (config.get(key) or {}).get("model_type", "deberta-v2")
        if kind not in CONFIG_MAPPING:  # the library would ask the hub, and run what it finds
            raise UnsupportedCheckpoint(
                f"config.json in {spec.folder} has an encoder of type {kind!r}, which the "
                "installed transformers does not know"
            )
    settings = GLiClassModelConfig(**{k: v for k, v in config.items() if k != "model_type"})
    settings.encoder_model_name = spec.folder  # looked at for adapters
    with torch.random.fork_rng(devices=[]):
        return GLiClassModel(settings)
