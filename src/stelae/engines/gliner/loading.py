"""The library's model, put together from the files of a checkpoint and nothing else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import gliner.model
import torch
from transformers import AutoTokenizer

from stelae.catalog.encoders import CONFIG, TEXTS, tokenizer_homes
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.catalog.splitters import WHITESPACE
from stelae.engines.extract.loading import LIBRARY_ERRORS, fill
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
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
    homes = tokenizer_homes(Path(spec.folder), part.config, spec.source)
    paths = {name: str(Path(home.root, home.folder)) for name, home in homes.items()}
    config = copy.deepcopy(part.config) | paths
    config.pop("model_type", None)
    words = config.pop("words_splitter_type", None)  # the library's own may fetch what it lacks
    kind = getattr(gliner.model, part.architecture)
    settings = kind.config_class(**config)
    tokenizer = AutoTokenizer.from_pretrained(
        paths[TEXTS.name], local_files_only=True, trust_remote_code=False
    )
    with torch.random.fork_rng(devices=[]):
        model = kind(settings, tokenizer=tokenizer, backbone_from_pretrained=False)
    if not part.architecture.startswith("Bi"):
        _mark(model, tokenizer, spec)
        kind._resize_token_embeddings(model, settings, tokenizer)
    settings.words_splitter_type = words or WHITESPACE
    return model


def _mark(model: Any, tokenizer: Any, spec: ModelSpec) -> None:
    """Give an encoder's own tokenizer the marks of labels where the checkpoint says they are.

    Raises:
        UnsupportedCheckpoint: They do not get there.
    """
    place, mark = model.config.class_token_index, model.config.ent_token
    if place == -1 or mark in tokenizer.get_vocab():
        return
    tokenizer.add_tokens(model._get_special_tokens(), special_tokens=True)
    if (found := tokenizer.convert_tokens_to_ids(mark)) != place:
        raise UnsupportedCheckpoint(
            f"{CONFIG} in {spec.folder} sets class_token_index={place}, and {mark!r} is token "
            f"{found} of its tokenizer",
            hint="put the tokenizer that the checkpoint was trained with into its folder",
        )
