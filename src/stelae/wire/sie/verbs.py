"""SIE's verbs in the words of the house: the fields of calls, and of our client's verbs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from stelae.errors import InvalidInput
from stelae.types import EmbeddingDtype, OutputType, Role, Truncate
from stelae.wire.sie.options import Options, muvera_of

MODES = {
    "dense": OutputType.DENSE,
    "sparse": OutputType.SPARSE,
    "colbert": OutputType.MULTIVECTOR,
    "multivector": OutputType.MULTIVECTOR,
}

HYBRID = "hybrid"

PLACES = re.compile(r"\{instruction\}|\{text\}")
"""Where a template is filled."""

WEIGHTS = {"dense": 0.4, "sparse": 0.2, "colbert": 0.4}
"""How much each kind counts in ``hybrid``, unless the caller says."""


def named(model: str, options: Options) -> str:
    """The model with the profile that is asked for."""
    return f"{model}:{options.profile}" if options.profile else model


def encode_fields(
    options: Options,
    *,
    output_types: Sequence[OutputType | str] | None = None,
    output_dtype: EmbeddingDtype | str | None = None,
    instruction: str | None = None,
) -> dict[str, Any]:
    """All that a call to encode says besides model and items.

    Raises:
        InvalidInput: An option is wrong.
    """
    wanted = options.output_types or output_types
    fields: dict[str, Any] = {
        "outputs": tuple(dict.fromkeys(wanted)) if wanted else None,
        "dimensions": options.dimensions,
        "dtype": output_dtype or options.output_dtype,
        "normalize": options.normalize,
        "truncate": _truncate(options),
        "pool_factor": options.pool_factor,
        "muvera": muvera_of(options.muvera),
        "lora": options.lora_id or options.lora,
    }
    if wanted:
        fields |= dict.fromkeys(_idle(set(wanted), fields["dtype"]))
    fields["role"] = Role.QUERY if options.is_query else Role.DOCUMENT
    if template_of(options) is not None:
        return {**fields, "prompt": ""}
    return {**fields, "instruction": instruction_of(options, instruction)}


def _idle(kinds: set[OutputType | str], dtype: EmbeddingDtype | str | None) -> set[str]:
    """Options that say nothing about these kinds of representation."""
    # Quirk: SIE answers them all the same, with float32 weights of terms where bytes were
    # asked for; tests/unit/wire/test_sie_verbs.py.
    idle = set() if OutputType.DENSE in kinds else {"normalize", "dimensions"}
    if kinds == {OutputType.SPARSE} and dtype is not None and not _floating(dtype):
        idle.add("dtype")
    return idle


def _floating(dtype: EmbeddingDtype | str) -> bool:
    return dtype in (EmbeddingDtype.FLOAT32, EmbeddingDtype.FLOAT16)


def instruction_of(options: Options, instruction: str | None) -> str | None:
    """The task in words: the call's own, or an option."""
    return instruction or options.instruction or options.default_instruction


def template_of(options: Options) -> str | None:
    """What texts are put into, in place of the model's own prompts."""
    return options.query_template if options.is_query else options.doc_template


def filled(template: str, text: str, instruction: str | None) -> str:
    """A text in its template.

    Raises:
        InvalidInput: The template has no place for it.
    """
    if "{text}" not in template:
        raise InvalidInput("a template needs a place {text}", param="options")
    parts = {"{instruction}": instruction or "", "{text}": text}
    return PLACES.sub(lambda place: parts[place[0]], template)


def score_fields(options: Options, instruction: str | None = None) -> dict[str, Any]:
    """All that a call to score says besides model, query and documents.

    Raises:
        InvalidInput: An option is wrong.
    """
    return {
        "instruction": instruction_of(options, instruction),
        "by": _mode(options.score_mode),
        "lora": options.lora_id or options.lora,
        "normalize": options.normalize,
        "truncate": _truncate(options),
    }


def refuse_several(scores: int) -> None:
    """Refuse a ranking by a model that gives several scores to a document.

    Raises:
        InvalidInput: Always.
    """
    raise InvalidInput(
        f"the model gives {scores} scores to a document, so that there is no best; "
        "ask extract for its classes",
        param="model",
    )


def kinds_of(options: Options) -> dict[OutputType, float] | None:
    """What is compared and added up, and how much each counts; ``None`` for one kind only.

    Raises:
        InvalidInput: The weights are none.
    """
    if options.score_mode != HYBRID:
        return None
    given = options.score_weights
    if given is None:
        given = WEIGHTS
    elif not isinstance(given, Mapping):
        given = dict(zip(WEIGHTS, given, strict=False)) if len(given) == len(WEIGHTS) else {"": 1}
    sound = set(given) <= set(WEIGHTS) and all(map(isfinite, given.values()))
    if not sound or not any(given.values()):
        raise InvalidInput(
            f"options.score_weights: a number for each of {', '.join(WEIGHTS)} was expected, "
            "not all of them 0",
            param="options.score_weights",
        )
    return {MODES[mode]: weight for mode, weight in given.items() if weight}


def extract_fields(
    options: Options,
    *,
    labels: Sequence[str] | None = None,
    output_schema: dict[str, Any] | None = None,
    instruction: str | None = None,
) -> dict[str, Any]:
    """All that a call to extract says besides model and items."""
    return {
        "labels": tuple(labels or ()),
        "relations": tuple(options.relations or ()),
        "output_schema": output_schema,
        "instruction": instruction or options.instruction or options.task,
        "threshold": options.threshold,
        "nested": options.nested,
        "multi_label": options.multi_label,
        "hypothesis": options.hypothesis_template,
        "max_new_tokens": options.max_new_tokens,
        "beams": options.num_beams,
        "truncate": _truncate(options),
    }


def _mode(mode: str | None) -> OutputType | None:
    if mode is None or mode == HYBRID:
        return None
    if mode not in MODES:
        raise InvalidInput(
            f"options.score_mode={mode!r} is not one of {', '.join([*MODES, HYBRID])}",
            param="options.score_mode",
        )
    return MODES[mode]


def _truncate(options: Options) -> Truncate:
    return Truncate.ERROR if options.truncate is False else Truncate.END
