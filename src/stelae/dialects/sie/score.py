"""``score`` of the SDK: from its request to calls, from results to a ranking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from stelae.dialects.sie.asked import Asked
from stelae.dialects.sie.items import item_of
from stelae.dialects.sie.schema import ScoreRequest
from stelae.errors import InvalidInput
from stelae.types import ModelInfo, ScoreCall
from stelae.wire.sie.names import named_all
from stelae.wire.sie.options import read_options
from stelae.wire.sie.verbs import kinds_of, named, refuse_several, score_fields


def score_calls(
    asked: ScoreRequest, model: str, info: ModelInfo
) -> tuple[Asked[ScoreCall], list[tuple[float, ScoreCall]]]:
    """The call that a request means, and what to add up: a weight and a call each.

    Raises:
        InvalidInput: An item or an option is wrong.
    """
    if not asked.items:
        raise InvalidInput("items is empty: give at least one", param="items")
    options, ignored = read_options(asked.options)
    inputs = info.inputs if info.architecture else ()
    call = ScoreCall(
        model=named(model, options),
        query=item_of(asked.query, inputs, "query", given=True),
        documents=[
            item_of(item, inputs, f"items[{i}]", given=True) for i, item in enumerate(asked.items)
        ],
        **score_fields(options, asked.instruction),
    )
    kinds = kinds_of(options)
    calls = [(1.0, call)] if kinds is None else [(w, replace(call, by=k)) for k, w in kinds.items()]
    return Asked(call, [item.id for item in asked.items], ignored), calls


def ranking(scores: NDArray[np.float32], ids: Sequence[str | None]) -> list[dict[str, Any]]:
    """All documents, best first; equal ones in the order given.

    Raises:
        InvalidInput: The model gives several scores to a document.
    """
    if scores.ndim != 1:
        refuse_several(scores.shape[1])
    order = np.argsort(-scores, kind="stable").tolist()
    names = named_all(ids)
    return [
        {"item_id": names[i], "score": float(scores[i]), "rank": rank}
        for rank, i in enumerate(order)
    ]
