from __future__ import annotations

import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stelae.cluster.frames import MAX_BODY, WINDOW, Buffer, Frame, FrameReader, pack
from stelae.errors import BodyTooLarge, ProtocolError

HEADERS = st.binary(max_size=300)
SMALL = st.lists(st.binary(max_size=200), max_size=5)
SIZES = st.lists(st.sampled_from([0, 1, 7, 8, 9, 1000, WINDOW - 1, WINDOW, 3 * WINDOW + 5]))


def feed(reader: FrameReader, data: bytes, pieces: int) -> list[Frame]:
    """Give bytes to a reader, at most ``pieces`` of them at a time."""
    frames: list[Frame] = []
    at = 0
    while at < len(data):
        room = reader.room()
        count = min(len(room), pieces, len(data) - at)
        room[:count] = data[at : at + count]
        frames += reader.received(count)
        at += count
    return frames


def written(header: bytes, buffers: list[bytes]) -> bytes:
    return b"".join(pack(header, buffers))


def content(frame: Frame) -> tuple[bytes, list[bytes]]:
    return bytes(frame.header), [bytes(b) for b in frame.buffers]


@settings(deadline=None)
@given(st.lists(st.tuples(HEADERS, SMALL), min_size=1, max_size=5), st.integers(1, 5000))
def test_frames_arrive_as_sent_however_the_bytes_are_cut(
    sent: list[tuple[bytes, list[bytes]]], pieces: int
) -> None:
    reader = FrameReader()
    got = feed(reader, b"".join(written(*frame) for frame in sent), pieces)
    assert [content(frame) for frame in got] == sent
    assert not reader.partial


@settings(deadline=None)
@given(SIZES, st.sampled_from([1000, WINDOW, 10 * WINDOW]))
def test_large_buffers_arrive_as_sent(sizes: list[int], pieces: int) -> None:
    buffers = [bytes([i % 251]) * size for i, size in enumerate(sizes)]
    data = written(b"head", buffers) + written(b"next", [])
    got = feed(FrameReader(), data, pieces)
    assert [content(frame) for frame in got] == [(b"head", buffers), (b"next", [])]


@settings(deadline=None)
@given(SMALL)
def test_buffers_are_aligned_for_arrays(buffers: list[bytes]) -> None:
    (frame,) = feed(FrameReader(), written(b"odd", buffers), WINDOW)
    for buffer in frame.buffers:
        address = np.frombuffer(buffer, np.uint8).ctypes.data if len(buffer) else 0
        assert address % 8 == 0


def test_frames_do_not_share_memory() -> None:
    reader = FrameReader()
    (first,) = feed(reader, written(b"one", [b"first"]), WINDOW)
    feed(reader, written(b"two", [b"other"]), WINDOW)
    assert content(first) == (b"one", [b"first"])


def test_large_buffers_are_not_copied_to_be_written() -> None:
    large = bytearray(1 << 20)
    assert any(piece is large for piece in pack(b"", [large]))


@settings(deadline=None)
@given(HEADERS, SMALL, st.data())
def test_a_truncated_frame_is_not_given_out(
    header: bytes, buffers: list[bytes], data: st.DataObject
) -> None:
    whole = written(header, buffers)
    cut = data.draw(st.integers(1, len(whole) - 1))
    reader = FrameReader()
    assert feed(reader, whole[:cut], WINDOW) == []
    assert reader.partial


@settings(deadline=None)
@given(st.binary(min_size=16, max_size=400))
def test_garbage_is_refused_or_awaits_more(data: bytes) -> None:
    with suppress(ProtocolError):
        assert feed(FrameReader(), data, WINDOW) == []


@settings(deadline=None)
@given(SMALL, st.integers(0, 15), st.binary(min_size=1, max_size=1))
def test_a_damaged_prefix_never_gives_another_frame(
    buffers: list[bytes], position: int, byte: bytes
) -> None:
    whole = bytearray(written(b"header", buffers))
    before = bytes(whole)
    whole[position : position + 1] = byte
    try:
        frames = feed(FrameReader(), bytes(whole), WINDOW)
    except ProtocolError:
        return
    assert frames == [] or bytes(whole) == before or len(frames[0].header) != len(b"header")


def prefix(magic: int = 0x5E1A, count: int = 0, header: int = 0, body: int = 0) -> bytes:
    return struct.pack("<HHIQ", magic, count, header, body)


@pytest.mark.parametrize(
    "data",
    [
        prefix(magic=0x1234),
        prefix(body=MAX_BODY + 1),
        prefix(header=(16 << 20) + 1),
        prefix(count=1025),
        prefix(header=9, body=8) + bytes(8),
        prefix(body=8) + bytes(8),
        prefix(count=1, body=8) + struct.pack("<Q", 2**63),
        prefix(count=1, body=16) + struct.pack("<Q", 16) + bytes(8),
    ],
    ids=[
        "magic",
        "body",
        "header",
        "count",
        "header-past-end",
        "unused",
        "huge-buffer",
        "past-end",
    ],
)
def test_impossible_claims_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        feed(FrameReader(), data, WINDOW)


def test_what_no_frame_can_carry_is_refused_before_it_is_sent() -> None:
    megabyte = memoryview(bytes(1 << 20))
    buffers: list[Buffer] = [megabyte] * ((MAX_BODY >> 20) // 2)
    assert pack(b"", buffers)
    with pytest.raises(BodyTooLarge, match="fewer items"):
        pack(b"", [memoryview(bytes(MAX_BODY // 512))] * 513)
