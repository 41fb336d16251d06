"""``options`` of the SDK: what it puts there itself, and what models are told beside."""

from __future__ import annotations

from typing import Any

import msgspec

from stelae.errors import InvalidInput
from stelae.types import EmbeddingDtype, Muvera, OutputType

FIXED = {
    "pooling": "how token vectors are pooled is what the checkpoint says",
    "adapter_path": "adapters are named in the server's configuration; give lora_id",
}
"""Options that would change the numbers and are not a request's to set, and why."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Options that count; others are told back in ``X-Stelae-Ignored``.

    Attributes:
        profile: A named set of options of the model.
        is_query: Which side of a search the items stand on.
        instruction: The task in words.
        default_instruction: The same, if no other is given.
        query_template: What queries are put into, with places ``{text}`` and ``{instruction}``.
        doc_template: The same for documents.
        normalize: Whether vectors get unit length.
        output_types: Kinds of representation.
        output_dtype: Number format of the answer.
        dimensions: Width to cut vectors to (Matryoshka).
        muvera: Make the dense vector of the token vectors; its parameters, or true.
        pool_factor: Keep one token vector of so many.
        max_seq_length: Longest input; only what the model has.
        lora_id: An adapter.
        lora: The same.
        score_mode: What to compare: ``dense``, ``sparse``, ``colbert`` or ``hybrid``.
        score_weights: Weights of the three in ``hybrid``.
        threshold: Least score of what is found.
        multi_label: Whether classes do not exclude each other.
        nested: Whether names may lie within each other.
        relations: Kinds of relation.
        hypothesis_template: Sentence with a place for a class.
        task: What a model that writes is asked to do.
        max_new_tokens: Most tokens written.
        num_beams: Width of the search.
        truncate: ``false`` refuses inputs that are too long.
    """

    profile: str | None = None
    is_query: bool | None = None
    instruction: str | None = None
    default_instruction: str | None = None
    query_template: str | None = None
    doc_template: str | None = None
    normalize: bool | None = None
    output_types: list[OutputType] | None = None
    output_dtype: EmbeddingDtype | None = None
    dimensions: int | None = None
    muvera: dict[str, Any] | bool | None = None
    pool_factor: int | None = None
    max_seq_length: int | None = None
    lora_id: str | None = None
    lora: str | None = None
    score_mode: str | None = None
    score_weights: list[float] | dict[str, float] | None = None
    threshold: float | None = None
    multi_label: bool | None = None
    nested: bool = False
    relations: list[str] | None = None
    hypothesis_template: str | None = None
    task: str | None = None
    max_new_tokens: int | None = None
    num_beams: int | None = None
    truncate: bool | None = None


NONE = Options()
"""The options of who sends none."""


def read_options(given: dict[str, Any] | None) -> tuple[Options, tuple[str, ...]]:
    """The options, and the names of those that mean nothing here.

    Raises:
        InvalidInput: An option is of the wrong type, or not a request's to set.
    """
    if not given:
        return NONE, ()
    for name, reason in FIXED.items():
        if given.get(name) is not None:
            raise InvalidInput(f"options.{name}: {reason}", param=f"options.{name}")
    known = Options.__struct_fields__
    try:
        options = msgspec.convert({k: v for k, v in given.items() if k in known}, Options)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"options: {error}", param="options") from error
    return options, tuple(sorted(name for name in given if name not in known))


def muvera_of(given: dict[str, Any] | bool | None) -> Muvera | None:
    """The parameters of MUVERA, in the names of either side.

    Raises:
        InvalidInput: They are none.
    """
    if given is None or given is False:
        return None
    if given is True:
        return Muvera()
    names = {
        "num_repetitions": "repetitions",
        "num_simhash_projections": "projections",
        "final_projection_dimension": "dimensions",
    }
    named = {names.get(name, name): value for name, value in given.items()}
    try:
        return msgspec.convert(named, Muvera)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"options.muvera: {error}", param="options.muvera") from error


def limit_checked(wanted: int | None, limit: int) -> None:
    """Refuse a longest input that the model does not have.

    Raises:
        InvalidInput: It is not the model's.
    """
    if wanted is not None and limit and wanted != limit:
        raise InvalidInput(
            f"options.max_seq_length={wanted}: the model reads {limit} tokens; another length is "
            "set in the server's configuration",
            param="options.max_seq_length",
        )
