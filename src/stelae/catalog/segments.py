"""Whether a tokenizer tells the two texts of a pair apart by token types.

A template may number the texts of a pair, yet the numbers reach the transformer only if
the tokenizer's class lists them among what a model takes.

Source: transformers 5.17, ``model_input_names`` of ``models/*/tokenization_*.py``.
"""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.files import join, read_object
from stelae.catalog.options import take
from stelae.catalog.spec import Backbone

TYPES = "token_type_ids"

CLASSES = frozenset({
    "BertTokenizer", "CanineTokenizer", "DebertaTokenizer", "DebertaV2Tokenizer", "FNetTokenizer",
})  # fmt: skip
"""Classes that list them."""

MODELS = frozenset({
    "bert", "convbert", "deberta", "deberta-v2", "electra", "ernie", "fnet", "nomic_bert",
})  # fmt: skip
"""Model types with such a class, where ``tokenizer_config.json`` names none."""


def tells_apart(root: Path, backbone: Backbone) -> bool:
    """Whether the numbers reach the transformer.

    Raises:
        ModelLoadFailed: A file is broken.
    """
    name = join(backbone.folder, "tokenizer_config.json")
    config, file = read_object(root, name) or {}, f"{name} in {root}"
    taken = take(config, "model_input_names", list, file)
    if taken is not None:
        return TYPES in taken
    kind = take(config, "tokenizer_class", str, file)
    if kind is None:
        return backbone.config.get("model_type") in MODELS
    return kind.removesuffix("Fast") in CLASSES
