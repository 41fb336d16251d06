"""Frames of a server, as wsproto writes them, become messages however they are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.utilities import generate_accept_token

from stelae.errors import ProtocolError
from stelae.wire import websocket
from stelae.wire.websocket import Handshake, Listening


def written(*events: Event) -> bytes:
    server = Connection(ConnectionType.SERVER)
    return b"".join(server.send(event) for event in events)


@given(
    st.lists(st.binary(max_size=200) | st.integers(120, 70_000).map(bytes), max_size=5),
    st.lists(st.integers(1, 3000), min_size=1),
)
def test_messages_are_whole_however_they_are_cut(messages: list[bytes], cuts: list[int]) -> None:
    data = written(*(BytesMessage(data=message) for message in messages))
    listening = Listening()
    heard: list[bytes] = []
    step, least = 0, len(data) // 200
    while data:
        size = max(least, cuts[step % len(cuts)])
        heard += listening.take(data[:size])
        data, step = data[size:], step + 1
    assert heard == messages


def test_parts_of_a_message_are_put_together_past_pings() -> None:
    data = written(
        TextMessage(data="on", message_finished=False), Ping(b"?"), TextMessage(data="é")
    )
    listening = Listening()
    assert listening.take(data) == ["oné".encode()]
    server = Connection(ConnectionType.SERVER)
    server.receive_data(listening.reply)
    assert list(server.events()) == [Pong(payload=b"?")]
    assert listening.take(b"") == []
    assert listening.reply == b""


def test_a_goodbye_is_answered_and_ends_it() -> None:
    data = written(TextMessage(data="last"), CloseConnection(code=1001, reason="bye"))
    listening = Listening()
    assert listening.take(data + b"\x81\x01x") == [b"last"]
    assert listening.code == 1001
    server = Connection(ConnectionType.SERVER)
    server.receive_data(listening.reply)
    assert [getattr(event, "code", None) for event in server.events()] == [1001]


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\x81mask!",  # masked, as only clients do
        b"\xc1\x01x",  # a bit of an extension that nobody asked for
        b"\x83\x00",  # a kind that there is not
        b"\x82\x7f" + (1 << 40).to_bytes(8, "big"),  # a claim beyond what is taken
    ],
)
def test_what_is_no_frame_is_an_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        Listening().take(data)


def test_parts_of_a_message_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MOST", 100)
    listening = Listening()
    listening.take(b"\x02\x3c" + bytes(60))
    with pytest.raises(ProtocolError):
        listening.take(b"\x00\x3c" + bytes(60))


def test_a_handshake_is_checked() -> None:
    asked = Handshake()
    asked.check(generate_accept_token(asked.headers["sec-websocket-key"].encode()).decode())
    for wrong in (None, "", "bm90IGl0"):
        with pytest.raises(ProtocolError):
            asked.check(wrong)
