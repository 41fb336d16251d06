"""``extract`` of the SDK: from its request to a call, from the result to its items."""

from __future__ import annotations

from typing import Any

import msgspec

from stelae.dialects.sie.asked import Asked
from stelae.dialects.sie.items import item_of
from stelae.dialects.sie.schema import ExtractParams, ExtractRequest
from stelae.errors import InvalidInput, from_info
from stelae.types import Box, ExtractCall, Extraction, ExtractResult, ModelInfo
from stelae.wire.sie.codes import code_of
from stelae.wire.sie.names import named_all
from stelae.wire.sie.options import read_options
from stelae.wire.sie.verbs import extract_fields, named

LISTS = ("entities", "relations", "classifications", "objects")


def extract_call(asked: ExtractRequest, model: str, info: ModelInfo) -> Asked[ExtractCall]:
    """The call that a request means.

    Raises:
        InvalidInput: An item or an option is wrong.
    """
    if not asked.items:
        raise InvalidInput("items is empty: give at least one", param="items")
    params = asked.params or ExtractParams()
    options, ignored = read_options(params.options)
    inputs = info.inputs if info.architecture else ()
    fields = extract_fields(
        options,
        labels=params.labels,
        output_schema=params.output_schema,
        instruction=params.instruction,
    )
    items = [item_of(item, inputs, f"items[{i}]") for i, item in enumerate(asked.items)]
    call = ExtractCall(model=named(model, options), items=items, **fields)
    return Asked(call, [item.id for item in asked.items], ignored)


def extract_items(result: ExtractResult, asked: Asked[ExtractCall]) -> list[dict[str, Any]]:
    """One entry for each item, in order; a failed one keeps its place and says why."""
    return [
        {"id": name, **_found(result.items[index]), **_error(result, index)}
        for index, name in enumerate(named_all(asked.ids))
    ]


def _found(found: Extraction) -> dict[str, Any]:
    said: dict[str, Any] = {
        name: [_plain(thing) for thing in getattr(found, name)] for name in LISTS
    }
    return {**said, "data": found.data}


def _plain(thing: msgspec.Struct) -> dict[str, Any]:
    fields = {name: getattr(thing, name) for name in thing.__struct_fields__}
    box: Box | None = fields.get("bbox")
    return fields if box is None else fields | {"bbox": [round(side) for side in box]}


def _error(result: ExtractResult, index: int) -> dict[str, Any]:
    info = result.errors.get(index)
    if info is None:
        return {}
    error = from_info(info)
    return {"error": {"code": code_of(error), "message": str(error)}}
