"""The client's end of a WebSocket, as far as it takes to listen: bytes in, messages out.

No input or output of its own. Source: RFC 6455, sections 1.3, 4.1, 5.2 and 5.5.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha1

from stelae.errors import ProtocolError

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What a server adds to the key of a handshake to show that it understood."""

MOST = 16 << 20
"""Bytes of a message that is taken."""

MORE, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

GOOD_CLOSES = frozenset({1000, 1001})
"""Codes of a server that has said all, or stops."""


class Handshake:
    """Asks for a WebSocket.

    Attributes:
        headers: Of the request.
    """

    def __init__(self) -> None:
        self._key = b64encode(os.urandom(16))
        self.headers = {
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": self._key.decode(),
        }

    def check(self, accepted: str | None) -> None:
        """Look at ``Sec-WebSocket-Accept`` of the answer.

        Raises:
            ProtocolError: The server did not understand.
        """
        expected = b64encode(sha1(self._key + GUID).digest()).decode()  # noqa: S324
        if accepted != expected:
            raise ProtocolError("the server did not complete the handshake of the WebSocket")


def frame(opcode: int, payload: bytes = b"") -> bytes:
    """A frame of a client, with up to 125 bytes."""
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return bytes((0x80 | opcode, 0x80 | len(payload))) + mask + masked


@dataclass(slots=True)
class Listening:
    """Reads frames of a server.

    Attributes:
        reply: Bytes to send before reading on: the answers to pings and to a goodbye.
        code: With which the server closed; ``None`` until it does.
    """

    reply: bytes = b""
    code: int | None = None
    _held: bytearray = field(default_factory=bytearray)
    _message: bytearray = field(default_factory=bytearray)

    def take(self, data: bytes) -> list[bytes]:
        """The messages that are whole with these bytes.

        Raises:
            ProtocolError: They are no frames, or claim to be larger than is taken.
        """
        self._held += data
        self.reply = b""
        return [message for opcode, part in self._frames() for message in self._of(opcode, part)]

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        while self.code is None and (sizes := self._sizes()) is not None:
            head, size = sizes
            if len(self._held) < head + size:
                return
            first, payload = self._held[0], bytes(self._held[head : head + size])
            del self._held[: head + size]
            yield first, payload

    def _sizes(self) -> tuple[int, int] | None:
        """Bytes of the head and of the payload of the frame that is held, if they are known."""
        if len(self._held) < 2:
            return None
        short = self._held[1]
        head = 2 + {126: 2, 127: 8}.get(short, 0)
        if len(self._held) < head:
            return None
        size = short if head == 2 else int.from_bytes(self._held[2:head], "big")
        if short & 0x80 or self._held[0] & 0x70 or size + len(self._message) > MOST:
            raise ProtocolError("the server sent what is no frame of a WebSocket, or a huge one")
        return head, size

    def _of(self, first: int, payload: bytes) -> Iterator[bytes]:
        opcode = first & 0x0F
        if opcode in (MORE, TEXT, BINARY):
            self._message += payload
            if first & 0x80:
                yield bytes(self._message)
                self._message.clear()
        elif opcode == PING:
            self.reply += frame(PONG, payload)
        elif opcode == CLOSE:
            self.code = int.from_bytes(payload[:2], "big") if payload[1:] else 1005
            self.reply += frame(CLOSE, payload[:2])
        elif opcode != PONG:
            raise ProtocolError(f"the server sent a WebSocket frame of the kind {opcode}")
