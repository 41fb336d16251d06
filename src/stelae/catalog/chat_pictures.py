"""Chat models that see: how their pictures are read.

Source: transformers 5.17, ``models/qwen2_vl`` and ``models/qwen2_5_vl``.
"""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from stelae.catalog.files import read_object
from stelae.catalog.spec import Backbone
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

SEEING = frozenset({"Qwen2VLForConditionalGeneration", "Qwen2_5_VLForConditionalGeneration"})
"""Classes that go on with conversations in which there are pictures."""

PROCESSOR = "Qwen2VLImageProcessor"

FILE = "preprocessor_config.json"


def with_eyes(root: Path, backbone: Backbone) -> Backbone:
    """A language model with the options of what reads its pictures, if it sees any.

    They are part of what the model is.

    Raises:
        ModelLoadFailed: They are missing.
        UnsupportedCheckpoint: Its pictures are read by another class.
    """
    if backbone.architecture not in SEEING:
        return backbone
    options = read_object(root, FILE)
    if options is None:
        raise ModelLoadFailed(f"no {FILE} in {root}; it says how pictures are resized")
    given = str(options.get("image_processor_type", "nothing"))
    if given.removesuffix("Fast") != PROCESSOR:
        raise UnsupportedCheckpoint(
            f"{FILE} in {root} names the processor {given!r}; {backbone.architecture} is read "
            f"with {PROCESSOR} only"
        )
    return replace(backbone, config={**backbone.config, "image_processor": options})
