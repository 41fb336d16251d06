"""What server and worker say to each other; calls and results ride beside, as buffers.

A ``Infer`` or ``Done`` frame carries the call or the result as its buffers: the
first is the msgpack of ``wire.arrays.split``, the others are the arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from stelae.cluster.deployment import Deployment
from stelae.cluster.frames import Buffer, Frame, pack
from stelae.cluster.vitals import Vitals
from stelae.engines.base import EngineInfo
from stelae.errors import ErrorInfo, InvalidInput, ProtocolError
from stelae.types import (
    ChatCall,
    Delta,
    EncodeCall,
    EncodeResult,
    ExtractCall,
    ExtractResult,
    ImageCall,
    ImagePiece,
    ScoreCall,
    ScoreResult,
    SpeechCall,
    SpeechPiece,
    Task,
    TranscribeCall,
    TranscribePiece,
)
from stelae.wire.arrays import join, split


class _Message(msgspec.Struct, frozen=True, array_like=True, tag=True):
    pass


class Load(_Message, frozen=True):
    """Server: load this; the first message, once."""

    deployment: Deployment


class Ready(_Message, frozen=True):
    """Worker: loaded.

    Attributes:
        info: What the engine says of itself.
        memory_bytes: Resident memory of the worker.
        engine: Name of the engine that it came to.
        reason: Why that engine.
    """

    info: EngineInfo
    memory_bytes: int
    engine: str
    reason: str


class Failed(_Message, frozen=True):
    """Worker: could not be loaded; it ends after this."""

    error: ErrorInfo


class Infer(_Message, frozen=True):
    """Server: run the call in the buffers; answered by one ``Done`` or ``Refused``.

    Attributes:
        id: Names the call on this connection.
        task: Decides the types of call and result.
        timeout: Seconds left to its deadline.
        urgent: Goes before everything that is not.
    """

    id: int
    task: Task
    timeout: float | None = None
    urgent: bool = False


class Part(_Message, frozen=True):
    """Worker: more of an answer that comes in pieces, which are in the buffers.

    At most ``scheduler.streams.WINDOW`` of them are on their way without a ``Credit``. The
    last piece comes with ``Done``.
    """

    id: int


class Credit(_Message, frozen=True):
    """Server: so many parts of an answer were taken, and as many more may be sent."""

    id: int
    count: int = 1


class Done(_Message, frozen=True):
    """Worker: the result is in the buffers."""

    id: int


class Refused(_Message, frozen=True):
    """Worker: the call failed as a whole."""

    id: int
    error: ErrorInfo


class Cancel(_Message, frozen=True):
    """Server: nobody waits for this call any more."""

    id: int


class Ping(_Message, frozen=True):
    """Server: how are you? Answered by the thread that reads, whatever the device does."""


class Pong(_Message, frozen=True):
    """Worker: alive, and this is how I do."""

    vitals: Vitals


Message = Load | Ready | Failed | Infer | Part | Credit | Done | Refused | Cancel | Ping | Pong

TYPES: dict[Task, tuple[type[Any], type[Any]]] = {
    Task.ENCODE: (EncodeCall, EncodeResult),
    Task.SCORE: (ScoreCall, ScoreResult),
    Task.EXTRACT: (ExtractCall, ExtractResult),
    Task.CHAT: (ChatCall, Delta),
    Task.IMAGE: (ImageCall, ImagePiece),
    Task.TRANSCRIBE: (TranscribeCall, TranscribePiece),
    Task.SPEAK: (SpeechCall, SpeechPiece),
}
"""Call and result of each task; of one answered in pieces, a piece."""

_LISTS: dict[Task, Any] = {task: list[piece] for task, (_, piece) in TYPES.items()}  # type: ignore[valid-type]  # types as values
_TASKS = {call: task for task, (call, _) in TYPES.items()}
_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def task_of(call: Any) -> Task:
    """The task that a call belongs to."""
    return _TASKS[type(call)]


def write(message: Message, buffers: Sequence[Buffer] = ()) -> list[Buffer]:
    """A message as the pieces of a frame."""
    return pack(_ENCODER.encode(message), buffers)


def read(frame: Frame) -> Message:
    """The message of a frame.

    Raises:
        ProtocolError: The header is none of the messages above.
    """
    try:
        return _DECODER.decode(frame.header)
    except msgspec.DecodeError as error:
        raise ProtocolError(
            f"a message between server and worker cannot be read: {error}"
        ) from error


def payload(value: Any) -> list[Buffer]:
    """A call or a result as the buffers of a frame.

    Raises:
        InvalidInput: A text is not valid Unicode (it has lone surrogates), or a
            value is nested too deeply.
    """
    try:
        message, arrays = split(value)
    except UnicodeEncodeError as error:
        raise InvalidInput(f"a text is not valid Unicode: {error.reason}") from error
    except RecursionError as error:
        raise InvalidInput("a value is nested too deeply to be sent") from error
    return [message, *arrays]


def read_call(task: Task, buffers: Sequence[Buffer]) -> Any:
    """The call in the buffers of an ``Infer``.

    Raises:
        ProtocolError: The buffers are not a call of that task.
    """
    return _join(buffers, TYPES[task][0])


def read_result(task: Task, buffers: Sequence[Buffer]) -> Any:
    """The result in the buffers of a ``Done``.

    Raises:
        ProtocolError: The buffers are not a result of that task.
    """
    return _join(buffers, TYPES[task][1])


def read_pieces(task: Task, buffers: Sequence[Buffer]) -> list[Any]:
    """The pieces in the buffers of a ``Part``.

    Raises:
        ProtocolError: The buffers are no pieces of an answer to that task.
    """
    pieces: list[Any] = _join(buffers, _LISTS[task])
    return pieces


def _join(buffers: Sequence[Buffer], kind: type[Any]) -> Any:
    try:
        return join(buffers[0], buffers[1:], kind)
    except (msgspec.DecodeError, IndexError, InvalidInput) as error:
        raise ProtocolError(
            f"a {getattr(kind, '__name__', kind)} between server and worker cannot be read: {error}"
        ) from error
