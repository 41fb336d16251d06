"""Answers whose arrays are sent from where they lie, a little at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stelae.wire.arrays import Buffer

AT_ONCE = 1 << 20
"""Bytes handed to the connection at once; it holds what the caller has not read yet."""


def gathered(pieces: Iterable[Buffer]) -> list[Buffer]:
    """The same bytes in fewer pieces: those that are not large are joined."""
    done: list[Buffer] = []
    held: list[Buffer] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += size_of(piece)
        if size >= AT_ONCE:
            done.append(b"".join(held) if held[1:] else piece)
            held, size = [], 0
    return [*done, b"".join(held)]


def size_of(piece: Buffer) -> int:
    """Bytes of a piece."""
    return len(piece) if type(piece) is bytes else memoryview(piece).nbytes


def _joined(pieces: Sequence[Buffer]) -> bytes:
    first = pieces[0] if len(pieces) == 1 else None
    return first if type(first) is bytes else b"".join(pieces)


@lru_cache
def _name(name: str) -> bytes:
    """The name of a header as it is sent; there are few."""
    return name.lower().encode("latin-1")


class PiecesResponse(Response):
    """A body in pieces.

    Args:
        pieces: What joined is the body.
        headers: Beside its type and length.
        media_type: Its type.
    """

    def __init__(
        self, pieces: Sequence[Buffer], headers: Mapping[str, str], media_type: str
    ) -> None:
        size = sum([size_of(piece) for piece in pieces])
        self._pieces = pieces
        self._whole = _joined(pieces) if size <= AT_ONCE else None
        self.status_code, self.media_type, self.background = 200, media_type, None
        self.body = b""
        told = {**headers, "content-length": str(size), "content-type": media_type}
        self.raw_headers = [(_name(name), value.encode("latin-1")) for name, value in told.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; a part is copied only when the one before the last is on its way."""
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        if self._whole is not None:
            await send({"type": "http.response.body", "body": self._whole})
            return
        parts = self._parts()
        part = next(parts, b"")
        for following in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
            part = following
        await send({"type": "http.response.body", "body": part})

    def _parts(self) -> Iterator[bytes]:
        """The body cut anew, each part copied when it is due."""
        held: list[memoryview] = []
        room = AT_ONCE
        for each in self._pieces:
            piece = memoryview(each)
            for start in range(0, piece.nbytes, AT_ONCE):
                rest = piece[start : start + AT_ONCE]
                if rest.nbytes >= room:
                    yield b"".join([*held, rest[:room]])
                    rest, held, room = rest[room:], [], AT_ONCE
                held.append(rest)
                room -= rest.nbytes
        if room < AT_ONCE:
            yield b"".join(held)
