"""Checkpoints of GLiNER: ``gliner_config.json`` with the weights and a tokenizer beside it.

Nothing is fetched for them: the library would ask the hub for an encoder's configuration
or tokenizer that the folder lacks, so such folders are refused.

Source: gliner 0.2.24, ``model.py``, ``config.py`` and ``modeling/encoder.py``.
"""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.abilities import Extractor, Finding
from stelae.catalog.backbone import positions
from stelae.catalog.entry import ModelEntry
from stelae.catalog.files import Json, exists, inside, join, read_object
from stelae.catalog.options import positive, require, take
from stelae.catalog.reading import lowered
from stelae.catalog.spec import Backbone, ModelSpec, Source
from stelae.catalog.tokenizer import stated_limit
from stelae.catalog.weights import read_header, weight_files
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

CONFIG = "gliner_config.json"

LABELS = "labels_encoder"
"""Folder with the tokenizer of labels, for models that read them apart from the text."""

RELATIONS = "UniEncoderSpanRelexGLiNER"

MOST_WORDS = 384
"""The library's longest text, in words, if the file does not say."""

TOKENS_PER_WORD = 8
"""Tokens that a word may have on average, for encoders without a longest input."""

SAVE = (
    "load it once where the hub can be reached and save it: "
    "GLiNER.from_pretrained(name).save_pretrained(folder) writes all that is needed"
)


def read_gliner(root: Path, entry: ModelEntry, source: Source) -> ModelSpec | None:
    """The model in a folder with ``gliner_config.json``; ``None`` without that file.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented, or not in the folder.
        ModelLoadFailed: A file is missing, broken or contradicts another.
        InvalidInput: The entry asks for what the checkpoint does not have.
    """
    config = read_object(root, CONFIG)
    if config is None:
        return None
    file = f"{CONFIG} in {root}"
    _check(config, file)
    encoder = _encoder(config, "encoder_config", "model_name", file)
    architecture = _class(config)
    if architecture.startswith("Bi"):
        _encoder(config, "labels_encoder_config", "labels_encoder", file)
        _need_tokenizer(root, LABELS, str(config["labels_encoder"]))
    _need_tokenizer(root, "", str(config.get("model_name")))
    weights = weight_files(root, "")
    for name in weights:
        read_header(inside(root, name))
    words = positive(config, "max_len", file) or MOST_WORDS
    table = positions(encoder) if encoder.get("position_biased_input") is not False else None
    limits = [limit for limit in (stated_limit(root, ""), table) if limit is not None]
    longest = min(limits, default=TOKENS_PER_WORD * words)
    finds = (Finding.ENTITIES, Finding.RELATIONS)
    return ModelSpec(
        name=entry.name,
        aliases=entry.aliases,
        source=source,
        folder=str(root),
        backbone=Backbone(folder="", architecture=architecture, config=config, weights=weights),
        extraction=Extractor(
            layout="gliner", finds=finds if architecture == RELATIONS else finds[:1]
        ),
        max_tokens=lowered(longest, entry.max_tokens, root),
        tokenizer="tokenizer.json",
    )


def _class(config: Json) -> str:
    """The library's class for a checkpoint, by the same rules in the same order."""
    unit = "Token" if config.get("span_mode") == "token_level" else "Span"
    if config.get("relations_layer") is not None:
        return RELATIONS
    return f"{'Bi' if config.get('labels_encoder') is not None else 'Uni'}Encoder{unit}GLiNER"


def _check(config: Json, file: str) -> None:
    """Refuse options of other kinds of model, and of the wrong type."""
    if config.get("labels_decoder") is not None and config.get("relations_layer") is None:
        raise UnsupportedCheckpoint(
            f"{file} sets labels_decoder={config['labels_decoder']!r}; models that write their "
            "labels are not implemented"
        )
    require(config, {"words_splitter_type": ("whitespace", None)}, file)
    if config.get("relations_layer") is not None and config.get("span_mode") == "token_level":
        raise ModelLoadFailed(f"{file} sets relations_layer and span_mode='token_level'")
    for key in ("max_len", "max_width", "hidden_size"):
        positive(config, key, file)


def _encoder(config: Json, key: str, name: str, file: str) -> Json:
    """The configuration of an encoder, which must be in the file itself."""
    found = take(config, key, dict, file)
    if found is None:
        raise UnsupportedCheckpoint(
            f"{file} names the encoder {config.get(name)!r} and has no {key}, for which the "
            "hub would have to be asked",
            hint=SAVE,
        )
    if "auto_map" in found:
        raise UnsupportedCheckpoint(f"{key} in {file} names code of its own, which is not run")
    return {"model_type": "deberta-v2", **found}


def _need_tokenizer(root: Path, folder: str, encoder: str) -> None:
    """Refuse a checkpoint whose tokenizer would have to be fetched."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if not exists(root, join(folder, name)):
            raise UnsupportedCheckpoint(
                f"no {join(folder, name)} in {root}; the tokenizer of the encoder {encoder!r} "
                "is not fetched from the hub",
                hint=f"AutoTokenizer.from_pretrained({encoder!r}).save_pretrained(folder) writes "
                f"it; the folder is {inside(root, folder) if folder else root}",
            )
    if exists(root, join(folder, "adapter_config.json")):
        raise UnsupportedCheckpoint(
            f"{join(folder, 'adapter_config.json')} in {root}: adapters (LoRA) of GLiNER are not "
            "implemented",
            hint="merge the adapter into the model and save it",
        )
