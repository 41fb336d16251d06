"""Verbs answered piece by piece: what is sent, and how the events of an answer are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from stelae.errors import ErrorInfo, InvalidInput, ProtocolError, from_info
from stelae.types import (
    ChatCall,
    Delta,
    ImageCall,
    ImagePiece,
    SpeechCall,
    SpeechPiece,
    TranscribeCall,
    TranscribePiece,
)
from stelae.wire import arrays
from stelae.wire.lines import Lines


class Piece(Protocol):
    """A part of an answer."""

    @property
    def usage(self) -> object | None:
        """Work of the whole answer; the last piece, and only that, has it."""


C = TypeVar("C", bound=msgspec.Struct)
P = TypeVar("P", bound=Piece)


@dataclass(frozen=True, slots=True)
class Verb(Generic[C, P]):
    """A verb that is answered piece by piece.

    Attributes:
        name: Its name, which is also its path.
        pieces: Reads an event of its answers.
    """

    name: str
    pieces: msgspec.json.Decoder[list[P]]


CHAT: Verb[ChatCall, Delta] = Verb("chat", msgspec.json.Decoder(list[Delta]))
IMAGE: Verb[ImageCall, ImagePiece] = Verb("image", msgspec.json.Decoder(list[ImagePiece]))
TRANSCRIBE: Verb[TranscribeCall, TranscribePiece] = Verb(
    "transcribe", msgspec.json.Decoder(list[TranscribePiece])
)
SPEAK: Verb[SpeechCall, SpeechPiece] = Verb("speak", msgspec.json.Decoder(list[SpeechPiece]))


def call_of(verb: str, fields: dict[str, Any], kind: type[C]) -> C:
    """The call that arguments mean.

    Args:
        verb: What is asked for, for messages.
        fields: Those of the call; ``None`` for what is not said.
        kind: Of the call.

    Raises:
        InvalidInput: One of them cannot be.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{verb}: {error}") from error


def packed(verb: str, call: msgspec.Struct) -> bytes:
    """A call as it is sent.

    Args:
        verb: What is asked for, for messages.
        call: What is asked.

    Raises:
        InvalidInput: Something in it cannot be.
    """
    try:
        return arrays.pack(call)
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"{verb}: {error.object[error.start]!r} is half of a surrogate pair, which is not text",
            hint="clean it with text.encode('utf-8', 'replace').decode()",
        ) from error
    except (TypeError, NotImplementedError) as error:
        raise InvalidInput(f"{verb}: {error}") from error


class _Failure(msgspec.Struct, frozen=True):
    error: ErrorInfo


_FAILURE = msgspec.json.Decoder(_Failure)
_EVENT, _FAILED = b"data: ", b"data: {"


class Events(Generic[P]):
    """Reads the body of an answer as it comes.

    Args:
        pieces: Reads one event.

    Attributes:
        whole: Whether the last piece has come.
    """

    def __init__(self, pieces: msgspec.json.Decoder[list[P]]) -> None:
        self.whole = False
        self._pieces = pieces
        self._lines = Lines()

    def read(self, data: bytes) -> Iterator[list[P]]:
        """The pieces that are whole with more of the body.

        Raises:
            StelaeError: What the server reports in the middle of an answer.
            ProtocolError: An event cannot be read.
        """
        for line in self._lines.add(data):
            if line.startswith(_EVENT) and (pieces := self._event(line)):
                self.whole = pieces[-1].usage is not None
                yield pieces

    def _event(self, line: bytes) -> list[P]:
        content = memoryview(line)[len(_EVENT) :]
        try:
            if line.startswith(_FAILED):
                raise from_info(_FAILURE.decode(content).error)
            return self._pieces.decode(content)
        except msgspec.DecodeError as error:
            raise ProtocolError(f"an event of the answer cannot be read: {error}") from error


def broken_off(address: str) -> ProtocolError:
    """An answer ended without its last piece."""
    return ProtocolError(f"the answer of {address} broke off; what came of it is not whole")
