"""Score: a query and documents in, how well each document fits."""

from __future__ import annotations

from typing import Any

import msgspec

from stelae.errors import ErrorInfo
from stelae.types.enums import OutputType, Truncate
from stelae.types.item import Item
from stelae.types.lazy import np
from stelae.types.usage import Timing, Usage


class ScoreCall(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Ask a model how well documents fit a query.

    Cross-encoders and rerankers read query and document together; of other models the
    representations are compared.

    Attributes:
        model: Name or alias of the model.
        query: What is looked for.
        documents: What is scored, in order.
        instruction: The task in words, for models trained with instructions.
        by: Kind of representation to compare; ``None`` as the model does best.
        normalize: ``False`` for the plain logits of a head; ``None`` as the model says.
        truncate: What to do with texts that are too long.
        lora: Name of one of the model's adapters; ``None`` for the model itself.
        gpu: Pool and kind of machine that should answer, as ``pool/kind`` or ``kind``; ``None``
            for any.
    """

    model: str
    query: Item
    documents: list[Item]
    instruction: str | None = None
    by: OutputType | None = None
    normalize: bool | None = None
    truncate: Truncate = Truncate.END
    gpu: str | None = None
    lora: str | None = None


class ScoreResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Scores of the documents in the order given.

    Attributes:
        model: Name of the model that ran.
        fingerprint: Identifies weights, prompts and dtype.
        scores: Shape ``(N,)``, or ``(N, L)`` for a head of ``L > 1`` labels, fp32; NaN
            for a failed document.
        tokens: Tokens run per document, shape ``(N,)``, special tokens included.
        truncated: Whether a document, or the query beside it, was cut, shape ``(N,)``.
        labels: Names of the ``L`` labels; empty for one score per document.
        errors: What went wrong, by document index; other documents are unharmed.
        usage: Tokens run in all.
        timing: Where the time went.
    """

    model: str
    fingerprint: str
    scores: np.typing.NDArray[Any]
    tokens: np.typing.NDArray[np.int32]
    truncated: np.typing.NDArray[np.bool_]
    labels: tuple[str, ...] = ()
    errors: dict[int, ErrorInfo] = {}
    usage: Usage = Usage()
    timing: Timing = Timing()
