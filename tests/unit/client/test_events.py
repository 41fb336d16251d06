from __future__ import annotations

import msgspec
import pytest

from stelae.client._streams import CHAT, Events
from stelae.errors import EngineFailed, ProtocolError
from stelae.types import ChatUsage, Delta

LAST = Delta(usage=ChatUsage(prompt_tokens=1))


def event(*pieces: Delta) -> bytes:
    return b"data: " + msgspec.json.encode(list(pieces)) + b"\n\n"


def read(*parts: bytes) -> list[list[Delta]]:
    events = Events(CHAT.pieces)
    return [pieces for part in parts for pieces in events.read(part)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_the_same_wherever_the_body_is_cut(size: int) -> None:
    body = event(Delta(text="one")) + b": ping\n\n" + event(Delta(text=" two"), LAST)
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    assert read(*parts) == [[Delta(text="one")], [Delta(text=" two"), LAST]]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c", "\r", "\r\n"])
def test_signs_that_end_lines_elsewhere_are_text(sign: str) -> None:
    assert read(event(Delta(text=f"a{sign}b"))) == [[Delta(text=f"a{sign}b")]]


def test_answer_is_whole_with_its_last_piece_only() -> None:
    events = Events(CHAT.pieces)
    assert list(events.read(event(Delta(text="a")))) == [[Delta(text="a")]]
    assert not events.whole
    assert list(events.read(event(LAST)[:-2])) == []
    assert not events.whole
    assert list(events.read(b"\n\n")) == [[LAST]]
    assert events.whole


def test_error_in_the_middle_is_that_of_the_server() -> None:
    failed = b'data: {"error": {"code": "engine_failed", "message": "it broke", "status": 500}}\n\n'
    events = Events(CHAT.pieces)
    read = events.read(event(Delta(text="a")) + failed)
    assert next(read) == [Delta(text="a")]
    with pytest.raises(EngineFailed, match="it broke"):
        next(read)


@pytest.mark.parametrize("said", [b"data: [{]", b'data: {"error": 3}', b"data: [3]", b"data: x"])
def test_event_that_cannot_be_read_is_told(said: bytes) -> None:
    with pytest.raises(ProtocolError, match="cannot be read"):
        read(said + b"\n")
