"""Both clients of Xinference, spoken to in one way: every method is awaited, whichever it is.

    async def check_list(place: Place) -> None:
        async with place.client() as c:
            uid = await c.launch_model(model_name="bge-small-en-v1.5", model_type="embedding")
            model = await c.get_model(uid)
            answer = await model.create_embedding("a text")

Answers that come in pieces are lists of them. What a client of this version does not have is a
``Skip``.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import urllib.request
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from types import GeneratorType
from typing import Any
from urllib.error import HTTPError

import xinference_client

KEY = "sesame"

OLD = int(importlib.metadata.version("xinference-client").split(".")[0]) < 3


class Skip(Exception):
    """The client of this version does not have it."""


class Spoken:
    """A client or a handle whose methods are all awaited."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name, None)
        if method is None:
            raise Skip(f"{type(self.inner).__name__} has no {name}")

        async def call(*args: Any, **kwargs: Any) -> Any:
            made = method(*args, **kwargs)
            return await told(await made if inspect.isawaitable(made) else made)

        return call

    def takes(self, method: str, parameter: str) -> bool:
        """Whether a method has a parameter of that name."""
        return parameter in inspect.signature(getattr(self.inner, method)).parameters


async def told(answer: Any) -> Any:
    """An answer as a value: pieces as a list, a handle to be spoken to likewise."""
    if hasattr(answer, "__aiter__"):
        return [piece async for piece in answer]
    if isinstance(answer, GeneratorType | Iterator):
        return list(answer)
    return Spoken(answer) if type(answer).__name__.endswith("ModelHandle") else answer


class Place:
    """Where the servers are, and which of the clients asks: ``sync`` or ``async``."""

    def __init__(self, url: str, locked: str, way: str) -> None:
        self.url = url
        self.locked = locked
        self.way = way

    @property
    def is_async(self) -> bool:
        """Whether the asynchronous client asks."""
        return self.way == "async"

    @asynccontextmanager
    async def client(self, url: str = "", **options: Any) -> AsyncIterator[Spoken]:
        """A client of the open server, or of another one."""
        names = {"sync": "RESTfulClient", "async": "AsyncRESTfulClient"}
        inner = getattr(xinference_client, names[self.way])(url or self.url, **options)
        try:
            yield Spoken(inner)
        finally:
            closed = inner.close()
            if inspect.isawaitable(closed):
                await closed

    @asynccontextmanager
    async def launched(self, **call: Any) -> AsyncIterator[tuple[Spoken, str]]:
        """A client, and the uid of a model that is launched for it and then taken down."""
        async with self.client() as c:
            uid = await c.launch_model(**{"model_uid": fresh(), **call})
            try:
                yield c, uid
            finally:
                if uid in await c.list_models():
                    await c.terminate_model(uid)

    def ask(self, path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
        """What the server says to a request without any client: status and JSON."""
        return self.talk(path, method, body)[:2]

    def folder(self) -> str:
        """A folder with a checkpoint."""
        told = self.ask("/stelae/v1/models/bge-small-en-v1.5")[1]
        return str(told["source"]).removeprefix("folder:")

    def talk(self, path: str, method: str, body: Any) -> tuple[int, Any, Mapping[str, str]]:
        """The same, and the headers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)  # noqa: S310  # an address of our own server, on loopback
        request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310  # an address of our own server, on loopback
                return answer.status, json.loads(answer.read()), answer.headers
        except HTTPError as error:
            return error.code, json.loads(error.read()), error.headers

    async def raised(
        self, call: Any, prefix: str, *words: str, kind: type[Exception] = RuntimeError
    ) -> None:
        """A call fails with what the client says first, and all words of the server's sentence.

        The asynchronous client before 3.0 tells the status in place of the sentence.
        """
        try:
            answer = await call
        except kind as error:
            text = str(error)
        else:
            raise AssertionError(f"{kind} was expected, not {answer!r}")
        assert text.startswith(prefix), text
        silent = self.is_async and OLD and ", message=" in text
        missing = [word for word in words if word not in text and not silent]
        assert not missing, f"{missing} not in {text!r}"


def fresh(name: str = "model") -> str:
    """A uid that nothing has."""
    return f"{name}-{uuid.uuid4().hex[:8]}"
