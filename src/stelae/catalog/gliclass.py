"""Checkpoints of GLiClass: ``config.json`` with the whole model, an encoder's within it.

Nothing is fetched for them; what the folder lacks is refused.

Source: gliclass 0.1.21, ``config.py``, ``model.py`` and ``pipeline.py``.
"""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.abilities import Extractor, Finding
from stelae.catalog.backbone import positions
from stelae.catalog.entry import ModelEntry
from stelae.catalog.files import Json, exists, inside, join, read_object
from stelae.catalog.options import require, take
from stelae.catalog.reading import lowered
from stelae.catalog.spec import Backbone, ModelSpec, Source
from stelae.catalog.tokenizer import stated_limit
from stelae.catalog.weights import read_header, weight_files
from stelae.errors import UnsupportedCheckpoint

MODEL_TYPE = "GLiClass"

APART = "bi-encoder"
"""The kind that reads labels by an encoder of their own."""

KINDS = ("uni-encoder", "encoder-decoder", "encoder-decoder-cls", APART)

LABELS = "label_encoder"
"""Folder with the tokenizer of labels, for models that read them apart from the text."""

LONGEST = 1024
"""Tokens after which the library cuts."""


def read_gliclass(root: Path, entry: ModelEntry, source: Source) -> ModelSpec | None:
    """The model in a folder, if its ``config.json`` says that it is GLiClass.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented, or not in the folder.
        ModelLoadFailed: A file is missing, broken or contradicts another.
        InvalidInput: The entry asks for what the checkpoint does not have.
    """
    config = read_object(root, "config.json") or {}
    if config.get("model_type") != MODEL_TYPE:
        return None
    file = f"config.json in {root}"
    require(config, {"architecture_type": KINDS, "multimodal": (False, None)}, file)
    encoder = _encoder(root, config, file)
    if config["architecture_type"] == APART:
        _need_labels(root, config, file)
    weights = weight_files(root, "")
    for name in weights:
        read_header(inside(root, name))
    table = positions(encoder) if encoder.get("position_biased_input") is not False else None
    limits = [limit for limit in (stated_limit(root, ""), table) if limit is not None]
    return ModelSpec(
        name=entry.name,
        aliases=entry.aliases,
        source=source,
        folder=str(root),
        backbone=Backbone(folder="", architecture=MODEL_TYPE, config=config, weights=weights),
        extraction=Extractor(layout="gliclass", finds=(Finding.CLASSIFICATIONS,)),
        max_tokens=lowered(min([LONGEST, *limits]), entry.max_tokens, root),
        tokenizer="tokenizer.json",
    )


def _encoder(root: Path, config: Json, file: str) -> Json:
    """The encoder's configuration; it and the tokenizer must be in the folder."""
    found = take(config, "encoder_config", dict, file)
    if found is None:
        raise UnsupportedCheckpoint(
            f"{file} names the encoder {config.get('encoder_model_name')!r} and has no "
            "encoder_config, for which the hub would have to be asked"
        )
    if "auto_map" in found or "auto_map" in config:
        raise UnsupportedCheckpoint(f"{file} names code of its own, which is not run")
    _need_tokenizer(root, "", "folder")
    if exists(root, "adapter_config.json"):
        raise UnsupportedCheckpoint(
            f"adapter_config.json in {root}: adapters (LoRA) of GLiClass are not implemented",
            hint="merge the adapter into the model and save it",
        )
    return {"model_type": "deberta-v2", **found}


def _need_labels(root: Path, config: Json, file: str) -> None:
    """Refuse a checkpoint whose encoder of labels would have to be fetched."""
    name = config.get("label_model_name")
    found = take(config, "label_model_config", dict, file)
    if found is None:
        raise UnsupportedCheckpoint(
            f"{file} names the encoder of labels {name!r} and has no label_model_config, for which "
            "the hub would have to be asked"
        )
    if "auto_map" in found:
        raise UnsupportedCheckpoint(
            f"the label_model_config of {file} names code of its own, which is not run"
        )
    _need_tokenizer(root, LABELS, repr(name))


def _need_tokenizer(root: Path, folder: str, name: str) -> None:
    for file in ("tokenizer.json", "tokenizer_config.json"):
        if not exists(root, join(folder, file)):
            raise UnsupportedCheckpoint(
                f"no {join(folder, file)} in {root}; only checkpoints with a fast tokenizer are "
                "read",
                hint=f"AutoTokenizer.from_pretrained({name}).save_pretrained(folder) writes it; "
                f"the folder is {inside(root, folder) if folder else root}",
            )
