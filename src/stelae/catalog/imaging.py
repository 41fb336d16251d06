"""Pipelines that make pictures: ``model_index.json`` and a folder for each part.

Source: diffusers 0.39, ``pipelines/pipeline_loading_utils.py`` and the pipelines themselves.
"""

from __future__ import annotations

from math import prod
from pathlib import Path

from stelae.catalog.abilities import Imaging
from stelae.catalog.detection import whole
from stelae.catalog.entry import ModelEntry
from stelae.catalog.files import Json, exists, inside, join, read_object
from stelae.catalog.imaging_layouts import INDEX, LAYOUTS, UNUSED, Layout
from stelae.catalog.options import need, positive, refuse_unknown, take
from stelae.catalog.spec import Backbone, ModelSpec, Source
from stelae.catalog.weights import read_header
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import Modality

STEMS = {"diffusers": "diffusion_pytorch_model", "transformers": "model"}
"""How the names of weight files start, by library."""

BARE = ("scheduler", "tokenizer")
"""Parts without weights, by how their names start."""

LEAST = 8
"""Patches of the shortest side of a picture."""

GROWTH = 4
"""How many times as many pixels a picture may have as the model was made for."""

SAFE = ".safetensors"


def read_imaging(root: Path, entry: ModelEntry, source: Source) -> ModelSpec | None:
    """The model in a folder, if it is one that makes pictures.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented; the message names it.
        ModelLoadFailed: A file is missing, broken or contradicts another.
        InvalidInput: The entry asks for what the checkpoint does not have.
    """
    index = read_object(root, INDEX)
    if index is None:
        return None
    file = f"{INDEX} in {root}"
    pipeline = need(index, "_class_name", str, file)
    layout = LAYOUTS.get(pipeline)
    if layout is None:
        raise UnsupportedCheckpoint(
            f"{file} asks for the pipeline {pipeline!r}, which is not implemented; known are "
            f"{', '.join(LAYOUTS)}"
        )
    parts = _parts(index, layout, file)
    weights = [
        join(name, found)
        for name, library in parts.items()
        if not name.startswith(BARE)
        for found in _weights(root, name, STEMS[library])
    ]
    for name in weights:
        read_header(inside(root, name))
    longest = _longest(root, layout, parts)
    return ModelSpec(
        name=entry.name,
        aliases=entry.aliases,
        source=source,
        folder=str(root),
        backbone=Backbone(folder="", architecture=pipeline, config=index, weights=tuple(weights)),
        inputs=(Modality.TEXT, Modality.IMAGE),
        imaging=_imaging(root, pipeline, layout, longest),
        max_tokens=whole(entry, root, longest),
        tokenizer="",
    )


def parts_of(index: Json) -> dict[str, tuple[str, str]]:
    """Library and class of each part that a pipeline has, unused ones left out."""
    return {
        name: (value[0], value[1])
        for name, value in index.items()
        if isinstance(value, list) and name not in UNUSED and all(value)
    }


def _parts(index: Json, layout: Layout, file: str) -> dict[str, str]:
    """Library of each part; its class is one that is known.

    Raises:
        UnsupportedCheckpoint: It has code of its own, or a part that is not known.
        ModelLoadFailed: A part is missing.
    """
    named = {name: value for name, value in index.items() if not name.startswith("_")}
    refuse_unknown(named, {*layout.parts, *layout.optional, *layout.options, *UNUSED}, file)
    found: dict[str, str] = {}
    for name, known in {**layout.parts, **layout.optional}.items():
        match index.get(name):
            case [str(library), str(kind)]:
                if library not in STEMS or not _is_known(kind, known):
                    raise UnsupportedCheckpoint(
                        f"{file} takes {name} from {library}.{kind}, which is not implemented; "
                        f"known is {' or '.join(known)}"
                    )
                found[name] = library
            case None | [None, None] if name in layout.optional:
                continue
            case value:
                raise ModelLoadFailed(
                    f"{file} sets {name}={value!r}; library and class of that part were expected"
                )
    return found


def _is_known(kind: str, known: tuple[str, ...]) -> bool:
    return any(
        kind.removesuffix("Fast") == name or (name == "*Scheduler" and kind.endswith("Scheduler"))
        for name in known
    )


def _weights(root: Path, part: str, stem: str) -> tuple[str, ...]:
    """Weight files of a part, relative to its folder.

    Raises:
        UnsupportedCheckpoint: They are in another format.
        ModelLoadFailed: There are none.
    """
    for single in (f"{stem}{SAFE}", f"{stem}.fp16{SAFE}"):
        if exists(root, join(part, single)):
            return (single,)
    index = join(part, f"{stem}{SAFE}.index.json")
    table = read_object(root, index)
    if table is None:
        raise _no_weights(root, part, stem)
    files = set(need(table, "weight_map", dict, f"{index} in {root}").values())
    missing = [name for name in files if not exists(root, join(part, str(name)))]
    if not files or missing:
        raise ModelLoadFailed(f"{index} in {root} names {missing or 'no file'}, which is missing")
    return tuple(sorted(map(str, files)))


def _no_weights(root: Path, part: str, stem: str) -> ModelLoadFailed:
    place = inside(root, part)
    others = sorted(p.name for p in place.glob("*") if p.suffix in {".bin", ".ckpt", ".msgpack"})
    if not others:
        return ModelLoadFailed(f"no {stem}{SAFE} in {place}", hint="fetch the checkpoint again")
    return UnsupportedCheckpoint(
        f"the weights of {part} in {root} are in {others[0]}; only safetensors files are read",
        hint="ask for a revision that has safetensors, or save the pipeline again with "
        "save_pretrained(folder)",
    )


def _longest(root: Path, layout: Layout, parts: dict[str, str]) -> int:
    """Tokens that the tower reads which reads most."""
    return max(
        most or _stated(root, name) for name, most in layout.readers.items() if name in parts
    )


def _stated(root: Path, tokenizer: str) -> int:
    file = join(tokenizer, "tokenizer_config.json")
    config = read_object(root, file) or {}
    stated = positive(config, "model_max_length", f"{file} in {root}")
    if stated is None:
        raise ModelLoadFailed(f"{file} in {root} lacks the option 'model_max_length'")
    return stated


def _imaging(root: Path, pipeline: str, layout: Layout, longest: int) -> Imaging:
    trunk = _config(root, layout.trunk)
    scale = layout.scale(_config(root, "vae"))
    multiple = scale * layout.patch(trunk)
    stated = trunk.get("sample_size") if layout.sample is None else layout.sample
    high, wide = stated if isinstance(stated, list) and len(stated) == 2 else (stated, stated)
    if not (isinstance(high, int) and isinstance(wide, int) and min(high, wide) > 0):
        raise ModelLoadFailed(
            f"config.json of {layout.trunk} in {root} sets sample_size={stated!r}; a number of "
            "latents was expected"
        )
    size = (wide * scale, high * scale)
    table = take(trunk, "pos_embed_max_size", int, f"config.json of {layout.trunk} in {root}")
    most = GROWTH * max(size) if table is None else min(GROWTH * max(size), table * multiple)
    return Imaging(
        pipeline=pipeline,
        modes=layout.modes,
        size=size,
        multiple=multiple,
        sides=(min(LEAST * multiple, *size), most),
        pixels=GROWTH * prod(size),
        longest=longest,
    )


def _config(root: Path, part: str) -> Json:
    file = join(part, "config.json")
    config = read_object(root, file)
    if config is None:
        raise ModelLoadFailed(f"no {file} in {root}", hint="fetch the checkpoint again")
    return config
