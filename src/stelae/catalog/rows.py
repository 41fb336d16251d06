"""``modules.json``: which modules a checkpoint has, and what each one means.

Source: sentence-transformers 6.0.1, ``base/model.py`` and ``util/deprecated_import.py``,
which knows the classes under the names they have had since its first release.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from stelae.catalog.files import read_json
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

HOMES = {
    "Transformer": "base.modules.transformer",
    "MLMTransformer": "sparse_encoder.modules.mlm_transformer",
    "StaticEmbedding": "sentence_transformer.modules.static_embedding",
    "SparseStaticEmbedding": "sparse_encoder.modules.sparse_static_embedding",
    "Pooling": "sentence_transformer.modules.pooling",
    "WeightedLayerPooling": "sentence_transformer.modules.weighted_layer_pooling",
    "Dense": "base.modules.dense",
    "LayerNorm": "sentence_transformer.modules.layer_norm",
    "Normalize": "base.modules.normalize",
    "Dropout": "sentence_transformer.modules.dropout",
    "SpladePooling": "sparse_encoder.modules.splade_pooling",
    "SparseAutoEncoder": "sparse_encoder.modules.sparse_auto_encoder",
    "MultiVectorMask": "multi_vector_encoder.modules.multi_vector_mask",
    "HierarchicalTokenPooling": "multi_vector_encoder.modules.token_pooling",
    "WordEmbeddings": "sentence_transformer.modules.word_embeddings",
    "BoW": "sentence_transformer.modules.bow",
    "WordWeights": "sentence_transformer.modules.word_weights",
    "CNN": "sentence_transformer.modules.cnn",
    "LSTM": "sentence_transformer.modules.lstm",
    "LogitScore": "cross_encoder.modules.logit_score",
    "Router": "base.modules.router",
    "Asym": "base.modules.router",
}
"""Module of sentence-transformers that defines each class, since its release 5.4."""

PACKAGES = (
    "models",
    "base.modules",
    "sentence_transformer.modules",
    "sparse_encoder.models",
    "sparse_encoder.modules",
    "multi_vector_encoder.modules",
    "cross_encoder.modules",
)
"""Packages of sentence-transformers that export classes, now or in earlier releases."""

MOVED = {
    "sentence_transformers.sentence_transformer.modules.normalize.Normalize": "Normalize",
    "pylate.models.Dense.Dense": "Dense",
}
"""Further names by which the library knows its classes."""

KNOWN = ("sentence_transformers.", "pylate.")
"""How the names of classes start that the library or PyLate defines."""

ROUTERS = frozenset({"Router", "Asym"})


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of ``modules.json``."""

    type: str
    path: str = ""
    idx: int = 0
    name: str = ""
    kwargs: list[str] | None = None

    @property
    def folder(self) -> str:
        """Where the module lies, relative to the checkpoint; empty for its root."""
        folder = self.path.rstrip("/")
        return "" if folder == "." else folder


def read_rows(root: Path) -> list[Row]:
    """The lines of ``modules.json``.

    Raises:
        ModelLoadFailed: The file is broken.
    """
    try:
        return msgspec.convert(read_json(root, "modules.json"), list[Row])
    except msgspec.ValidationError as error:
        raise ModelLoadFailed(
            f"modules.json in {root} is not a list of modules: {error}"
        ) from error


def kind_of(root: Path, row: Row, known: Collection[str]) -> str:
    """Class that a line means.

    Args:
        root: The checkpoint.
        row: The line.
        known: Classes that can stand there.

    Raises:
        UnsupportedCheckpoint: It means something else, or passes arguments.
    """
    kind = class_of(row.type)
    if kind is None and not row.type.startswith(KNOWN):
        raise UnsupportedCheckpoint(
            f"modules.json in {root} has a module {row.type!r}, which is code of the checkpoint's "
            "own or of another library; such code is never run"
        )
    if kind is None or kind not in known:
        raise UnsupportedCheckpoint(
            f"modules.json in {root} has a module {row.type!r}, which is not implemented; "
            f"known are {', '.join(known)}"
        )
    if row.kwargs:
        raise UnsupportedCheckpoint(
            f"modules.json in {root} passes {', '.join(map(repr, row.kwargs))} to {row.type!r}; "
            "arguments of modules are not implemented"
        )
    return kind


def class_of(type_name: str) -> str | None:
    """Class that a ``type`` means, or ``None`` if it is none of the library's that we read."""
    if type_name in MOVED:
        return MOVED[type_name]
    package, _, rest = type_name.partition(".")
    home, _, kind = rest.rpartition(".")
    if package != "sentence_transformers" or kind not in HOMES:
        return None
    places = {*PACKAGES, *(f"{package}.{kind}" for package in PACKAGES), HOMES[kind]}
    return kind if home in places else None
