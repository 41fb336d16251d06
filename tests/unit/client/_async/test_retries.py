from __future__ import annotations

import httpx
import pytest
from unit.client._async.fix_client import AT_ONCE, client_of
from unit.client.fix_server import Server, failure

from stelae.client import AsyncClient, RetryPolicy
from stelae.errors import (
    DeadlineExceeded,
    EngineFailed,
    InvalidInput,
    ProtocolError,
    QueueFull,
    ServerUnreachable,
    StelaeError,
    WorkerDied,
)

BROKEN = httpx.ReadError("connection reset")


@pytest.mark.parametrize(
    "fault",
    [
        failure("queue_full", 503, retry_after=5.0),
        failure("model_not_ready", 503),
        failure("no_capacity", 503),
        failure("shutting_down", 503),
        failure("worker_died", 503),
        failure("out_of_memory", 503),
        httpx.ConnectError("refused"),
        httpx.RemoteProtocolError("disconnected"),
        httpx.Response(502, text="<h1>Bad Gateway</h1>"),
    ],
    ids=lambda fault: str(fault),
)
async def test_passing_fault_is_tried_again(fault: httpx.Response | Exception) -> None:
    server = Server(fault, fault)
    async with client_of(server) as client:
        assert (await client.encode("a")).dense.tolist() == [1.0, 97.0, 1.0]
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (failure("invalid_input", 400), InvalidInput),
        (failure("engine_failed", 500), EngineFailed),
        (failure("deadline_exceeded", 504), DeadlineExceeded),
        (httpx.Response(200, text="hello"), ProtocolError),
        (httpx.Response(404, text="nothing here"), ProtocolError),
        (httpx.ReadTimeout("slow"), DeadlineExceeded),
    ],
    ids=lambda fault: str(fault),
)
async def test_lasting_fault_is_not_tried_again(
    fault: httpx.Response | Exception, kind: type[StelaeError]
) -> None:
    server = Server(fault)
    async with client_of(server) as client:
        with pytest.raises(kind) as caught:
            await client.encode("a")
    assert type(caught.value) is kind
    assert len(server.requests) == 1


async def test_failures_are_tried_again_so_often_and_no_more() -> None:
    server = Server(*[BROKEN] * 9)
    async with client_of(server) as client:
        with pytest.raises(ServerUnreachable, match="connection reset"):
            await client.encode("a")
    assert len(server.requests) == 1 + AT_ONCE.attempts


async def test_refusals_are_waited_out() -> None:
    server = Server(*[failure("queue_full", 503)] * 9)
    async with client_of(server) as client:
        await client.encode("a")
    assert len(server.requests) == 10


async def test_no_retries_sends_everything_once() -> None:
    server = Server(failure("queue_full", 503), failure("worker_died", 503))
    async with client_of(server, retries=0) as client:
        with pytest.raises(QueueFull):
            await client.encode("a")
        with pytest.raises(WorkerDied):
            await client.encode("a")
    assert len(server.requests) == 2


async def test_wait_beyond_the_deadline_is_not_begun() -> None:
    server = Server(failure("queue_full", 503, retry_after=9.0))
    async with client_of(server, retries=RetryPolicy(), timeout=5.0) as client:
        with pytest.raises(QueueFull) as caught:
            await client.encode("a")
    assert caught.value.retry_after == 9.0
    assert len(server.requests) == 1


async def test_deadline_is_sent_along_in_milliseconds() -> None:
    server = Server()
    async with client_of(server, timeout=5.0) as client:
        await client.encode("a")
        await client.encode(["a"], timeout=2.0)
        await client.models(timeout=1.0)
    sent = [int(request.headers["x-request-timeout-ms"]) for request in server.requests]
    assert 4000 < sent[0] <= 5000
    assert 1000 < sent[1] <= 2000
    assert 0 < sent[2] <= 1000


async def test_no_timeout_sends_no_deadline() -> None:
    server = Server()
    async with client_of(server, timeout=None) as client:
        await client.encode("a")
    assert "x-request-timeout-ms" not in server.requests[0].headers


async def test_unreachable_server_is_named_with_the_command_that_starts_one(free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    async with AsyncClient(url, retries=0) as client:
        with pytest.raises(ServerUnreachable) as caught:
            await client.encode("a")
    assert url in str(caught.value)
    assert f"stelae serve --listen {url}" in str(caught.value)
