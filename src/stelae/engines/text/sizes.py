"""How large an answer may be: rows are held until the last one is there."""

from __future__ import annotations

from stelae.catalog.spec import ModelSpec
from stelae.engines.text.options import wanted_of_device
from stelae.errors import InvalidInput
from stelae.types import EncodeCall, OutputType
from stelae.vectors import muvera

MOST_BYTES = 512 << 20
"""Bytes of the vectors of one call, as they are made: in float32."""

_FLOAT = 4


def check_size(spec: ModelSpec, call: EncodeCall, tokens: int) -> None:
    """Refuse a call whose vectors are too many for one answer.

    Args:
        spec: The model.
        call: What is asked; ``check_call`` has accepted it.
        tokens: Of all items together, about.

    Raises:
        InvalidInput: They are over ``MOST_BYTES``, about where there are token vectors.
    """
    dense, late = _width(spec, call), _token_width(spec, call)
    size = _FLOAT * (dense * len(call.items) + late * tokens)
    if size <= MOST_BYTES:
        return
    most = max(1, len(call.items) * MOST_BYTES // size)
    raise InvalidInput(
        f"items: {len(call.items)} were given, and what is asked of them takes about "
        f"{size >> 20:,} MiB in all, more than {MOST_BYTES >> 20}; send at most {most} such items "
        "at a time, or ask for shorter vectors",
        param="items",
    )


def _width(spec: ModelSpec, call: EncodeCall) -> int:
    """Numbers of an item's dense vector."""
    if OutputType.DENSE not in call.kinds:
        return 0
    if call.muvera is not None:
        return muvera.width(call.muvera, spec.token_dimensions)
    return call.dimensions or spec.dimensions


def _token_width(spec: ModelSpec, call: EncodeCall) -> int:
    """Numbers of a token's vector, also where it is only on the way to another."""
    return spec.token_dimensions if OutputType.MULTIVECTOR in wanted_of_device(call) else 0
