from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import httpx
import pytest
from certificate import Pair, make
from live import Live, live
from parrot import Parrot
from websockets.asyncio.client import connect

from stelae.config import Settings
from stelae.dialects.native import DIALECT as NATIVE
from stelae.errors import InvalidInput
from stelae.server.run import serve

EVERY = ("http://127.0.0.1:0", "https://127.0.0.1:0", "grpc://127.0.0.1:0", "grpcs://localhost:0")


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make(tmp_path)


@pytest.fixture
async def server(pair: Pair) -> AsyncIterator[Live]:
    tls = {"certificate": pair.certificate, "key": pair.key}
    async with live(at=EVERY, dialects=(NATIVE, Parrot().dialect), tls=tls) as made:
        yield made


def trusting(pair: Pair) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(pair.certificate))


async def test_http_is_answered_plain_and_encrypted(server: Live, pair: Pair) -> None:
    async with httpx.AsyncClient(verify=trusting(pair)) as http:
        answers = [await http.get(f"{url}/healthz") for url in server.urls[:2]]
    assert [answer.status_code for answer in answers] == [200, 200]


async def test_certificate_is_not_trusted_unasked(server: Live) -> None:
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await http.get(f"{server.urls[1]}/healthz")


async def test_grpc_is_answered_plain_and_encrypted(server: Live, pair: Pair) -> None:
    plain, encrypted = (url.split("//")[1] for url in server.urls[2:])
    trust = grpc.ssl_channel_credentials(pair.certificate.read_bytes())
    async with (
        grpc.aio.insecure_channel(plain) as one,
        grpc.aio.secure_channel(encrypted, trust) as other,
    ):
        for channel in (one, other):
            assert await channel.unary_unary("/parrot.Parrot/Once")(b"x") == b"x"


async def test_talks_are_held_encrypted(server: Live, pair: Pair) -> None:
    url = server.urls[1].replace("https://", "wss://") + "/parrot"
    async with connect(url, ssl=trusting(pair)) as socket:
        await socket.send(b"x")
        assert await socket.recv() == b"x"


async def test_plain_text_at_an_encrypted_address_ends_the_connection(server: Live) -> None:
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.TransportError):
            await http.get(server.urls[1].replace("https", "http") + "/healthz")


async def test_what_is_not_http_is_answered_encrypted_too(server: Live, pair: Pair) -> None:
    errors: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    port = int(server.urls[1].rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(pair))
    writer.write(b"not HTTP\r\n\r\n")
    assert b"invalid_http" in await reader.read()
    writer.close()
    assert errors == []


async def test_client_that_begins_no_handshake_holds_nobody_up(server: Live, pair: Pair) -> None:
    port = int(server.urls[1].rsplit(":", 1)[1])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    async with httpx.AsyncClient(verify=trusting(pair)) as http:
        assert (await http.get(f"{server.urls[1]}/healthz")).status_code == 200
    writer.close()


async def test_idle_client_does_not_hold_up_the_stop(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stelae.server.protocol.GOODBYE_SECONDS", 0.1)
    tls = {"certificate": pair.certificate, "key": pair.key}
    async with live(at=EVERY[1:2], tls=tls, limits={"drain_seconds": 60.0}) as server:
        with await asyncio.to_thread(_asked, server.url, trusting(pair)):
            server.carriers.stop()
            async with asyncio.timeout(20):
                await server.carriers.wait()


def _asked(url: str, trust: ssl.SSLContext) -> ssl.SSLSocket:
    """A connection on which an answer came, and nothing is read from then on."""
    place = ("127.0.0.1", int(url.rpartition(":")[2]))
    client = trust.wrap_socket(socket.create_connection(place), server_hostname="localhost")
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    return client


@pytest.mark.parametrize("scheme", ["https", "grpcs"])
def test_encrypted_address_needs_a_certificate(scheme: str) -> None:
    with pytest.raises(InvalidInput, match="needs a certificate"):
        serve(Settings(listen=(f"{scheme}://127.0.0.1:0",)))
