"""``encode`` of the SDK: from its request to a call, from the result to its bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from msgspec.structs import replace

from stelae.dialects.pieces import gathered
from stelae.dialects.sie.arrays import Piece, list_of, map_of, pack, rows, write
from stelae.dialects.sie.asked import Asked
from stelae.dialects.sie.items import item_of
from stelae.dialects.sie.models import chosen
from stelae.dialects.sie.schema import EncodeParams, EncodeRequest
from stelae.errors import InvalidInput
from stelae.types import (
    EncodeCall,
    EncodeResult,
    Item,
    Matrix,
    ModelInfo,
    Quantization,
    Ragged,
    Sparse,
)
from stelae.wire.arrays import Buffer
from stelae.wire.sie.options import limit_checked, read_options
from stelae.wire.sie.timing import timing_of
from stelae.wire.sie.verbs import encode_fields, filled, instruction_of, named, template_of
from stelae.wire.slices import json_slices

Pieces = Callable[[int], list[Piece]]

_MODEL, _ITEMS, _TIMING = map_of(3) + pack("model"), pack("items"), pack("timing")
"""What comes before the parts of an answer."""


def encode_call(asked: EncodeRequest, model: str, info: ModelInfo) -> Asked[EncodeCall]:
    """The call that a request means.

    Raises:
        InvalidInput: An item or an option is wrong.
    """
    if not asked.items:
        raise InvalidInput("items is empty: give at least one", param="items")
    params = asked.params or EncodeParams()
    options, ignored = read_options(params.options)
    limit_checked(options.max_seq_length, info.max_tokens)
    inputs = info.inputs if info.architecture else ()
    items = [item_of(item, inputs, f"items[{i}]") for i, item in enumerate(asked.items)]
    if (template := template_of(options)) is not None:
        task = instruction_of(options, params.instruction)
        items = [_filled(item, template, task) for item in items]
    name = named(model, options)
    fields = encode_fields(
        options,
        # Quirk: in SIE the kinds of a profile count more than those of the parameters.
        output_types=chosen(info, name).outputs or params.output_types,
        output_dtype=params.output_dtype,
        instruction=params.instruction,
    )
    call = EncodeCall(model=name, items=items, **fields)
    return Asked(call, [item.id for item in asked.items], ignored)


def _filled(item: Item, template: str, instruction: str | None) -> Item:
    if item.text is None:
        return item
    return replace(item, text=filled(template, item.text, instruction))


def encode_pieces(result: EncodeResult, asked: Asked[EncodeCall], model: str) -> list[Buffer]:
    """The answer as msgpack, in pieces; numbers are copied once, into them."""
    return gathered(_packed(result, asked, model))


def _packed(result: EncodeResult, asked: Asked[EncodeCall], model: str) -> Iterator[Piece]:
    yield b"".join((_MODEL, pack(model), _ITEMS, list_of(len(asked.ids))))
    for item in _items(result, asked):
        yield from item
    yield _TIMING + pack(timing_of(result.timing))


def encode_items(result: EncodeResult, asked: Asked[EncodeCall]) -> list[bytes]:
    """Each item of the answer by itself, as msgpack."""
    return [b"".join(item) for item in _items(result, asked)]


def _items(result: EncodeResult, asked: Asked[EncodeCall]) -> Iterator[list[Piece]]:
    columns = _columns(result)
    for index, given in enumerate(asked.ids):
        pieces: list[Piece] = [map_of(len(columns) + (given is not None))]
        if given is not None:
            pieces += [pack("id"), pack(given)]
        for name, column in columns:
            pieces.append(name)
            pieces += column(index)
        yield pieces


def encode_json(result: EncodeResult, asked: Asked[EncodeCall], model: str) -> list[Buffer]:
    """The answer as JSON, in pieces, with nested lists for arrays."""
    plain = _plain(result)
    items = (
        ({} if given is None else {"id": given}) | {name: part(i) for name, part in plain}
        for i, given in enumerate(asked.ids)
    )
    return list(json_slices({"model": model, "items": items, "timing": timing_of(result.timing)}))


Facts = Callable[[int], dict[str, Any]]


def _plain(result: EncodeResult) -> list[tuple[str, Facts]]:
    """What is said of each item, by output, in values of Python and NumPy."""
    found: list[tuple[str, Facts]] = []
    if (dense := result.dense) is not None:
        found.append(("dense", lambda i: _dense_facts(dense, result.quantization, i)))
    if (sparse := result.sparse) is not None:
        found.append(("sparse", lambda i: _sparse_facts(sparse, i)))
    if (ragged := result.multivector) is not None:
        found.append(("multivector", lambda i: _ragged_facts(ragged, i)))
    return found


def _dense_facts(dense: Matrix, reading: Quantization | None, index: int) -> dict[str, Any]:
    named = _name(dense, reading)
    facts = {"dims": _width(dense, reading), "dtype": named, "values": dense[index]}
    return facts if reading is None or _bits(reading) else facts | _reading(reading, index)


def _sparse_facts(sparse: Sparse, index: int) -> dict[str, Any]:
    indices, values = sparse[index]
    return {"dims": None, "dtype": str(values.dtype), "indices": indices, "values": values}


def _ragged_facts(ragged: Ragged, index: int) -> dict[str, Any]:
    values = ragged[index]
    return {
        "token_dims": _width(ragged.values, ragged.quantization),
        "num_tokens": len(values),
        "dtype": _name(ragged.values, ragged.quantization),
        "values": values,
    }


def _reading(reading: Quantization, index: int) -> dict[str, float]:
    return {"scale": float(reading.scale[index]), "zero_point": float(reading.zero[index])}


def _width(values: Matrix, reading: Quantization | None) -> int:
    """Numbers of a vector, whatever they are packed in."""
    packed = reading.dimensions if reading is not None else None
    return int(values.shape[1] if packed is None else packed)


def _bits(reading: Quantization | None) -> bool:
    return reading is not None and reading.dimensions is not None


def _name(values: Matrix, reading: Quantization | None) -> str:
    """The number format in SIE's word."""
    return "binary" if _bits(reading) else _dtype_name(values.dtype)


@lru_cache
def _dtype_name(dtype: np.dtype[Any]) -> str:
    """NumPy's name of a number format, which takes it longer to find than all else to pack."""
    return str(dtype)


def _columns(result: EncodeResult) -> list[tuple[bytes, Pieces]]:
    """The same as msgpack, in pieces."""
    dense, reading = result.dense, result.quantization
    alike = dense is not None and (reading is None or _bits(reading))
    return [
        (
            pack(name),
            _dense_pieces(dense, reading)
            if name == "dense" and dense is not None and alike
            else _pieces(facts),
        )
        for name, facts in _plain(result)
    ]


def _dense_pieces(dense: Matrix, reading: Quantization | None) -> Pieces:
    """Vectors of which everything but the numbers is alike."""
    start = _dense_head(_width(dense, reading), _name(dense, reading))
    row = rows(dense)
    return lambda index: [start, *row(index)]


@lru_cache
def _dense_head(width: int, dtype: str) -> bytes:
    """What is said of a vector before its numbers."""
    said = (pack("dims"), pack(width), pack("dtype"), pack(dtype), pack("values"))
    return b"".join((map_of(3), *said))


def _pieces(facts: Facts) -> Pieces:
    def make(index: int) -> list[Piece]:
        said = facts(index)
        pieces: list[Piece] = [map_of(len(said))]
        for name, value in said.items():
            pieces.append(pack(name))
            pieces += write(value) if isinstance(value, np.ndarray) else [pack(value)]
        return pieces

    return make
