"""Requests and answers as HTTP has them: JSON, with other names here and there."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import numpy as np

from stelae.wire.clip import arrays, messages, structs

TEXTS = ("id", "text", "uri", "mime_type", "modality", "parent_id")
NUMBERS = ("weight", "granularity", "adjacency", "offset")
INNER = ("chunks", "matches")
SCORE = ("value", "op_name", "description", "ref_id")
VECTORS = ("tensor", "embedding")


def written(request: messages.DataRequest) -> dict[str, Any]:
    """A request as values that JSON can say, and NumPy arrays."""
    header = request.header
    return {
        "header": {"request_id": header.request_id, "exec_endpoint": header.exec_endpoint},
        "parameters": structs.plain(request.parameters),
        "data": [_document(each) for each in request.data.docs.docs],
        "exec_endpoint": header.exec_endpoint,
    }


def _document(document: messages.Document) -> dict[str, Any]:
    said: dict[str, Any] = {
        name: value for name in (*TEXTS, *NUMBERS) if (value := getattr(document, name))
    }
    if document.blob:
        said["blob"] = base64.b64encode(document.blob).decode("ascii")
    if document.HasField("tensor"):
        said["tensor"] = np.ascontiguousarray(arrays.read(document.tensor))
    if document.HasField("tags"):
        said["tags"] = structs.plain(document.tags)
    for name in INNER:
        if inner := [_document(each) for each in getattr(document, name)]:
            said[name] = inner
    return said


def read(said: dict[str, Any]) -> messages.DataRequest:
    """The answer that a server wrote.

    Raises:
        KeyError: It is none.
        TypeError: Likewise.
        ValueError: Likewise.
    """
    answer = messages.DataRequest()
    header = said["header"]
    answer.header.request_id = _either(header, "requestId", "request_id") or ""
    answer.header.exec_endpoint = _either(header, "execEndpoint", "exec_endpoint") or ""
    _status(answer.header.status, header.get("status") or {})
    structs.fill(answer.parameters, said.get("parameters") or {})
    for route in said.get("routes") or ():
        _route(answer.routes.add(), route)
    for document in said.get("data") or ():
        _fill(answer.data.docs.docs.add(), document)
    return answer


def _either(said: dict[str, Any], name: str, other: str) -> Any:
    return said.get(name, said.get(other))


def _status(status: messages.Status, said: dict[str, Any]) -> None:
    code = said.get("code") or 0
    status.code = int(code in (1, "ERROR"))
    status.description = said.get("description") or ""
    exception = said.get("exception") or {}
    status.exception.name = exception.get("name") or ""
    status.exception.args.extend(exception.get("args") or ())


def _route(route: messages.Route, said: dict[str, Any]) -> None:
    route.executor = said.get("executor") or ""
    for name, other in (("start_time", "startTime"), ("end_time", "endTime")):
        if written := _either(said, other, name):
            getattr(route, name).FromNanoseconds(_nanoseconds(written))


def _nanoseconds(written: str) -> int:
    moment = datetime.fromisoformat(written)
    since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


def _fill(document: messages.Document, said: dict[str, Any]) -> None:
    for name in (*TEXTS, *NUMBERS):
        if value := said.get(name):
            setattr(document, name, value)
    if blob := said.get("blob"):
        document.blob = base64.b64decode(blob)
    for name in VECTORS:
        if (values := said.get(name)) is not None:
            arrays.fill(getattr(document, name), np.asarray(values, np.float32))
    if tags := said.get("tags"):
        structs.fill(document.tags, tags)
    for name, score in (said.get("scores") or {}).items():
        _score(document.scores[name], score)
    for name in INNER:
        for inner in said.get(name) or ():
            _fill(getattr(document, name).add(), inner)


def _score(score: messages.NamedScore, said: dict[str, Any]) -> None:
    for name in SCORE:
        if value := said.get(name):
            setattr(score, name, value)
