"""A model of transformers, put together from the files of a checkpoint and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers

from stelae.catalog.fingerprint import fingerprint, weights_digest
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.base import EngineInfo, EngineOptions
from stelae.engines.extract.loading import LIBRARY_ERRORS
from stelae.engines.runtime import device_of, faithful_dtype, name_of
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.nn.stored import read

OURS = ("image_processor", "processor", "generation", "spectrum")
"""What the catalog put beside the model's own configuration."""

COUNTED = (
    "position_ids", "num_batches_tracked", "relative_position_index", "token_type_ids",
    ".attn.bias",
)  # fmt: skip
"""Tables that are counted, not learned; some checkpoints keep them, others do not."""


def load_library(spec: ModelSpec, options: EngineOptions) -> tuple[Any, EngineInfo]:
    """The library's model on its device, and what is to be said of it.

    Nothing is fetched, no number made up, no code of the checkpoint run.

    Raises:
        UnsupportedCheckpoint: Weights are missing or of other shapes.
        ModelLoadFailed: The library cannot read the checkpoint.
    """
    device = device_of(options)
    dtype, note = faithful_dtype(options)
    model = _build(spec, part_of(spec), dtype).to(device).eval()
    info = EngineInfo(
        fingerprint=fingerprint(spec, name_of(dtype), weights_digest(spec)),
        dtype=name_of(dtype),
        device=str(device),
        notes=(note, *spec.notes),
    )
    return model, info


def part_of(spec: ModelSpec) -> Backbone:
    """The model in a specification.

    Raises:
        ModelLoadFailed: It is a table instead.
    """
    if not isinstance(spec.backbone, Backbone):
        raise ModelLoadFailed(f"model {spec.name!r} is a table, no model of pictures")
    return spec.backbone


def _build(spec: ModelSpec, part: Backbone, dtype: torch.dtype) -> Any:
    kind = getattr(transformers, part.architecture)
    tensors = read(Path(spec.folder, name) for name in part.weights)
    config = {k: v for k, v in copy.deepcopy(part.config).items() if k not in OURS}
    try:
        with quiet():
            model, report = kind.from_pretrained(
                None,
                config=kind.config_class.from_dict(config),
                state_dict=dict(tensors),
                dtype=dtype,
                output_loading_info=True,
            )
    except LIBRARY_ERRORS as error:
        raise ModelLoadFailed(
            f"model {spec.name!r}: transformers cannot load {spec.folder}: {error}"
        ) from error
    missing = sorted(name for name in report["missing_keys"] if not name.endswith(COUNTED))
    if missing:
        raise UnsupportedCheckpoint(
            f"weights in {spec.folder} do not fit the model: {', '.join(missing[:5])} are missing"
        )
    return model


@contextmanager
def quiet() -> Iterator[None]:
    """Without the library's bars and reports, which say nothing that is not looked at here."""
    logs: Any = transformers.logging
    level, bars = logs.get_verbosity(), logs.is_progress_bar_enabled()
    logs.set_verbosity_error()
    logs.disable_progress_bar()
    try:
        yield
    finally:
        logs.set_verbosity(level)
        if bars:
            logs.enable_progress_bar()


def tokenizer_of(spec: ModelSpec) -> Any:
    """The library's tokenizer.

    Raises:
        ModelLoadFailed: The library cannot read its files.
    """
    folder = Path(spec.folder)
    try:
        return transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except LIBRARY_ERRORS as error:
        raise ModelLoadFailed(
            f"model {spec.name!r}: transformers cannot read the tokenizer in {folder}: {error}"
        ) from error
