"""Embeddings as Jina's and Voyage's clients spell them, on the path that OpenAI's have.

Source: the API references of Jina and Voyage, and the package ``voyageai`` 0.5.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stelae.dialects.codes import Code, base64_rows, coded
from stelae.dialects.openai.schema import EmbeddingRequest, EmbeddingType, EncodingFormat
from stelae.dialects.purposes import purpose_fields
from stelae.errors import InvalidInput
from stelae.service.fleet import Fleet
from stelae.types import Matrix, Truncate

PURPOSES = ("task", "input_type")
"""Fields that say what vectors are for."""


async def purpose(request: EmbeddingRequest, fleet: Fleet) -> dict[str, Any]:
    """The fields of a call that a request's purpose stands for.

    Raises:
        InvalidInput: It is not known.
    """
    for field in PURPOSES:
        if (told := getattr(request, field)) is not None:
            return await purpose_fields(fleet, request.model, told, field)
    return {}


def refuse_purposes(request: EmbeddingRequest) -> None:
    """Refuse what a line of a batch cannot say.

    Raises:
        InvalidInput: It says what its vectors are for.
    """
    for field in PURPOSES:
        if getattr(request, field) is not None:
            raise InvalidInput(f"{field} is not read in batches; leave it out", param=field)


def call_fields(request: EmbeddingRequest) -> dict[str, Any]:
    """Fields of the call that each protocol has another name for.

    Raises:
        InvalidInput: Texts should be read as one.
    """
    if request.late_chunking:
        raise InvalidInput(
            "late_chunking is not supported here: every text is read by itself; leave it out",
            param="late_chunking",
        )
    unit = request.normalize_embedding
    width = request.dimensions
    return {
        "dimensions": request.output_dimension if width is None else width,
        "normalize": request.normalized if unit is None else unit,
        "truncate": _truncate(request),
    }


def _truncate(request: EmbeddingRequest) -> Truncate:
    if isinstance(request.truncate, Truncate):
        return request.truncate
    whole = request.truncate is False or request.truncation is False
    return Truncate.ERROR if whole else Truncate.END


def names(request: EmbeddingRequest) -> dict[str, str]:
    """The names that fields of the call have in a request, where it has others."""
    own = {"dimensions": "output_dimension", "normalize": "normalized"}
    return {field: name for field, name in own.items() if getattr(request, name) is not None}


def written(rows: Matrix, request: EmbeddingRequest) -> Iterator[Any]:
    """The vectors in the number format asked for, as numbers or base64.

    Args:
        rows: fp32, shape ``(N, D)``.
        request: Says which.
    """
    kind = request.embedding_type
    base64 = request.encoding_format is EncodingFormat.BASE64 or kind is EmbeddingType.BASE64
    bits = kind in (EmbeddingType.BINARY, EmbeddingType.UBINARY)
    code = request.output_dtype or (Code(str(kind)) if bits else Code.FLOAT)
    made = coded(rows, code)
    return base64_rows(made) if base64 else iter(made)
