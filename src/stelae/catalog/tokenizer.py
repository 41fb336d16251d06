"""The tokenizer files: there, whole, and of one mind.

transformers builds a BERT tokenizer from ``tokenizer_config.json`` and takes only
the vocabulary from ``tokenizer.json``; we run ``tokenizer.json`` as it stands.
Where the two files say the same, so do we and the reference; where they do not,
the vectors would differ without a word, so the checkpoint is refused.

Source: transformers 5.17, ``tokenization_utils_tokenizers.py`` and
``models/bert/tokenization_bert.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from stelae.catalog.files import Json, exists, join, read_bytes, read_object
from stelae.catalog.spec import Backbone
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

MAX_TOKENIZER_BYTES = 128 * 2**20

UNLIMITED = 2**31
"""Lengths from here on mean "no limit"; transformers writes 1e30 for it."""

BERT_CLASSES = frozenset({"BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer"})
BERT_TYPES = frozenset({"bert", "distilbert", "electra"})
"""Model types that get a BERT tokenizer when ``tokenizer_config.json`` names no class."""

MEND = (
    "save the tokenizer again: AutoTokenizer.from_pretrained(folder).save_pretrained(folder), "
    "and compare a few texts"
)


class TokenizerFile(msgspec.Struct):
    """The parts of ``tokenizer.json`` that are compared; the vocabulary is skipped."""

    normalizer: dict[str, Any] | None = None
    pre_tokenizer: dict[str, Any] | None = None
    post_processor: dict[str, Any] | None = None


def read_tokenizer(root: Path, backbone: Backbone) -> tuple[str, int | None]:
    """The tokenizer of a checkpoint.

    Returns:
        ``tokenizer.json``, relative to the checkpoint, and the longest input that
        ``tokenizer_config.json`` states.

    Raises:
        UnsupportedCheckpoint: There is no ``tokenizer.json``, or the two files
            contradict each other.
        ModelLoadFailed: A file is broken.
    """
    file = join(backbone.folder, "tokenizer.json")
    if not exists(root, file):
        raise UnsupportedCheckpoint(
            f"no {file} in {root}; only fast tokenizers are read",
            hint="AutoTokenizer.from_pretrained(folder).save_pretrained(folder) writes it",
        )
    config = read_object(root, join(backbone.folder, "tokenizer_config.json")) or {}
    if _is_bert(config, backbone):
        _check_bert(root, file, config)
    return file, _limit(config)


def _limit(config: Json) -> int | None:
    value = config.get("model_max_length")
    if not isinstance(value, int | float) or not 1 <= value < UNLIMITED:
        return None
    return int(value)


def _is_bert(config: Json, backbone: Backbone) -> bool:
    name = config.get("tokenizer_class")
    if isinstance(name, str):
        return name.removesuffix("Fast") in BERT_CLASSES
    return backbone.config.get("model_type") in BERT_TYPES


def _check_bert(root: Path, file: str, config: Json) -> None:
    parts = _parts(root, file)
    stated = parts.normalizer or {}
    expected = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": config.get("tokenize_chinese_chars", True),
        "strip_accents": config.get("strip_accents"),
        "lowercase": config.get("do_lower_case", True),
    }
    for key, value in expected.items():
        if stated.get(key) != value:
            raise _contradiction(root, file, f"normalizer {key}", stated.get(key), value)
    before = (parts.pre_tokenizer or {}).get("type")
    if before != "BertPreTokenizer":
        raise _contradiction(root, file, "pre_tokenizer", before, "BertPreTokenizer")
    order = _order(parts.post_processor or {})
    frame = [_token(config, "cls_token", "[CLS]"), "A", _token(config, "sep_token", "[SEP]")]
    if order is not None and order != frame:
        raise _contradiction(root, file, "post_processor", order, frame)


def _parts(root: Path, file: str) -> TokenizerFile:
    data = read_bytes(root, file, limit=MAX_TOKENIZER_BYTES) or b""
    try:
        return msgspec.json.decode(data, type=TokenizerFile)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ModelLoadFailed(f"{file} in {root} is not a tokenizer: {error}") from error


def _token(config: Json, key: str, default: str) -> Any:
    value = config.get(key, default)
    return value.get("content") if isinstance(value, dict) else value


def _order(processor: Json) -> list[Any] | None:
    """Pieces around one text; ``None`` if the processor is the one made for BERT."""
    if processor.get("type") == "BertProcessing":
        return None
    pieces = processor.get("single")
    return [_piece(piece) for piece in pieces] if isinstance(pieces, list) else []


def _piece(piece: Any) -> Any:
    inner = next(iter(piece.values()), None) if isinstance(piece, dict) else None
    return inner.get("id") if isinstance(inner, dict) else None


def _contradiction(
    root: Path, file: str, what: str, stated: Any, expected: Any
) -> UnsupportedCheckpoint:
    return UnsupportedCheckpoint(
        f"{file} in {root} has {what}={stated!r}, by tokenizer_config.json it would be "
        f"{expected!r}; which of them the weights were trained with is not known",
        hint=MEND,
    )
