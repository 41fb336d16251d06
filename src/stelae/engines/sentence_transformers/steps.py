"""The steps that the catalog found, as modules of the library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from sentence_transformers.base.modules import Dense as DenseModule
from sentence_transformers.base.modules import Normalize as NormalizeModule
from sentence_transformers.sentence_transformer import modules as dense
from sentence_transformers.sparse_encoder import modules as sparse
from torch import nn

from stelae.catalog.operations import (
    Cut,
    Dense,
    Foreign,
    LateInteraction,
    LayerNorm,
    LayerPool,
    Module,
    Normalize,
    OwnPool,
    Pool,
    Pooling,
    SparsePool,
    StaticTerms,
    TermWeights,
    TopTerms,
)
from stelae.catalog.spec import ModelSpec
from stelae.errors import UnsupportedCheckpoint

MODES = {
    Pooling.CLS: "cls",
    Pooling.MAX: "max",
    Pooling.MEAN: "mean",
    Pooling.MEAN_SQRT_LEN: "mean_sqrt_len_tokens",
    Pooling.WEIGHTED_MEAN: "weightedmean",
    Pooling.LAST_TOKEN: "lasttoken",
}

TOKENS, VECTOR = "token_embeddings", "sentence_embedding"
"""Entries of the library's dictionary: what there is before pooling, and after it."""


class CutModule(nn.Module):
    """Only the first numbers of a vector; the library does it outside of its modules.

    Args:
        width: How many.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self._width = width

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        return features | {VECTOR: features[VECTOR][..., : self._width]}


class Lengths(nn.Module):
    """How many tokens each text has; the library tells only some of its modules."""

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        return features | {"sentence_lengths": features["attention_mask"].sum(1)}


def modules_of(spec: ModelSpec, steps: Sequence[Module]) -> list[nn.Module]:
    """Modules for steps after the transformer, in float32.

    Raises:
        UnsupportedCheckpoint: The library has no module for a step.
        ModelLoadFailed: It cannot read one.
    """
    pooled = next((i for i, step in enumerate(steps) if isinstance(step, Pool)), None)
    late = any(isinstance(step, LateInteraction) for step in steps)
    first = len(steps) if late else pooled or 0
    made = [
        _module(spec, step, TOKENS if i < first else VECTOR)
        for i, step in enumerate(steps)
        if not isinstance(step, LateInteraction)  # tokens are left out when all is done
    ]
    return [module.float() for module in made]


def _module(spec: ModelSpec, step: Module, name: str) -> nn.Module:
    match step:
        case Pool():
            modes = tuple(MODES[mode] for mode in step.modes)
            pooling: nn.Module = dense.Pooling(step.width, modes, step.include_prompt)
            return pooling
        case Normalize():
            return NormalizeModule(name)
        case Cut():
            return CutModule(step.width)
        case SparsePool():
            options: Any = {
                "pooling_strategy": step.pooling,
                "activation_function": step.activation,
            }
            return sparse.SpladePooling(**options)
        case Foreign():
            loaded: nn.Module = FOREIGN[step.kind].load(
                spec.folder, subfolder=step.folder, local_files_only=True
            )
            return nn.Sequential(Lengths(), loaded)
        case Dense() | LayerNorm() | LayerPool() | TopTerms() | StaticTerms():
            return _stored(spec, step, name)
        case OwnPool() | TermWeights() | LateInteraction():
            raise UnsupportedCheckpoint(
                f"model '{spec.name}': {type(step).__name__} is not passed on to the library"
            )


def _stored(
    spec: ModelSpec, step: Dense | LayerNorm | LayerPool | TopTerms | StaticTerms, name: str
) -> nn.Module:
    """A module with files of its own."""
    kind = KINDS[type(step)]
    made: nn.Module = kind.load(spec.folder, subfolder=_folder(step), local_files_only=True)
    if isinstance(made, DenseModule):
        made.module_input_name = made.module_output_name = name
    return made


def _folder(step: Dense | LayerNorm | LayerPool | TopTerms | StaticTerms) -> str:
    """Where a module's files lie, relative to the checkpoint."""
    if isinstance(step, StaticTerms):
        return str(PurePosixPath(step.weights).parent)
    return step.folder


FOREIGN: dict[str, Any] = {
    "CNN": dense.CNN,
    "LSTM": dense.LSTM,
    "WordWeights": dense.WordWeights,
}
KINDS: dict[type[Module], Any] = {
    Dense: DenseModule,
    LayerNorm: dense.LayerNorm,
    LayerPool: dense.WeightedLayerPooling,
    TopTerms: sparse.SparseAutoEncoder,
    StaticTerms: sparse.SparseStaticEmbedding,
}
