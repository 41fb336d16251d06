"""The parts of a pipeline, each by its own class, from its folder and nowhere else."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from stelae.catalog.abilities import Imaging
from stelae.catalog.fingerprint import weight_paths
from stelae.catalog.imaging import parts_of
from stelae.catalog.imaging_layouts import LAYOUTS
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.engines.extract.loading import LIBRARY_ERRORS
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

LIBRARIES: dict[str, Any] = {"diffusers": diffusers, "transformers": transformers}

warnings.filterwarnings("ignore", module=r"diffusers\.")  # of what only the library can mend

COUNTED = ("position_ids",)
"""Tables that are counted, not learned; some checkpoints keep them, others do not."""


def load_parts(spec: ModelSpec, dtype: torch.dtype, device: torch.device) -> dict[str, Any]:
    """The parts of a pipeline by name; those that make no picture are left out.

    Nothing is fetched, no number made up, no code of the checkpoint run.

    Raises:
        UnsupportedCheckpoint: Weights are missing, or a class is not there.
        ModelLoadFailed: The library cannot read a part.
    """
    trunk, _ = pipeline_of(spec)
    found: dict[str, Any] = {}
    for name, (library, kind) in parts_of(trunk.config).items():
        part = _load(spec, name, library, kind, dtype)
        if isinstance(part, torch.nn.Module):
            part = part.to(device).eval().requires_grad_(False)
        found[name] = part
    return found


def load_tokenizers(spec: ModelSpec) -> dict[str, Any]:
    """The tokenizers of a pipeline by name, once more: to count with.

    Raises:
        ModelLoadFailed: The library cannot read one.
    """
    trunk, imaging = pipeline_of(spec)
    parts = parts_of(trunk.config)
    readers = [name for name in LAYOUTS[imaging.pipeline].readers if name in parts]
    return {name: _load(spec, name, *parts[name], torch.float32) for name in readers}


def pipeline_of(spec: ModelSpec) -> tuple[Backbone, Imaging]:
    """The pipeline in a specification.

    Raises:
        ModelLoadFailed: There is none.
    """
    if not isinstance(spec.backbone, Backbone) or spec.imaging is None:
        raise ModelLoadFailed(f"model {spec.name!r} makes no pictures")
    return spec.backbone, spec.imaging


def _load(spec: ModelSpec, name: str, library: str, kind: str, dtype: torch.dtype) -> Any:
    try:
        with quiet():
            return _part(spec, name, _class(library, kind), dtype)
    except LIBRARY_ERRORS as error:
        raise ModelLoadFailed(
            f"model {spec.name!r}: {library} cannot load {name} from {spec.folder}: {error}"
        ) from error


def _class(library: str, kind: str) -> Any:
    names = (kind, kind.removesuffix("Fast"))
    found = next((c for n in names if (c := getattr(LIBRARIES[library], n, None))), None)
    if not isinstance(found, type):
        raise UnsupportedCheckpoint(f"{library} {LIBRARIES[library].__version__} has no {kind}")
    return found


def _part(spec: ModelSpec, name: str, kind: Any, dtype: torch.dtype) -> Any:
    folder = Path(spec.folder, name)
    if not issubclass(kind, torch.nn.Module):
        return kind.from_pretrained(folder, local_files_only=True)
    own = [file for file in weight_paths(spec) if file.startswith(f"{name}/")]
    model, report = kind.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        variant="fp16" if any(".fp16." in file for file in own) else None,
        torch_dtype=dtype,
        output_loading_info=True,
    )
    missing = sorted(key for key in report["missing_keys"] if not key.endswith(COUNTED))
    if missing:
        raise UnsupportedCheckpoint(
            f"weights of {name} in {spec.folder} do not fit the model: "
            f"{', '.join(missing[:5])} are missing"
        )
    return model


@contextmanager
def quiet() -> Iterator[None]:
    """Without the bars and reports of the libraries, which say nothing that is not looked at."""
    logs: Any = transformers.logging
    theirs: Any = diffusers.utils.logging
    levels = (logs.get_verbosity(), theirs.get_verbosity())
    bars = logs.is_progress_bar_enabled()
    logs.set_verbosity_error()
    theirs.set_verbosity_error()
    logs.disable_progress_bar()
    try:
        yield
    finally:
        logs.set_verbosity(levels[0])
        theirs.set_verbosity(levels[1])
        if bars:
            logs.enable_progress_bar()
