# Generated from tests/unit/client/_async/test_streams.py by tools/unasync.py: do not edit.
from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import httpx
import msgspec
import pytest
from unit.client._sync.fix_client import client_of
from unit.client._sync.fix_gate import Gate
from unit.client.fix_server import Server

from stelae.client import Client
from stelae.client._sync._crew import Job
from stelae.errors import EngineFailed


class Held:
    """A server that holds the requests for some texts at a gate."""

    def __init__(self, gate: Gate, *held: str) -> None:
        self.gate, self.held, self.server = gate, held, Server()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        text = msgspec.msgpack.decode(request.content)["items"][0]["text"]
        if not self.held or text in self.held:
            self.gate.wait()
        return self.server(request)


class Source:
    """Texts ``0``, ``1``, ... without end; counts those taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[str]:
        while True:
            self.taken += 1
            yield str(self.taken - 1)


def lengths(client: Client, texts: list[str]) -> list[float]:
    stream = client.encode(iter(texts), batch_size=1)
    return [encoding.dense[0] for encoding in stream]


def test_requests_in_flight_are_bounded() -> None:
    gate = Gate()
    with client_of(Held(gate), max_in_flight=3) as client:
        job = Job(partial(lengths, client, ["a"] * 8))
        gate.until(waiting=3)
        gate.open()
        assert job.result() == [1.0] * 8
    assert gate.most == 3


def test_list_is_encoded_with_several_requests_in_flight() -> None:
    gate = Gate()
    with client_of(Held(gate), max_in_flight=2) as client:
        job = Job(partial(client.encode, ["a"] * 5, batch_size=1))
        gate.until(waiting=2)
        gate.open()
        assert len(job.result()) == 5
    assert gate.most == 2


def test_order_is_kept_when_answers_overtake() -> None:
    gate = Gate()
    held = Held(gate, "a")
    with client_of(held, max_in_flight=3) as client:
        job = Job(partial(lengths, client, ["a", "bb", "ccc", "dddd"]))
        gate.until(waiting=1)
        gate.open()
        assert job.result() == [1.0, 2.0, 3.0, 4.0]


def test_source_is_read_no_further_than_the_requests_in_flight() -> None:
    source = Source()
    with client_of(Server(), max_in_flight=2) as client:
        stream = client.encode(source, batch_size=10)
        for _ in stream:
            break
        assert source.taken <= 20
        stream.close()
        assert source.taken <= 20


def test_stopped_stream_asks_for_nothing_more() -> None:
    server, source = Server(), Source()
    with client_of(server, max_in_flight=2) as client:
        stream = client.encode(source, batch_size=1)
        for encoding in stream:
            if encoding.dense[1] == ord("5"):
                break
        stream.close()
        taken = source.taken
        assert len(server.calls) <= taken
    assert source.taken == taken <= 8


def test_first_failure_in_order_ends_the_call() -> None:
    def broken(texts: list[str]) -> Iterator[str]:
        yield from texts
        raise OSError("the file is gone")

    with client_of(Server()) as client:
        with pytest.raises(OSError, match="the file is gone"):
            [e for e in client.encode(broken(["a"]))]


def test_failed_request_ends_the_call_while_others_are_in_flight() -> None:
    gate = Gate()
    held = Held(gate, "held")

    def refuse(request: httpx.Request) -> httpx.Response:
        raise EngineFailed("broken on purpose")

    held.server.script.append(refuse)
    with client_of(held, max_in_flight=2) as client:
        with pytest.raises(EngineFailed):
            client.encode(["fails", "held"], batch_size=1)
        gate.open()


def test_end_of_the_source_waits_for_what_is_under_way() -> None:
    gate = Gate()
    with client_of(Held(gate), max_in_flight=4) as client:
        job = Job(partial(lengths, client, ["a", "bb"]))
        gate.until(waiting=2)
        gate.open()
        assert job.result() == [1.0, 2.0]
