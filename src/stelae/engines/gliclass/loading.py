"""The library's model, put together from the files of a checkpoint and nothing else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from gliclass.config import GLiClassModelConfig
from gliclass.model import GLiClassModel
from transformers import AutoTokenizer
from transformers.models.auto import CONFIG_MAPPING

from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.extract.loading import LIBRARY_ERRORS, fill
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.nn.stored import read


def load_library(spec: ModelSpec, dtype: torch.dtype, device: torch.device) -> tuple[Any, Any]:
    """The library's model with the checkpoint's weights, and its tokenizer.

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
        model = _build(spec, part)
        fill(model, tensors, spec.folder)
        tokenizer = AutoTokenizer.from_pretrained(
            spec.folder, local_files_only=True, trust_remote_code=False
        )
    except LIBRARY_ERRORS as error:
        raise ModelLoadFailed(
            f"model {spec.name!r}: gliclass cannot load {spec.folder}: {error}"
        ) from error
    return model.to(device=device, dtype=dtype).eval(), tokenizer.backend_tokenizer


def _build(spec: ModelSpec, part: Backbone) -> Any:
    """The model without its weights."""
    config = copy.deepcopy(part.config)
    kind = config["encoder_config"].get("model_type", "deberta-v2")
    if kind not in CONFIG_MAPPING:  # the library would ask the hub, and run what it finds there
        raise UnsupportedCheckpoint(
            f"config.json in {spec.folder} has an encoder of type {kind!r}, which the installed "
            "transformers does not know"
        )
    settings = GLiClassModelConfig(**{k: v for k, v in config.items() if k != "model_type"})
    settings.encoder_model_name = spec.folder  # looked at for adapters
    with torch.random.fork_rng(devices=[]):
        return GLiClassModel(settings)
