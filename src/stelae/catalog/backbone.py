"""The transformer of a checkpoint: ``config.json`` and how long a text it reads.

Source: sentence-transformers 6.0.1, ``base/modules/transformer.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stelae.catalog.files import Json, exists, inside, join, read_object
from stelae.catalog.options import positive, require, take
from stelae.catalog.spec import Backbone
from stelae.catalog.weights import read_header, weight_files
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

WIDTHS = ("hidden_size", "d_model", "dim", "n_embd", "emb_dim")
"""Names under which architectures keep the width of a token vector."""

OFFSET_POSITIONS = frozenset({
    "camembert", "data2vec-text", "ibert", "longformer", "luke", "mluke", "mpnet", "roberta",
    "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod",
})  # fmt: skip
"""Model types that count positions from ``pad_token_id + 1``, so that many are lost."""

TABLE_POSITIONS = OFFSET_POSITIONS | frozenset({
    "albert", "bert", "bert-generation", "convbert", "deberta", "deberta-v2", "distilbert",
    "electra", "ernie", "gpt2", "layoutlm", "megatron-bert", "mobilebert", "nezha", "rembert",
    "splinter", "squeezebert", "visual_bert",
})  # fmt: skip
"""Model types with a table of positions: a longer text cannot be run at all."""

NO_ENGINE: dict[str, dict[str, tuple[Any, ...]]] = {
    "nomic_bert": {"moe_every_n_layers": (0, None), "num_experts": (0, None)},
}
"""Values of options by model type, where the reference passes over all others.

Of those its numbers would be wrong too, if it found the weights.
"""


def read_backbone(root: Path, folder: str) -> Backbone:
    """The transformer in a folder of the checkpoint.

    Raises:
        UnsupportedCheckpoint: The weights are not safetensors, or an adapter; or an option
            is implemented nowhere.
        ModelLoadFailed: ``config.json`` or the weights are missing or broken.
    """
    config = read_config(root, folder)
    if exists(root, join(folder, "adapter_config.json")):
        raise UnsupportedCheckpoint(
            f"{join(folder, 'adapter_config.json')} in {root}: the folder holds an adapter (LoRA), "
            "which is no model of its own",
            hint="name it among the loras of its model, or merge the two and save the result",
        )
    weights = weight_files(root, folder)
    for name in weights:
        read_header(inside(root, join(folder, name)))
    return Backbone(
        folder=folder,
        architecture=architecture_of(config, root, folder),
        config=config,
        weights=weights,
    )


def read_config(root: Path, folder: str) -> Json:
    """What ``config.json`` of a transformer says.

    Raises:
        UnsupportedCheckpoint: An option is implemented nowhere.
        ModelLoadFailed: It is missing or broken.
    """
    file = join(folder, "config.json")
    config = read_object(root, file)
    if config is None:
        raise ModelLoadFailed(
            f"no {file} in {root}", hint="a checkpoint is a folder with config.json and its weights"
        )
    _check_numbers(config, f"{file} in {root}")
    require(config, NO_ENGINE.get(str(config.get("model_type")), {}), f"{file} in {root}")
    return config


def architecture_of(config: Json, root: Path, folder: str) -> str:
    """The first class that ``config.json`` names; empty if it names none.

    Raises:
        ModelLoadFailed: It names something else.
    """
    file = f"{join(folder, 'config.json')} in {root}"
    names = take(config, "architectures", list, file, [])
    first = names[0] if names else ""
    if not isinstance(first, str):
        raise ModelLoadFailed(f"{file} sets architectures={names!r}; class names were expected")
    return first


def _check_numbers(value: Any, file: str) -> None:
    """Refuse numbers that do not fit 64 bits: no option has them."""
    if isinstance(value, dict):
        for inner in value.values():
            _check_numbers(inner, file)
    elif isinstance(value, list):
        for inner in value:
            _check_numbers(inner, file)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ModelLoadFailed(f"{file} holds the number {value:.3e}, which no option means")


def hidden_size(config: Json) -> int:
    """Width of a token vector, or 0 if ``config.json`` does not state it.

    Raises:
        ModelLoadFailed: It states something else than a width.
    """
    stated = (positive(config, key, "config.json") for key in WIDTHS)
    return next((width for width in stated if width is not None), 0)


def positions(config: Json) -> int | None:
    """Most tokens for which the transformer has positions; ``None`` if there is no table."""
    kind = config.get("model_type")
    table = config.get("max_position_embeddings", config.get("n_positions"))
    if kind not in TABLE_POSITIONS or not isinstance(table, int) or table < 1:
        return None
    padding = 1 if kind == "mpnet" else config.get("pad_token_id", 1)  # MPNet's code fixes it
    offset = padding + 1 if kind in OFFSET_POSITIONS and isinstance(padding, int) else 0
    return table - offset
