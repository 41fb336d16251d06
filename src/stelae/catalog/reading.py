"""How a text is read: longest length, lower-casing, prompts.

Source: sentence-transformers 6.0.1, ``base/modules/transformer.py`` (lengths),
``base/model.py`` (prompts).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from stelae.catalog.backbone import positions
from stelae.catalog.files import Json, join, read_object
from stelae.catalog.options import positive, refuse_unknown, require, take
from stelae.catalog.spec import Backbone
from stelae.catalog.tokenizer import read_tokenizer
from stelae.errors import InvalidInput, ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import Similarity

READING_FILES = (
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
)
"""Names the file has had; the first that says anything counts."""

TEXT_ONLY = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}

FIXED = {
    "transformer_task": ("feature-extraction",),
    "modality_config": (TEXT_ONLY, None),
    "module_output_name": ("token_embeddings", None),
    "processing_kwargs": ({}, None),
    "query_length": (None,),
    "document_length": (None,),
    "query_expansion": (None,),
    "tokenizer_name_or_path": (None,),
}
"""Options of which only these values are implemented."""

HARMLESS = {
    "model_args": {
        "add_pooling_layer", "attn_implementation", "dtype", "low_cpu_mem_usage", "torch_dtype",
        "trust_remote_code", "use_safetensors",
    },
    "tokenizer_args": {"model_max_length", "padding_side", "trust_remote_code", "use_fast"},
    "config_args": {"trust_remote_code"},
}  # fmt: skip
"""Arguments that do not change a vector, or are read elsewhere."""

RENAMED = {
    "model_kwargs": "model_args",
    "processor_kwargs": "tokenizer_args",
    "config_kwargs": "config_args",
}

READING_KEYS = {"max_seq_length", "do_lower_case", "unpad_inputs", *FIXED, *HARMLESS, *RENAMED}

MODEL_KEYS = {
    "__version__", "prompts", "default_prompt_name", "similarity_fn_name", "model_type",
    "truncate_dim", "requirements",
}  # fmt: skip


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Lengths and lower-casing."""

    tokenizer: str
    max_tokens: int
    lowercase: bool


class Prompts(msgspec.Struct, frozen=True, kw_only=True):
    """Prompts and the comparison that the vectors are meant for."""

    prompts: dict[str, str]
    default: str | None
    similarity: Similarity | None


def read_reading(root: Path, backbone: Backbone, lower_to: int | None) -> Reading:
    """How long a text the checkpoint reads, and what happens to it first.

    Args:
        root: The checkpoint.
        backbone: Its transformer.
        lower_to: A shorter length that a person asks for.

    Raises:
        UnsupportedCheckpoint: An option is not implemented, or no length is stated.
        ModelLoadFailed: A file is missing or broken.
        InvalidInput: ``lower_to`` is longer than the checkpoint reads.
    """
    tokenizer, stated = read_tokenizer(root, backbone)
    config, file = _reading_config(root, backbone.folder)
    limit = _limit(backbone.config, stated, config, file)
    return Reading(
        tokenizer=tokenizer,
        max_tokens=lowered(limit, lower_to, root),
        lowercase=take(config, "do_lower_case", bool, file, False) is True,
    )


def _reading_config(root: Path, folder: str) -> tuple[Json, str]:
    for name in READING_FILES:
        config = read_object(root, join(folder, name))
        if config:
            file = f"{join(folder, name)} in {root}"
            refuse_unknown(config, READING_KEYS, file)
            require(config, FIXED, file)
            for new, old in RENAMED.items():
                for key in (new, old):
                    inner = take(config, key, dict, file, {}) or {}
                    refuse_unknown(inner, HARMLESS[old], f"{key} of {file}")
            return config, file
    return {}, f"{join(folder, READING_FILES[0])} in {root}"


def _limit(transformer: Json, tokenizer: int | None, config: Json, file: str) -> int | None:
    """Longest input, as sentence-transformers sets the tokenizer's ``model_max_length``.

    It takes ``max_seq_length`` as it stands and fails on longer texts than the
    position table holds; the table's end is therefore a limit too.
    """
    arguments = config.get("processor_kwargs") or config.get("tokenizer_args") or {}
    stated = positive(arguments, "model_max_length", file) or positive(
        config, "max_seq_length", file
    )
    limits = [stated, positions(transformer)]
    if stated is None:
        limits += [tokenizer, _stated_positions(transformer)]
    return min((limit for limit in limits if limit is not None), default=None)


def _stated_positions(config: Json) -> int | None:
    value = config.get("max_position_embeddings")
    return value if isinstance(value, int) and value > 0 else None


def lowered(limit: int | None, wanted: int | None, root: Path) -> int:
    """The longest input: what the checkpoint reads, or the lower number that a person asks for.

    Raises:
        UnsupportedCheckpoint: Neither is known.
        InvalidInput: ``wanted`` is longer than the checkpoint reads.
    """
    if wanted is None and limit is None:
        raise UnsupportedCheckpoint(
            f"the checkpoint in {root} states no longest input", hint="set max_tokens for the model"
        )
    if wanted is None:
        return limit or 0
    if wanted < 1 or (limit is not None and wanted > limit):
        raise InvalidInput(
            f"max_tokens={wanted}: the checkpoint in {root} reads up to {limit} tokens; "
            f"choose 1..{limit}",
            param="max_tokens",
        )
    return wanted


def read_prompts(root: Path) -> Prompts:
    """Prompts and similarity from ``config_sentence_transformers.json``.

    Raises:
        UnsupportedCheckpoint: It is another kind of model, or an option is not
            implemented.
        ModelLoadFailed: The file is broken, or its default prompt does not exist.
    """
    name = "config_sentence_transformers.json"
    config = read_object(root, name) or {}
    file = f"{name} in {root}"
    refuse_unknown(config, MODEL_KEYS, file)
    require(config, {"model_type": ("SentenceTransformer",), "truncate_dim": (None,)}, file)
    prompts = _texts(take(config, "prompts", dict, file, {}) or {}, file)
    default = take(config, "default_prompt_name", str, file)
    if default is not None and default not in prompts:
        raise ModelLoadFailed(
            f"{file} sets default_prompt_name={default!r}; its prompts are {sorted(prompts)}"
        )
    return Prompts(prompts=prompts, default=default, similarity=_similarity(config, file))


def _texts(prompts: Json, file: str) -> dict[str, str]:
    for name, text in prompts.items():
        if text is not None and not isinstance(text, str):
            raise ModelLoadFailed(f"{file} has the prompt {name!r}={text!r}; a text was expected")
    return {name: text or "" for name, text in prompts.items()}


def _similarity(config: Json, file: str) -> Similarity | None:
    name = take(config, "similarity_fn_name", str, file)
    if name is None:
        return None
    if name not in set(Similarity):
        raise UnsupportedCheckpoint(
            f"{file} sets similarity_fn_name={name!r}, which is not implemented; "
            f"known are {', '.join(Similarity)}"
        )
    return Similarity(name)
