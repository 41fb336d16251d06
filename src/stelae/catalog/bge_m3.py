"""BGE-M3: beside its dense vectors, a weight for each term and a vector for each token.

Source: Chen et al. 2024 (arXiv:2402.03216), section 3.1; FlagEmbedding 1.3, ``inference/
embedder/encoder_only/m3.py``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stelae.catalog.files import exists, inside
from stelae.catalog.found import Found
from stelae.catalog.operations import (
    Dense,
    LateInteraction,
    Marking,
    Module,
    Normalize,
    TermWeights,
)
from stelae.catalog.spec import Backbone, Chain
from stelae.catalog.torch_file import StoredTensor, read_torch_heads
from stelae.catalog.vocabulary import Vocabulary
from stelae.catalog.weights import FLOATS
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import OutputType

SPARSE, LATE = "sparse_linear.pt", "colbert_linear.pt"

UNWEIGHED = ("cls_token", "eos_token", "pad_token", "unk_token")
"""Special tokens that are no terms."""


def with_m3_heads(root: Path, found: Found) -> Found:
    """The same model with the heads that lie beside it, if there are any.

    Raises:
        UnsupportedCheckpoint: They are of another kind.
        ModelLoadFailed: A file is broken, or does not fit the transformer.
    """
    if not exists(root, SPARSE) and not exists(root, LATE):
        return found
    if not isinstance(found.trunk, Backbone) or found.width < 1:
        raise UnsupportedCheckpoint(f"{SPARSE} in {root} belongs to no transformer")
    chains = list(found.chains)
    if exists(root, SPARSE):
        chains.append(Chain(output=OutputType.SPARSE, steps=(_terms(root, found),)))
    if exists(root, LATE):
        dense = _projection(root, found.width)
        chains.append(Chain(output=OutputType.MULTIVECTOR, steps=_late(root, found, dense)))
        found = replace(found, token_width=dense.outputs)
    return replace(found, chains=tuple(chains))


def _terms(root: Path, found: Found) -> TermWeights:
    heads = _heads(root, SPARSE)
    _check(root, SPARSE, heads, (1, found.width))
    vocabulary = Vocabulary(root, found.reading.tokenizer, found.reading.folder)
    ids = {vocabulary.special_id(part) for part in UNWEIGHED}
    return TermWeights(weights=SPARSE, unused=tuple(sorted(i for i in ids if i is not None)))


def _projection(root: Path, width: int) -> Dense:
    heads = _heads(root, LATE)
    shape = heads["weight"].shape if "weight" in heads else ()
    outputs = shape[0] if shape else 0
    _check(root, LATE, heads, (outputs, width))
    return Dense(
        folder="",
        inputs=width,
        outputs=outputs,
        bias=True,
        activation="Identity",
        weights=LATE,
        names=("weight", "bias"),
    )


def _late(root: Path, found: Found, dense: Dense) -> tuple[Module, ...]:
    if found.limit is None:
        raise UnsupportedCheckpoint(f"the checkpoint in {root} states no longest input")
    side = Marking(max_tokens=found.limit, skip_first=1)
    return dense, Normalize(), LateInteraction(query=side, document=side, mean=True)


def _heads(root: Path, file: str) -> dict[str, StoredTensor]:
    return read_torch_heads(inside(root, file))


def _check(root: Path, file: str, heads: dict[str, StoredTensor], shape: tuple[int, int]) -> None:
    expected = {"weight": shape, "bias": shape[:1]}
    given = {name: head.shape for name, head in heads.items()}
    if given != expected or any(head.dtype not in FLOATS for head in heads.values()):
        shown = ", ".join(f"{name} {list(shape)}" for name, shape in sorted(given.items())[:5])
        wanted = ", ".join(f"{name} {list(shape)}" for name, shape in expected.items())
        raise ModelLoadFailed(f"{file} in {root} holds {shown}; floats {wanted} were expected")
