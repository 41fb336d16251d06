"""A Stelae server made of plain dicts: the documented wire, written down a second time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import numpy as np

MSGPACK = {"content-type": "application/msgpack"}
URL = "http://stelae.test:8080"

Body = dict[str, Any]


def vector(text: str) -> list[float]:
    """What the server makes of a text: its length, its first character, one."""
    return [float(len(text)), float(ord(text[0]) if text else 0), 1.0]


def array(dtype: str, rows: list[Any]) -> Body:
    values = np.array(rows, dtype)
    return {"dtype": dtype, "shape": list(values.shape), "data": values.tobytes()}


def encoded(call: Body, **changes: Any) -> Body:
    """The answer to an encode request; ``!bad`` fails, over ten characters is cut."""
    texts = [item.get("text", "ids") for item in call["items"]]
    tokens = [len(text.split()) + 2 for text in texts]
    failed = {
        i: {"code": "invalid_input", "message": "told to refuse this", "status": 400}
        for i, text in enumerate(texts)
        if text == "!bad"
    }
    rows = [[float("nan")] * 3 if i in failed else vector(t) for i, t in enumerate(texts)]
    kind = "<f2" if call.get("dtype") == "float16" else "<f4"
    answer = {
        "model": "toy",
        "fingerprint": "f00d",
        "tokens": array("<i4", tokens),
        "truncated": array("|b1", [len(text) > 10 for text in texts]),
        "dense": array(kind, rows),
        "errors": failed,
        "usage": {"tokens": sum(tokens)},
    }
    return {**answer, **changes}


def packed(body: Any, status: int = 200, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = msgspec.msgpack.encode(body)
    return httpx.Response(status, headers={**MSGPACK, **named}, content=content)


def failure(code: str, status: int, message: str = "no", **facts: Any) -> httpx.Response:
    error = {"code": code, "message": message, "status": status, "request_id": "r1", **facts}
    return packed({"error": error, "detail": message}, status)


Reply = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def opened(request: httpx.Request) -> Body:
    """The body of a request, by what its header calls it."""
    forms = {"application/msgpack": msgspec.msgpack, "application/json": msgspec.json}
    content = request.content
    return forms[request.headers["content-type"]].decode(content) if content else {}


class Server:
    """Answers what is scripted first, and after that as a server does.

    Attributes:
        requests: All requests received.
        calls: The bodies of the encode requests.
    """

    def __init__(self, *script: Reply) -> None:
        self.script = list(script)
        self.requests: list[httpx.Request] = []
        self.calls: list[Body] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        body = opened(request)
        if request.url.path.endswith("/encode"):
            self.calls.append(body)
        if self.script:
            reply = self.script.pop(0)
            if isinstance(reply, Exception):
                raise reply
            return reply(request) if callable(reply) else reply
        return self._usual(request, body)

    def _usual(self, request: httpx.Request, body: Body) -> httpx.Response:
        model = {"name": "toy", "source": "embedded", "dimensions": 3, "state": "ready"}
        match request.method, request.url.path.removeprefix("/stelae/v1/"):
            case "POST", "encode":
                return packed(encoded(body))
            case "GET", "models":
                return packed({"models": [model]})
            case "GET", "server":
                return packed({"version": "9.9", "uptime_s": 1.5, "listen": [URL], "new": 1})
            case _:
                return packed(
                    {**model, "reason": request.url.raw_path.decode(), "engine": str(body)}
                )

    @property
    def texts(self) -> list[list[str]]:
        """The texts of each encode request."""
        return [[item["text"] for item in call["items"]] for call in self.calls]
