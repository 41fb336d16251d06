"""``score`` of the SDK: from its request to calls, from results to a ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stelae.dialects.sie.asked import Asked
from stelae.dialects.sie.items import item_of
from stelae.dialects.sie.options import Options, read_options
from stelae.dialects.sie.schema import ScoreRequest
from stelae.errors import InvalidInput
from stelae.types import ModelInfo, OutputType, ScoreCall, Truncate

MODES = {
    "dense": OutputType.DENSE,
    "sparse": OutputType.SPARSE,
    "colbert": OutputType.MULTIVECTOR,
    "multivector": OutputType.MULTIVECTOR,
}

HYBRID = "hybrid"

WEIGHTS = {"dense": 0.4, "sparse": 0.2, "colbert": 0.4}
"""How much each kind counts in ``hybrid``, unless the request says."""


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
        model=f"{model}:{options.profile}" if options.profile else model,
        query=item_of(asked.query, inputs, "query"),
        documents=[item_of(item, inputs, f"items[{i}]") for i, item in enumerate(asked.items)],
        instruction=asked.instruction or options.instruction or options.default_instruction,
        by=_mode(options.score_mode),
        normalize=options.normalize,
        truncate=Truncate.ERROR if options.truncate is False else Truncate.END,
    )
    calls = [(1.0, call)] if options.score_mode != HYBRID else _hybrid(call, options)
    return Asked(call, [item.id for item in asked.items], ignored), calls


def _mode(mode: str | None) -> OutputType | None:
    if mode is None or mode == HYBRID:
        return None
    if mode not in MODES:
        raise InvalidInput(
            f"options.score_mode={mode!r} is not one of {', '.join([*MODES, HYBRID])}",
            param="options.score_mode",
        )
    return MODES[mode]


def _hybrid(call: ScoreCall, options: Options) -> list[tuple[float, ScoreCall]]:
    weights = _weights(options.score_weights)
    fields = {name: getattr(call, name) for name in call.__struct_fields__}
    return [
        (weight, ScoreCall(**(fields | {"by": MODES[mode]})))
        for mode, weight in weights.items()
        if weight
    ]


def _weights(given: Sequence[float] | Mapping[str, float] | None) -> dict[str, float]:
    if given is None:
        return dict(WEIGHTS)
    if not isinstance(given, Mapping):
        given = dict(zip(WEIGHTS, given, strict=False)) if len(given) == len(WEIGHTS) else {"": 1}
    if not given or not set(given) <= set(WEIGHTS) or not all(np.isfinite([*given.values()])):
        raise InvalidInput(
            f"options.score_weights: a number for each of {', '.join(WEIGHTS)} was expected",
            param="options.score_weights",
        )
    return dict(given)


def ranking(scores: NDArray[np.float32], ids: Sequence[str | None]) -> list[dict[str, Any]]:
    """All documents, best first; equal ones in the order given.

    Raises:
        InvalidInput: The model gives several scores to a document.
    """
    if scores.ndim != 1:
        raise InvalidInput(
            f"the model gives {scores.shape[1]} scores to a document, so that there is no best; "
            "ask extract for its classes",
            param="model",
        )
    order = np.argsort(-scores, kind="stable").tolist()
    return [
        {"item_id": ids[i] or f"item-{i}", "score": float(scores[i]), "rank": rank}
        for rank, i in enumerate(order)
    ]
