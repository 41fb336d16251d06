"""Chat models: causal language models with a chat template, which says how to ask them.

Source: transformers 5.17, ``generation/configuration_utils.py`` (which tokens end a text).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stelae.catalog.asking import SPECIALS
from stelae.catalog.backbone import read_backbone
from stelae.catalog.chat_pictures import SEEING, with_eyes
from stelae.catalog.chat_template import read_template
from stelae.catalog.converted import read_converted
from stelae.catalog.entry import ModelEntry
from stelae.catalog.files import Json, exists, read_object
from stelae.catalog.reading import lowered, read_reading
from stelae.catalog.speaking import speaking
from stelae.catalog.spec import Generation, ModelSpec, Source
from stelae.catalog.tokenizer import CHAT_TEMPLATES
from stelae.catalog.vocabulary import Vocabulary
from stelae.errors import ModelLoadFailed
from stelae.types import Modality

GENERATION = "generation_config.json"

ENDS = "eos_token_id"

INPUTS = (Modality.TEXT, Modality.IMAGE)


def read_chat(root: Path, entry: ModelEntry, source: Source) -> ModelSpec | None:
    """The chat model in a folder, if it holds one.

    That is a checkpoint of a class ``...ForCausalLM`` with a chat template and without
    ``modules.json``, which would say that it makes vectors or scores.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented; the message names it.
        ModelLoadFailed: A file is missing, broken or contradicts another.
        InvalidInput: The entry asks for what the checkpoint does not have.
    """
    told = entry.chat_template is not None or _has_template(root)
    if exists(root, "modules.json") or not told or not _writes(root):
        return None
    backbone = with_eyes(root, read_converted(root) or read_backbone(root, ""))
    reading, _ = read_reading(root, backbone)
    return ModelSpec(
        name=entry.name,
        aliases=entry.aliases,
        source=source,
        folder=str(root),
        backbone=backbone,
        generation=speaking(
            Generation(
                template=entry.chat_template or read_template(root, ""),
                ends=_ends(root, backbone.config),
                specials=_specials(root, reading.tokenizer),
            ),
            entry,
            Vocabulary(root, reading.tokenizer).id_of,
        ),
        inputs=INPUTS if backbone.architecture in SEEING else INPUTS[:1],
        max_tokens=lowered(reading.limit, entry.max_tokens, root),
        tokenizer=reading.tokenizer,
    )


def _writes(root: Path) -> bool:
    names = (read_object(root, "config.json") or {}).get("architectures")
    first = names[0] if isinstance(names, list) and names else ""
    return isinstance(first, str) and (first.endswith("ForCausalLM") or first in SEEING)


def _has_template(root: Path) -> bool:
    settings = read_object(root, "tokenizer_config.json") or {}
    return "chat_template" in settings or any(exists(root, name) for name in CHAT_TEMPLATES)


def _specials(root: Path, tokenizer: str) -> dict[str, str]:
    vocabulary = Vocabulary(root, tokenizer)
    return {part: token for part in SPECIALS if (token := vocabulary.special(part))}


def _ends(root: Path, config: Json) -> tuple[int, ...]:
    """Tokens that end a text: those of ``generation_config.json``, else of ``config.json``."""
    stated = read_object(root, GENERATION) or {}
    ends: Any = stated.get(ENDS, config.get(ENDS))
    listed = ends if isinstance(ends, list) else [] if ends is None else [ends]
    if not all(type(token) is int and token >= 0 for token in listed):
        raise ModelLoadFailed(f"{ENDS}={ends!r} in {root}: numbers of tokens were expected")
    return tuple(listed)
