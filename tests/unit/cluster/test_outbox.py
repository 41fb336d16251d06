from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from stelae.cluster.outbox import Outbox

LARGE = bytes(range(256)) * (16 << 10)
"""4 MiB: more than a socket takes at once."""


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def receive(sock: socket.socket, count: int) -> bytes:
    parts: list[bytes] = []
    while count:
        parts.append(sock.recv(count))
        count -= len(parts[-1])
    return b"".join(parts)


def test_small_frames_are_there_when_send_returns(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    Outbox(ours).send([b"ab", b"", b"cd"])
    theirs.setblocking(False)
    assert theirs.recv(100) == b"abcd"


def test_a_reader_that_does_not_read_is_not_waited_for(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    outbox.send([b"first", LARGE])
    outbox.send([b"last"])
    assert not outbox.flush(0.0)
    assert receive(theirs, 5 + len(LARGE) + 4) == b"first" + LARGE + b"last"
    assert outbox.flush(5.0)


def test_many_pieces_go_out_in_order(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    pieces = [bytes([i % 256]) for i in range(2000)]
    Outbox(ours).send(pieces)
    assert receive(theirs, 2000) == b"".join(pieces)


def test_a_reader_that_has_gone_is_no_error(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    theirs.close()
    outbox.send([b"into the void"])
    outbox.send([LARGE])
    assert outbox.flush(0.0)


def test_a_reader_that_goes_with_frames_left_is_no_error(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    outbox.send([LARGE])
    theirs.close()
    assert outbox.flush(5.0)


def test_what_is_gathered_leaves_in_the_end(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    theirs.setblocking(False)
    with outbox.gathered():
        outbox.send([b"one ", b"two "])
        outbox.send([b"three"])
        assert not outbox.flush(0.01)
        with pytest.raises(BlockingIOError):
            theirs.recv(100)
    assert theirs.recv(100) == b"one two three"
    assert outbox.flush(0.0)


def test_other_threads_do_not_wait_for_it(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    with outbox.gathered():
        outbox.send([b"late"])
        other = threading.Thread(target=outbox.send, args=([b"early "],))
        other.start()
        other.join()
    assert theirs.recv(100) == b"early late"
    outbox.send([b" last"])
    assert theirs.recv(100) == b" last"
