"""The hop's unit: a small header and any number of raw buffers, length-prefixed.

    prefix   16 bytes, little-endian: magic, number of buffers, header length, body length
    body     buffer lengths (8 bytes each), header, buffers; each part padded to 8 bytes

The padding lets arrays be used where they were received. Nothing here does
input or output: ``FrameReader`` says where to receive to, so that the worker's
blocking socket and the gateway's event loop share it and large bodies are
received into place.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from stelae.errors import BodyTooLarge, ProtocolError

Buffer = bytes | bytearray | memoryview

MAGIC = 0x5E1A
MAX_BUFFERS = 1024
MAX_HEADER = 16 << 20
MAX_BODY = 2 << 30
"""Bytes of one frame at most; a longer answer is refused, a longer claim is garbage."""

WINDOW = 64 << 10
"""Bytes received at once; longer frames get a buffer of their own."""

JOINED = 16 << 10
"""Frames up to so many bytes are written as one piece, since copying them is cheaper."""

_PREFIX = struct.Struct("<HHIQ")


@lru_cache
def _table(count: int) -> struct.Struct:
    """A prefix with the lengths of so many buffers."""
    return struct.Struct(f"{_PREFIX.format}{count}Q")


_ALIGN = 8
_PAD = bytes(_ALIGN)


class Frame(NamedTuple):
    """A received frame; both fields are views of memory that is theirs alone."""

    header: memoryview
    buffers: list[memoryview]


def pack(header: bytes, buffers: Sequence[Buffer] = ()) -> list[Buffer]:
    """Lay out a frame as pieces to be written one after the other, uncopied if large.

    Raises:
        BodyTooLarge: The frame is over ``MAX_BODY`` or ``MAX_HEADER``.
    """
    lengths = [len(b) if type(b) is bytes else memoryview(b).nbytes for b in buffers]
    body = len(lengths) * _ALIGN + len(header) + -len(header) % _ALIGN
    for length in lengths:
        body += length + -length % _ALIGN
    if body > MAX_BODY or len(header) > MAX_HEADER or len(lengths) > MAX_BUFFERS:
        raise BodyTooLarge(
            f"a message of {body} bytes between server and worker is over the limit of {MAX_BODY}; "
            "send fewer items at a time"
        )
    head = _table(len(lengths)).pack(MAGIC, len(lengths), len(header), body, *lengths)
    pieces: list[Buffer] = [head + header + _PAD[: -len(header) % _ALIGN]]
    for buffer, length in zip(buffers, lengths, strict=True):
        pieces.append(buffer)
        if length % _ALIGN:
            pieces.append(_PAD[: -length % _ALIGN])
    return [b"".join(pieces)] if body <= JOINED else pieces


def _open_prefix(held: Buffer, start: int) -> tuple[int, int, int]:
    magic, count, header, body = _PREFIX.unpack_from(held, start)
    if magic != MAGIC or count > MAX_BUFFERS or header > MAX_HEADER or body > MAX_BODY:
        raise ProtocolError("bytes between server and worker are not a frame")
    return count, header, body


def _open_body(count: int, header: int, body: memoryview) -> Frame:
    table = count * _ALIGN
    start = table + header + -header % _ALIGN
    if start > len(body):
        raise ProtocolError("a frame's header is longer than the frame")
    buffers = []
    for length in struct.unpack_from(f"<{count}Q", body):
        buffers.append(body[start : start + length])
        start += length + -length % _ALIGN
    if start != len(body):
        raise ProtocolError("a frame's buffers do not fill it")
    return Frame(body[table : table + header], buffers)


class FrameReader:
    """Turns received bytes into frames.

    Receive into ``room()``, then tell how many bytes came with ``received``.
    """

    def __init__(self) -> None:
        self._window = bytearray(WINDOW)
        self._view = memoryview(self._window)
        self._start = 0
        self._end = 0
        self._head = (0, 0, 0)
        self._large: memoryview | None = None
        self._filled = 0

    @property
    def partial(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._large is not None or self._end > self._start

    def room(self) -> memoryview:
        """Where the next bytes go; never empty."""
        if self._large is not None:
            return self._large[self._filled :]
        return self._view[self._end :]

    def received(self, count: int) -> Iterator[Frame]:
        """Take note of ``count`` bytes in ``room()``; yields the frames that they complete.

        Raises:
            ProtocolError: The bytes are no frame; nothing after them can be read.
        """
        if self._large is None:
            return self._small_frames(count)
        return self._large_frame(self._large, count)

    def _large_frame(self, body: memoryview, count: int) -> Iterator[Frame]:
        self._filled += count
        if self._filled == len(body):
            self._large = None
            yield _open_body(self._head[0], self._head[1], body)

    def _small_frames(self, count: int) -> Iterator[Frame]:
        self._end += count
        while self._end - self._start >= _PREFIX.size:
            head = _open_prefix(self._window, self._start)
            begin, size = self._start + _PREFIX.size, head[2]
            if self._end - begin < size:
                if size > WINDOW - _PREFIX.size:
                    self._grow(head, begin)
                    return
                break
            self._start = begin + size
            yield _open_body(
                head[0], head[1], memoryview(bytearray(self._view[begin : self._start]))
            )
        self._compact()

    def _grow(self, head: tuple[int, int, int], begin: int) -> None:
        """Receive the rest of a long frame straight into a buffer of its size."""
        self._head = head
        self._large = np.empty(head[2], np.uint8).data  # unlike a bytearray, not zeroed
        self._filled = self._end - begin
        self._large[: self._filled] = self._view[begin : self._end]
        self._start = self._end = 0

    def _compact(self) -> None:
        rest = self._end - self._start
        if self._start and rest:
            self._window[:rest] = self._window[self._start : self._end]
        self._start, self._end = 0, rest
