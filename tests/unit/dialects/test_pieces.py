"""Large answers leave their arrays where they are, and are the same bytes for the caller."""

from __future__ import annotations

import tracemalloc
from typing import Any

import anyio
import numpy as np
import pytest
from starlette.types import Message

from stelae.dialects.pieces import AT_ONCE, PiecesResponse, gathered
from stelae.types import EncodeResult, Ragged
from stelae.wire.arrays import LARGE, pack, pack_pieces


def result(rows: int) -> EncodeResult:
    vectors = np.arange(rows * 64, dtype=np.float32).reshape(rows, 64)
    ragged = Ragged(values=vectors, offsets=np.array([0, rows], np.int64), quantization=None)
    return EncodeResult(
        model="m",
        fingerprint="f",
        tokens=np.ones(rows, np.int32),
        truncated=np.zeros(rows, np.bool_),
        dense=vectors[::-1],
        multivector=ragged,
    )


def sent(response: PiecesResponse) -> list[Message]:
    messages: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body of an answer waits for nothing")

    async def send(message: Message) -> None:
        messages.append(message)

    anyio.run(response, {"type": "http"}, receive, send)
    return messages


@pytest.mark.parametrize("rows", [0, 1, LARGE // 256 - 1, LARGE // 256, 5000])
def test_pieces_joined_are_the_message(rows: int) -> None:
    assert b"".join(pack_pieces(result(rows))) == pack(result(rows))


def test_large_arrays_are_not_copied() -> None:
    value = result(100_000)
    size = value.multivector.values.nbytes if value.multivector is not None else 0
    tracemalloc.start()
    pieces = pack_pieces(value)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(memoryview(piece).nbytes for piece in pieces) > 2 * size
    assert peak < 1.2 * size  # the reversed one is put in order


@pytest.mark.parametrize("sizes", [[], [0], [5], [1, AT_ONCE - 1], [3, AT_ONCE, 2 * AT_ONCE + 1]])
def test_a_body_goes_out_whole_and_a_little_at_a_time(sizes: list[int]) -> None:
    pieces: list[Any] = [bytes([i]) * size for i, size in enumerate(sizes)]
    start, *parts = sent(PiecesResponse(pieces, {"x-a": "b"}, "application/msgpack"))
    assert b"".join(part["body"] for part in parts) == b"".join(pieces)
    assert all(len(part["body"]) <= AT_ONCE for part in parts)
    assert [part.get("more_body", False) for part in parts] == [True] * (len(parts) - 1) + [False]
    assert (b"content-length", str(sum(sizes)).encode()) in start["headers"]
    assert len(parts) == 1 or sum(sizes) > AT_ONCE


def test_many_small_pieces_go_out_together() -> None:
    pieces: list[Any] = [bytes([i % 251]) * (1 + i % 7) for i in range(700_000)]
    whole = b"".join(pieces)
    _, *parts = sent(PiecesResponse(pieces, {}, "application/msgpack"))
    assert b"".join(part["body"] for part in parts) == whole
    assert len(parts) == -(-len(whole) // AT_ONCE)


def test_pieces_are_gathered_without_copying_those_that_are_large() -> None:
    large = bytes(AT_ONCE)
    joined = gathered([b"a", b"b", large, large, b"c"])
    assert b"".join(joined) == b"ab" + large + large + b"c"
    assert len(joined) == 3
    assert joined[1] is large
