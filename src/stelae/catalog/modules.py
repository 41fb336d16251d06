"""The modules of a checkpoint: ``modules.json`` and the folder of each module.

Source: sentence-transformers 6.0.1, ``base/model.py`` (modules), ``base/modules/
dense.py``, ``sentence_transformer/modules/pooling.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from stelae.catalog.backbone import hidden_size, read_backbone
from stelae.catalog.files import exists, read_json, read_object
from stelae.catalog.heads import read_dense, read_normalize, read_pool
from stelae.catalog.spec import Backbone, Dense, Module, Normalize, Pool, Pooling
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

Part = Backbone | Module
Reader = Callable[[Path, str], Part | None]


def _skip(root: Path, folder: str) -> None:
    """Dropout does nothing once training is over."""
    del root, folder


READERS: dict[str, Reader] = {
    "Transformer": read_backbone,
    "Pooling": read_pool,
    "Dense": read_dense,
    "Normalize": read_normalize,
    "Dropout": _skip,
}

CHAT_TEMPLATES = ("chat_template.jinja", "chat_template.json")

HOMES = {
    "Transformer": ("base.modules.transformer", "base.modules"),
    "Pooling": ("sentence_transformer.modules.pooling",),
    "Dense": ("base.modules.dense", "base.modules"),
    "Normalize": ("base.modules.normalize", "base.modules"),
    "Dropout": ("sentence_transformer.modules.dropout",),
}
"""Modules of sentence-transformers that define each class, since its release 5.4."""

EVERYWHERE = ("models", "sentence_transformer.modules")
"""Modules of sentence-transformers that export every class."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of ``modules.json``."""

    type: str
    path: str = ""
    idx: int = 0
    name: str = ""
    kwargs: list[str] | None = None


def read_modules(root: Path) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """The modules of a checkpoint in order, and notes for people.

    A folder without ``modules.json`` is a plain transformer; like
    sentence-transformers, it gets mean pooling, or the last token if it is a
    causal language model.

    Raises:
        UnsupportedCheckpoint: A module or an option is not implemented.
        ModelLoadFailed: A file is missing, broken or contradicts another.
    """
    if not exists(root, "modules.json"):
        return _plain(root)
    rows = _rows(root, read_json(root, "modules.json"))
    modules = tuple(m for row in rows if (m := _read(root, row)) is not None)
    _check_order(root, modules)
    return modules, ()


def _plain(root: Path) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    backbone = read_backbone(root, "")
    _check_no_chat(root, backbone)
    mode = Pooling.LAST_TOKEN if _causal(backbone) else Pooling.MEAN
    note = (
        f"the checkpoint has no modules.json, so its pooling is not stated; "
        f"{mode.value} pooling without normalisation is used, as sentence-transformers does"
    )
    return (backbone, Pool(modes=(mode,))), (note,)


def _causal(backbone: Backbone) -> bool:
    generates = backbone.architecture.endswith("ForCausalLM")
    return generates and backbone.config.get("is_causal", True) is not False


def _check_no_chat(root: Path, backbone: Backbone) -> None:
    """Refuse a chat model: the library would wrap each text in its chat template."""
    settings = read_object(root, "tokenizer_config.json") or {}
    if "chat_template" in settings or any(exists(root, name) for name in CHAT_TEMPLATES):
        raise UnsupportedCheckpoint(
            f"{backbone.architecture or 'the model'} in {root} is a chat model without "
            "modules.json; how to make vectors with it is not stated"
        )


def _rows(root: Path, table: object) -> list[Row]:
    try:
        return msgspec.convert(table, list[Row])
    except msgspec.ValidationError as error:
        raise ModelLoadFailed(
            f"modules.json in {root} is not a list of modules: {error}"
        ) from error


def _read(root: Path, row: Row) -> Part | None:
    kind = class_of(row.type)
    if kind is None:
        raise UnsupportedCheckpoint(
            f"modules.json in {root} has a module {row.type!r}, which is not implemented; "
            f"known are {', '.join(READERS)}"
        )
    if row.kwargs:
        raise UnsupportedCheckpoint(
            f"modules.json in {root} passes {', '.join(map(repr, row.kwargs))} to {row.type!r}; "
            "arguments of modules are not implemented"
        )
    return READERS[kind](root, row.path.rstrip("/"))


def class_of(type_name: str) -> str | None:
    """Class that a ``type`` of ``modules.json`` means, or ``None`` if it is not ours."""
    package, _, rest = type_name.partition(".")
    home, _, kind = rest.rpartition(".")
    if package != "sentence_transformers" or kind not in READERS:
        return None
    places = {*EVERYWHERE, *(f"models.{kind}",), *HOMES[kind]}
    return kind if home in places else None


def _check_order(root: Path, modules: tuple[Part, ...]) -> None:
    kinds = [type(m) for m in modules]
    if kinds[:2] != [Backbone, Pool] or not set(kinds[2:]) <= {Dense, Normalize}:
        order = ", ".join(kind.__name__ for kind in kinds) or "nothing"
        raise UnsupportedCheckpoint(
            f"modules.json in {root} chains {order}; implemented is one Transformer, one Pooling, "
            "then any number of Dense and Normalize"
        )


def output_width(root: Path, modules: tuple[Part, ...]) -> int:
    """Width of the last module's vectors.

    Raises:
        ModelLoadFailed: The widths of neighbouring modules differ.
    """
    width = 0
    for module in modules:
        match module:
            case Backbone():
                width = hidden_size(module.config)
            case Pool() if module.width and width and module.width != width:
                raise ModelLoadFailed(
                    f"the pooling in {root} takes {module.width} numbers per token, "
                    f"the transformer gives {width}"
                )
            case Pool():
                width = (width or module.width) * len(module.modes)
            case Dense() if module.inputs != width:
                raise ModelLoadFailed(
                    f"the dense layer {module.folder} in {root} takes {module.inputs} numbers, "
                    f"the module before it gives {width}"
                )
            case Dense():
                width = module.outputs
            case _:
                pass
    return width
