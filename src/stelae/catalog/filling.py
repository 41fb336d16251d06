"""What short texts are filled up with, for models that read texts of one length only.

Source: transformers 5.17, ``models/siglip2/processing_siglip2.py`` and ``padding`` of
``tokenization_utils_base.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from stelae.catalog.files import MAX_TOKENIZER_BYTES, join, read_bytes, read_object
from stelae.catalog.options import require, take
from stelae.catalog.spec import Fill
from stelae.catalog.tokenizer import read_tokenizer_file
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

LOWERED = "Siglip2Tokenizer"
"""Class whose texts are lower-cased, and filled on the left where nothing else is said."""

DEFAULT_PAD = {LOWERED: "<pad>", "SiglipTokenizer": "</s>"}


class AddedToken(msgspec.Struct, frozen=True):
    """A token that stands beside the vocabulary."""

    id: int
    content: str


class Model(msgspec.Struct, frozen=True):
    """The vocabulary: tokens with their ids, or pairs of token and score in order."""

    vocab: dict[str, int] | list[tuple[str, float]] = {}


class TokenizerFile(msgspec.Struct, frozen=True):
    """The parts of ``tokenizer.json`` that tell the id of a token."""

    added_tokens: list[AddedToken] = []
    model: Model = Model()


def read_fill(root: Path, folder: str) -> tuple[Fill, bool]:
    """What fills texts, and whether they are lower-cased first.

    Raises:
        UnsupportedCheckpoint: The filling is on the left, and other tokens do not see it;
            or there is no ``tokenizer.json``.
        ModelLoadFailed: A file is broken, or the token is not in the vocabulary.
    """
    file = f"{join(folder, 'tokenizer_config.json')} in {root}"
    config = read_object(root, join(folder, "tokenizer_config.json")) or {}
    kind = str(take(config, "tokenizer_class", str, file, "")).removesuffix("Fast")
    require(config, {"padding_side": ("left", "right")}, file)
    left = config.get("padding_side", "left" if kind == LOWERED else "right") == "left"
    names = take(config, "model_input_names", list, file)
    seen = names is not None and "attention_mask" not in names
    if left and not seen:
        raise UnsupportedCheckpoint(
            f"{file} fills texts on the left with tokens that others do not see, "
            "which is not implemented"
        )
    token = _content(config.get("pad_token", DEFAULT_PAD.get(kind)), file)
    return Fill(token=_id(root, folder, token), left=left, seen=seen), kind == LOWERED


def _content(value: Any, file: str) -> str:
    content = value.get("content") if isinstance(value, dict) else value
    if not isinstance(content, str):
        raise ModelLoadFailed(f"{file} sets pad_token={value!r}; a token was expected")
    return content


def _id(root: Path, folder: str, token: str) -> int:
    name, _ = read_tokenizer_file(root, folder)
    data = read_bytes(root, name, limit=MAX_TOKENIZER_BYTES) or b""
    try:
        file = msgspec.json.decode(data, type=TokenizerFile)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ModelLoadFailed(f"{name} in {root} is not a tokenizer: {error}") from error
    vocabulary = file.model.vocab
    ids = (
        vocabulary
        if isinstance(vocabulary, dict)
        else {piece: i for i, (piece, _) in enumerate(vocabulary)}
    )
    added = {row.content: row.id for row in file.added_tokens}
    if token not in added and token not in ids:
        raise ModelLoadFailed(f"{name} in {root} has no token {token!r} to fill texts with")
    return added.get(token, ids.get(token, 0))
