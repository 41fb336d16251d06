"""The library's own modules, chained as the spec says; nothing random, no foreign code."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense as DenseModule
from sentence_transformers.base.modules import Normalize as NormalizeModule
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling as PoolingModule
from torch import nn
from transformers.utils import logging as transformers_log

from stelae.catalog.operations import Dense, Module, Normalize, Pool, Pooling
from stelae.catalog.spec import Backbone, ModelSpec, Static
from stelae.errors import ModelLoadFailed, OutOfMemory, UnsupportedCheckpoint
from stelae.types import OutputType

MODES = {
    Pooling.CLS: "cls",
    Pooling.MAX: "max",
    Pooling.MEAN: "mean",
    Pooling.MEAN_SQRT_LEN: "mean_sqrt_len_tokens",
    Pooling.WEIGHTED_MEAN: "weightedmean",
    Pooling.LAST_TOKEN: "lasttoken",
}

UNUSED = re.compile(r"(^|\.)pooler\.")
"""Weights that no token vector depends on; checkpoints may lack them."""

LIBRARY_ERRORS = (
    AttributeError, ImportError, KeyError, OSError, RuntimeError, SafetensorError, TypeError,
    ValueError,
)  # fmt: skip
"""What the library raises for checkpoints that it cannot read."""


class CheckedTransformer(Transformer):
    """The library's transformer, which also refuses weights made up at random.

    The library fills tensors that a checkpoint lacks with random numbers and logs
    it; here that is an error.
    """

    def _load_model(self, *arguments: Any, **options: Any) -> Any:
        both: Any = super()._load_model(
            *arguments, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
        model, faults = _faults(both)
        if faults:
            more = f"; and {len(faults) - 5} more" if faults[5:] else ""
            raise ModelLoadFailed(
                f"weights do not fit the architecture: {'; '.join(faults[:5])}{more}"
            )
        return model


def _faults(loaded: Any) -> tuple[Any, list[str]]:
    """The model, and what the library's report says is wrong with its tensors."""
    model, report = loaded
    missing = sorted(name for name in report["missing_keys"] if not UNUSED.search(name))
    faults = [f"{name} is missing" for name in missing]
    faults += [
        f"{name} has shape {tuple(found)}, not {tuple(wanted)}"
        for name, found, wanted in sorted(report["mismatched_keys"])
    ]
    return model, faults


def load_library(spec: ModelSpec, dtype: torch.dtype, device: str) -> SentenceTransformer:
    """Load a checkpoint with the library.

    The transformer computes in ``dtype``, pooling and what follows in fp32.

    Raises:
        UnsupportedCheckpoint: The checkpoint needs code of its own.
        OutOfMemory: It does not fit into memory.
        ModelLoadFailed: Weights are missing, or the library cannot read the checkpoint.
    """
    try:
        with quiet():
            parts = (spec.backbone, *spec.chain(OutputType.DENSE))
            modules = [_module(spec, part, dtype) for part in parts]
            model = SentenceTransformer(modules=modules, device=device)
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(f"model '{spec.name}' does not fit into memory on {device}") from error
    except LIBRARY_ERRORS as error:
        raise ModelLoadFailed(
            f"model '{spec.name}': sentence-transformers cannot load {spec.folder}: {error}"
        ) from error
    check_class(spec, type(model[0].model).__name__)
    for module in list(model)[1:]:
        module.float()
    return model.eval()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the library's bars and load reports off; what matters in them is checked here."""
    log: Any = transformers_log
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    library = logging.getLogger("sentence_transformers")
    library_level = library.level
    log.set_verbosity_error()
    log.disable_progress_bar()
    library.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.set_verbosity(level)
        library.setLevel(library_level)
        if bars:
            log.enable_progress_bar()


def _attention(trunk: Backbone) -> dict[str, str]:
    """Where scores are capped, the one form of attention on CPU that caps them.

    # Quirk: transformers 5.17 leaves ``attn_logit_softcapping`` out of its default form.
    """
    capped = trunk.config.get("attn_logit_softcapping") is not None
    return {"attn_implementation": "eager"} if capped else {}


def _module(spec: ModelSpec, module: Backbone | Static | Module, dtype: torch.dtype) -> nn.Module:
    match module:
        case Backbone():
            loaded: nn.Module = CheckedTransformer.load(
                spec.folder,
                subfolder=module.folder,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"dtype": dtype, "use_safetensors": True, **_attention(module)},
            )
            return loaded
        case Pool():
            modes = tuple(MODES[mode] for mode in module.modes)
            pooling: nn.Module = PoolingModule(module.width, modes, module.include_prompt)
            return pooling
        case Dense():
            dense: nn.Module = DenseModule.load(
                spec.folder, subfolder=module.folder, local_files_only=True
            )
            return dense
        case Normalize():
            return NormalizeModule()
        case _:
            raise UnsupportedCheckpoint(
                f"model '{spec.name}': {type(module).__name__} is not passed on to the library"
            )


def check_class(spec: ModelSpec, loaded: str) -> None:
    """Refuse a checkpoint whose own code was passed over for a class of another name."""
    wanted = spec.backbone.architecture
    config = spec.backbone.config if isinstance(spec.backbone, Backbone) else {}
    if "AutoModel" in (config.get("auto_map") or {}) and loaded != wanted:
        raise UnsupportedCheckpoint(
            f"model '{spec.name}' brings its own code for {wanted} (auto_map), which is never run; "
            f"as {loaded} its vectors would be wrong"
        )
