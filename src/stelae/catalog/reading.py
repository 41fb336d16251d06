"""How texts are read: longest length, lower-casing, what is done with them.

Source: sentence-transformers 6.0.1, ``base/modules/transformer.py``.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from stelae.catalog.backbone import positions
from stelae.catalog.files import Json, join, read_object
from stelae.catalog.options import positive, refuse_unknown, require, take
from stelae.catalog.spec import Backbone
from stelae.catalog.tokenizer import read_tokenizer
from stelae.errors import InvalidInput, ModelLoadFailed, UnsupportedCheckpoint

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


class Use(StrEnum):
    """What of a transformer is used, by the library's names."""

    TOKENS = "feature-extraction"
    LOGITS = "fill-mask"
    SCORES = "sequence-classification"
    NEXT = "text-generation"


OUTPUTS = {
    Use.TOKENS: ("last_hidden_state", "token_embeddings"),
    Use.LOGITS: ("logits", "token_embeddings"),
    Use.SCORES: ("logits", "scores"),
    Use.NEXT: ("logits", "causal_logits"),
}
"""What the transformer's class calls it, and what the next module does."""

FIXED: dict[str, tuple[Any, ...]] = {
    "processing_kwargs": ({}, None),
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

READING_KEYS = {
    "max_seq_length", "do_lower_case", "unpad_inputs", "transformer_task", "modality_config",
    "module_output_name", "query_length", "document_length", "query_expansion",
    *FIXED, *HARMLESS, *RENAMED,
}  # fmt: skip

EXPANSION_KEYS = {"strategy", "attend", "token", "length"}


class Expansion(msgspec.Struct, frozen=True, kw_only=True):
    """How short queries are filled up for late interaction.

    Attributes:
        length: Tokens that they are filled up to.
        fixed: Whether longer queries are cut to that length.
        attend: Whether other tokens see the filling.
        token: What they are filled with; ``None`` as the tokenizer says.
    """

    length: int
    fixed: bool = True
    attend: bool = False
    token: str | None = None


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How texts are read.

    Attributes:
        tokenizer: ``tokenizer.json``, relative to the checkpoint.
        folder: Where the tokenizer's other files lie.
        limit: Longest text in tokens; ``None`` if that is not stated.
        lowercase: Whether texts are lower-cased first.
        query_length: Longest query of late interaction; ``None`` for ``limit``.
        document_length: Longest document of late interaction; ``None`` for ``limit``.
        expansion: How queries are filled up.
        side: On which side texts are filled up; ``None`` as the tokenizer's files say.
        stated: Options of the above that the file gives, were it to say "none".
    """

    tokenizer: str
    folder: str = ""
    limit: int | None = None
    lowercase: bool = False
    query_length: int | None = None
    document_length: int | None = None
    expansion: Expansion | None = None
    side: str | None = None
    stated: frozenset[str] = frozenset()


def read_reading(
    root: Path, backbone: Backbone, use: Use = Use.TOKENS, *, chat: bool = False
) -> tuple[Reading, Use]:
    """How a transformer reads texts, and what of it is used.

    Args:
        root: The checkpoint.
        backbone: The transformer.
        use: What is used of it if the file does not say.
        chat: Whether texts are put in the tokenizer's chat template; the other way is
            refused.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: A file is missing or broken.
    """
    tokenizer, stated = read_tokenizer(root, backbone)
    config, file = _config(root, backbone.folder)
    use = _use(config, file, use, chat=chat)
    return Reading(
        tokenizer=tokenizer,
        folder=backbone.folder,
        limit=_limit(backbone.config, stated, config, file),
        lowercase=take(config, "do_lower_case", bool, file, False) is True,
        query_length=positive(config, "query_length", file),
        document_length=positive(config, "document_length", file),
        expansion=read_expansion(take(config, "query_expansion", dict, file), file),
        side=take(_arguments(config), "padding_side", str, file),
        stated=frozenset(config),
    ), use


def _config(root: Path, folder: str) -> tuple[Json, str]:
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


def _use(config: Json, file: str, default: Use, *, chat: bool) -> Use:
    require(config, {"transformer_task": [kind.value for kind in Use]}, file)
    use = Use(config.get("transformer_task", default))
    theirs, ours = OUTPUTS[use]
    plain = {"method": "forward", "method_output_name": theirs}
    text, message = {"text": plain}, {"message": plain | {"format": "flat"}}
    forms: list[Json | None] = [message, text | message] if chat else [None, text]
    given = {"modality_config": config.get("modality_config")}
    require(given, {"modality_config": forms}, file)
    require(config, {"module_output_name": (ours, None)}, file)
    return use


def read_expansion(config: Json | None, file: str) -> Expansion | None:
    """How short queries are filled up, if they are.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: An option has a wrong type.
    """
    if config is None:
        return None
    file = f"query_expansion of {file}"
    refuse_unknown(config, EXPANSION_KEYS, file)
    require(config, {"strategy": ("fixed", "min")}, file)
    length = positive(config, "length", file)
    if length is None or "strategy" not in config:
        raise ModelLoadFailed(f"{file} lacks the option 'strategy' or 'length'")
    return Expansion(
        length=length,
        fixed=config["strategy"] == "fixed",
        attend=take(config, "attend", bool, file, False) is True,
        token=take(config, "token", str, file),
    )


def _limit(transformer: Json, tokenizer: int | None, config: Json, file: str) -> int | None:
    """Longest input, as sentence-transformers sets the tokenizer's ``model_max_length``.

    It takes ``max_seq_length`` as it stands and fails on longer texts than the
    position table holds; the table's end is therefore a limit too.
    """
    arguments = _arguments(config)
    stated = positive(arguments, "model_max_length", file) or positive(
        config, "max_seq_length", file
    )
    limits = [stated, positions(transformer)]
    if stated is None:
        limits += [tokenizer, _stated_positions(transformer)]
    return min((limit for limit in limits if limit is not None), default=None)


def _arguments(config: Json) -> Json:
    """What is said of the tokenizer."""
    return config.get("processor_kwargs") or config.get("tokenizer_args") or {}


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
