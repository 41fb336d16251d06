"""Checkpoints without ``modules.json``: what their own class says they are.

Source: sentence-transformers 6.0.1, ``_load_default_modules`` of its kinds of model.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stelae.catalog.backbone import hidden_size, read_backbone
from stelae.catalog.files import exists, join, read_object
from stelae.catalog.found import NO_SETTINGS, Found
from stelae.catalog.operations import Module, Normalize, Pool, Pooling
from stelae.catalog.place import Place
from stelae.catalog.reading import Reading, read_reading
from stelae.catalog.scoring import read_scoring
from stelae.catalog.settings import NAME
from stelae.catalog.spec import Backbone, Chain
from stelae.catalog.stanford import is_stanford, read_stanford
from stelae.catalog.static import is_model2vec, normalizes, read_model2vec
from stelae.catalog.tokenizer import CHAT_TEMPLATES
from stelae.errors import UnsupportedCheckpoint
from stelae.types import OutputType


def read_plain(root: Path) -> Found:
    """A checkpoint without ``modules.json``.

    A transformer with a head for classes scores pairs; any other makes vectors by mean
    pooling, or by the last token if it is a causal language model, as the library does.

    Raises:
        UnsupportedCheckpoint: Something in it is not implemented, or not stated.
        ModelLoadFailed: A file is missing or broken.
    """
    if is_model2vec(root, ""):
        return _model2vec(Place(root, "", "StaticModel"))
    if is_stanford(read_object(root, "config.json") or {}):
        return read_stanford(root)
    backbone = read_backbone(root, "")
    reading, _ = read_reading(root, backbone)
    pairs = backbone.architecture.endswith("ForSequenceClassification")
    found = (_pairs if pairs else _dense)(root, backbone, reading)
    unread = (f"{NAME} says nothing without modules.json",) if exists(root, NAME) else ()
    return replace(found, notes=(*found.notes, *unread))


def _model2vec(place: Place) -> Found:
    start = read_model2vec(place)
    unit: tuple[Module, ...] = (Normalize(),) if normalizes(place) else ()
    if start.trunk is None:
        raise TypeError("a table without a trunk")
    return Found(
        trunk=start.trunk,
        reading=start.reading,
        chains=(Chain(output=OutputType.DENSE, steps=(*start.modules, *unit)),),
        width=start.width,
        limit=start.reading.limit,
        notes=(
            "read as model2vec does: unknown tokens are left out, and 512 tokens of a text count",
        ),
    )


def _pairs(root: Path, backbone: Backbone, reading: Reading) -> Found:
    _check_no_chat(root, backbone, "a head for classes on texts in a prompt is not implemented")
    return Found(
        trunk=backbone,
        reading=reading,
        scoring=read_scoring(root, backbone, NO_SETTINGS),
        limit=reading.limit,
        notes=(
            "a head for classes without modules.json: it scores pairs of texts, as the library's "
            "CrossEncoder does",
        ),
    )


def _dense(root: Path, backbone: Backbone, reading: Reading) -> Found:
    _check_no_chat(root, backbone, "how to make vectors with it is not stated")
    mode = Pooling.LAST_TOKEN if _causal(backbone) else Pooling.MEAN
    note = (
        f"the checkpoint has no modules.json, so its pooling is not stated; "
        f"{mode.value} pooling without normalisation is used, as sentence-transformers does"
    )
    return Found(
        trunk=backbone,
        reading=reading,
        chains=(Chain(output=OutputType.DENSE, steps=(Pool(modes=(mode,)),)),),
        width=hidden_size(backbone.config),
        limit=reading.limit,
        notes=(note,),
    )


def _causal(backbone: Backbone) -> bool:
    generates = backbone.architecture.endswith("ForCausalLM")
    return generates and backbone.config.get("is_causal", True) is not False


def _check_no_chat(root: Path, backbone: Backbone, reason: str) -> None:
    """Refuse a chat model: the library would wrap each text in its chat template."""
    settings = read_object(root, join(backbone.folder, "tokenizer_config.json")) or {}
    if "chat_template" in settings or any(exists(root, name) for name in CHAT_TEMPLATES):
        raise UnsupportedCheckpoint(
            f"{backbone.architecture or 'the model'} in {root} is a chat model without "
            f"modules.json; {reason}"
        )
