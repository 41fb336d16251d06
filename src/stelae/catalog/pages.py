"""Models of whole pages, ColPali and ColQwen2: a vector for every patch and every word.

Source: transformers 5.17, ``models/colpali`` and ``models/colqwen2``.
"""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.entry import ModelEntry
from stelae.catalog.files import Json, join, read_object
from stelae.catalog.operations import Normalize
from stelae.catalog.options import positive, take
from stelae.catalog.reading import lowered
from stelae.catalog.spec import Chain, ModelSpec, Source
from stelae.catalog.tokenizer import read_tokenizer
from stelae.catalog.towers import Home
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import Modality, OutputType

QUESTIONS = {"ColPaliForRetrieval": "Question: ", "ColQwen2ForRetrieval": "Query: "}
"""What stands before every text, by class, unless ``processor_config.json`` says otherwise."""

PROCESSORS = {
    "ColPaliForRetrieval": "SiglipImageProcessor",
    "ColQwen2ForRetrieval": "Qwen2VLImageProcessor",
}
"""What reads the pages, by class."""


def read_pages(home: Home, entry: ModelEntry, source: Source) -> ModelSpec:
    """A model of pages.

    Raises:
        UnsupportedCheckpoint: Its pages are read by another class.
        ModelLoadFailed: A file is missing or broken.
        InvalidInput: The entry asks for what the checkpoint does not have.
    """
    kind = home.config["architectures"][0]
    processor = read_object(home.root, join(home.folder, "processor_config.json")) or {}
    config = {**home.config, "image_processor": _reader(home, kind, processor)}
    backbone = home.backbone(kind, config)
    tokenizer, stated = read_tokenizer(home.root, backbone)
    question = take(processor, "query_prefix", str, "processor_config.json", QUESTIONS[kind])
    limits = [stated, _positions(home.config, home.root)]
    narrow = home.tensors.dense("embedding_proj_layer.weight", bias="embedding_proj_layer.bias")
    longest = min((limit for limit in limits if limit is not None), default=None)
    return ModelSpec(
        name=entry.name,
        aliases=entry.aliases,
        source=source,
        folder=str(home.root),
        backbone=backbone,
        chains=(Chain(output=OutputType.MULTIVECTOR, steps=(narrow, Normalize())),),
        inputs=(Modality.TEXT, Modality.IMAGE),
        token_dimensions=narrow.outputs,
        max_tokens=lowered(longest, entry.max_tokens, home.root),
        tokenizer=tokenizer,
        prompts=dict.fromkeys(("query", "document"), question or ""),
        default_prompt="query",
    )


def _reader(home: Home, kind: str, processor: Json) -> Json:
    """The options of what reads the pages; they are part of what the model is."""
    inner = take(processor, "image_processor", dict, "processor_config.json")
    name = join(home.folder, "preprocessor_config.json")
    options: Json | None = inner or read_object(home.root, name)
    if options is None:
        raise ModelLoadFailed(f"no {name} in {home.root}; it says how pages are resized")
    given = str(options.get("image_processor_type", "nothing"))
    if given.removesuffix("Fast") != PROCESSORS[kind]:
        raise UnsupportedCheckpoint(
            f"{name} in {home.root} names the processor {given!r}; {kind} is read with "
            f"{PROCESSORS[kind]} only"
        )
    return options


def _positions(config: Json, root: Path) -> int | None:
    """Longest sequence of the language model inside."""
    file = f"config.json in {root}"
    inner = take(config, "vlm_config", dict, file, {}) or {}
    text = take(inner, "text_config", dict, file, {}) or {}
    return positive(text, "max_position_embeddings", file)
