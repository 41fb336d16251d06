"""Asks for texts, whole or chunk by chunk; asked again where that makes sense."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

from stelae.client import AsyncClient, _transport
from stelae.sie import _rest, _writing
from stelae.sie._async.rest import AsyncRest
from stelae.wire.lines import Lines

Begun = tuple[dict[str, Any], AsyncGenerator[dict[str, Any]]]


class AsyncTexts:
    """What one server writes.

    Args:
        rest: Has the connections to it.
    """

    def __init__(self, rest: AsyncRest) -> None:
        self._rest = rest

    async def whole(
        self,
        client: AsyncClient,
        path: str,
        body: dict[str, Any],
        place: str | None,
        timeout: float | None,
    ) -> dict[str, Any]:
        """The object that a request is answered with.

        Args:
            client: Has the patience to ask again.
            path: What is asked.
            body: With what.
            place: Kind of device, or ``pool/kind``.
            timeout: Seconds for all attempts; those of the client if not given.

        Raises:
            StelaeError: The request is refused, or fails.
        """
        ask = partial(self._whole, path, _rest.written(body), place)
        return await client._sender.ask(ask, timeout)

    async def chunks(
        self,
        client: AsyncClient,
        path: str,
        body: dict[str, Any],
        place: str | None,
        timeout: float | None,
    ) -> AsyncGenerator[dict[str, Any]]:
        """The chunks that a request is answered with; see ``whole``.

        It is asked again while no chunk has come, never later. Leave it, and the model stops.
        """
        ask = partial(self._begun, path, _rest.written(body), place)
        first, stream = await client._sender.ask(ask, timeout)
        async with aclosing(stream) as rest:
            yield first
            async for chunk in rest:
                yield chunk

    async def _begun(
        self, path: str, body: bytes, place: str | None, timeout: float | None
    ) -> Begun:
        stream = self._stream(path, body, place, timeout)
        return await anext(stream), stream

    async def _whole(
        self, path: str, body: bytes, place: str | None, timeout: float | None
    ) -> dict[str, Any]:
        with _transport.told(self._rest.address, timeout):
            async with self._rest.stream(path, body, _writing.place(place), timeout) as response:
                answer = await response.aread()
                _writing.check(response, answer)
        return _rest.read(self._rest.address + path, answer)

    async def _stream(
        self, path: str, body: bytes, place: str | None, timeout: float | None
    ) -> AsyncGenerator[dict[str, Any]]:
        whole, lines = False, Lines()
        with _transport.told(self._rest.address, timeout):
            async with self._rest.stream(path, body, _writing.place(place), timeout) as response:
                if response.status_code != _writing.GOOD:
                    _writing.check(response, await response.aread())
                async for data in response.aiter_bytes():
                    for line in lines.add(data):
                        whole = whole or _writing.is_last(line)
                        if (chunk := _writing.chunk_in(line)) is not None:
                            yield chunk
        if not whole:
            raise _writing.broken_off(self._rest.address)
