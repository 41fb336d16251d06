"""Named sets of options of a model."""

from __future__ import annotations

import msgspec

from stelae.types.encode import Muvera
from stelae.types.enums import EmbeddingDtype, OutputType


class Profile(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Options of a model under one name: what a call leaves open is as the profile says.

    A field fills the field of the same name in calls that have one; the templates stand
    for the prompts of texts to encode.

    Attributes:
        extends: Another profile of the model, whose options count where this one has none.
        outputs: Kinds of representation.
        dtype: Number format of the answer.
        dimensions: Width that vectors are cut to.
        normalize: Whether vectors get unit length; of scores, ``False`` for plain logits.
        pool_factor: Keep one token vector of so many.
        muvera: Make the dense vector of the token vectors.
        instruction: The task in words.
        query_template: What queries are put into, with places ``{text}`` and, perhaps,
            ``{instruction}``; in place of the model's prompts.
        doc_template: The same for documents, and for texts of no side.
        lora: Name of one of the model's adapters.
        by: Kind of representation that scores compare.
        labels: What to look for.
        relations: Kinds of relation to look for.
        threshold: Least score of what is found, 0 to 1.
        multi_label: Whether classes do not exclude each other.
        hypothesis: Sentence with a place ``{}`` for a class.
        max_new_tokens: Most tokens written, for models that write.
        beams: Width of the search, for models that write.
    """

    extends: str | None = None
    outputs: tuple[OutputType, ...] | None = None
    dtype: EmbeddingDtype | None = None
    dimensions: int | None = None
    normalize: bool | None = None
    pool_factor: int | None = None
    muvera: Muvera | None = None
    instruction: str | None = None
    query_template: str | None = None
    doc_template: str | None = None
    lora: str | None = None
    by: OutputType | None = None
    labels: tuple[str, ...] | None = None
    relations: tuple[str, ...] | None = None
    threshold: float | None = None
    multi_label: bool | None = None
    hypothesis: str | None = None
    max_new_tokens: int | None = None
    beams: int | None = None
