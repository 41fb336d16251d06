"""HTTP: one request for each batch, in JSON, several at a time over connections that are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import orjson

from stelae.client._transport import CONNECT_SECONDS, security
from stelae.clip.carriers import json_form
from stelae.clip.carriers.address import Address
from stelae.clip.carriers.base import Answer, Carrier
from stelae.clip.carriers.failing import of_http, unreachable
from stelae.errors import BY_CODE, ErrorInfo, ProtocolError, StelaeError, from_info
from stelae.wire.clip.messages import DataRequest

PATH = "/post"
CHUNK = 64 * 1024
CONNECTIONS = 32
"""Most of them; more cost more than they bring."""

SHOWN = 500
"""Letters of an answer that a message shows."""


@asynccontextmanager
async def way(address: Address, token: str | None, prefetch: int) -> AsyncIterator[Carrier]:
    """A way to a server, see ``Way``.

    Args:
        address: Of the server.
        token: Sent verbatim as ``Authorization``.
        prefetch: Most requests under way, each on a connection of at most ``CONNECTIONS``.
    """
    headers = {"content-type": "application/json"}
    async with httpx.AsyncClient(
        headers=headers | ({"authorization": token} if token else {}),
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=min(prefetch, CONNECTIONS)),
        **security(address.url),
    ) as client:
        carrier = HttpCarrier(client, address.url)
        try:
            yield carrier
        finally:
            await carrier.drop()


class HttpCarrier:
    """See ``Carrier``.

    Args:
        client: For all requests.
        url: Of the server.
    """

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url
        self._tasks: set[asyncio.Task[DataRequest]] = set()

    async def drop(self) -> None:
        """Cancel what is under way."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def send(self, request: DataRequest) -> Answer:
        """See ``Carrier``."""
        body = orjson.dumps(json_form.written(request), option=orjson.OPT_SERIALIZE_NUMPY)
        del request  # pictures are held once
        left = asyncio.Event()
        task = asyncio.create_task(self._post(body, left))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: left.set())
        del body
        await left.wait()
        return task

    async def _post(self, body: bytes, left: asyncio.Event) -> DataRequest:
        headers, parts = {"content-length": str(len(body))}, _parts(body, left)
        del body  # it is gone when its last part has left
        try:
            answer = await self._client.post(self._url + PATH, content=parts, headers=headers)
        except httpx.HTTPError as error:
            raise unreachable(self._url, error) from error
        if answer.status_code != httpx.codes.OK:
            raise _failure(answer, self._url)
        try:
            return json_form.read(msgspec.json.decode(answer.content))
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            raise ProtocolError(
                f"{self._url} answered what is no answer: {error}",
                hint="is a server of CLIP's protocol at this address?",
            ) from error


async def _parts(body: bytes, left: asyncio.Event) -> AsyncIterator[bytes]:
    """A body in parts, telling when the last has been taken."""
    for start in range(0, len(body), CHUNK):
        yield body[start : start + CHUNK]
    left.set()


def _failure(answer: httpx.Response, url: str) -> StelaeError:
    """The error that an answer tells: our servers name it, of others the status says what it is."""
    try:
        said: Any = msgspec.json.decode(answer.content)
        if said.get("error", {}).get("code") in BY_CODE:
            return from_info(msgspec.convert(said["error"], ErrorInfo))
        reason = str(said["header"]["status"]["description"])
    except (msgspec.MsgspecError, AttributeError, KeyError, TypeError):
        reason = answer.text[:SHOWN]
    return of_http(answer.status_code, reason, answer.headers, url)
