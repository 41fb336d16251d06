"""The modules of a checkpoint, put together for each side of a search.

Source: sentence-transformers 6.0.1, ``base/model.py`` and the ``model.py`` of its four
kinds of model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from stelae.catalog.heads import (
    read_dense,
    read_dropout,
    read_layer_norm,
    read_layer_pool,
    read_normalize,
    read_pool,
)
from stelae.catalog.late import read_mask, read_token_pooling
from stelae.catalog.operations import LayerPool
from stelae.catalog.place import Place
from stelae.catalog.router import read_routes
from stelae.catalog.rows import Row, kind_of, read_rows
from stelae.catalog.settings import Kind, Settings
from stelae.catalog.sparse import read_splade, read_static_terms, read_top_terms
from stelae.catalog.spec import Backbone
from stelae.catalog.static import read_static
from stelae.catalog.steps import Chained, Part, Start, Step, follow
from stelae.catalog.transformer import read_masked_transformer, read_transformer
from stelae.catalog.words import (
    read_bag,
    read_convolution,
    read_recurrence,
    read_word_embeddings,
    read_word_weights,
)
from stelae.errors import ModelLoadFailed
from stelae.types import Role

READERS: dict[str, Callable[[Place], Part | None]] = {
    "Transformer": read_transformer,
    "MLMTransformer": read_masked_transformer,
    "StaticEmbedding": read_static,
    "SparseStaticEmbedding": read_static_terms,
    "WeightedLayerPooling": read_layer_pool,
    "Pooling": read_pool,
    "Dense": read_dense,
    "LayerNorm": read_layer_norm,
    "Normalize": read_normalize,
    "Dropout": read_dropout,
    "SpladePooling": read_splade,
    "SparseAutoEncoder": read_top_terms,
    "MultiVectorMask": read_mask,
    "HierarchicalTokenPooling": read_token_pooling,
    "WordEmbeddings": read_word_embeddings,
    "BoW": read_bag,
    "WordWeights": read_word_weights,
    "CNN": read_convolution,
    "LSTM": read_recurrence,
}
"""How each module is read, by its class."""

LAYERS = ("num_hidden_layers", "n_layers", "num_layers")
"""Names that the number of layers has in ``config.json``."""

Sides = dict[Role | None, Chained]


def read_modules(root: Path, settings: Settings) -> Sides:
    """The modules of a checkpoint with ``modules.json``, for each side of a search.

    What is for both, or for those who tell no side, stands under ``None``.

    Raises:
        UnsupportedCheckpoint: A module or an option is not implemented.
        ModelLoadFailed: A file is missing, broken or contradicts another.
    """
    routes = read_routes(root, read_rows(root))
    late = settings.kind is Kind.LATE
    return {role: follow(root, _parts(root, rows, late=late)) for role, rows in routes.items()}


def _parts(root: Path, rows: Sequence[Row], *, late: bool) -> list[Part]:
    parts: list[Part] = []
    for row in rows:
        kind = kind_of(root, row, READERS)
        part = READERS[kind](Place(root, row.folder, kind, late))
        if part is not None and not _idle(root, parts, part):
            parts.append(part)
    return parts


def _idle(root: Path, before: Sequence[Part], part: Part) -> bool:
    """Whether a choice of layers has nothing to choose from: then it changes nothing."""
    if not isinstance(part, Step) or not isinstance(part.module, LayerPool):
        return False
    trunk = before[0].trunk if before and isinstance(before[0], Start) else None
    if not isinstance(trunk, Backbone) or trunk.config.get("output_hidden_states") is not True:
        return True
    layers = next((trunk.config[name] for name in LAYERS if name in trunk.config), None)
    if layers != part.module.layers:
        raise ModelLoadFailed(
            f"the {part.kind} in {root} weighs {part.module.layers} layers, the transformer has "
            f"{layers}"
        )
    return False
