"""A transformer as the library loads it: nothing random, no foreign code."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from sentence_transformers.base.modules import Transformer
from sentence_transformers.base.modules.transformer import TRANSFORMER_TASK_TO_AUTO_MODEL
from torch import Tensor
from transformers.utils import logging as transformers_log

from stelae.catalog.reading import OUTPUTS, RENAMED, Use
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.catalog.torch_file import TORCH_SUFFIXES
from stelae.errors import ModelLoadFailed, OutOfMemory, UnsupportedCheckpoint
from stelae.nn.stored import read

UNUSED = re.compile(r"(^|\.)pooler\.")
"""Weights that no token vector depends on; checkpoints may lack them."""

LIBRARY_ERRORS = (
    AttributeError, ImportError, KeyError, OSError, RuntimeError, SafetensorError, TypeError,
    ValueError,
)  # fmt: skip
"""What the library raises for checkpoints that it cannot read."""

OWN = {
    Use.TOKENS: "AutoModel",
    Use.LOGITS: "AutoModelForMaskedLM",
    Use.SCORES: "AutoModelForSequenceClassification",
    Use.NEXT: "AutoModelForCausalLM",
}
"""What ``auto_map`` calls the checkpoint's own class for a use."""


PLACE = {"subfolder": "", "local_files_only": True, "trust_remote_code": False}
"""Where the library looks for a transformer, and what it never runs."""


class CheckedTransformer(Transformer):
    """The library's transformer, which also refuses weights made up at random.

    The library fills tensors that a checkpoint lacks with random numbers and logs
    it; here that is an error. What it gives is in float32, whatever it computes in.
    """

    def _load_model(self, *arguments: Any, **options: Any) -> Any:
        options |= {"output_loading_info": True, "ignore_mismatched_sizes": True}
        tensors = options.pop("tensors", None)
        both: Any = (
            super()._load_model(*arguments, **options)
            if tensors is None
            else _from_tensors(self.transformer_task, arguments[2], tensors, options)
        )
        model, faults = _faults(both, self.transformer_task)
        if faults:
            more = f"; and {len(faults) - 5} more" if faults[5:] else ""
            raise ModelLoadFailed(
                f"weights do not fit the architecture: {'; '.join(faults[:5])}{more}"
            )
        return model

    def forward(self, features: dict[str, Any], **options: Any) -> dict[str, Any]:
        """As the library does, each call alike."""
        forget(self.model)
        made: dict[str, Any] = super().forward(features, **options)
        made[self.module_output_name] = made[self.module_output_name].float()
        if "all_layer_embeddings" in made:
            made["all_layer_embeddings"] = [layer.float() for layer in made["all_layer_embeddings"]]
        return made


def _from_tensors(
    task: Any, config: Any, tensors: dict[str, Tensor], options: dict[str, Any]
) -> Any:
    """The model with weights that were read already, and the library's report of them."""
    given = {name: value for name, value in options.items() if name not in PLACE}
    with torch.device("meta"):
        kind = type(TRANSFORMER_TASK_TO_AUTO_MODEL[task].from_config(config))
    return kind.from_pretrained(None, config=config, state_dict=tensors, **given)


def forget(model: Any) -> None:
    """Let a transformer read the next text as it would the first.

    # Quirk: transformers 5.17 leaves BigBird's sparse attention for good once it has read
    # a short text; the numbers of long ones would depend on what came before.
    """
    trunk = getattr(model, model.base_model_prefix, model)
    if hasattr(trunk, "set_attention_type"):
        with quiet():
            trunk.set_attention_type(model.config.attention_type)


def _faults(loaded: Any, use: str) -> tuple[Any, list[str]]:
    """The model, and what the library's report says is wrong with its tensors."""
    model, report = loaded
    unused = UNUSED if use == Use.TOKENS else None
    missing = sorted(n for n in report["missing_keys"] if unused is None or not unused.search(n))
    faults = [f"{name} is missing" for name in missing]
    faults += [
        f"{name} has shape {tuple(found)}, not {tuple(wanted)}"
        for name, found, wanted in sorted(report["mismatched_keys"])
    ]
    return model, faults


def load_trunk(
    spec: ModelSpec, trunk: Backbone, use: Use, dtype: torch.dtype
) -> CheckedTransformer:
    """Load a transformer with the head for a use.

    Raises:
        UnsupportedCheckpoint: The checkpoint needs code of its own.
        ModelLoadFailed: Weights are missing.
    """
    theirs, ours = OUTPUTS[use]
    options = CheckedTransformer.load_config(
        spec.folder, subfolder=trunk.folder, local_files_only=True
    )
    place = PLACE | {"subfolder": trunk.folder}
    for new, old in RENAMED.items():
        options[new] = {**(options.pop(old, None) or options.get(new) or {}), **place}
    options["model_kwargs"] |= {"dtype": dtype, "use_safetensors": True, **_attention(trunk)}
    if any(Path(name).suffix in TORCH_SUFFIXES for name in trunk.weights):
        files = [Path(spec.folder, trunk.folder, name) for name in trunk.weights]
        options["model_kwargs"]["tensors"] = dict(read(files))
    options |= {
        "transformer_task": use.value,
        "modality_config": {"text": {"method": "forward", "method_output_name": theirs}},
        "module_output_name": ours,
    }
    loaded: CheckedTransformer = CheckedTransformer(spec.folder, **options)
    check_class(spec, type(loaded.model).__name__, use)
    return loaded


@contextmanager
def telling(spec: ModelSpec, device: str) -> Iterator[None]:
    """The library's errors as ours, its bars and reports off.

    Raises:
        UnsupportedCheckpoint: The checkpoint needs code of its own.
        OutOfMemory: It does not fit into memory.
        ModelLoadFailed: The library cannot read the checkpoint.
    """
    try:
        with quiet():
            yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(f"model '{spec.name}' does not fit into memory on {device}") from error
    except LIBRARY_ERRORS as error:
        if "trust_remote_code" in str(error):
            raise UnsupportedCheckpoint(
                f"model '{spec.name}' needs code of its checkpoint for "
                f"{spec.backbone.architecture or 'its transformer'} (auto_map), which is never run"
            ) from error
        cause = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelLoadFailed(
            f"model '{spec.name}': sentence-transformers cannot load {spec.folder}: {cause}"
        ) from error


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


def check_class(spec: ModelSpec, loaded: str, use: Use = Use.TOKENS) -> None:
    """Refuse a checkpoint whose own code was passed over for a class of another name."""
    wanted = spec.backbone.architecture
    config = spec.backbone.config if isinstance(spec.backbone, Backbone) else {}
    if OWN[use] in (config.get("auto_map") or {}) and loaded != wanted:
        raise UnsupportedCheckpoint(
            f"model '{spec.name}' brings its own code for {wanted} (auto_map), which is never run; "
            f"as {loaded} its vectors would be wrong"
        )
