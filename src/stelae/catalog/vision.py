"""Checkpoints that read pictures, or texts made for pictures: which they are, what they say.

Source: sentence-transformers 6.0.1, ``base/modules/transformer.py`` and ``clip_model.py``,
for the folders that it writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from stelae.catalog.backbone import hidden_size, positions
from stelae.catalog.clip import read_chinese_clip, read_clip, read_clip_text, read_clip_vision
from stelae.catalog.entry import ModelEntry
from stelae.catalog.files import Json, join, read_json, read_object
from stelae.catalog.mclip import read_mclip
from stelae.catalog.open_clip import only_open_clip, read_open_clip
from stelae.catalog.operations import Dense, Module, Normalize
from stelae.catalog.options import positive, refuse_unknown, require
from stelae.catalog.pages import QUESTIONS, read_pages
from stelae.catalog.reading import lowered
from stelae.catalog.settings import read_settings
from stelae.catalog.siglip import read_siglip, read_siglip2
from stelae.catalog.spec import Backbone, Chain, ModelSpec, Source, Vision
from stelae.catalog.tensors import Tensors
from stelae.catalog.tokenizer import read_tokenizer
from stelae.catalog.towers import Home, Towers
from stelae.catalog.weights import weight_files
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import Modality, OutputType, Similarity

READERS: dict[str, Callable[[Home], Towers]] = {
    "CLIPModel": read_clip,
    "CLIPTextModelWithProjection": read_clip_text,
    "CLIPVisionModelWithProjection": read_clip_vision,
    "ChineseCLIPModel": read_chinese_clip,
    "SiglipModel": read_siglip,
    "Siglip2Model": read_siglip2,
    "MultilingualCLIP": read_mclip,
}
"""By class name in ``config.json``."""

FOLDERS = (
    "sentence_transformers.models.CLIPModel",
    "sentence_transformers.models.Transformer",
    "sentence_transformers.base.modules.transformer.Transformer",
    "sentence_transformers.sentence_transformer.modules.clip_model.CLIPModel",
)
"""Modules that hold both towers."""

METHODS = {
    kind: {"method": f"get_{kind}_features", "method_output_name": "pooler_output"}
    for kind in ("text", "image")
}
OPTIONS = {
    "transformer_task": ("feature-extraction",),
    "modality_config": (METHODS,),
    "module_output_name": ("sentence_embedding",),
    "max_seq_length": (None,),
    "do_lower_case": (False, None),
}
"""Options of the module, of which only these values are implemented."""

CONFIG = "config.json"


def read_towers(root: Path, entry: ModelEntry, source: Source) -> ModelSpec | None:
    """The model in a folder, if it is one with towers.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented; the message names it.
        ModelLoadFailed: A file is missing, broken or contradicts another.
        InvalidInput: The entry asks for what the checkpoint does not have.
    """
    modules = _modules(root)
    if modules and modules[0][0] not in FOLDERS:
        return None
    folder = modules[0][1] if modules else ""
    config = read_object(root, join(folder, "config.json")) or {}
    kind = _class(config)
    if kind in READERS or kind in QUESTIONS:
        weights = weight_files(root, folder)
        home = Home(root, folder, config, weights, Tensors(root, folder, weights))
        if kind in QUESTIONS:
            return read_pages(home, entry, source)
        towers = READERS[kind](home)
    elif only_open_clip(root):
        towers = read_open_clip(root)
    else:
        return None
    _check_use(root, folder, [kind for kind, _ in modules[1:]])
    return _spec(root, entry, source, _unit(towers) if len(modules) == 2 else towers)


def _modules(root: Path) -> list[tuple[str, str]]:
    """Type and folder of each module; nothing if the file is not what it should be."""
    rows = read_json(root, "modules.json")
    rows = rows if isinstance(rows, list) else []
    return [
        (str(row.get("type")), str(row.get("path", "")).rstrip("/"))
        for row in rows
        if isinstance(row, dict)
    ]


def _class(config: Json) -> str:
    names = config.get("architectures")
    return names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""


def _check_use(root: Path, folder: str, after: list[str]) -> None:
    """Refuse modules and options that ask for another use of the towers."""
    if after and (len(after) > 1 or not after[0].endswith(".Normalize")):
        raise UnsupportedCheckpoint(
            f"modules.json in {root} puts {', '.join(after)} after the towers; implemented is "
            "Normalize or nothing"
        )
    name = join(folder, "sentence_bert_config.json")
    options = read_object(root, name) or {}
    refuse_unknown(options, OPTIONS, f"{name} in {root}")
    require(options, OPTIONS, f"{name} in {root}")


def _unit(towers: Towers) -> Towers:
    """The same, with vectors of unit length."""
    vision = towers.vision
    if vision is not None:
        vision = msgspec.structs.replace(vision, steps=(*vision.steps, Normalize()))
    return replace(towers, text_steps=(*towers.text_steps, Normalize()), vision=vision)


def _spec(root: Path, entry: ModelEntry, source: Source, towers: Towers) -> ModelSpec:
    text, vision = towers.text, towers.vision
    steps, backbone = (towers.text_steps, text) if text is not None else _pictures(vision)
    tokenizer, longest = _reading(root, text, vision, entry)
    prompts = read_settings(root)
    given = ((Modality.TEXT, text), (Modality.IMAGE, vision))
    return ModelSpec(
        name=entry.name,
        aliases=entry.aliases,
        source=source,
        folder=str(root),
        backbone=backbone,
        chains=(Chain(output=OutputType.DENSE, steps=steps),),
        vision=vision,
        inputs=tuple(kind for kind, tower in given if tower is not None),
        contrast=towers.contrast,
        dimensions=_width(root, towers),
        matryoshka=tuple(sorted(entry.matryoshka)),
        max_tokens=longest,
        fill=towers.fill,
        lowercase=towers.lowercase,
        tokenizer=tokenizer,
        prompts=prompts.prompts,
        default_prompt=prompts.default,
        similarity=prompts.similarity or Similarity.COSINE,
    )


def _pictures(vision: Vision | None) -> tuple[tuple[Module, ...], Backbone]:
    if vision is None:
        raise TypeError("a checkpoint without any tower")
    return vision.steps, vision.backbone


def _reading(
    root: Path, text: Backbone | None, vision: Vision | None, entry: ModelEntry
) -> tuple[str, int]:
    """The tokenizer's file and the longest text; of pictures alone, their patches."""
    if text is None:
        _, backbone = _pictures(vision)
        return "", 1 + (backbone.config["image_size"] // backbone.config["patch_size"]) ** 2
    tokenizer, stated = read_tokenizer(root, text)
    table = positions(text.config) or positive(text.config, "max_position_embeddings", CONFIG)
    limits = [limit for limit in (stated, table) if limit is not None]
    return tokenizer, lowered(min(limits, default=None), entry.max_tokens, root)


def _width(root: Path, towers: Towers) -> int:
    """Width of the vectors, which must be the same for texts and pictures."""
    found = []
    if towers.text is not None:
        config = towers.text.config
        own = positive(config, "projection_size", CONFIG) or hidden_size(config)
        found.append(_last(towers.text_steps, own))
    if towers.vision is not None:
        own = hidden_size(towers.vision.backbone.config)
        found.append(_last(towers.vision.steps, own))
    if len(set(found)) != 1:
        raise ModelLoadFailed(
            f"the checkpoint in {root} makes vectors of widths {' and '.join(map(str, found))} "
            "of texts and pictures; they cannot be compared"
        )
    return found[0]


def _last(steps: tuple[Module, ...], own: int) -> int:
    return next((step.outputs for step in reversed(steps) if isinstance(step, Dense)), own)
