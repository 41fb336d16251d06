"""Vectors for whoever asks here: from a call to rows, or the error that these protocols tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from stelae.dialects.answers import result_headers
from stelae.dialects.ask import render
from stelae.dialects.base import record_of
from stelae.dialects.pieces import PiecesResponse
from stelae.errors import EngineFailed, StelaeError, from_info
from stelae.types import EncodeResult, Matrix
from stelae.wire.arrays import Buffer
from stelae.wire.slices import json_slices

P = ParamSpec("P")
Place = Callable[[int], str]
"""Where an item stood in the request, by its index."""


def refuse_failed(result: EncodeResult, place: Place) -> None:
    """Refuse a result with an item that failed: these protocols have no partial answers.

    Raises:
        StelaeError: The first of them, with its place.
    """
    if result.errors:
        index = min(result.errors)
        info, where = result.errors[index], place(index)
        named = msgspec.structs.replace(info, message=f"{where}: {info.message}", param=where)
        raise from_info(named)


def rows_of(result: EncodeResult) -> Matrix:
    """The dense vectors, fp32.

    Raises:
        EngineFailed: There are none.
    """
    if result.dense is None:
        raise EngineFailed(f"model '{result.model}' returned no vectors")
    return np.ascontiguousarray(result.dense, dtype="<f4")


def as_sent(error: StelaeError, names: dict[str, str]) -> StelaeError:
    """An error of a call, with the name that the caller gave the field at fault."""
    if error.param not in names:
        return error
    return from_info(msgspec.structs.replace(error.info, param=names[error.param]))


async def told(
    make: Callable[Concatenate[EncodeResult, P], Any],
    result: EncodeResult,
    request: Request,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Response:
    """The answer that a function makes of a result; arrays are written as lists.

    Args:
        make: Gives the body.
        result: Its first argument; of a large one the answer is made in a thread.
        request: Its caller reads the answer.
        args: Further arguments.
        kwargs: The same by name.
    """

    def pieces(result: EncodeResult) -> list[Buffer]:
        return list(json_slices(make(result, *args, **kwargs)))

    headers = result_headers(result, record_of(request))
    return PiecesResponse(await render(pieces, result), headers, "application/json")
