"""Answers whose arrays are sent from where they lie, a little at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stelae.wire.arrays import Buffer

AT_ONCE = 1 << 20
"""Bytes handed to the connection at once; it holds what the caller has not read yet."""


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
        self._pieces = [memoryview(piece) for piece in pieces]
        size = sum(piece.nbytes for piece in self._pieces)
        if size <= AT_ONCE:
            self._pieces = [memoryview(b"".join(self._pieces))]
        super().__init__(None, 200, {**headers, "content-length": str(size)}, media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; each part is copied only when the one before is on its way."""
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        part = b""
        for piece in self._pieces:
            for begin in range(0, piece.nbytes, AT_ONCE):
                if part:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                part = bytes(piece[begin : begin + AT_ONCE])
        await send({"type": "http.response.body", "body": part})
