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


def terms(text: str) -> list[int]:
    """What the server's sparse vectors are made of: the lengths of the words, each once."""
    return sorted({len(word) for word in text.split()})


def token_vectors(text: str) -> list[list[int]]:
    """What the server makes of each word: its length, its first character."""
    return [[len(word), ord(word[0])] for word in text.split()]


def score(query: str, text: str) -> float:
    """How well a document fits: how many words it shares with the query."""
    return float(len(set(query.split()) & set(text.split())))


def encoded(call: Body, **changes: Any) -> Body:
    """The answer to an encode request; ``!bad`` fails, over ten characters is cut."""
    texts = [item.get("text", "ids") for item in call["items"]]
    facts = common(texts)
    outputs = call.get("outputs", ["dense"])
    made = {name: COLUMNS[name](texts, call, facts["errors"]) for name in outputs}
    return {**facts, **made, **changes}


def scored(call: Body, **changes: Any) -> Body:
    """The answer to a score request."""
    query = call["query"].get("text", "ids")
    texts = [item.get("text", "ids") for item in call["documents"]]
    facts = common(texts)
    rows = [
        float("nan") if i in facts["errors"] else score(query, text) for i, text in enumerate(texts)
    ]
    return {**facts, "scores": array("<f4", rows), **changes}


def extracted(call: Body, **changes: Any) -> Body:
    """The answer to an extract request: words with a capital letter."""
    texts = [item.get("text", "ids") for item in call["items"]]
    label = next(iter(call.get("labels", ())), "name")
    return {**common(texts), "items": [capitals(text, label) for text in texts], **changes}


def capitals(text: str, label: str) -> Body:
    words = [word for word in text.split() if word[0].isupper()]
    names = [
        {
            "text": w,
            "label": label,
            "score": 0.5,
            "start": text.index(w),
            "end": text.index(w) + len(w),
        }
        for w in words
    ]
    return {"entities": names} if names else {}


def common(texts: list[str]) -> Body:
    """What the answers to all verbs have."""
    tokens = [len(text.split()) + 2 for text in texts]
    return {
        "model": "toy",
        "fingerprint": "f00d",
        "tokens": array("<i4", tokens),
        "truncated": array("|b1", [len(text) > 10 for text in texts]),
        "errors": {
            i: {"code": "invalid_input", "message": "told to refuse this", "status": 400}
            for i, text in enumerate(texts)
            if text == "!bad"
        },
        "usage": {"tokens": sum(tokens)},
    }


def _dense(texts: list[str], call: Body, failed: Body) -> Body:
    rows = [[float("nan")] * 3 if i in failed else vector(t) for i, t in enumerate(texts)]
    return array("<f2" if call.get("dtype") == "float16" else "<f4", rows)


def _sparse(texts: list[str], call: Body, failed: Body) -> Body:
    found = [[] if i in failed else terms(text) for i, text in enumerate(texts)]
    ids = [term for each in found for term in each]
    return {
        "indices": array("<i4", ids),
        "values": array("<f4", [term / 2 for term in ids]),
        "offsets": array("<i8", np.cumsum([0, *map(len, found)]).tolist()),
    }


def _multivector(texts: list[str], call: Body, failed: Body) -> Body:
    found = [[] if i in failed else token_vectors(text) for i, text in enumerate(texts)]
    rows = [row for each in found for row in each]
    column = {
        "values": array("|i1" if call.get("dtype") == "int8" else "<f4", rows or [[0, 0]][:0]),
        "offsets": array("<i8", np.cumsum([0, *map(len, found)]).tolist()),
    }
    if call.get("dtype") != "int8":
        return column
    reading = {"scale": array("<f4", [0.5] * len(rows)), "zero": array("<f4", [1] * len(rows))}
    return {**column, "quantization": reading}


COLUMNS = {"dense": _dense, "sparse": _sparse, "multivector": _multivector}


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
        calls: The bodies of the encode, score and extract requests.
    """

    def __init__(self, *script: Reply) -> None:
        self.script = list(script)
        self.requests: list[httpx.Request] = []
        self.calls: list[Body] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        body = opened(request)
        if request.url.path.endswith(("/encode", "/score", "/extract")):
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
            case "POST", "score":
                return packed(scored(body))
            case "POST", "extract":
                return packed(extracted(body))
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
        """The texts of the items, or the documents, of each request."""
        given = [call.get("items") or call["documents"] for call in self.calls]
        return [[item["text"] for item in items] for items in given]
