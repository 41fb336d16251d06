"""Tables of vectors: every token has its own, whatever stands around it.

Source: sentence-transformers 6.0.1, ``sentence_transformer/modules/static_embedding.py``;
model2vec 0.6, ``model.py`` and ``persistence``.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from stelae.catalog.files import MAX_TOKENIZER_BYTES, inside, join, read_bytes, read_object
from stelae.catalog.module_weights import single_file
from stelae.catalog.operations import Pool, Pooling
from stelae.catalog.options import take
from stelae.catalog.place import Place
from stelae.catalog.reading import Reading
from stelae.catalog.spec import Static
from stelae.catalog.steps import Stage, Start
from stelae.catalog.vocabulary import Vocabulary
from stelae.catalog.weights import FLOATS, TensorHead, read_header
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

NAMES = ("embedding.weight", "embeddings")
"""The table, as the two libraries call it."""

SCALES, ROWS = "weights", "mapping"
"""A factor for each token, and each token's row in the table; model2vec has them."""

TOKENIZER = "tokenizer.json"

INTEGERS = frozenset({"I8", "I16", "I32", "I64", "U8", "U16", "U32"})

LONGEST = 32768
"""Tokens read of a text where nothing is stated; the libraries themselves have no limit."""

MODEL2VEC_LONGEST = 512
"""Tokens that model2vec reads of a text unless it is told otherwise."""


class Truncation(msgspec.Struct):
    """How ``tokenizer.json`` cuts texts."""

    max_length: int


class Words(msgspec.Struct, frozen=True):
    """The part of its model that is looked at."""

    unk_token: str | None = None


class TokenizerParts(msgspec.Struct):
    """The parts of ``tokenizer.json`` that matter here."""

    truncation: Truncation | None = None
    model: Words = Words()


def is_model2vec(root: Path, folder: str) -> bool:
    """Whether a folder is one that model2vec wrote."""
    config = read_object(root, join(folder, "config.json")) or {}
    return config.get("model_type") == "model2vec" or config.get("architectures") == ["StaticModel"]


def read_static(place: Place) -> Start:
    """The table in a folder of the checkpoint.

    A folder of model2vec with a factor for each token, or with rows that tokens share,
    is read as model2vec reads it; the module of sentence-transformers does not see them.

    Raises:
        UnsupportedCheckpoint: A tensor in it is not implemented.
        ModelLoadFailed: A file is missing or broken, or does not fit the tokenizer.
    """
    table = _table(place)
    if (table.scales or table.rows) and is_model2vec(place.root, place.folder):
        return read_model2vec(place)
    if table.scales or table.rows:
        raise UnsupportedCheckpoint(
            f"{place.label(table.weights)} holds {table.scales or table.rows!r}, which only "
            "folders of model2vec have"
        )
    limit = _parts(place).truncation
    return _start(place, table, limit.max_length if limit else LONGEST)


def read_model2vec(place: Place) -> Start:
    """The table in a folder of model2vec, tokens without a vector left out.

    Raises:
        UnsupportedCheckpoint: A tensor in it is not implemented.
        ModelLoadFailed: A file is missing or broken, or does not fit the tokenizer.
    """
    table, unknown = _table(place), _parts(place).model.unk_token
    if unknown is not None:
        found = Vocabulary(place.root, place.path(TOKENIZER)).id_of(unknown)
        unused = () if found is None else (found,)
        table = msgspec.structs.replace(table, unused=unused)
    return _start(place, table, MODEL2VEC_LONGEST)


def normalizes(place: Place) -> bool:
    """Whether a folder of model2vec asks for unit length."""
    config = place.config("normalisation")
    return take(config, "normalize", bool, place.label("config.json"), False) is True


def _start(place: Place, table: Static, limit: int) -> Start:
    return Start(
        kind=place.kind,
        trunk=table,
        modules=(Pool(modes=(Pooling.MEAN,), width=table.width),),
        gives=Stage.VECTOR,
        width=table.width,
        reading=Reading(tokenizer=place.path(TOKENIZER), folder=place.folder, limit=limit),
    )


def _table(place: Place) -> Static:
    file = single_file(place)
    label = place.label(file)
    heads = read_header(inside(place.root, place.path(file)))
    name = next((name for name in NAMES if name in heads), None)
    if name is None or len(heads[name].shape) != 2 or heads[name].dtype not in FLOATS:
        raise ModelLoadFailed(f"{label} lacks a table of vectors named {' or '.join(NAMES)}")
    if surplus := sorted(heads.keys() - {name, SCALES, ROWS}):
        raise UnsupportedCheckpoint(f"{label} holds {', '.join(surplus)}, which is not implemented")
    rows, width = heads[name].shape
    tokens = Vocabulary(place.root, place.path(TOKENIZER)).size
    _check(heads.get(SCALES), FLOATS, tokens, label)
    _check(heads.get(ROWS), INTEGERS, tokens, label)
    if ROWS not in heads and rows < tokens:
        raise ModelLoadFailed(f"{label} has {rows} vectors, the tokenizer knows {tokens} tokens")
    return Static(
        folder=place.folder,
        weights=file,
        name=name,
        width=width,
        scales=SCALES if SCALES in heads else None,
        rows=ROWS if ROWS in heads else None,
    )


def _check(head: TensorHead | None, dtypes: frozenset[str], tokens: int, label: str) -> None:
    """Refuse a tensor that should have a number for each token and has not."""
    if head is not None and (
        len(head.shape) != 1 or head.shape[0] < tokens or head.dtype not in dtypes
    ):
        raise ModelLoadFailed(
            f"{label} has {head.dtype} of shape {list(head.shape)} where {tokens} tokens need one "
            "number each"
        )


def _parts(place: Place) -> TokenizerParts:
    data = read_bytes(place.root, place.path(TOKENIZER), limit=MAX_TOKENIZER_BYTES)
    if data is None:
        raise UnsupportedCheckpoint(f"no {place.label(TOKENIZER)}; only fast tokenizers are read")
    try:
        return msgspec.json.decode(data, type=TokenizerParts)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ModelLoadFailed(f"{place.label(TOKENIZER)} is not a tokenizer: {error}") from error
