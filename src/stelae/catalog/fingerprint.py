"""What identifies the vectors of a served model."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from stelae.catalog.adapters import Adapter
from stelae.catalog.files import inside, join
from stelae.catalog.operations import (
    Dense,
    Foreign,
    LayerNorm,
    LayerPool,
    StaticTerms,
    TermWeights,
    TopTerms,
)
from stelae.catalog.spec import Backbone, ModelSpec
from stelae.errors import ModelLoadFailed

LENGTH = 32
"""Hexadecimal digits of a fingerprint: 128 bits."""


def weights_digest(spec: ModelSpec) -> str:
    """SHA-256 over the names and bytes of all weight files, in the order of use.

    Reads every file whole; call it where the weights are loaded anyway.

    Raises:
        ModelLoadFailed: A file cannot be read.
    """
    total = hashlib.sha256()
    for file in weight_paths(spec):
        total.update(file.encode() + b"\0")
        total.update(_digest(Path(spec.folder), file))
    return total.hexdigest()


def weight_paths(spec: ModelSpec) -> list[str]:
    """All weight files, relative to the checkpoint, in the order of use."""
    trunk = spec.backbone
    names = trunk.weights if isinstance(trunk, Backbone) else (trunk.weights,)
    found = [join(trunk.folder, name) for name in names]
    steps = [*spec.scorer, *(step for chain in spec.chains for step in chain.steps)]
    if spec.vision is not None:
        tower = spec.vision.backbone
        found += [join(tower.folder, name) for name in tower.weights]
        steps += spec.vision.steps
    for step in steps:
        match step:
            case Dense() | LayerNorm() | LayerPool() | TopTerms():
                found.append(join(step.folder, step.weights))
            case Foreign():
                found += [join(step.folder, file) for file in step.files]
            case TermWeights() | StaticTerms():
                found.append(step.weights)
            case _:
                pass
    return list(dict.fromkeys(found))


def fingerprint(spec: ModelSpec, dtype: str, weights_digest: str) -> str:
    """Identify what is served: equal fingerprints mean equal vectors.

    It covers the weights, every module with its options, the tokenizer, what is done
    to pictures, the longest input, lower-casing, prompts and the dtype, but no name
    and no path.

    Args:
        spec: The model.
        dtype: Number format it computes in.
        weights_digest: What ``weights_digest`` gave.

    Returns:
        32 hexadecimal digits.

    Raises:
        ModelLoadFailed: The tokenizer file cannot be read.
    """
    facts: dict[str, Any] = {
        "weights": weights_digest,
        "tokenizer": _digest(Path(spec.folder), spec.tokenizer).hex() if spec.tokenizer else "",
        "backbone": spec.backbone,
        "chains": spec.chains,
        "scoring": spec.scoring,
        "max_tokens": spec.max_tokens,
        "lowercase": spec.lowercase,
        "prompts": spec.prompts,
        "default_prompt": spec.default_prompt,
        "dtype": dtype,
    }
    later = {
        "vision": spec.vision,
        "fill": spec.fill,
        "words": spec.words,
        "scorer": spec.scorer or None,
    }
    facts |= {name: value for name, value in later.items() if value is not None}
    data = msgspec.json.encode(facts, order="sorted")
    return hashlib.sha256(data).hexdigest()[:LENGTH]


def adapter_digest(adapter: Adapter) -> str:
    """SHA-256 over an adapter's tensors and the options that decide its numbers.

    Raises:
        ModelLoadFailed: The file cannot be read.
    """
    facts = msgspec.json.encode(
        msgspec.structs.replace(adapter, folder="", base=""), order="sorted"
    )
    return hashlib.sha256(facts + _digest(Path(adapter.folder), adapter.weights)).hexdigest()


def adapted_fingerprint(fingerprint: str, digest: str) -> str:
    """Identify a model together with an adapter.

    Args:
        fingerprint: Of the model.
        digest: Of the adapter.

    Returns:
        32 hexadecimal digits.
    """
    return hashlib.sha256(f"{fingerprint} {digest}".encode()).hexdigest()[:LENGTH]


def _digest(root: Path, relative: str) -> bytes:
    path = inside(root, relative)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise ModelLoadFailed(f"cannot read {path}: {error.strerror or error}") from error
